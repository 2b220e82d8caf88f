"""The relaxed cell of a defect: computed once, its site symmetry restored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.core.files import write_arrays
from flatforce.core.progress import Progress
from flatforce.properties.phonons.spectra.modes import assign_shells
from flatforce.properties.relax import relax
from flatforce.properties.relax_config import RelaxConfig
from flatforce.structures.symmetry import RELAXED_SYMPREC, Symmetry, find_symmetry, symmetrise

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import IntArray
    from flatforce.models.potential import Potential
    from flatforce.structures.defects import DefectCell

TOLERANCES: Final = (RELAXED_SYMPREC, RELAXED_SYMPREC / 3, RELAXED_SYMPREC / 10, RELAXED_SYMPREC / 30)
"""Å, tried in turn."""

KEPT_STRAIN: Final = 1e-4
"""A strain of the cell beyond this is meant, and no operation that undoes it is restored."""

CALM: Final = 5.0
"""Times the relaxation's own limit that forces may reach when the symmetry is restored."""


def relax_or_resume(
    potential: Potential, atoms: Atoms, config: RelaxConfig, kept: Path, progress: Progress
) -> tuple[Atoms, float, bool]:
    """Relax, or read back: a run that goes on must displace the very geometry that its forces belong to.

    Parameters
    ----------
    potential
        The force field.
    atoms
        The defect cell.
    config
        Settings.
    kept
        File of the relaxed cell.
    progress
        Told after each step.

    Returns
    -------
    The relaxed cell, the eV gained, and whether the relaxation converged.
    """
    if not kept.is_file():
        before = potential.evaluate([atoms], stress=False)[0].energy
        found = relax(potential, atoms, config, progress=progress)
        content = {
            "positions": found.atoms.positions,
            "cell": found.atoms.cell.array,
            "gain": np.array(before - found.energy),
            "converged": np.array(found.converged),
        }
        write_arrays(kept, content)
    with np.load(kept) as stored:
        relaxed = atoms.copy()
        relaxed.set_cell(stored["cell"])
        relaxed.set_positions(stored["positions"])
        return relaxed, float(stored["gain"]), bool(stored["converged"])


def restore_symmetry(potential: Potential, relaxed: Atoms, *, limit: float) -> tuple[Atoms, Symmetry]:
    """Restore the highest symmetry that costs no force: a small distortion that is real is kept.

    Parameters
    ----------
    potential
        The force field.
    relaxed
        A relaxed cell.
    limit
        eV/Å that forces may reach; twice what they are already, if that is more.

    Returns
    -------
    The symmetrised cell and its symmetry.
    """
    limit = max(limit, 2 * _largest_force(potential, relaxed))
    for symprec in TOLERANCES:
        symmetry = find_symmetry(relaxed, symprec=symprec, cell_strain=KEPT_STRAIN)
        restored = symmetrise(relaxed, symmetry)
        if _largest_force(potential, restored) < limit:
            break
    return restored, symmetry


def _largest_force(potential: Potential, atoms: Atoms) -> float:
    forces = potential.evaluate([atoms], stress=False)[0].forces
    return float(np.linalg.norm(forces, axis=1).max())


def defect_shells(made: DefectCell, radii: list[float]) -> IntArray:
    """Sort atoms into shells by their sites in the pristine geometry, an adatom by its own place.

    Parameters
    ----------
    made
        The defect cell.
    radii
        Å, growing.

    Returns
    -------
    (N,) shell of each atom; the last one is the rest.
    """
    places = made.atoms.positions.copy()
    on_site = made.site_of >= 0
    places[on_site] = made.pristine.positions[made.site_of[on_site]]
    return assign_shells(places, made.centre, made.pristine.cell.array, radii)
