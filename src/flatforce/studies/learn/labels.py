"""Labels of the frames that a round has chosen, and what they show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flatforce.active.calibration import atom_errors
from flatforce.core.errors import ResultError
from flatforce.data.frames import read_labelled, write_frames
from flatforce.reference.label import label

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.progress import Progress
    from flatforce.studies.learn.selection import Round


def label_chosen(
    this: Round, chosen: Sequence[Atoms], progress: Progress
) -> tuple[list[tuple[str, str]], float]:
    """Write `labelled.extxyz`; labels stand in one cache for all rounds.

    Parameters
    ----------
    this
        The round.
    chosen
        Frames; those of a pool bring their labels.
    progress
        Told after each label.

    Returns
    -------
    Names and reasons of frames without a label, and the seconds that the labels took.

    Raises
    ------
    ResultError
        If the machine kept one from its label: the round goes on when that is mended.
    """
    failures: list[tuple[str, str]] = []
    frames, seconds = list(chosen), 0.0
    if not this.config.pool:
        assert this.config.label is not None  # noqa: S101  # the settings were checked
        cache = this.folder.parent / "labels"
        done = label(chosen, this.config.label, cache=cache, retry_failed=this.retry, progress=progress)
        frames, failures, seconds = done.frames, done.failures, done.seconds
        if done.hindered:
            raise ResultError(
                f"The machine kept {done.hindered} of {len(chosen)} frames of round {this.number} from a label.",
                why="; ".join(sorted({reason for _, reason in failures})),
                fix="mend that and run again: nothing is lost, the round goes on with the frames it has chosen",
            )
    write_frames(this.folder / "labelled.extxyz", frames)
    return failures, seconds


def errors_met(this: Round) -> dict[str, float]:
    """Tell what the labels showed: how far off the force field was that asked for them.

    Parameters
    ----------
    this
        The round, its frames labelled.

    Returns
    -------
    Name of each labelled frame → largest error of a force, eV/Å.
    """
    frames = newly_labelled(this.folder)
    said = this.model.potential.evaluate(frames, stress=False)
    return {
        str(frame.info["name"]): float(atom_errors([frame], [one]).max())
        for frame, one in zip(frames, said, strict=True)
    }


def newly_labelled(inside: Path) -> list[Atoms]:
    """Read what a round has labelled.

    Parameters
    ----------
    inside
        Folder of a finished round.

    Returns
    -------
    The frames.
    """
    path = inside / "labelled.extxyz"
    return read_labelled(path) if path.stat().st_size else []
