"""Long-range dipole term of a polar sheet: longitudinal optical modes leave Γ with a slope, not with a gap.

D_κκ'(q) = Σ_G 2π e²/A · (K·Z_κ)(K·Z_κ') / (|K| (1 + r_eff |K|)) / √(m_κ m_κ'), K = q + G in the plane, damped towards
the zone's border. Force constants of a supercell hold it at the wave vectors of that supercell; it is taken out of them
there, and put back at every wave vector. Source: T. Sohier et al., Nano Lett. 17, 3758 (2017); the way of taking it out:
X. Gonze, C. Lee, Phys. Rev. B 55, 10355 (1997).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from ase import units
from pydantic import NonNegativeFloat, field_validator

from flatforce.core.config import Config
from flatforce.core.errors import ConfigError
from flatforce.properties.phonons.force_constants.finite_displacements import to_ase

if TYPE_CHECKING:
    from ase import Atoms
    from phonopy import Phonopy

    from flatforce.core.arrays import ComplexArray, FloatArray

COULOMB: Final = float(units.Hartree * units.Bohr)
"""e²/(4πε₀), 14.4 eV Å."""

DAMPED: Final = 0.25
"""Of the shorter reciprocal vector: the term falls like a Gaussian of this width, to 2 % at the zone's border."""

NEUTRAL: Final = 0.02
"""e. Largest sum of Born charges that is spread evenly rather than refused: what DFT leaves."""


class PolarConfig(Config):
    """Dielectric data of a sheet, from DFT."""

    born: list[list[list[float]]]
    """e. Born effective charge tensor of each atom: first index displacement, second field."""

    @field_validator("born")
    @classmethod
    def _tensors(cls, born: list[list[list[float]]]) -> list[list[list[float]]]:
        if any(len(tensor) != 3 or any(len(row) != 3 for row in tensor) for tensor in born):
            raise ValueError("a Born charge is a 3 × 3 tensor")
        return born

    screening_length: NonNegativeFloat
    """Å, r_eff = 2π α, α the in-plane polarisability per area; about ε_∥ t / 2 of a slab of thickness t."""


def born_charges(config: PolarConfig, count: int) -> FloatArray:
    """Take the charges, and make the sheet neutral.

    Parameters
    ----------
    config
        Settings.
    count
        Atoms of the cell.

    Returns
    -------
    (N, 3, 3) e, sum zero.

    Raises
    ------
    ConfigError
        If there are not as many tensors as atoms, or they do not sum to zero.
    """
    charges = np.array(config.born, dtype=float)
    if charges.shape != (count, 3, 3):
        raise ConfigError(
            f"There are {len(config.born)} Born charges for {count} atoms.",
            fix="give one 3 × 3 tensor an atom, in the order of the structure",
        )
    left = charges.sum(axis=0) / count
    if np.abs(left * count).max() > NEUTRAL:
        raise ConfigError(
            f"The Born charges add up to {np.abs(left * count).max():.3f} e.",
            why="a neutral sheet that moves as a whole makes no dipole",
            fix="are they in the order of the structure, and converged?",
        )
    found: FloatArray = charges - left
    return found


def polar_term(q: FloatArray, cell: Atoms, charges: FloatArray, screening_length: float) -> ComplexArray:
    """Compute the long-range part of the dynamical matrix.

    Parameters
    ----------
    q
        (Q, 3) reciprocal-lattice coordinates.
    cell
        The primitive cell.
    charges
        (N, 3, 3) e.
    screening_length
        Å.

    Returns
    -------
    (Q, 3N, 3N) eV/Å²/amu, phases of the positions, as phonopy has them; the translation rule holds at Γ.
    """
    count = len(cell)
    root = np.sqrt(cell.get_masses())
    plain = _sum_over_images(np.concatenate([q, np.zeros((1, 3))]), cell, charges, screening_length)
    on_site = plain[-1].sum(axis=2)  # (N, 3, 3) over the second atom
    found = plain[:-1]
    for atom in range(count):
        found[:, atom, :, atom] -= on_site[atom]
    found /= root[:, None, None, None] * root[:, None]
    return found.reshape(len(q), 3 * count, 3 * count)


def polar_constants(phonon: Phonopy, charges: FloatArray, screening_length: float) -> FloatArray:
    """Turn the term at the wave vectors of a supercell into force constants.

    Parameters
    ----------
    phonon
        Phonopy's object, whose primitive cell is its unit cell.
    charges
        (N, 3, 3) e.
    screening_length
        Å.

    Returns
    -------
    (N, S, 3, 3) eV/Å², from the primitive cell's atoms to those of the supercell.
    """
    cell = to_ase(phonon.primitive)
    n, m = (int(size) for size in np.diag(phonon.supercell_matrix)[:2])
    q = np.array([(i / n, j / m, 0.0) for i in range(n) for j in range(m)])
    terms = polar_term(q, cell, charges, screening_length).reshape(len(q), len(cell), 3, len(cell), 3)
    kinds = [phonon.primitive.p2p_map[int(atom)] for atom in phonon.primitive.s2p_map]
    places = to_ase(phonon.supercell).positions @ np.linalg.inv(cell.cell.array)
    root = np.sqrt(cell.get_masses())
    found = np.empty((len(cell), len(kinds), 3, 3))
    for atom, first in enumerate(phonon.primitive.p2s_map):
        phases = np.exp(-2j * np.pi * (places - places[int(first)]) @ q.T) / len(q)
        blocks = np.einsum("sq,qasb->sab", phases, terms[:, atom][:, :, kinds])
        found[atom] = blocks.real * (root[atom] * root[kinds])[:, None, None]
    return found


def _sum_over_images(
    q: FloatArray, cell: Atoms, charges: FloatArray, screening_length: float
) -> ComplexArray:
    """(Q, N, 3, N, 3) eV/Å²."""
    reciprocal = 2 * np.pi * np.linalg.inv(cell.cell.array).T
    area = np.linalg.norm(np.cross(cell.cell[0], cell.cell[1]))
    width = DAMPED * np.linalg.norm(reciprocal[:2], axis=1).min()
    offset = cell.positions[None] - cell.positions[:, None]
    found = np.zeros((len(q), len(cell), 3, len(cell), 3), dtype=complex)
    for a in (-1, 0, 1):
        for b in (-1, 0, 1):
            vector = a * reciprocal[0] + b * reciprocal[1]
            wave = q @ reciprocal + vector
            wave[:, 2] = 0.0
            length = np.linalg.norm(wave, axis=1)
            strength = np.zeros(len(q))
            there = length > 0
            kernel = length[there] * (1 + screening_length * length[there])
            strength[there] = 2 * np.pi * COULOMB / area * np.exp(-((length[there] / width) ** 2)) / kernel
            dipole = np.einsum("nab,qb->qna", charges, wave)
            phase = np.exp(-1j * offset @ vector)
            found += np.einsum("q,qia,qjb,ij->qiajb", strength, dipole, dipole, phase)
    return found
