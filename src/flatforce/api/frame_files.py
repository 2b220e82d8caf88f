"""Files of the frames that a function of the package gets."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flatforce.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms


@contextmanager
def files_of(
    frames: Sequence[Atoms] | str | Path | Sequence[str], folder: Path, *, kind: str, name: str = "frames"
) -> Iterator[list[str]]:
    """Name the files of frames; frames in memory are written beside the result, and never over other ones.

    Parameters
    ----------
    frames
        Frames in memory, a file, or several files.
    folder
        Result folder.
    kind
        Kind of the result, which the folder must not hold another of.
    name
        Name of the file of frames in memory, without its suffix.

    Yields
    ------
    Files of the frames; one that was written for a call that is refused is removed again.
    """
    from ase import Atoms

    if not isinstance(frames, str | Path | Atoms):
        frames = list(frames)
    frames_in_memory = _in_memory(frames)
    if frames_in_memory is None:
        yield [str(frames)] if isinstance(frames, str | Path) else [str(file) for file in frames]
        return
    from flatforce.core.claims import CLAIM, check_folder
    from flatforce.core.folders import make_folder
    from flatforce.data.frame_files import write_new_frames

    check_folder(folder, kind)
    make_folder(folder)
    path = folder / f"{name}.extxyz"
    is_new = not path.exists()
    write_new_frames(path, frames_in_memory)
    try:
        yield [str(path)]
    except BaseException:
        if is_new and not (folder / CLAIM).exists():  # refused before anything was computed
            path.unlink()
        raise


def _in_memory(frames: Sequence[Atoms] | str | Path | Sequence[str]) -> list[Any] | None:
    """Return the frames that are given themselves; None where files are named."""
    from ase import Atoms

    if isinstance(frames, str | Path):
        return None
    listed = [frames] if isinstance(frames, Atoms) else list(frames)
    if not all(isinstance(frame, str | Path | Atoms) for frame in listed):
        raise ConfigError(
            "What is given as frames holds something else.",
            fix='give ff.read("calculations/"), a list of ase.Atoms, or the name of a file',
        )
    return None if all(isinstance(file, str | Path) for file in listed) else listed
