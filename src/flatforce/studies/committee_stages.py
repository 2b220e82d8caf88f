"""A defect by every member of a committee, each about its own relaxed sheet."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.errors import ConfigError
from flatforce.core.hashing import hash_file
from flatforce.core.results import Record, claim_folder, read_arrays, read_record, write_record
from flatforce.data.bundled import dataset_path
from flatforce.data.frames import FORCES, read_labelled
from flatforce.models import load
from flatforce.models.spec import committee_members
from flatforce.properties.relax import RelaxConfig
from flatforce.studies import defect_stages, stages
from flatforce.studies.inputs import Reporter, unreported

if TYPE_CHECKING:
    from flatforce.properties.phonons.defect import DefectPhononConfig


def defect_committee(
    spec: str,
    structure: Path,
    defect: str,
    config: DefectPhononConfig,
    folder: Path,
    *,
    frames: str | None = None,
    device: str = "auto",
    report: Reporter = unreported,
) -> dict[str, dict[str, Any]]:
    """Relax sheet and defect with each member, `member_K/`, and compare the spectra in `committee/`.

    Parameters
    ----------
    spec
        A committee.
    structure
        File of the primitive cell.
    defect
        Name of the defect.
    config
        Settings.
    folder
        Parent of the result folders.
    frames
        Labelled frames, or name of a bundled dataset: deviations are multiplied by what they lack on the forces of
        these. Not calibrated if not given.
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
        If the force field is no committee.
    """
    from flatforce.properties.phonons.spread import read_member, spread

    members = committee_members(spec)
    if len(members) < 2:
        raise ConfigError(f"{spec} is no committee.", fix="write committee:a.model,b.model,c.model")
    found: dict[str, dict[str, Any]] = {}
    size = f"{config.supercell[0]}x{config.supercell[1]}"
    for k, member in enumerate(members):
        inside = folder / f"member_{k}"
        stages.relax(
            member, structure, RelaxConfig(keep_symmetry=True), inside / "relax", device=device, report=report
        )
        relaxed = inside / "relax" / "relaxed.extxyz"
        found[f"member_{k}/{size}"] = defect_stages.defect_phonons(
            member, relaxed, defect, config, inside / size, device=device, report=report
        )
    inside = folder / "committee"
    settings = {"defect": defect, "supercell": list(config.supercell), "calibrated_on": frames}
    inputs = {name: result["key"] for name, result in found.items()}
    if frames is not None:
        inputs["frames"] = hash_file(dataset_path(frames))
    if claim_folder(inside, settings, inputs):
        start = time.perf_counter()
        calibration = 1.0 if frames is None else _calibration(spec, frames, device=device, report=report)
        parts = [read_member(read_arrays(folder / name)) for name in found]
        compared = spread(parts, calibration=calibration)
        first = next(iter(found.values()))["details"]["modes"]
        modes = [mode | said for mode, said in zip(first, compared.plain(), strict=True)]
        record = Record(
            "committee", settings, compared.metrics, compared.units, inputs, details={"modes": modes}
        )
        write_record(inside, record.taking(time.perf_counter() - start), compared.arrays())
    found["committee"] = read_record(inside)
    return found


def _calibration(spec: str, frames: str, *, device: str, report: Reporter) -> float:
    from flatforce.properties.phonons.spread import calibration_of

    labelled = read_labelled(dataset_path(frames))
    with report("calibration") as progress:
        said = load(spec, device=device).evaluate(labelled, stress=False, progress=progress)
    errors = np.concatenate(
        [one.forces - frame.arrays[FORCES] for one, frame in zip(said, labelled, strict=True)]
    )
    deviations = np.concatenate([one.forces_std for one in said if one.forces_std is not None])
    return calibration_of(errors, deviations)
