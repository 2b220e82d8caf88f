"""Labels of the frames that a round selected, and the errors of the force field that they show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flatforce.active.calibration import atom_errors
from flatforce.core.errors import ResultError
from flatforce.data.frame_files import read_labelled, write_frames
from flatforce.reference.label import label

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.active.config import LearnConfig
    from flatforce.active.cross_conformal import UncertainModel
    from flatforce.core.progress import Progress

LABELLED: Final = "labelled.extxyz"
"""File of the labelled frames of a round."""


@dataclass(frozen=True)
class Labelling:
    """Outcome of the labels of a round, whose frames are on disk."""

    failures: list[tuple[str, str]]
    """Name of each frame whose label failed, and the reason."""
    label_time: float
    """s, sum over all labels."""


def label_selected(
    config: LearnConfig,
    selected: Sequence[Atoms],
    folder: Path,
    *,
    retry_failed: bool,
    progress: Progress,
) -> Labelling:
    """Label frames and write `labelled.extxyz`; all rounds share one cache of labels.

    Parameters
    ----------
    config
        Settings.
    selected
        The frames; those of a pool have their labels already.
    folder
        Folder of the round.
    retry_failed
        Whether labels that failed before are computed again.
    progress
        Called after each label.

    Returns
    -------
    Name and reason of each frame that failed, and the time in s that the labels took.

    Raises
    ------
    ResultError
        If the machine, not the frame, made a label fail: the round continues when that is corrected.
    """
    if config.pool:
        write_frames(folder / LABELLED, list(selected))
        return Labelling([], 0.0)
    assert config.label is not None  # noqa: S101  # the settings were checked
    cache = folder.parent / "labels"
    labels = label(selected, config.label, cache=cache, retry_failed=retry_failed, progress=progress)
    if labels.n_transient:
        raise ResultError(
            f"The machine made {labels.n_transient} of {len(selected)} labels fail in {folder.name}.",
            why="; ".join(sorted({reason for _, reason in labels.failures})),
            fix="correct that and run the same command again: the round continues with the frames that it selected",
        )
    write_frames(folder / LABELLED, labels.frames)
    return Labelling(labels.failures, labels.wall_time)


def read_new_labels(folder: Path) -> list[Atoms]:
    """Read the frames that a round labelled.

    Parameters
    ----------
    folder
        Folder of a finished round.

    Returns
    -------
    The labelled frames in the order in which they were selected.
    """
    path = folder / LABELLED
    return read_labelled(path) if path.stat().st_size else []


def errors_on_new_labels(model: UncertainModel, folder: Path) -> dict[str, float]:
    """Compute the errors that the new labels show of the force field that selected them.

    Parameters
    ----------
    model
        The force field of the round.
    folder
        Folder of the round, whose frames are labelled.

    Returns
    -------
    Name of each labelled frame → largest error of an atom's force, eV/Å.
    """
    frames = read_new_labels(folder)
    predictions = model.potential.evaluate(frames, stress=False)
    return {
        str(frame.info["name"]): float(atom_errors([frame], [prediction]).max())
        for frame, prediction in zip(frames, predictions, strict=True)
    }
