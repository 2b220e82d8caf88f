"""Import of frames from files of any code, with an audit: what cannot be trusted is refused, with its reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flatforce.core.errors import DataError
from flatforce.core.progress import Progress, silent
from flatforce.data.audit.correction import StressAudit, verify_stresses
from flatforce.data.audit.net_force import net_force_reason
from flatforce.data.audit.settings import find_conflicts
from flatforce.data.audit.symmetry import asymmetry_warnings
from flatforce.data.config import ImportConfig
from flatforce.data.frames import FORCES, ISOLATED, STRESS, get_labels
from flatforce.data.import_result import FileSummary, Import
from flatforce.data.imported_files import ImportedFile, choose_reports, remove_copies
from flatforce.data.readers.content import DAMAGED, NOT_FINITE, PART, SOURCE, STEP, FileContent, Refusal
from flatforce.data.readers.keyed_xyz import VASP_ORDER
from flatforce.data.readers.registry import READERS, FoundFile, find_files
from flatforce.structures.contacts import has_bond
from flatforce.structures.orientation import MIN_GAP, is_isolated, orient_sheet, vacuum_gaps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.structures.orientation import Orientation

NO_SHEET = "not a sheet"
"""Reason of a refusal."""

ORIGINAL_AXIS = "original_vacuum_axis"
"""Key in `info` of a rotated frame: index of the lattice vector along the vacuum in its file."""


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
    files, unknown = find_files([Path(path) for path in listed_paths])
    imported: list[ImportedFile] = []
    for k, file in enumerate(files):
        imported.append(_import_file(file, config))
        progress(k + 1, len(files), file.source)
    imported = choose_reports(imported)
    _check_settings([frame for file in imported for frame in file.frames], config)
    imported = remove_copies(imported)
    audits = (
        {}
        if config.bulk
        else verify_stresses(
            [(file.kind, file.sheets) for file in imported], remove_pulay=config.remove_pulay
        )
    )
    for index, audit in audits.items():
        imported[index] = imported[index].without_sheets(audit.refused)
    frames = [frame for file in imported for frame in file.frames]
    refused = [refusal for file in imported for refusal in file.refused]
    _check_accepted(frames, refused)
    summaries = [_summarise(file, audits.get(index), config) for index, file in enumerate(imported)]
    return Import(frames, refused, summaries, [str(path) for path in unknown])


def _summarise(file: ImportedFile, audit: StressAudit | None, config: ImportConfig) -> FileSummary:
    notes = [*file.notes, *_rotation_notes(file.frames), *_symmetry_notes(file.sheets, config)]
    return FileSummary(
        file.source,
        file.kind,
        len(file.frames),
        len(file.refused),
        None if audit is None else audit.check,
        notes if audit is None else notes + audit.notes,
    )


def _import_file(file: FoundFile, config: ImportConfig) -> ImportedFile:
    try:
        content = READERS[file.kind](file.path)
    except Exception as error:  # noqa: BLE001  # whatever a damaged file does to a reader, the others are read
        reason = f"{DAMAGED}: {type(error).__name__}: {error}"
        content = FileContent([], [Refusal(reason)])
    frames, refused = _accept_frames(content.frames, config)
    for frame in frames:
        part = frame.info.pop(PART, None)
        frame.info[SOURCE] = file.source if part is None else f"{file.source}#{part + 1}"
        frame.info.setdefault("material", _name_material(frame, file.path, config))
        if config.config_type != "none":
            frame.info.setdefault("config_type", _name_config_type(frame, file.path, config))
    all_refused = [replace(refusal, source=file.source) for refusal in content.refused + refused]
    return ImportedFile(file, frames, all_refused, content.notes)


def _accept_frames(frames: Sequence[Atoms], config: ImportConfig) -> tuple[list[Atoms], list[Refusal]]:
    """Refuse frames with labels that are not finite and structures that are not sheets; rotate the others."""
    accepted, refused = [], []
    for frame in frames:
        try:
            get_labels(frame)
        except DataError:
            refused.append(Refusal(NOT_FINITE, frame.info[STEP]))
            continue
        unbalanced = net_force_reason(frame)
        if unbalanced is not None:
            refused.append(Refusal(unbalanced, frame.info[STEP]))
            continue
        if len(frame) == 1 and is_isolated(frame) and not (frame.cell.rank == 3 and has_bond(frame)):
            frame.info["config_type"] = ISOLATED
            accepted.append(frame)
            continue
        oriented = orient_sheet(frame)
        if oriented is not None:
            accepted.append(_rotate_labels(*oriented))
        elif config.bulk:
            accepted.append(frame)
        else:
            refused.append(Refusal(_not_a_sheet(frame), frame.info[STEP]))
    return accepted, refused


def _not_a_sheet(frame: Atoms) -> str:
    if frame.cell.rank < 3:
        return f"{NO_SHEET}: no cell"
    gaps = vacuum_gaps(frame)
    if (gaps > MIN_GAP).all():
        return f"{NO_SHEET}: vacuum along all three axes, as around a molecule"
    return f"{NO_SHEET}: no axis with {MIN_GAP:g} Å of vacuum (widest gap {gaps.max():.1f} Å)"


def _rotate_labels(frame: Atoms, orientation: Orientation) -> Atoms:
    rotation = orientation.rotation
    frame.arrays[FORCES] = frame.arrays[FORCES] @ rotation.T
    stress = get_labels(frame).stress
    if stress is not None:
        frame.info[STRESS] = orientation.volume_ratio * (rotation @ stress @ rotation.T).reshape(9)
    if VASP_ORDER in frame.info:
        frame.info[VASP_ORDER] = orientation.volume_ratio * (rotation @ frame.info[VASP_ORDER] @ rotation.T)
    if orientation.axis != 2:
        frame.info[ORIGINAL_AXIS] = orientation.axis
    return frame


def _name_material(frame: Atoms, path: Path, config: ImportConfig) -> str:
    return path.parent.name if config.material == "folder" else _reduced_formula(frame)


def _name_config_type(frame: Atoms, path: Path, config: ImportConfig) -> str:
    return path.parent.name if config.config_type == "folder" else _reduced_formula(frame)


def _reduced_formula(frame: Atoms) -> str:
    counts: dict[str, int] = frame.symbols.formula.reduce()[0].count()
    return "".join(f"{symbol}{count if count > 1 else ''}" for symbol, count in counts.items())


def _rotation_notes(frames: Sequence[Atoms]) -> list[str]:
    count = sum(ORIGINAL_AXIS in frame.info for frame in frames)
    if count == 0:
        return []
    return [f"{count} frames were rotated with their labels, so that the vacuum is along axis 2"]


def _symmetry_notes(frames: Sequence[Atoms], config: ImportConfig) -> list[str]:
    return [] if config.bulk or not frames else asymmetry_warnings(frames)


def _check_accepted(frames: Sequence[Atoms], refused: Sequence[Refusal]) -> None:
    """Refuse an import without frames."""
    if not frames:
        raise DataError(
            "No frame can be used.",
            why="; ".join(sorted({refusal.reason for refusal in refused})) or "the files are empty",
            fix="correct what the reasons name; --bulk accepts structures that are not sheets",
        )


def _check_settings(frames: Sequence[Atoms], config: ImportConfig) -> None:
    """Refuse frames of different DFT settings, also where their labels happen to be equal."""
    conflicts = find_conflicts(frames)
    if conflicts and not config.mixed:
        raise DataError(
            "The frames were computed with different settings.",
            why="\n       ".join(conflicts),
            fix="import each set by itself, or give --mixed if you know that the energies can be compared",
        )
