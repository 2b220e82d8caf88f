"""Central springs without prestress, on which every invariance of force constants holds exactly."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list

from flatforce.core.arrays import FloatArray
from flatforce.properties.phonons.embedding import Embedded
from flatforce.properties.phonons.host import Host
from flatforce.properties.phonons.rows import Rows
from flatforce.properties.phonons.sparse import SparseForceConstants
from flatforce.properties.phonons.sum_rules import residuals
from flatforce.structures.defects import DefectCell, build_defect

SPRING_RANGE = 5.0
"""Å."""


def springs(atoms: Atoms) -> SparseForceConstants:
    first, second, lengths, vectors = neighbor_list("ijdD", atoms, SPRING_RANGE)
    unit = vectors / lengths[:, None]
    blocks: FloatArray = np.exp(-lengths)[:, None, None] * 20 * unit[:, :, None] * unit[:, None, :]
    return SparseForceConstants.from_blocks(
        atoms,
        np.concatenate([first, first]),
        np.concatenate([second, first]),
        np.concatenate([-blocks, blocks]),
    )


def host_of(primitive: Atoms, size: int) -> Host:
    constants = springs(primitive.repeat((size, size, 1)))
    first, second = constants.pairs
    rows = [np.flatnonzero(first == kind) for kind in range(len(primitive))]
    found = Rows(list(range(len(rows))), [second[r] for r in rows], [constants.blocks[r] for r in rows], None)
    return Host.of(primitive, found, size)


def embedded_springs(primitive: Atoms, size: int, defect: str) -> Embedded:
    """A defect whose atoms stay where they are."""
    cell: DefectCell = build_defect(primitive, (size, size), defect)
    constants = springs(cell.atoms)
    rules = residuals(constants)
    nothing = np.empty(0)
    everyone = np.arange(len(cell.atoms))
    host = host_of(primitive, size)
    return Embedded(constants, cell, host, nothing, nothing, 0.0, rules, rules, everyone, everyone, 0.0)
