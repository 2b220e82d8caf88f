"""Reference phases: competing structures with labelled energies, or that the force field relaxes as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import DataError, FlatforceError
from flatforce.data.frames import ENERGY, describe, get_labels
from flatforce.properties.screening.hull import compositions_of
from flatforce.properties.screening.relaxations import relax_sheets
from flatforce.structures.isolated_sheet import check_isolated_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.core.progress import Progress
    from flatforce.models.potential import Potential
    from flatforce.properties.screening.config import ScreenConfig


@dataclass(frozen=True)
class References:
    """Competing phases and their energies."""

    structures: Sequence[Atoms] = ()
    """Structures; sheets, or crystals with a label."""
    energies: tuple[float, ...] = ()
    """eV/atom of each structure."""
    n_relaxed: int = 0
    """Number of those whose energy is that of the force field; the others are labelled."""

    def elemental(self, elements: Sequence[str]) -> FloatArray:
        """Find the energies of elements.

        Parameters
        ----------
        elements
            Chemical symbols.

        Returns
        -------
        (E,) eV/atom, lowest energy among the references of each element alone; NaN where there is none.
        """
        compositions = compositions_of(self.structures, elements)
        energies = np.full(len(elements), np.nan)
        for k in range(len(elements)):
            pure = np.array(self.energies)[compositions[:, k] == 1]
            if len(pure):
                energies[k] = pure.min()
        return energies


def check_reference(frame: Atoms, potential: Potential) -> None:
    """Refuse a reference that has no label and that the force field cannot relax either.

    Parameters
    ----------
    frame
        The reference.
    potential
        The force field.

    Raises
    ------
    DataError
        If it is no isolated sheet, or holds an element that the force field does not know.
    """
    if ENERGY in frame.info:
        get_labels(frame, need_forces=False)
        return
    try:
        check_isolated_sheet(frame)
        potential.check([frame])
    except FlatforceError as error:
        raise DataError(
            f"The reference {describe(frame)} has no label, and the force field cannot relax it.",
            why=error.what,
            fix=f"label it by DFT (flatforce label), so that it has {ENERGY}; a crystal needs a label, because sheets alone are relaxed",
        ) from error


def reference_energies(
    potential: Potential, frames: Sequence[Atoms], config: ScreenConfig, *, folder: Path, progress: Progress
) -> References:
    """Read the labels of references, and relax those without.

    Parameters
    ----------
    potential
        The force field.
    frames
        References; their `REF_energy`, where they have one, is taken as it is.
    config
        Settings of the relaxations.
    folder
        Folder of the state of an interrupted run.
    progress
        Called after each relaxation.

    Returns
    -------
    The references with their energies.

    Raises
    ------
    DataError
        If the relaxation of a reference fails or does not converge.
    """
    for frame in frames:
        check_reference(frame, potential)
    unlabelled = [frame for frame in frames if ENERGY not in frame.info]
    verdicts = iter(relax_sheets(potential, unlabelled, config, folder=folder, progress=progress))
    structures, energies = [], []
    for frame in frames:
        structure, energy = frame, float(frame.info.get(ENERGY, np.nan))
        if ENERGY not in frame.info:
            verdict = next(verdicts)
            if verdict.status != "converged" or verdict.atoms is None:
                raise DataError(
                    f"The reference {describe(frame)} was not relaxed.",
                    why=verdict.reason,
                    fix="relax it with looser criteria, correct it, or leave it out",
                )
            structure, energy = verdict.atoms, verdict.energy
        structures.append(structure)
        energies.append(energy / len(frame))
    return References(structures, tuple(energies), len(unlabelled))
