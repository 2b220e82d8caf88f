"""The relaxed cell of a defect: relaxed once, with its site symmetry restored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.core.files import write_arrays
from flatforce.properties.phonons.spectra.modes import assign_shells
from flatforce.properties.relax import relax
from flatforce.structures.symmetry import RELAXED_SYMPREC, Symmetry, find_symmetry, symmetrise

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import IntArray
    from flatforce.core.progress import Progress
    from flatforce.models.potential import Potential
    from flatforce.properties.relax_config import RelaxConfig
    from flatforce.structures.defects import DefectCell

TOLERANCES: Final = (RELAXED_SYMPREC, RELAXED_SYMPREC / 3, RELAXED_SYMPREC / 10, RELAXED_SYMPREC / 30)
"""Å, symmetry tolerances that are tried in turn."""

STRAIN_TOLERANCE: Final = 1e-4
"""A strain of the cell beyond this is intended, and symmetry operations that would undo it are not restored."""

MAX_FORCE_RATIO: Final = 5.0
"""Largest force after the symmetry was restored, relative to the convergence criterion of the relaxation."""


@dataclass(frozen=True)
class RelaxedDefect:
    """A defect cell after its relaxation."""

    cell: DefectCell
    """The defect cell before the relaxation."""
    atoms: Atoms
    """The relaxed, symmetrised defect cell."""
    symmetry: Symmetry
    """Space group of the relaxed cell."""
    energy_gain: float
    """eV, energy before minus energy after the relaxation."""
    converged: bool
    """Whether the relaxation has converged."""
    symmetry_shift: float
    """Å, largest displacement of an atom when the site symmetry was restored."""


def relax_defect(
    potential: Potential, cell: DefectCell, config: RelaxConfig, stored: Path, progress: Progress
) -> RelaxedDefect:
    """Relax a defect cell and restore its site symmetry.

    Parameters
    ----------
    potential
        The force field.
    cell
        The defect cell.
    config
        Settings of the relaxation.
    stored
        File of the relaxed cell; if it exists, it is read instead.
    progress
        Called after each step.

    Returns
    -------
    The relaxed cell, its site symmetry, and the energy in eV that the relaxation gained.
    """
    relaxed, energy_gain, converged = relax_or_resume(potential, cell.atoms, config, stored, progress)
    atoms, symmetry = restore_symmetry(potential, relaxed, limit=MAX_FORCE_RATIO * config.max_force)
    shift = float(np.linalg.norm(atoms.positions - relaxed.positions, axis=1).max())
    return RelaxedDefect(cell, atoms, symmetry, energy_gain, converged, shift)


def relax_or_resume(
    potential: Potential, atoms: Atoms, config: RelaxConfig, stored: Path, progress: Progress
) -> tuple[Atoms, float, bool]:
    """Relax a cell, or read the relaxed cell of an interrupted run, whose forces belong to exactly that geometry.

    Parameters
    ----------
    potential
        The force field.
    atoms
        The defect cell.
    config
        Settings of the relaxation.
    stored
        File of the relaxed cell.
    progress
        Called after each step.

    Returns
    -------
    The relaxed cell, the energy gained in eV, and whether the relaxation has converged.
    """
    if not stored.is_file():
        initial_energy = potential.evaluate([atoms], stress=False)[0].energy
        checkpoint = stored.with_suffix(".checkpoint")
        relaxation = relax(potential, atoms, config, checkpoint=checkpoint, progress=progress)
        content = {
            "positions": relaxation.atoms.positions,
            "cell": relaxation.atoms.cell.array,
            "gain": np.array(initial_energy - relaxation.energy),
            "converged": np.array(relaxation.converged),
        }
        write_arrays(stored, content)
    with np.load(stored) as arrays:
        relaxed = atoms.copy()
        relaxed.set_cell(arrays["cell"])
        relaxed.set_positions(arrays["positions"])
        return relaxed, float(arrays["gain"]), bool(arrays["converged"])


def restore_symmetry(potential: Potential, relaxed: Atoms, *, limit: float) -> tuple[Atoms, Symmetry]:
    """Restore the highest symmetry that causes no forces, so that a small but real distortion is preserved.

    Parameters
    ----------
    potential
        The force field.
    relaxed
        A relaxed cell.
    limit
        eV/Å, largest force allowed; or twice the largest force of the relaxed cell, if that is more.

    Returns
    -------
    A copy of the cell with symmetrised positions, and the symmetry that it has.
    """
    limit = max(limit, 2 * _largest_force(potential, relaxed))
    for symprec in TOLERANCES:
        symmetry = find_symmetry(relaxed, symprec=symprec, cell_strain=STRAIN_TOLERANCE)
        restored = symmetrise(relaxed, symmetry)
        if _largest_force(potential, restored) < limit:
            break
    return restored, symmetry


def _largest_force(potential: Potential, atoms: Atoms) -> float:
    forces = potential.evaluate([atoms], stress=False)[0].forces
    return float(np.linalg.norm(forces, axis=1).max())


def defect_shells(cell: DefectCell, radii: list[float]) -> IntArray:
    """Sort atoms into shells around the defect by their sites in the pristine geometry; an adatom by its own position.

    Parameters
    ----------
    cell
        The defect cell.
    radii
        Å, outer radii of the shells, ascending.

    Returns
    -------
    (N,) shell of each atom; atoms beyond the last radius have shell len(radii).
    """
    positions = cell.atoms.positions.copy()
    on_site = cell.site_of >= 0
    positions[on_site] = cell.pristine.positions[cell.site_of[on_site]]
    return assign_shells(positions, cell.centre, cell.pristine.cell.array, radii)


def set_masses(atoms: Atoms, masses: dict[str, float]) -> Atoms:
    """Give species other masses.

    Parameters
    ----------
    atoms
        Atoms, changed in place.
    masses
        Species → mass in amu.

    Returns
    -------
    The structure that was given, whose masses in amu are changed in place.
    """
    if masses:
        current = zip(atoms.get_masses(), atoms.get_chemical_symbols(), strict=True)
        atoms.set_masses([masses.get(symbol, mass) for mass, symbol in current])
    return atoms
