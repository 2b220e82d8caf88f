"""Central springs without prestress, for which all invariances of force constants hold exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list

from flatforce.core.arrays import FloatArray
from flatforce.core.folders import make_folder
from flatforce.core.results import Record, write_record
from flatforce.data.frame_files import write_frames
from flatforce.properties.phonons.defects.embedded_spectra import embedded_spectra
from flatforce.properties.phonons.force_constants.embedding import Embedding
from flatforce.properties.phonons.force_constants.local_rows import LocalRows
from flatforce.properties.phonons.force_constants.pristine_host import Host
from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants
from flatforce.properties.phonons.force_constants.sum_rules import sum_rule_residuals
from flatforce.structures.defects import DefectCell, build_defect

SPRING_RANGE = 5.0
"""Å, largest distance of atoms that a spring connects."""


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
    pairs = [np.flatnonzero(first == sublattice) for sublattice in range(len(primitive))]
    rows = LocalRows(
        list(range(len(pairs))), [second[p] for p in pairs], [constants.blocks[p] for p in pairs], "", None
    )
    return Host.from_rows(primitive, rows, size)


def saved_embedding(embedded: Embedding, size: int, folder: Path) -> Path:
    """Write the result folder of `defect phonons --embed`."""
    settings = {
        "supercell": [size, size],
        "defect": embedded.cell.name,
        "shells": [4.0, 6.0],
        "broadening": 0.3,
        "masses": {},
    }
    make_folder(folder)
    embedded.force_constants.save(folder / "sparse_force_constants.hdf5")
    write_frames(folder / "primitive.extxyz", [embedded.host.primitive])
    spectra = embedded_spectra(embedded, radii=[4.0, 6.0], broadening=0.3)
    record = Record(
        "embedded defect", settings, spectra.metrics, dict(spectra.units), {}, details=spectra.details
    )
    write_record(folder, record, spectra.arrays() | embedded.host.arrays())
    return folder


def embedded_springs(primitive: Atoms, size: int, defect: str) -> Embedding:
    """A defect whose atoms do not relax."""
    cell: DefectCell = build_defect(primitive, (size, size), defect)
    constants = springs(cell.atoms)
    residuals = sum_rule_residuals(constants)
    all_atoms = np.arange(len(cell.atoms))
    return Embedding(
        force_constants=constants,
        cell=cell,
        host=host_of(primitive, size),
        row_distances=np.ones(1),
        row_changes=np.ones(1),
        truncation_error=0.0,
        residuals_before=residuals,
        residuals_after=residuals,
        sum_rules=False,
        orbit=all_atoms,
        small_atom=all_atoms,
        border_shift=0.0,
    )
