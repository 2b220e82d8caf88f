"""Import of frames from files of any code, with an audit: what cannot be trusted is refused, with its reason."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flatforce.core.errors import DataError
from flatforce.core.progress import Progress, silent
from flatforce.data.audit.correction import verify_stresses
from flatforce.data.audit.settings import count_settings, find_conflicts
from flatforce.data.audit.symmetry import asymmetry_warnings
from flatforce.data.config import ImportConfig
from flatforce.data.frames import FORCES, STRESS, get_labels
from flatforce.data.import_result import FileSummary, Import
from flatforce.data.readers.content import NOT_FINITE, SOURCE, STEP, Refusal
from flatforce.data.readers.registry import READERS, find_files
from flatforce.structures.orientation import orient_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.structures.orientation import Orientation

NO_SHEET = "not a sheet: exactly one axis must have vacuum"
"""Reason of a refusal."""

ORIGINAL_AXIS = "original_vacuum_axis"
"""Key in `info` of a rotated frame: index of the lattice vector along the vacuum in its file."""


@dataclass(frozen=True)
class _ImportedFile:
    source: str
    kind: str
    frames: list[Atoms]
    refused: list[Refusal]
    notes: list[str]


def read(paths: str | Path | Sequence[str | Path], **settings: Any) -> list[Atoms]:
    """Read and audit frames, as `flatforce data import` does.

    Parameters
    ----------
    paths
        A file, a folder that is searched with all its subfolders, or a list of them.
    **settings
        Settings of `ImportConfig`, such as `mixed=True`.

    Returns
    -------
    Labelled frames, vacuum along axis 2; `import_frames` also returns what was refused.
    """
    return import_frames(paths, ImportConfig.parse(settings)).frames


def import_frames(
    paths: str | Path | Sequence[str | Path],
    config: ImportConfig | None = None,
    *,
    progress: Progress = silent,
) -> Import:
    """Read files, rotate sheets so that their vacuum is along axis 2, and audit their labels.

    Parameters
    ----------
    paths
        A file, a folder that is searched with all its subfolders, or a list of them.
    config
        Settings; the defaults of `ImportConfig` if None.
    progress
        Called after each file.

    Returns
    -------
    Frames with `material`, `step`, `source` and `dft_…` in `info`, vacuum along axis 2; and what was refused.

    Raises
    ------
    DataError
        If no frame is accepted, a stress contradicts the forces, or the DFT settings differ.
    """
    config = config or ImportConfig()
    listed_paths = [paths] if isinstance(paths, str | Path) else paths
    files = find_files([Path(path) for path in listed_paths])
    imported: list[_ImportedFile] = []
    for k, (root, path, kind) in enumerate(files):
        imported.append(_import_file(root, path, kind, config))
        progress(k + 1, len(files), imported[-1].source)
    frames = [frame for file in imported for frame in file.frames]
    refused = [refusal for file in imported for refusal in file.refused]
    _check_accepted(frames, refused, config)
    checks = (
        {}
        if config.bulk
        else verify_stresses(
            [(file.kind, file.frames) for file in imported], remove_pulay=config.remove_pulay
        )
    )
    summaries = []
    for index, file in enumerate(imported):
        check, stress_notes = checks.get(index, (None, []))
        notes = [*file.notes, *_rotation_notes(file.frames), *_symmetry_notes(file.frames, config)]
        summaries.append(
            FileSummary(
                file.source, file.kind, len(file.frames), len(file.refused), check, notes + stress_notes
            )
        )
    return Import(frames, refused, summaries)


def _import_file(root: Path, path: Path, kind: str, config: ImportConfig) -> _ImportedFile:
    content = READERS[kind](path)
    source = str(path.relative_to(root))
    frames, refused = _accept_frames(content.frames, config)
    for frame in frames:
        frame.info[SOURCE] = source
        frame.info.setdefault("material", _name_material(frame, path, config))
    all_refused = [replace(refusal, source=source) for refusal in content.refused + refused]
    return _ImportedFile(source, kind, frames, all_refused, content.notes)


def _accept_frames(frames: Sequence[Atoms], config: ImportConfig) -> tuple[list[Atoms], list[Refusal]]:
    """Refuse frames with labels that are not finite and structures that are not sheets; rotate the others."""
    accepted, refused = [], []
    for frame in frames:
        try:
            get_labels(frame)
        except DataError:
            refused.append(Refusal(NOT_FINITE, frame.info[STEP]))
            continue
        oriented = orient_sheet(frame)
        if oriented is not None:
            accepted.append(_rotate_labels(*oriented))
        elif config.bulk:
            accepted.append(frame)
        else:
            refused.append(Refusal(NO_SHEET, frame.info[STEP]))
    return accepted, refused


def _rotate_labels(frame: Atoms, orientation: Orientation) -> Atoms:
    rotation = orientation.rotation
    frame.arrays[FORCES] = frame.arrays[FORCES] @ rotation.T
    stress = get_labels(frame).stress
    if stress is not None:
        frame.info[STRESS] = (rotation @ stress @ rotation.T).reshape(9)
    if orientation.axis != 2:
        frame.info[ORIGINAL_AXIS] = orientation.axis
    return frame


def _name_material(frame: Atoms, path: Path, config: ImportConfig) -> str:
    if config.material == "folder":
        return path.parent.name
    counts: dict[str, int] = frame.symbols.formula.reduce()[0].count()
    return "".join(f"{symbol}{count if count > 1 else ''}" for symbol, count in counts.items())


def _rotation_notes(frames: Sequence[Atoms]) -> list[str]:
    count = sum(ORIGINAL_AXIS in frame.info for frame in frames)
    if count == 0:
        return []
    return [f"{count} frames were rotated with their labels, so that the vacuum is along axis 2"]


def _symmetry_notes(frames: Sequence[Atoms], config: ImportConfig) -> list[str]:
    return [] if config.bulk or not frames else asymmetry_warnings(frames)


def _check_accepted(frames: Sequence[Atoms], refused: Sequence[Refusal], config: ImportConfig) -> None:
    """Refuse an import without frames, and one of different DFT settings."""
    if not frames:
        raise DataError(
            "No frame can be used.",
            why="; ".join(sorted({refusal.reason for refusal in refused})) or "the files are empty",
            fix="correct what the reasons name; --bulk accepts structures that are not sheets",
        )
    conflicts = find_conflicts(count_settings(frames))
    if conflicts and not config.mixed:
        raise DataError(
            "The frames were computed with different settings.",
            why="\n       ".join(conflicts),
            fix="import each set by itself, or give --mixed if you know that the energies can be compared",
        )
