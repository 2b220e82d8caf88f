"""Energies of orderings, relaxed by a force field or by DFT labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import PositiveFloat, PositiveInt

from flatforce.core.config import Config
from flatforce.core.progress import Progress, silent
from flatforce.data.frames import get_labels
from flatforce.properties.alloys.initial_relaxation import guess_relaxed
from flatforce.properties.alloys.table import PURE, Solved
from flatforce.properties.relax import relax_many
from flatforce.properties.relaxation import FailedRelaxation
from flatforce.properties.relax_config import RelaxConfig
from flatforce.reference.config import GpawSettings
from flatforce.reference.relaxation import LabelRelaxation, relax_by_labels
from flatforce.structures.alloys import HEIGHT
from flatforce.structures.sheet import as_slab, thickness
from flatforce.structures.symmetry import centre_on_symmetric_site

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.models.potential import Potential
    from flatforce.properties.alloys.table import State
    from flatforce.reference.config import LabelConfig, Settings
    from flatforce.structures.alloys import AlloyLattice


class AlloyEnergies(Config):
    """How the energies of orderings are found."""

    relax: Literal["cell", "positions", "none"] = "cell"
    """What is relaxed of the orderings. End members always relax in their own cells."""
    max_force: PositiveFloat = 0.01
    """eV/Å. Largest force left on any atom by a force field."""
    max_stress: PositiveFloat = 0.05
    """N/m. Largest component of the membrane stress left."""
    dft_force: PositiveFloat | None = None
    """eV/Å. The same for relaxations by DFT, whose steps cost more; `max_force` if not given."""
    dft_stress: PositiveFloat | None = None
    """N/m. The same for relaxations by DFT; `max_stress` if not given."""
    max_steps: PositiveInt = 500
    """Of a relaxation by a force field."""
    max_labels: PositiveInt = 20
    """Of a relaxation by DFT."""
    max_distance: PositiveFloat = 0.3
    """Å. An ordering with an atom further than this from its site has left the lattice and is dropped: in relaxed MX2
    alloys of one prototype atoms stay within 0.1 Å, a change of prototype moves them by more than 1 Å."""
    max_mismatch: PositiveFloat = 0.005
    """Largest relative difference of the end members' lattice constants where the orderings keep the parent's."""


def is_end_member(lattice: AlloyLattice, atoms: Atoms) -> bool:
    """Tell whether an ordering holds one species alone.

    Parameters
    ----------
    lattice
        The alloy.
    atoms
        An ordering.

    Returns
    -------
    True if so.
    """
    return max(lattice.composition(atoms).values()) > 1 - PURE


def energies_by_model(
    lattice: AlloyLattice,
    orderings: Sequence[Atoms],
    potential: Potential,
    config: AlloyEnergies,
    *,
    progress: Progress = silent,
) -> list[Solved]:
    """Relax orderings with a force field, many at a time.

    Parameters
    ----------
    lattice
        The alloy.
    orderings
        End members among them.
    potential
        The force field.
    config
        Settings.
    progress
        Told after each ordering.

    Returns
    -------
    One for each ordering; what failed says why.
    """
    found: dict[int, Solved] = {}
    for state, places in _by_state(lattice, orderings, config).items():
        sheets = [orderings[k] for k in places]
        if state == "none":
            found |= {
                k: Solved(orderings[k], orderings[k], one.energy, state)
                for k, one in zip(places, potential.evaluate(sheets), strict=True)
            }
            continue
        settings = RelaxConfig(
            max_force=config.max_force,
            max_stress=config.max_stress,
            max_steps=config.max_steps,
            relax_cell=state == "cell",
        )
        for k, ended in zip(places, relax_many(potential, sheets, settings, progress=progress), strict=True):
            if isinstance(ended, FailedRelaxation):
                found[k] = Solved(orderings[k], orderings[k], np.nan, state, ended.error.what)
            else:
                reason = "" if ended.converged else f"not relaxed after {ended.n_steps} steps"
                found[k] = Solved(orderings[k], ended.atoms, ended.energy, state, reason)
    return [found[k] for k in range(len(orderings))]


def energies_by_labels(
    lattice: AlloyLattice,
    orderings: Sequence[Atoms],
    labels: LabelConfig,
    config: AlloyEnergies,
    *,
    cache: Path,
    guide: Potential | None = None,
    progress: Progress = silent,
) -> tuple[list[Solved], list[Atoms]]:
    """Relax orderings by DFT, each step a cached label.

    Parameters
    ----------
    lattice
        The alloy.
    orderings
        End members among them.
    labels
        How frames are labelled.
    config
        Settings.
    cache
        Folder of labels.
    guide
        A force field: orderings start where it relaxes them, and its second derivatives shape the first step. It has
        no say in where they end, and saves most of the labels.
    progress
        Told after each round of labels.

    Returns
    -------
    One for each ordering, and every labelled frame.
    """
    found: dict[int, Solved] = {}
    frames: list[Atoms] = []
    for state, places in _by_state(lattice, orderings, config).items():
        target = LabelRelaxation(
            max_force=np.inf if state == "none" else config.dft_force or config.max_force,
            max_stress=config.dft_stress or config.max_stress,
            max_steps=config.max_labels,
            relax_cell=state == "cell",
        )
        starts, curvatures = [centre_on_symmetric_site(slab(orderings[k])) for k in places], None
        if guide is not None and state != "none":
            guided = [guess_relaxed(one, guide, target, folder=cache) for one in starts]
            starts, curvatures = [one[0] for one in guided], [one[1] for one in guided]
        settings = [grid_of(labels.settings, orderings[k]) for k in places]
        paths = relax_by_labels(
            starts, labels, target, cache=cache, settings=settings, curvatures=curvatures, progress=progress
        )
        for k, path in zip(places, paths, strict=True):
            for frame in path.frames:
                frame.info["relaxation"] = state
            frames.extend(path.frames)
            found[k] = _from_path(orderings[k], path.frames, state, path.reason)
    return [found[k] for k in range(len(orderings))], frames


def _by_state(
    lattice: AlloyLattice, orderings: Sequence[Atoms], config: AlloyEnergies
) -> dict[State, list[int]]:
    """Sort orderings by what is relaxed: end members always in their own cells."""
    places: dict[State, list[int]] = {}
    for number, atoms in enumerate(orderings):
        state: State = "cell" if is_end_member(lattice, atoms) else config.relax
        places.setdefault(state, []).append(number)
    return places


def grid_of(settings: Settings, ordering: Atoms) -> Settings:
    """Lay GPAW's k points down for an ordering, at least as dense as `k_length` says for its undistorted cell.

    They stay the same while it relaxes: a grid that changed on the way would show as a jump of the energy.

    Parameters
    ----------
    settings
        How frames are labelled.
    ordering
        Undistorted.

    Returns
    -------
    The settings with `k_points`; unchanged for other codes.
    """
    if not isinstance(settings, GpawSettings) or settings.k_points is not None:
        return settings
    first, second = (
        max(1, int(np.ceil(settings.k_length / one - 0.01))) for one in ordering.cell.lengths()[:2]
    )
    return settings.model_copy(update={"k_points": (first, second)})


def slab(sheet: Atoms) -> Atoms:
    """Give an ordering the cell that it is labelled in.

    Parameters
    ----------
    sheet
        An ordering.

    Returns
    -------
    A copy with three periodic axes and a third vector of `HEIGHT`, so that differences of energies hold no vacuum.
    """
    return as_slab(sheet, gap=HEIGHT - thickness(sheet))


def _from_path(ordering: Atoms, frames: Sequence[Atoms], state: State, reason: str) -> Solved:
    if not frames:
        return Solved(ordering, ordering, np.nan, state, reason or "no label")
    return Solved(ordering, frames[-1], get_labels(frames[-1]).energy, state, reason, len(frames))
