"""Error of an embedding: v_Se of a relaxed 12×12 cell embedded in 18×18, against 18×18 relaxed and computed as a whole.

    python validation/embedding_error.py relax/relaxed.extxyz series

`series` is the folder of `vse_wse2.py`. Both local DOS are computed at Γ alone, by Lanczos chains.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from flatforce.core.arrays import FloatArray
from flatforce.data.frame_files import read_structure
from flatforce.models import load
from flatforce.models.slab import pad_vacuum
from flatforce.properties.phonons.config import EmbedConfig
from flatforce.properties.phonons.defects.relaxed_cell import defect_shells
from flatforce.properties.phonons.force_constants.embedding import embed
from flatforce.properties.phonons.force_constants.large_cell import RelaxedCell
from flatforce.properties.phonons.force_constants.local_rows import (
    force_constants_by_symmetry,
    irreducible_atoms,
    local_rows,
)
from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants
from flatforce.properties.phonons.force_constants.sum_rules import enforce_sum_rules
from flatforce.properties.phonons.spectra.lanczos import lanczos
from flatforce.structures.defects import DefectCell, build_defect
from flatforce.structures.symmetry import RELAXED_SYMPREC, find_symmetry, symmetrise

GRID = np.arange(0.0, 9.6, 0.016)
"""THz."""

BROADENING = 0.08
"""THz."""

STEPS = 270
"""Number of Lanczos steps: the nodes lie closer than the broadening."""


def main() -> None:
    structure, series = (Path(name) for name in sys.argv[1:3])
    potential = load("symmetrix:wse2-pbe")
    primitive = pad_vacuum(read_structure(structure), potential.cutoff)
    cells = {n: build_defect(primitive, (n, n), "v_Se:top") for n in (12, 18)}
    relaxed = {n: read_structure(series / f"{n}x{n}" / "relaxed.extxyz") for n in cells}
    with tempfile.TemporaryDirectory() as scratch:
        symmetry = find_symmetry(relaxed[18], symprec=RELAXED_SYMPREC / 30)
        reference = symmetrise(relaxed[18], symmetry)
        rows = local_rows(potential, reference, irreducible_atoms(symmetry), scratch=Path(scratch))
        assert rows is not None
        exact = enforce_sum_rules(force_constants_by_symmetry(reference, rows, symmetry), huang=False)
        for radius in (7.0, 10.0, 15.0):
            embedding = embed(
                potential,
                RelaxedCell(primitive, cells[12], relaxed[12]),
                EmbedConfig(supercell=(18, 18), radius=radius),
                scratch=Path(scratch),
            )
            exact_ldos = compute_ldos(exact, cells[18])
            embedded_ldos = compute_ldos(embedding.force_constants, embedding.cell)
            difference = np.abs(exact_ldos - embedded_ldos).sum() / exact_ldos.sum()
            displacement = np.abs(reference.positions - embedding.cell.atoms.positions).max()
            print(
                f"radius {radius:.0f} Å: local DOS {100 * difference:.2f} %, truncation error "
                f"{embedding.truncation_error:.3f} eV/Å², positions within {displacement:.4f} Å"
            )


def compute_ldos(constants: SparseForceConstants, cell: DefectCell) -> FloatArray:
    inner = np.flatnonzero(defect_shells(cell, [4.0]) == 0)
    vectors = np.zeros((3 * len(constants.atoms), 3 * len(inner)))
    vectors[(3 * inner[:, None] + np.arange(3)).ravel(), np.arange(vectors.shape[1])] = 1.0
    chains = lanczos(constants.dynamical_matrix(), vectors, STEPS)
    ldos: FloatArray = chains.dos(GRID, BROADENING).sum(axis=0)
    return ldos


if __name__ == "__main__":
    main()
