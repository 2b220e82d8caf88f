"""Energies of orderings, relaxed by a force field or by DFT labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.progress import Progress, silent
from flatforce.data.frames import get_labels
from flatforce.models.resumable import evaluate_resumably
from flatforce.properties.alloys.formation import is_end_member
from flatforce.properties.alloys.initial_relaxation import relax_initially
from flatforce.properties.alloys.table import OrderingEnergy
from flatforce.properties.relax import relax_many
from flatforce.properties.relax_config import RelaxConfig
from flatforce.properties.relaxation import FailedRelaxation, Relaxation
from flatforce.reference.config import GpawSettings, LabelRelaxation
from flatforce.reference.relaxation import RelaxationStart, relax_by_labels
from flatforce.structures.alloys import HEIGHT
from flatforce.structures.sheet import as_slab, thickness
from flatforce.structures.symmetry import centre_on_symmetric_site

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.models.potential import Potential
    from flatforce.properties.alloys.config import AlloyEnergyConfig, RelaxationMode
    from flatforce.reference.config import LabelConfig, Settings
    from flatforce.structures.alloys import AlloyLattice


def energies_by_model(
    lattice: AlloyLattice,
    orderings: Sequence[Atoms],
    potential: Potential,
    config: AlloyEnergyConfig,
    *,
    scratch: Path | None = None,
    progress: Progress = silent,
) -> list[OrderingEnergy]:
    """Relax orderings with a force field, many at a time.

    Parameters
    ----------
    lattice
        The alloy.
    orderings
        Undistorted orderings, with the end members.
    potential
        The force field.
    config
        Settings.
    scratch
        Folder of the state of an interrupted run, which continues from it; None to keep nothing.
    progress
        Called after each ordering.

    Returns
    -------
    Energy of each ordering, or the reason of its failure.
    """
    results: dict[int, OrderingEnergy] = {}
    for relaxation, indices in _group_by_relaxation(lattice, orderings, config).items():
        sheets = [orderings[index] for index in indices]
        checkpoint = None if scratch is None else scratch / f"{relaxation}.checkpoint"
        if relaxation == "none":
            predictions = evaluate_resumably(potential, sheets, checkpoint=checkpoint, progress=progress)
            energies = [prediction.energy for prediction in predictions]
            group = [
                OrderingEnergy(sheet, sheet, energy, relaxation)
                for sheet, energy in zip(sheets, energies, strict=True)
            ]
        else:
            settings = RelaxConfig(
                max_force=config.max_force,
                max_stress=config.max_stress,
                max_steps=config.max_steps,
                relax_cell=relaxation == "cell",
            )
            outcomes = relax_many(potential, sheets, settings, checkpoint=checkpoint, progress=progress)
            group = _energies_of(sheets, outcomes, relaxation)
        results |= dict(zip(indices, group, strict=True))
    return [results[index] for index in range(len(orderings))]


def _energies_of(
    sheets: Sequence[Atoms], outcomes: Sequence[Relaxation | FailedRelaxation], relaxation: RelaxationMode
) -> list[OrderingEnergy]:
    results = []
    for sheet, outcome in zip(sheets, outcomes, strict=True):
        if isinstance(outcome, FailedRelaxation):
            results.append(OrderingEnergy(sheet, sheet, np.nan, relaxation, outcome.error.what))
        else:
            failure = "" if outcome.converged else f"is not relaxed after {outcome.n_steps} steps"
            results.append(OrderingEnergy(sheet, outcome.atoms, outcome.energy, relaxation, failure))
    return results


@dataclass(frozen=True)
class DftLabels:
    """How orderings are labelled by DFT while they relax."""

    config: LabelConfig
    """Code, its settings, and how the machine is used."""
    cache: Path
    """Folder of the cached labels; an interrupted run continues from it."""
    guide: Potential | None = None
    """A force field: orderings start from the sheets that it relaxes, and its second derivatives shape the first step. It has no
    influence on where relaxations end, and saves most of the labels."""


def energies_by_labels(
    lattice: AlloyLattice,
    orderings: Sequence[Atoms],
    labels: DftLabels,
    config: AlloyEnergyConfig,
    *,
    progress: Progress = silent,
) -> tuple[list[OrderingEnergy], list[Atoms]]:
    """Relax orderings by DFT, each step a cached label.

    Parameters
    ----------
    lattice
        The alloy.
    orderings
        Undistorted orderings, with the end members.
    labels
        How frames are labelled.
    config
        Settings.
    progress
        Called after each round of labels.

    Returns
    -------
    Energy of each ordering, or the reason of its failure; and every labelled frame.
    """
    results: dict[int, OrderingEnergy] = {}
    frames: list[Atoms] = []
    for relaxation, indices in _group_by_relaxation(lattice, orderings, config).items():
        target = LabelRelaxation(
            max_force=np.inf if relaxation == "none" else config.dft_force or config.max_force,
            max_stress=config.dft_stress or config.max_stress,
            max_steps=config.max_labels,
            relax_cell=relaxation == "cell",
        )
        guide = None if relaxation == "none" else labels.guide
        starts = [_start_of(orderings[index], labels, target, guide) for index in indices]
        paths = relax_by_labels(starts, labels.config, target, cache=labels.cache, progress=progress)
        for index, path in zip(indices, paths, strict=True):
            for frame in path.frames:
                frame.info["relaxation"] = relaxation
            frames.extend(path.frames)
            results[index] = _energy_of_path(orderings[index], path.frames, relaxation, path.reason)
    return [results[index] for index in range(len(orderings))], frames


def _start_of(
    ordering: Atoms, labels: DftLabels, target: LabelRelaxation, guide: Potential | None
) -> RelaxationStart:
    """Choose where the relaxation of an ordering starts: at its undistorted sheet, or where the guide relaxes it to."""
    settings = grid_of(labels.config.settings, ordering)
    sheet = centre_on_symmetric_site(slab(ordering))
    if guide is None:
        return RelaxationStart(sheet, settings)
    relaxed, hessian = relax_initially(sheet, guide, target, folder=labels.cache)
    return RelaxationStart(relaxed, settings, hessian)


def _group_by_relaxation(
    lattice: AlloyLattice, orderings: Sequence[Atoms], config: AlloyEnergyConfig
) -> dict[RelaxationMode, list[int]]:
    """Group the indices of orderings by what is relaxed: end members always relax in their own cells."""
    groups: dict[RelaxationMode, list[int]] = {}
    for index, atoms in enumerate(orderings):
        relaxation: RelaxationMode = "cell" if is_end_member(lattice, atoms) else config.relax
        groups.setdefault(relaxation, []).append(index)
    return groups


def grid_of(settings: Settings, ordering: Atoms) -> Settings:
    """Fix GPAW's k points for an ordering, at least as dense as `k_length` demands for its undistorted cell.

    They stay the same while it relaxes: if the grid changed on the way, the energy would jump.

    Parameters
    ----------
    settings
        How frames are labelled.
    ordering
        The undistorted ordering.

    Returns
    -------
    The settings with `k_points`; unchanged for other codes.
    """
    if not isinstance(settings, GpawSettings) or settings.k_points is not None:
        return settings
    first, second = (
        max(1, int(np.ceil(settings.k_length / length - 0.01))) for length in ordering.cell.lengths()[:2]
    )
    return settings.model_copy(update={"k_points": (first, second)})


def slab(sheet: Atoms) -> Atoms:
    """Give an ordering the cell in which it is labelled.

    Parameters
    ----------
    sheet
        An ordering.

    Returns
    -------
    A copy with three periodic axes and a third lattice vector of `HEIGHT`, so that the vacuum cancels in energy
    differences.
    """
    return as_slab(sheet, gap=HEIGHT - thickness(sheet))


def _energy_of_path(
    ordering: Atoms, frames: Sequence[Atoms], relaxation: RelaxationMode, failure: str
) -> OrderingEnergy:
    if not frames:
        return OrderingEnergy(ordering, ordering, np.nan, relaxation, failure or "no label")
    energy = get_labels(frames[-1]).energy
    return OrderingEnergy(ordering, frames[-1], energy, relaxation, failure, len(frames))
