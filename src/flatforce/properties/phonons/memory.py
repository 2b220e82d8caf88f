"""Memory that phonon calculations take, estimated before they start, and what to compute where it is too much.

Dense arrays dominate: force constants of all pairs, and eigenvectors at every q point. The phonons of v_Se in WSe2 took 1.0 GB in 8 × 8
and 3.3 GB in 12 × 12 cells, where the estimates are 1.1 and 4.4 GB (validation/memory_estimates.py): the symmetry of a defect, which
leaves fewer q points, is not known before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.core.memory import check_memory
from flatforce.properties.phonons.pristine import mesh_points
from flatforce.properties.phonons.spectra.band_path import standard_path
from flatforce.structures.sheet import area

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.properties.phonons.config import (
        DefectPhononConfig,
        DiluteConfig,
        EmbedConfig,
        PhononConfig,
    )

BLOCK_BYTES: Final = 72.0
"""Bytes of a 3 × 3 block of force constants in float64."""

DENSE_COPIES: Final = 4.0
"""Copies of the force constants of all pairs that exist at the same time."""

WORK_BYTES: Final = 40.0
"""Bytes for each component of the eigenvectors while they are computed: complex128, copied once, and their squares."""

KEPT_BYTES: Final = 20.0
"""Bytes for each component of the eigenvectors that are kept with the weights of the atoms in them."""

EMBEDDING_COPIES: Final = 15.0
"""Copies of the sparse force constants of an embedding: 97,199 atoms of WSe2 took 10.1 GB."""

GREEN_COPIES: Final = 5.0
"""Arrays of the lattice Green function on the mesh of q points: eigenvectors, spectral sum, Fourier transform and their temporaries."""


def check_pristine(primitive: Atoms, config: PhononConfig) -> None:
    """Refuse the phonons of a pristine sheet that would not fit into memory.

    Parameters
    ----------
    primitive
        The primitive cell.
    config
        Settings.

    Raises
    ------
    ResourceError
        If force constants or eigenvectors would not fit; the message names a smaller calculation.
    """
    n, m = config.supercell
    n_atoms = len(primitive) * n * m
    check_memory(
        _dense_constants(n_atoms),
        task=f"The force constants of all pairs of {n_atoms} atoms ({n} × {m})",
        instead="choose a smaller supercell with -s; it has to exceed the interaction range of the force field only, and the bands are "
        "interpolated",
    )
    n_q = float(np.prod(mesh_points(primitive.cell.array, config.mesh)))
    check_memory(
        WORK_BYTES * n_q * _components(len(primitive)),
        task=f"The modes of {len(primitive)} atoms at {n_q:.0f} q points",
        instead="lower mesh in the settings",
    )


def check_defect_cell(primitive: Atoms, config: DefectPhononConfig) -> None:
    """Refuse the phonons of a defect cell that would not fit into memory.

    Parameters
    ----------
    primitive
        The primitive cell.
    config
        Settings.

    Raises
    ------
    ResourceError
        If force constants and eigenvectors of the defect cell and of the pristine cell would not fit.
    """
    n, m = config.supercell
    n_atoms = len(primitive) * n * m
    mesh = float(np.ceil(config.mesh / n) * np.ceil(config.mesh / m))
    n_q = mesh // 2 + 1  # time reversal leaves half of the mesh
    path = 0.0
    if n_atoms <= config.max_band_atoms:
        segments = standard_path(primitive.cell.array).segments(config.points_per_segment)
        path = float(sum(len(segment) for segment in segments))
    eigenvectors = (2 * KEPT_BYTES * n_q + WORK_BYTES * max(n_q, path)) * _components(n_atoms)
    check_memory(
        2 * _dense_constants(n_atoms) + eigenvectors,
        task=f"All modes of {n_atoms} atoms ({n} × {m}) at {n_q:.0f} q points, with and without the defect,",
        instead="compute the modes in a smaller cell and embed it, which needs sparse matrices only: -s 9 9 --embed "
        f"{max(n, m)}; or lower mesh and max_band_atoms in the settings",
    )


def check_embedding_memory(primitive: Atoms, config: EmbedConfig, *, interaction_range: float) -> None:
    """Refuse an embedding that would not fit into memory.

    Parameters
    ----------
    primitive
        The primitive cell.
    config
        Settings.
    interaction_range
        Å, interaction range of the force field.

    Raises
    ------
    ResourceError
        If its sparse force constants would not fit.
    """
    n, m = config.supercell
    n_atoms = len(primitive) * n * m
    pairs = len(primitive) * np.pi * interaction_range**2 / area(primitive)
    check_memory(
        EMBEDDING_COPIES * BLOCK_BYTES * pairs * n_atoms,
        task=f"The embedding in {n} × {m} cells ({n_atoms:,} atoms with {pairs:.0f} neighbours each)",
        instead="embed in a smaller supercell: --embed 60, and --dilute for the limit of an infinite sheet",
    )


def check_green_function(n_atoms: int, config: DiluteConfig) -> None:
    """Refuse a lattice Green function that would not fit into memory.

    Parameters
    ----------
    n_atoms
        Number of atoms of the primitive cell.
    config
        Settings.

    Raises
    ------
    ResourceError
        If its arrays on the mesh would not fit.
    """
    check_memory(
        GREEN_COPIES * 16.0 * config.mesh**2 * (3 * n_atoms) ** 2,
        task=f"The Green function of {n_atoms} atoms at {config.mesh} × {config.mesh} q points",
        instead="lower mesh of the dilute limit in the settings",
    )


def _dense_constants(n_atoms: int) -> float:
    return DENSE_COPIES * BLOCK_BYTES * float(n_atoms) ** 2


def _components(n_atoms: int) -> float:
    return (3.0 * n_atoms) ** 2
