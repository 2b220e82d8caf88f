"""A defect by every member of a committee, each about its own relaxed sheet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from flatforce.core.errors import ConfigError
from flatforce.core.results import read_arrays, read_record
from flatforce.data.bundled import dataset_path
from flatforce.models.spec import committee_members
from flatforce.properties.relax_config import RelaxConfig
from flatforce.studies.checks import collected, raise_together
from flatforce.studies.defect import DefectPhononStage, size_name
from flatforce.studies.relax import RelaxStage
from flatforce.studies.splits import without_training_frames
from flatforce.studies.stage import Context, Source, Stage

if TYPE_CHECKING:
    from flatforce.core.errors import FlatforceError
    from flatforce.core.outcome import Outcome
    from flatforce.properties.phonons.config import DefectPhononConfig
    from flatforce.studies.session import Session


@dataclass(frozen=True)
class CommitteeStage(Stage):
    """Means and standard deviations of the spectra of the members."""

    kind: ClassVar[str] = "committee"
    revision: ClassVar[int] = 2

    defect: str
    supercell: tuple[int, int]
    keys: dict[str, str]
    """Name of each folder of the members → key of its result."""
    parent: Path
    """Parent of the folders."""
    calibrated_on: str | None
    """Labelled frames, or name of a bundled dataset, that scale the standard deviations."""

    def inputs(self) -> dict[str, Source | str | None]:
        """Return the keys of the members' results and the frames that calibrate."""
        frames = None if self.calibrated_on is None else dataset_path(self.calibrated_on)
        return {**self.keys, "frames": frames}

    def settings(self) -> dict[str, Any]:
        """Return defect, supercell, and the name of the frames."""
        return {
            "defect": self.defect,
            "supercell": list(self.supercell),
            "calibrated_on": self.calibrated_on,
        }

    def title(self, folder: Path) -> str:
        """Return what takes the time."""
        del folder
        return "calibration"

    def compute(self, context: Context) -> Outcome:
        """Follow the modes of the first member through the others."""
        from flatforce.properties.phonons.defects.committee_uncertainty import compare_members
        from flatforce.properties.phonons.defects.member_spectra import member_from_arrays

        scale = 1.0 if self.calibrated_on is None else calibration_scale(context, self.calibrated_on)
        size = f"{self.supercell[0]}x{self.supercell[1]}"
        folders = [self.parent / name for name in self.keys if name.endswith(f"/{size}")]
        members = [
            member_from_arrays(read_arrays(folder), read_record(folder)["details"]["modes"])
            for folder in folders
        ]
        return compare_members(members, calibration_factor=scale)


def defect_committee(
    session: Session,
    structure: Source,
    defect: str,
    config: DefectPhononConfig,
    folder: Path,
    *,
    frames: str | None = None,
) -> dict[str, dict[str, Any]]:
    """Relax sheet and defect with each member, `member_K/`, and compare the spectra in `committee/`.

    Parameters
    ----------
    session
        Its force field is a committee.
    structure
        The primitive cell.
    defect
        Notation of the defect.
    config
        Settings.
    folder
        Parent of the result folders.
    frames
        Labelled frames, or name of a bundled dataset: standard deviations are scaled by what they lack on the forces of
        these. Frames in the training set of a member, as the split beside it says, are left out. Not calibrated if None.

    Returns
    -------
    Name of each folder → content of its `result.json`.

    """
    stage = DefectPhononStage(structure, defect, config)
    raise_together(committee_problems(session, stage, folder, frames=frames), subject="The committee")
    records: dict[str, dict[str, Any]] = {}
    for k, member in enumerate(committee_members(session.spec)):
        inside, own = folder / f"member_{k}", session.member(member)
        relaxation = RelaxStage(structure, RelaxConfig(keep_symmetry=True))
        records[f"member_{k}/relax"] = relaxation.run(own, inside / "relax")
        stage = DefectPhononStage(inside / "relax" / "relaxed.extxyz", defect, config)
        records[f"member_{k}/{size_name(config)}"] = stage.run(own, inside / size_name(config))
    keys = {name: record["key"] for name, record in records.items()}
    comparison = CommitteeStage(defect, config.supercell, keys, folder, frames)
    records["committee"] = comparison.run(session, folder / "committee")
    return records


def committee_problems(
    session: Session, stage: DefectPhononStage, folder: Path, *, frames: str | None = None
) -> list[FlatforceError]:
    """Check every member, and the frames that calibrate, before anything is computed.

    Parameters
    ----------
    session
        Its force field should be a committee.
    stage
        What each member computes.
    folder
        Parent of the result folders; if the comparison is finished there, nothing is checked again.
    frames
        Labelled frames, or name of a bundled dataset, that calibrate; None for no calibration.

    Returns
    -------
    What is wrong; empty if nothing is.
    """
    members = committee_members(session.spec)
    if len(members) < 2:
        return [
            ConfigError(f"{session.spec} is not a committee.", fix="write committee:a.model,b.model,c.model")
        ]
    if (folder / "committee" / "result.json").is_file():
        return []
    errors = [error for member in members for error in stage.problems(session.member(member))]
    if frames is not None:
        errors += collected(lambda: _check_calibration(session, frames, can_load=not errors))
    return errors


def _check_calibration(session: Session, frames: str, *, can_load: bool) -> None:
    from flatforce.data.frame_files import read_sheets

    labelled = read_sheets(dataset_path(frames))
    if can_load:
        session.potential.check(without_training_frames(session.spec, labelled))


def calibration_scale(context: Context, frames: str) -> float:
    """Compute the factor that standard deviations of forces need.

    Parameters
    ----------
    context
        Its force field is a committee.
    frames
        Labelled frames, or name of a bundled dataset.

    Returns
    -------
    Root mean square of error / standard deviation on frames that no member was trained on.
    """
    import numpy as np

    from flatforce.data.frame_files import read_sheets
    from flatforce.data.frames import FORCES
    from flatforce.models.resumable import evaluate_resumably
    from flatforce.properties.phonons.defects.committee_uncertainty import force_calibration_factor

    labelled = without_training_frames(context.session.spec, read_sheets(dataset_path(frames)))
    predictions = evaluate_resumably(
        context.potential,
        labelled,
        checkpoint=context.scratch / "predictions.checkpoint",
        stress=False,
        progress=context.progress,
    )
    errors = np.concatenate(
        [
            prediction.forces - frame.arrays[FORCES]
            for prediction, frame in zip(predictions, labelled, strict=True)
        ]
    )
    deviations = [one.forces_std for one in predictions if one.forces_std is not None]
    return force_calibration_factor(errors, np.concatenate(deviations))
