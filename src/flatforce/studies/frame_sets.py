"""Sets of frames with the record of how they were made beside them: `frames.extxyz` and `frames.import/`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from flatforce.core.claims import claim, is_finished
from flatforce.core.errors import ResultError
from flatforce.core.hashing import hash_file
from flatforce.core.identity import Identity
from flatforce.core.recording import record_of
from flatforce.core.results import read_record, write_record
from flatforce.core.written import WrittenFiles, record_folder
from flatforce.data.bundled import dataset_path
from flatforce.data.curation.run import Curation
from flatforce.data.import_result import Import

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from flatforce.core.progress import Progress
    from flatforce.data.config import CurationConfig, ImportConfig

FrameSet = TypeVar("FrameSet", Import, Curation)


def import_to(
    output: Path, paths: Sequence[Path], config: ImportConfig, *, progress: Progress
) -> tuple[dict[str, Any], Import | None]:
    """Import frames, and write them with their record.

    Parameters
    ----------
    output
        Extended-XYZ file that is written.
    paths
        Files, and folders that are searched.
    config
        Settings.
    progress
        Called after each file.

    Returns
    -------
    Content of `result.json` as plain values; and the import, or None if the same one is finished there.
    """
    from flatforce.data.importing import import_frames
    from flatforce.data.readers.registry import find_files

    folder, own = record_folder(output, Import.kind), output.resolve()
    read_files = [
        file
        for file in find_files(list(paths))[0]
        if file.path != own and not file.path.is_relative_to(folder.resolve())
    ]
    identity = Identity.of(Import.kind, config, {file.source: hash_file(file.path) for file in read_files})
    return _make(output, identity, lambda: import_frames(paths, config, progress=progress))


def curate_to(
    output: Path, frames: str, config: CurationConfig, *, progress: Progress
) -> tuple[dict[str, Any], Curation | None]:
    """Curate frames, and write what is left with its record.

    Parameters
    ----------
    output
        Extended-XYZ file that is written.
    frames
        File of labelled frames, or name of a bundled dataset.
    config
        Settings.
    progress
        Called after each rule.

    Returns
    -------
    Content of `result.json` as plain values; and the curation, or None if the same one is finished there.
    """
    from flatforce.data.curation.run import curate
    from flatforce.data.frame_files import read_labelled

    path = dataset_path(frames)
    inputs = {"frames": hash_file(path)} if path.is_file() else {}  # a missing file is reported by the reader
    identity = Identity.of(Curation.kind, config, inputs)
    return _make(output, identity, lambda: curate(read_labelled(path), config, progress=progress))


def _make(
    output: Path, identity: Identity, make: Callable[[], FrameSet]
) -> tuple[dict[str, Any], FrameSet | None]:
    """Make a set of frames, unless the same one is there; a file of other frames is not replaced."""
    from flatforce.data.frame_files import save_frames

    folder = record_folder(output, identity.kind)
    written = WrittenFiles(folder)
    if output.exists():
        written.check([output])
        if _is_finished(output, folder, identity):
            return read_record(folder), None
    with claim(folder, identity, extends=lambda _: True):  # its record without its frames may be replaced
        outcome = make()
        written.write(output, partial(save_frames, frames=outcome.frames), durable=True)
        write_record(
            folder, record_of(outcome, config=identity.settings, inputs=identity.inputs, identity=identity)
        )
    return read_record(folder), outcome


def _is_finished(output: Path, folder: Path, identity: Identity) -> bool:
    try:
        return is_finished(folder, identity)
    except ResultError as error:
        raise ResultError(
            f"{output} holds frames of other inputs or settings.",
            why=error.why,
            fix="give another file as -o, or delete that one",
        ) from error
