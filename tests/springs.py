"""Central springs without prestress, on which every invariance of force constants holds exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list

from flatforce.core.arrays import FloatArray
from flatforce.core.results import Record, claim_folder, write_record
from flatforce.data.frames import write_frames
from flatforce.properties.phonons.defects.embedded_spectra import embedded_spectra
from flatforce.properties.phonons.force_constants.embedding import Embedding
from flatforce.properties.phonons.force_constants.local_rows import Rows
from flatforce.properties.phonons.force_constants.pristine_host import Host
from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants
from flatforce.properties.phonons.force_constants.sum_rules import residuals
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
    found = Rows(
        list(range(len(rows))), [second[r] for r in rows], [constants.blocks[r] for r in rows], "", None
    )
    return Host.of(primitive, found, size)


def saved_embedding(embedded: Embedding, size: int, folder: Path) -> Path:
    """The folder that `defect phonons --embed` would leave."""
    settings = {
        "size": size,
        "defect": embedded.cell.name,
        "shells": [4.0, 6.0],
        "broadening": 0.3,
        "masses": {},
    }
    claim_folder(folder, settings, {})
    embedded.force_constants.save(folder / "force_constants.hdf5")
    write_frames(folder / "primitive.extxyz", [embedded.host.primitive])
    found = embedded_spectra(embedded, radii=[4.0, 6.0], broadening=0.3)
    record = Record("embedded defect", settings, found.metrics, found.units, {})
    write_record(folder, record, found.arrays() | embedded.host.arrays())
    return folder


def embedded_springs(primitive: Atoms, size: int, defect: str) -> Embedding:
    """A defect whose atoms stay where they are."""
    cell: DefectCell = build_defect(primitive, (size, size), defect)
    constants = springs(cell.atoms)
    rules = residuals(constants)
    one = np.ones(1)
    everyone = np.arange(len(cell.atoms))
    host = host_of(primitive, size)
    return Embedding(constants, cell, host, one, one, 0.0, rules, rules, False, everyone, everyone, 0.0)
