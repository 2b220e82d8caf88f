"""Long-range dipole term of a polar sheet, which gives longitudinal optical modes a slope at Γ.

D_κκ'(q) = Σ_G 2π e²/A · (K·Z_κ)(K·Z_κ') / (|K| (1 + r_eff |K|)) / √(m_κ m_κ'), K = q + G in the plane, damped towards
the border of the Brillouin zone. The force constants of a supercell contain this term at the wave vectors that are
commensurate with the supercell. It is subtracted there, and added back at every wave vector. Source: T. Sohier et al.,
Nano Lett. 17, 3758 (2017); subtraction: X. Gonze, C. Lee, Phys. Rev. B 55, 10355 (1997).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from ase import units

from flatforce.core.errors import ConfigError
from flatforce.properties.phonons.force_constants.finite_displacements import to_ase

if TYPE_CHECKING:
    from ase import Atoms
    from phonopy import Phonopy

    from flatforce.core.arrays import ComplexArray, FloatArray
    from flatforce.properties.phonons.config import PolarConfig

COULOMB: Final = float(units.Hartree * units.Bohr)
"""e²/(4πε₀), 14.4 eV Å."""

DAMPING_WIDTH: Final = 0.25
"""Width of the Gaussian that damps the term, relative to the shorter reciprocal vector; it leaves 2 % at the zone border."""

NEUTRALITY_TOLERANCE: Final = 0.02
"""e. Largest sum of the Born charges that is distributed evenly over the atoms; DFT leaves sums of this size."""


def born_charges(config: PolarConfig, count: int) -> FloatArray:
    """Read the Born charges, and shift them so that the sheet is neutral.

    Parameters
    ----------
    config
        Dielectric data of the sheet.
    count
        Number of atoms of the cell.

    Returns
    -------
    (N, 3, 3) e, Born effective charges; their sum is zero.

    Raises
    ------
    ConfigError
        If the number of tensors is not the number of atoms, or their sum is not zero.
    """
    charges = np.array(config.born, dtype=float)
    if charges.shape != (count, 3, 3):
        raise ConfigError(
            f"There are {len(config.born)} Born charges for {count} atoms.",
            fix="list one 3 × 3 tensor per atom under polar.born, in the order of the structure",
        )
    excess = charges.sum(axis=0) / count
    if np.abs(excess * count).max() > NEUTRALITY_TOLERANCE:
        raise ConfigError(
            f"The Born charges add up to {np.abs(excess * count).max():.3f} e.",
            why="displacing a neutral sheet as a whole creates no dipole",
            fix="check that polar.born follows the order of the structure, and that the DFT calculation is converged",
        )
    neutral: FloatArray = charges - excess
    return neutral


def polar_term(q: FloatArray, cell: Atoms, charges: FloatArray, screening_length: float) -> ComplexArray:
    """Compute the long-range dipole part of the dynamical matrix.

    Parameters
    ----------
    q
        (Q, 3) wave vectors in reciprocal-lattice coordinates.
    cell
        The primitive cell.
    charges
        (N, 3, 3) e, Born effective charges.
    screening_length
        Å, r_eff.

    Returns
    -------
    (Q, 3N, 3N) eV/Å²/amu, with the phases of the positions, as in phonopy; the acoustic sum rule holds at Γ.
    """
    count = len(cell)
    root = np.sqrt(cell.get_masses())
    lattice_sums = _sum_over_images(np.concatenate([q, np.zeros((1, 3))]), cell, charges, screening_length)
    on_site = lattice_sums[-1].sum(axis=2)  # (N, 3, 3), summed over the second atom
    matrices = lattice_sums[:-1]
    for atom in range(count):
        matrices[:, atom, :, atom] -= on_site[atom]
    matrices /= root[:, None, None, None] * root[:, None]
    return matrices.reshape(len(q), 3 * count, 3 * count)


def polar_constants(phonon: Phonopy, charges: FloatArray, screening_length: float) -> FloatArray:
    """Convert the dipole term at the wave vectors of a supercell into force constants.

    Parameters
    ----------
    phonon
        The phonopy object, whose primitive cell is its unit cell.
    charges
        (N, 3, 3) e, Born effective charges.
    screening_length
        Å, r_eff.

    Returns
    -------
    (N, S, 3, 3) eV/Å², between the N atoms of the primitive cell and the S atoms of the supercell.
    """
    cell = to_ase(phonon.primitive)
    n, m = (int(size) for size in np.diag(phonon.supercell_matrix)[:2])
    q = np.array([(i / n, j / m, 0.0) for i in range(n) for j in range(m)])
    terms = polar_term(q, cell, charges, screening_length).reshape(len(q), len(cell), 3, len(cell), 3)
    sublattices = [phonon.primitive.p2p_map[int(atom)] for atom in phonon.primitive.s2p_map]
    coordinates = to_ase(phonon.supercell).positions @ np.linalg.inv(cell.cell.array)
    root = np.sqrt(cell.get_masses())
    constants = np.empty((len(cell), len(sublattices), 3, 3))
    for atom, first in enumerate(phonon.primitive.p2s_map):
        phases = np.exp(-2j * np.pi * (coordinates - coordinates[int(first)]) @ q.T) / len(q)
        blocks = np.einsum("sq,qasb->sab", phases, terms[:, atom][:, :, sublattices])
        constants[atom] = blocks.real * (root[atom] * root[sublattices])[:, None, None]
    return constants


def _sum_over_images(
    q: FloatArray, cell: Atoms, charges: FloatArray, screening_length: float
) -> ComplexArray:
    """Sum over reciprocal lattice vectors; (Q, N, 3, N, 3) eV/Å²."""
    reciprocal = 2 * np.pi * np.linalg.inv(cell.cell.array).T
    area = np.linalg.norm(np.cross(cell.cell[0], cell.cell[1]))
    width = DAMPING_WIDTH * np.linalg.norm(reciprocal[:2], axis=1).min()
    offset = cell.positions[None] - cell.positions[:, None]
    total = np.zeros((len(q), len(cell), 3, len(cell), 3), dtype=complex)
    for a in (-1, 0, 1):
        for b in (-1, 0, 1):
            vector = a * reciprocal[0] + b * reciprocal[1]
            wave = q @ reciprocal + vector
            wave[:, 2] = 0.0
            length = np.linalg.norm(wave, axis=1)
            strength = np.zeros(len(q))
            nonzero = length > 0
            kernel = length[nonzero] * (1 + screening_length * length[nonzero])
            gaussian = np.exp(-((length[nonzero] / width) ** 2))
            strength[nonzero] = 2 * np.pi * COULOMB / area * gaussian / kernel
            dipole = np.einsum("nab,qb->qna", charges, wave)
            phase = np.exp(-1j * offset @ vector)
            total += np.einsum("q,qia,qjb,ij->qiajb", strength, dipole, dipole, phase)
    return total
