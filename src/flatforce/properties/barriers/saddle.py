"""Saddle points: refinement by a dimer, vibrations, attempt frequency and rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from ase.mep import DimerControl, MinModeAtoms, MinModeTranslate
from scipy.linalg import null_space

from flatforce.core.progress import Progress, silent
from flatforce.core.units import BOLTZMANN, FREQUENCY_FACTOR
from flatforce.models.finite_difference_hessian import DISPLACEMENT
from flatforce.properties.phonons.force_constants.local_rows import local_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.models.potential import Potential

FREQUENCY_TOLERANCE: Final = 0.05
"""THz. A mode is imaginary below minus this: noise of forces shifts the softest flexural modes by less."""

HERTZ_PER_THZ: Final = 1e12


@dataclass(frozen=True)
class Vibrations:
    """Harmonic vibrations of some atoms of a structure; those of all atoms without the three translations."""

    frequencies: FloatArray
    """(M) THz in ascending order; imaginary ones are negative."""
    modes: FloatArray
    """(M, n, 3) displacements of the n atoms, each of length 1."""

    @property
    def n_imaginary(self) -> int:
        """Number of imaginary modes."""
        return int((self.frequencies < -FREQUENCY_TOLERANCE).sum())


def vibrations(
    potential: Potential, atoms: Atoms, active: IntArray, *, scratch: Path, progress: Progress = silent
) -> Vibrations:
    """Compute the vibrations of some atoms while the others rest.

    Parameters
    ----------
    potential
        The force field.
    atoms
        A minimum or a saddle point.
    active
        (n,) atoms that vibrate.
    scratch
        Folder of the rows of the Hessian computed so far.
    progress
        Called after each row.

    Returns
    -------
    Frequencies in THz in ascending order, imaginary ones negative, and the displacements of each mode.
    """
    hessian = _hessian(potential, atoms, active, scratch=scratch, progress=progress)
    masses = np.repeat(atoms.get_masses()[active], 3)
    dynamical = (hessian + hessian.T) / 2 / np.sqrt(np.outer(masses, masses))
    basis = np.eye(len(masses))
    if len(active) == len(atoms):
        basis = null_space((np.tile(np.eye(3), (len(atoms), 1)) * np.sqrt(masses)[:, None]).T)
    eigenvalues, vectors = np.linalg.eigh(basis.T @ dynamical @ basis)
    steps = (basis @ vectors / np.sqrt(masses)[:, None]).T
    steps /= np.linalg.norm(steps, axis=1)[:, None]
    frequencies = np.sign(eigenvalues) * np.sqrt(np.abs(eigenvalues)) * FREQUENCY_FACTOR
    return Vibrations(frequencies, steps.reshape(len(steps), len(active), 3))


def _hessian(
    potential: Potential, atoms: Atoms, active: IntArray, *, scratch: Path, progress: Progress
) -> FloatArray:
    """(3 n, 3 n) eV/Å²: rows of the force field, or central differences where its interaction range is unknown."""
    rows = local_rows(potential, atoms, active.tolist(), scratch=scratch, progress=progress)
    hessian = np.zeros((len(active), 3, len(active), 3))
    if rows is not None:
        column = np.full(len(atoms), -1)
        column[active] = np.arange(len(active))
        for k, (neighbours, blocks) in enumerate(zip(rows.atoms, rows.blocks, strict=True)):
            inside = column[neighbours] >= 0
            hessian[k][:, column[neighbours[inside]]] = blocks[inside].transpose(1, 0, 2)
        return hessian.reshape(3 * len(active), -1)
    for k, atom in enumerate(active.tolist()):
        cells = []
        for axis in range(3):
            for sign in (1, -1):
                cell = atoms.copy()
                cell.positions[atom, axis] += sign * DISPLACEMENT
                cells.append(cell)
        forces = np.array([prediction.forces for prediction in potential.evaluate(cells, stress=False)])[
            :, active
        ]
        hessian[k] = (forces[1::2] - forces[::2]) / (2 * DISPLACEMENT)
        progress(k + 1, len(active), "displaced atoms")
    return hessian.reshape(3 * len(active), -1)


def attempt_frequency(minimum: Vibrations, saddle: Vibrations) -> float:
    """Compute the attempt frequency of harmonic transition state theory.

    Parameters
    ----------
    minimum
        Vibrations of the start.
    saddle
        Vibrations of the saddle point, of the same atoms.

    Returns
    -------
    THz, ∏ νᵢ(start) / ∏ νⱼ(saddle) without the imaginary one (G. H. Vineyard, 1957); NaN unless the start is a minimum and the saddle
    point has one imaginary mode.
    """
    real = saddle.frequencies[1:]
    if saddle.n_imaginary != 1 or min(minimum.frequencies.min(), real.min()) <= 0:
        return float("nan")
    return float(np.exp(np.log(minimum.frequencies).sum() - np.log(real).sum()))


def rate(frequency: float, barrier: float, temperature: float) -> float:
    """Compute the rate of a hop.

    Parameters
    ----------
    frequency
        THz, attempt frequency.
    barrier
        eV.
    temperature
        K.

    Returns
    -------
    1/s, ν exp(−E / k_B T).
    """
    return float(HERTZ_PER_THZ * frequency * np.exp(-barrier / (BOLTZMANN * temperature)))


def refine_by_dimer(
    potential: Potential, image: Atoms, tangent: FloatArray, *, max_force: float, max_steps: int
) -> tuple[Atoms, float]:
    """Move an image to the saddle point beside it by the dimer method.

    Parameters
    ----------
    potential
        The force field.
    image
        The highest image of a path.
    tangent
        (N, 3) direction of the path there, in which the dimer starts.
    max_force
        eV/Å, convergence criterion.
    max_steps
        Largest number of steps.

    Returns
    -------
    The saddle point, and the largest force left on an atom in eV/Å.
    """
    atoms = image.copy()
    atoms.calc = potential.calculator()
    control = DimerControl(
        initial_eigenmode_method="displacement",
        displacement_method="vector",
        maximum_translation=0.05,
        logfile=None,
        eigenmode_logfile=None,
    )
    dimer = MinModeAtoms(atoms, control, eigenmodes=[tangent / np.linalg.norm(tangent)])
    MinModeTranslate(dimer, logfile=None).run(fmax=max_force, steps=max_steps)
    force = float(np.linalg.norm(atoms.get_forces(), axis=1).max())
    atoms.calc = None
    return atoms, force


def atoms_near(atoms: Atoms, centre: int, radius: float | None) -> IntArray:
    """List the atoms that vibrate.

    Parameters
    ----------
    atoms
        The saddle point.
    centre
        The atom that moves farthest.
    radius
        Å; all atoms if None.

    Returns
    -------
    (n,) indices of the atoms within the radius, at nearest images.
    """
    everything: Sequence[int] = range(len(atoms))
    if radius is None:
        return np.array(everything)
    return np.flatnonzero(atoms.get_distances(centre, everything, mic=True) <= radius)
