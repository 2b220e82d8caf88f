"""Frames from files of any kind, audited: what cannot be trusted stays out, with its reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from flatforce.core.config import Config
from flatforce.core.errors import DataError
from flatforce.core.progress import Progress, silent
from flatforce.data.audit.settings import conflicts, setting_groups
from flatforce.data.audit.stress import TAKEN, StressVerdict, judge_stress
from flatforce.data.audit.symmetry import asymmetry_notes
from flatforce.data.frames import FORCES, STRESS, get_labels
from flatforce.data.readers.content import NOT_FINITE, SOURCE, Refusal
from flatforce.data.readers.keyed_xyz import CONVENTION, CONVENTIONS
from flatforce.data.readers.registry import READERS, find_files
from flatforce.structures.orientation import orient_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.structures.orientation import Orientation

NO_SHEET = "no sheet: one axis with vacuum is wanted"


class ImportConfig(Config):
    """Settings of an import."""

    material: Literal["formula", "folder"] = "formula"
    """What names a material where the frames do not: the reduced formula, or the folder of the file."""
    bulk: bool = False
    """Whether structures that are no sheets are taken; nothing verifies their stress."""
    mixed: bool = False
    """Whether frames of different functional, cutoff, dispersion or spin–orbit coupling may stand together."""
    remove_pulay: bool = False
    """Whether the isotropic Pulay stress, measured by the slab virial identity, is subtracted."""


@dataclass(frozen=True)
class FileSummary:
    """What became of one file."""

    source: str
    kind: str
    n_frames: int
    n_refused: int
    verdict: StressVerdict | None
    notes: list[str]


@dataclass(frozen=True)
class Import:
    """Frames, and everything that was noticed on the way."""

    frames: list[Atoms]
    refused: list[Refusal] = field(default_factory=list)
    files: list[FileSummary] = field(default_factory=list)

    @property
    def reasons(self) -> Counter[str]:
        """Reason → frames or files refused."""
        return Counter(one.reason.split(":")[0].split(" (")[0] for one in self.refused)

    @property
    def conflicts(self) -> list[str]:
        """Settings in which frames differ that should not."""
        return conflicts(setting_groups(self.frames))

    @property
    def metrics(self) -> dict[str, float]:
        """Flat numbers for the record."""
        stress = sum(get_labels(frame).stress is not None for frame in self.frames)
        return {
            "n_frames": float(len(self.frames)),
            "n_refused": float(len(self.refused)),
            "n_files": float(len(self.files)),
            "n_with_stress": float(stress),
            "n_stress_verified": float(
                sum(
                    f.n_frames
                    for f in self.files
                    if f.verdict is not None and f.verdict.convention is not None
                )
            ),
            "n_materials": float(len({frame.info["material"] for frame in self.frames})),
        }


def import_frames(paths: Sequence[Path], config: ImportConfig, *, progress: Progress = silent) -> Import:
    """Read, turn and audit.

    Parameters
    ----------
    paths
        Files, and folders that are searched to the bottom.
    config
        Settings.
    progress
        Told after each file.

    Returns
    -------
    Frames with `material`, `step`, `source` and `dft_…` in `info`, vacuum along axis 2.

    Raises
    ------
    DataError
        If nothing can be used, a stress contradicts its frames, or settings are mixed.
    """
    read: list[tuple[str, str, list[Atoms], list[Refusal], list[str]]] = []
    found = find_files(paths)
    for k, (root, path, kind) in enumerate(found):
        content = READERS[kind](path)
        source = str(path.relative_to(root))
        kept, wrong = _checked(content.frames, config)
        for frame in kept:
            frame.info[SOURCE] = source
            frame.info.setdefault("material", _material(frame, path, config))
        gone = [replace(one, source=source) for one in content.refused + wrong]
        read.append((source, kind, kept, gone, content.notes))
        progress(k + 1, len(found), source)
    frames = [frame for _, _, kept, _, _ in read for frame in kept]
    refused = [one for _, _, _, gone, _ in read for one in gone]
    _judge(frames, refused, config)
    verdicts = {} if config.bulk else _verify_groups([(kind, kept) for _, kind, kept, _, _ in read], config)
    files = [
        FileSummary(
            source,
            kind,
            len(kept),
            len(gone),
            *_of_file(k, verdicts, notes + _turned(kept) + _asymmetry(kept, config)),
        )
        for k, (source, kind, kept, gone, notes) in enumerate(read)
    ]
    return Import(frames, refused, files)


def _verify_groups(
    read: Sequence[tuple[str, list[Atoms]]], config: ImportConfig
) -> dict[int, tuple[StressVerdict | None, list[str]]]:
    """Verify the stress of files together that one code wrote with the same settings: one frame tells little."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for k, (kind, kept) in enumerate(read):
        if kept:
            alike = (k,) if kind == "extxyz" else tuple(sorted(setting_groups(kept)))
            groups.setdefault((kind, *alike), []).append(k)
    verdicts: dict[int, tuple[StressVerdict | None, list[str]]] = {}
    for (form, *_), members in groups.items():
        kept = [frame for k in members for frame in read[k][1]]
        verdict, notes = _verified(kept, str(kept[0].info[SOURCE]), known=form != "extxyz")
        if config.remove_pulay and verdict is not None and verdict.verified:
            _subtract(kept, verdict.pulay)
        verdicts |= dict.fromkeys(members, (verdict, notes))
    return verdicts


