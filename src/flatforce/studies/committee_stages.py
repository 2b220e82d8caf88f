"""A defect by every member of a committee, each about its own relaxed sheet."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.errors import ConfigError, DataError
from flatforce.core.hashing import hash_file, hash_structure
from flatforce.core.results import Record, claim_folder, read_arrays, read_record, write_record
from flatforce.data.bundled import dataset_path
from flatforce.data.frames import FORCES, read_labelled
from flatforce.models import load
from flatforce.models.spec import committee_members, model_files
from flatforce.properties.relax_config import RelaxConfig
from flatforce.studies import defect_stages, stages
from flatforce.studies.inputs import Reporter, unreported

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.properties.phonons.config import DefectPhononConfig


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
        these. Frames that a member was trained on, as the split beside it tells, are left out. Not calibrated if not
        given.
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
    from flatforce.properties.phonons.defects.committee_uncertainty import member_from_arrays, spread

    members = committee_members(spec)
    if len(members) < 2:
        raise ConfigError(f"{spec} is no committee.", fix="write committee:a.model,b.model,c.model")
    found: dict[str, dict[str, Any]] = {}
    size = f"{config.supercell[0]}x{config.supercell[1]}"
    for k, member in enumerate(members):
        inside = folder / f"member_{k}"
        found[f"member_{k}/relax"] = stages.relax(
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
        cells = [f"member_{k}/{size}" for k in range(len(members))]
        compared = spread(
            [member_from_arrays(read_arrays(folder / name)) for name in cells], calibration=calibration
        )
        first = found[cells[0]]["details"]["modes"]
        modes = [mode | said for mode, said in zip(first, compared.plain(), strict=True)]
        record = Record(
            "committee", settings, compared.metrics, compared.units, inputs, details={"modes": modes}
        )
        write_record(inside, record.taking(time.perf_counter() - start), compared.arrays())
    found["committee"] = read_record(inside)
    return found


def _calibration(spec: str, frames: str, *, device: str, report: Reporter) -> float:
    from flatforce.properties.phonons.defects.committee_uncertainty import force_calibration_factor

    labelled = held_out(spec, read_labelled(dataset_path(frames)))
    with report("calibration") as progress:
        said = load(spec, device=device).evaluate(labelled, stress=False, progress=progress)
    errors = np.concatenate(
        [one.forces - frame.arrays[FORCES] for one, frame in zip(said, labelled, strict=True)]
    )
    deviations = np.concatenate([one.forces_std for one in said if one.forces_std is not None])
    return force_calibration_factor(errors, deviations)


def held_out(spec: str, frames: list[Atoms]) -> list[Atoms]:
    """Keep frames that no member of a committee has learnt, as far as the splits beside them tell.

    Parameters
    ----------
    spec
        `committee:a.model,b.model`.
    frames
        Labelled frames.

    Returns
    -------
    Those that are left.

    Raises
    ------
    DataError
        If none is left.
    """
    for member in committee_members(spec):
        for path in model_files(member):
            beside = (path.with_suffix(".split.json"), path.parent / "split.json")
            for split in (one for one in beside if one.is_file()):
                content = json.loads(split.read_text(encoding="utf-8"))
                trained_on = {*content["train"], *content["valid"]}
                frames = [frame for frame in frames if hash_structure(frame) not in trained_on]
    if not frames:
        raise DataError(
            "The committee was trained on every frame that is to calibrate it.", fix="give frames held out"
        )
    return frames
