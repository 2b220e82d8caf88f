"""An embedded defect, read back from its result folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flatforce.core.results import read_arrays, read_record
from flatforce.data.frame_files import read_structure
from flatforce.properties.phonons.defects.relaxed_cell import set_masses
from flatforce.properties.phonons.force_constants.embedded_defect import EmbeddedDefect
from flatforce.properties.phonons.force_constants.pristine_host import Host
from flatforce.properties.phonons.force_constants.sparse import FILE_NAME, SparseForceConstants
from flatforce.structures.defects import DefectCell, build_defect

if TYPE_CHECKING:
    from pathlib import Path


def load_embedding(folder: Path) -> EmbeddedDefect:
    """Read an embedded defect.

    Parameters
    ----------
    folder
        Result folder of `flatforce defect phonons --embed`, such as `embedded_60x60`.

    Returns
    -------
    Force constants of the large cell in eV/Å², its structure, and the pristine sheet.
    """
    config = read_record(folder, kind="embedded defect", made_by="defect phonons --embed")["config"]
    primitive = set_masses(read_structure(folder / "primitive.extxyz"), config["masses"])
    constants = SparseForceConstants.load(folder / FILE_NAME)
    n, m = config["supercell"]
    unrelaxed = build_defect(primitive, (n, m), config["defect"])
    cell = DefectCell(
        constants.atoms, unrelaxed.pristine, unrelaxed.site_of, unrelaxed.centre, unrelaxed.name
    )
    return EmbeddedDefect(constants, cell, Host.from_arrays(primitive, read_arrays(folder)))