def _turned(kept: Sequence[Atoms]) -> list[str]:
    count = sum("turned" in frame.info for frame in kept)
    return (
        [f"{count} frames were turned, labels with them: the vacuum lies along vector 3 now"] if count else []
    )


def _asymmetry(kept: Sequence[Atoms], config: ImportConfig) -> list[str]:
    return [] if config.bulk or not kept else asymmetry_notes(kept)


def _of_file(
    k: int, verdicts: dict[int, tuple[StressVerdict | None, list[str]]], notes: list[str]
) -> tuple[StressVerdict | None, list[str]]:
    verdict, more = verdicts.get(k, (None, []))
    return verdict, notes + more


def _checked(frames: Sequence[Atoms], config: ImportConfig) -> tuple[list[Atoms], list[Refusal]]:
    kept, refused = [], []
    for frame in frames:
        try:
            get_labels(frame)
        except DataError:
            refused.append(Refusal(NOT_FINITE, frame.info["step"]))
            continue
        turned = orient_sheet(frame)
        if turned is not None:
            kept.append(_turn_labels(*turned))
            if turned[1].axis != 2:
                kept[-1].info["turned"] = f"the vacuum lay along vector {turned[1].axis + 1}"
        elif config.bulk:
            kept.append(frame)
        else:
            refused.append(Refusal(NO_SHEET, frame.info["step"]))
    return kept, refused


def _turn_labels(frame: Atoms, how: Orientation) -> Atoms:
    turn = how.rotation
    frame.arrays[FORCES] = frame.arrays[FORCES] @ turn.T
    stress = get_labels(frame).stress
    if stress is not None:
        frame.info[STRESS] = (turn @ stress @ turn.T).reshape(9)
    return frame


def _verified(frames: Sequence[Atoms], source: str, *, known: bool) -> tuple[StressVerdict | None, list[str]]:
    """Compare the stress with the frames; one whose unit nothing states is turned, one that is stated must fit."""
    if not frames:
        return None, []
    verdict = judge_stress(frames)
    taken = frames[0].info.get(CONVENTION, TAKEN)
    for frame in frames:
        frame.info.pop(CONVENTION, None)
    if verdict.n_frames == 0 or verdict.verified:
        return verdict, []
    if verdict.convention is None and not verdict.senseless:
        return verdict, [f"taken for {taken}"]
    if known or verdict.senseless:
        raise DataError(
            f"The stress in {source} contradicts its own forces.",
            why=f"by σ_zz V = −Σ F_z z it should be {verdict.convention or 'something else altogether'}",
            fix="import the other files without this one, and look at how it was written",
        )
    factor = CONVENTIONS[str(verdict.convention)]
    for frame in frames:
        if STRESS in frame.info:
            frame.info[STRESS] = factor * np.asarray(frame.info[STRESS])
    return judge_stress(frames), [f"stress was in {verdict.convention}; turned into {TAKEN}"]


def _subtract(frames: Sequence[Atoms], pulay: float) -> None:
    for frame in frames:
        if STRESS in frame.info:
            frame.info[STRESS] = np.asarray(frame.info[STRESS]) - pulay * np.eye(3).reshape(9)
            frame.info["pulay_stress"] = pulay + float(frame.info.get("pulay_stress", 0.0))


def _material(frame: Atoms, path: Path, config: ImportConfig) -> str:
    if config.material == "folder":
        return path.parent.name
    counts: dict[str, Any] = frame.symbols.formula.reduce()[0].count()
    return "".join(f"{symbol}{n if n > 1 else ''}" for symbol, n in counts.items())


def _judge(frames: Sequence[Atoms], refused: Sequence[Refusal], config: ImportConfig) -> None:
    if not frames:
        raise DataError(
            "Not one frame can be used.",
            why="; ".join(sorted({one.reason for one in refused})) or "the files are empty",
            fix="see the reasons; --bulk takes structures that are no sheets",
        )
    said = conflicts(setting_groups(frames))
    if said and not config.mixed:
        raise DataError(
            "The frames were computed with different settings.",
            why="\n       ".join(said),
            fix="import each set by itself, or give --mixed if you know that the energies agree",
        )
