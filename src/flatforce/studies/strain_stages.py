"""A defect in a strained sheet, strain by strain."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np

from flatforce.core.errors import ConfigError, ResultError
from flatforce.core.results import Record, claim_folder, read_arrays, read_record, write_record
from flatforce.data.frames import read_structure, write_frames
from flatforce.properties.relax_config import RelaxConfig
from flatforce.structures.strain import apply_strain
from flatforce.studies import defect_stages, stages
from flatforce.studies.inputs import Reporter, unreported

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.properties.phonons.config import DefectPhononConfig

StrainKind: TypeAlias = Literal["biaxial", "x", "y"]
"""In both directions, or in one with the other length held."""

SAME_CELL: Final = 1e-6
"""Å. Extended XYZ keeps 8 digits."""

COMPONENTS: Final[dict[str, dict[str, float]]] = {
    "biaxial": {"xx": 1.0, "yy": 1.0},
    "x": {"xx": 1.0},
    "y": {"yy": 1.0},
}


def strain_series(
    spec: str,
    structure: Path,
    defect: str,
    strains: Sequence[float],
    config: DefectPhononConfig,
    folder: Path,
    *,
    kind: StrainKind = "biaxial",
    device: str = "auto",
    report: Reporter = unreported,
) -> dict[str, dict[str, Any]]:
    """Compute a defect at several strains, `strain_x_+0.0100/` each, and compare them in `strain/`.

    Parameters
    ----------
    spec
        Force field.
    structure
        File of the relaxed primitive cell.
    defect
        Name of the defect.
    strains
        Two or more; 0.01 is one per cent.
    config
        Settings of every cell.
    folder
        Parent of the result folders.
    kind
        Which lengths change.
    device
        `cpu`, `cuda`, or `auto`.
    report
        Opens the progress display.

    Returns
    -------
    Name of each folder → content of its `result.json`.

    Raises
    ------
    ConfigError
        If fewer than two strains are given.
    """
    from flatforce.properties.phonons.defects.committee_uncertainty import member_from_arrays
    from flatforce.properties.phonons.defects.strain_series import follow_strain

    ordered = sorted(set(strains))
    names = [f"strain_{kind}_{strain:+.4f}" for strain in ordered]
    if len(set(names)) < max(2, len(ordered)):
        raise ConfigError(
            "A strain series needs two strains or more.", fix="repeat --strain; 0.0001 is the finest step"
        )
    sheet = read_structure(structure)
    found: dict[str, dict[str, Any]] = {}
    for strain, name in zip(ordered, names, strict=True):
        inside = folder / name
        start = inside / "start.extxyz"
        _write_start(start, apply_strain(sheet, **{k: v * strain for k, v in COMPONENTS[kind].items()}))
        held = RelaxConfig(relax_cell=False)
        relaxed = stages.relax(spec, start, held, inside / "relax", device=device, report=report)
        found[f"{name}/relax"] = relaxed
        found[f"{name}/defect"] = defect_stages.defect_phonons(
            spec,
            inside / "relax" / "relaxed.extxyz",
            defect,
            config,
            inside / "defect",
            device=device,
            report=report,
        )
    inside = folder / "strain"
    settings = {"defect": defect, "kind": kind, "supercell": list(config.supercell)}
    inputs = {name: result["key"] for name, result in found.items()}
    if claim_folder(inside, settings, inputs):
        begun = time.perf_counter()
        members = [member_from_arrays(read_arrays(folder / name / "defect")) for name in names]
        series = follow_strain(np.array(ordered), members)
        reference = found[f"{names[series.reference]}/defect"]["details"]["modes"]
        modes = [
            {"irrep": mode["irrep"], "frequency": mode["frequency"]} | said
            for mode, said in zip(reference, series.plain(), strict=True)
        ]
        record = Record(
            "strain series", settings, series.metrics, series.units, inputs, details={"modes": modes}
        )
        write_record(inside, record.taking(time.perf_counter() - begun), series.arrays())
    found["strain"] = read_record(inside)
    return found


def _write_start(path: Path, sheet: Atoms) -> None:
    """Write the strained sheet; one that stands there from another structure is not taken for it."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_frames(path, [sheet])
    elif not np.allclose(read_structure(path).cell.array, sheet.cell.array, atol=SAME_CELL):
        raise ResultError(
            f"{path} belongs to another structure.", fix="choose another folder with -o, or delete that one"
        )
