"""Structures and frames: monolayers, defects, audited labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from flatforce.api.arguments import Structure, parse, source_of, takes_settings
from flatforce.data.config import ImportConfig
from flatforce.structures.bilayers import Stacking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.structures.defects import DefectCell


def monolayer(
    formula: str, *, prototype: str | None = None, a: float | None = None, thickness: float | None = None
) -> Atoms:
    """Build the primitive cell of a hexagonal monolayer, to be relaxed before it is used.

    Parameters
    ----------
    formula
        Such as `WSe2`, `BN`, or `graphene`.
    prototype
        `2H` or `1T` for MX2, `honeycomb` for two atoms in a plane; by the formula if None.
    a
        Lattice constant in Å; tabulated, or estimated from covalent radii, if None.
    thickness
        Distance of the two X planes in Å; likewise.

    Returns
    -------
    The sheet, vacuum along the third axis.

    Examples
    --------
    >>> import flatforce as ff
    >>> ff.monolayer("WSe2").get_chemical_formula()
    'Se2W'
    """
    from flatforce.structures.monolayers import monolayer_of

    return monolayer_of(formula, prototype=prototype, a=a, thickness=thickness)


def bilayer(sheet: Structure, *, distance: float, stacking: Stacking = "AA'") -> Atoms:
    """Stack two copies of a sheet.

    Parameters
    ----------
    sheet
        The primitive cell of a monolayer, or its file.
    distance
        Distance of the mid-planes of the two layers in Å.
    stacking
        `AA'` as in 2H crystals, where the second layer is turned by 180° and metal lies above chalcogen; `AB` as in 3R crystals and in
        graphite, where it is shifted but not turned; `AA`, where each atom lies above its copy.

    Returns
    -------
    The bilayer with vacuum along the third axis, to be relaxed before it is used.

    Examples
    --------
    >>> import flatforce as ff
    >>> ff.bilayer(ff.monolayer("WSe2"), distance=6.5).get_chemical_formula()
    'Se4W2'
    """
    from flatforce.structures.bilayers import stack_two
    from flatforce.studies.session import Session

    return stack_two(Session().structure(source_of(sheet)), distance=distance, stacking=stacking)


def build_defect(sheet: Structure, defect: str, supercell: tuple[int, int]) -> DefectCell:
    """Build a point defect, or a complex of several, in a supercell.

    Parameters
    ----------
    sheet
        The primitive cell, or its file.
    defect
        Notation of the defect, such as `v_Se:top`.
    supercell
        Repetitions n, m of the primitive cell.

    Returns
    -------
    The defect cell: `.atoms` is the structure, `.pristine` the supercell without the defect, `.centre` (3,) Å.

    Examples
    --------
    >>> import flatforce as ff
    >>> ff.build_defect(ff.monolayer("WSe2"), "v_Se:top", (3, 3)).atoms.get_chemical_formula()
    'Se17W9'
    """
    from flatforce.structures.defect_notation import canonical_name
    from flatforce.structures.defects import build_defect as build
    from flatforce.studies.session import Session

    primitive = Session().structure(source_of(sheet))
    return build(primitive, supercell, canonical_name(defect, species=set(primitive.symbols)))


@takes_settings(ImportConfig)
def read(paths: str | Path | Sequence[str | Path], **settings: Any) -> list[Atoms]:
    """Read labelled frames of any code, audited as `flatforce data import` does.

    Parameters
    ----------
    paths
        A file, a folder that is searched with all its sub-folders, several of them, or the name of a bundled dataset.
    **settings
        Settings of the import.

    Returns
    -------
    Frames with `REF_energy` (eV), `REF_forces` (eV/Å) and, where it was verified, `REF_stress` (eV/Å³, tension positive).

    Examples
    --------
    >>> import flatforce as ff
    >>> frames = ff.read("wse2-pbe")
    >>> round(frames[0].info["REF_energy"] / len(frames[0]), 1) < 0
    True
    """
    from flatforce.data.bundled import BUNDLED, dataset_path
    from flatforce.data.importing import import_frames

    names = [paths] if isinstance(paths, str | Path) else list(paths)
    files = [
        dataset_path(name) if isinstance(name, str) and name in BUNDLED else Path(name) for name in names
    ]
    return import_frames(files, parse(ImportConfig, settings, function="read")).frames
