"""Comparisons of force fields: finished result folders in, one comparison out."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, ClassVar

from flatforce.core.errors import ConfigError, FlatforceError, ResultError
from flatforce.core.hashing import hash_file
from flatforce.core.results import read_record
from flatforce.models.spec import committee_members, split_spec
from flatforce.studies.stage import Context, Source, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.core.outcome import Outcome

MAX_NAME = 40
"""Characters of the name of a force field in a legend; a longer one is replaced by its folder."""


@dataclass(frozen=True)
class FolderComparison(Stage):
    """Base of the comparisons of force fields on the same task."""

    needs_model: ClassVar[bool] = False

    folders: Sequence[Path]
    """Result folders of one kind."""

    def inputs(self) -> dict[str, Source | str | None]:
        """Return the hashes of the results."""
        return {
            name: hash_file(path / "result.json") if (path / "result.json").is_file() else None
            for name, path in zip(self.names, self.folders, strict=True)
        }

    def settings(self) -> dict[str, Any]:
        """Return the folders."""
        return {"folders": [str(path) for path in self.folders]}

    @property
    def names(self) -> list[str]:
        """Names of the force fields, or of the folders where two are the same or none is stated."""
        return legend_names(self.folders)


class BenchmarkComparisonStage(FolderComparison):
    """Compares relaxation benchmarks on the materials that no model failed on."""

    kind: ClassVar[str] = "benchmark comparison"

    def compute(self, context: Context) -> Outcome:
        """Compare on the materials that no model failed on."""
        from flatforce.properties.benchmark.comparison import StoredBenchmark, compare_benchmarks

        del context
        stored = zip(self.names, map(StoredBenchmark.read, self.folders), strict=True)
        return compare_benchmarks(dict(stored))


class EvaluationComparisonStage(FolderComparison):
    """Compares evaluations on the frames that every model was evaluated on."""

    kind: ClassVar[str] = "evaluation comparison"

    def compute(self, context: Context) -> Outcome:
        """Compare on the common frames."""
        from flatforce.properties.benchmark.evaluations import StoredEvaluation, compare_evaluations

        del context
        stored = zip(self.names, map(StoredEvaluation.read, self.folders), strict=True)
        return compare_evaluations(dict(stored))


class PhononComparisonStage(FolderComparison):
    """Compares the phonons of one sheet."""

    kind: ClassVar[str] = "phonon comparison"

    def compute(self, context: Context) -> Outcome:
        """Compare bands and densities of states."""
        from flatforce.properties.benchmark.phonons import StoredPhonons, compare_phonons

        del context
        stored = zip(self.names, map(StoredPhonons.read, self.folders), strict=True)
        return compare_phonons(dict(stored))


STAGES: dict[str, type[FolderComparison]] = {
    "evaluate": EvaluationComparisonStage,
    "relaxation benchmark": BenchmarkComparisonStage,
    "phonons": PhononComparisonStage,
}
"""Kind of result → stage that compares several of them."""


def comparison_of(folders: Sequence[Path]) -> FolderComparison:
    """Choose the comparison for result folders.

    Parameters
    ----------
    folders
        Result folders of `evaluate`, `benchmark relax` or `phonons`.

    Returns
    -------
    The stage for their kind.

    Raises
    ------
    ConfigError
        If there are fewer than two, or one is given twice.
    ResultError
        If they are of different kinds, or of one that is not compared.
    """
    if len({path.resolve() for path in folders}) < max(2, len(folders)):
        raise ConfigError(
            f"{len(folders)} folders are given.",
            why="a comparison needs at least two, each of them once",
            fix="give the result folders of several force fields",
        )
    kinds = {path: read_record(path)["kind"] for path in folders}
    if len(set(kinds.values())) > 1 or not set(kinds.values()) <= set(STAGES):
        listed = ", ".join(f"{path}: {kind}" for path, kind in kinds.items())
        raise ResultError(
            "These folders cannot be compared.",
            why=f"they have to be of one kind ({listed})",
            fix="give folders that are all of `evaluate`, all of `benchmark relax`, or all of `phonons`",
        )
    return STAGES[kinds[folders[0]]](list(folders))


def legend_names(folders: Sequence[Path]) -> list[str]:
    """Name the force fields of result folders for tables and legends.

    Parameters
    ----------
    folders
        Result folders.

    Returns
    -------
    Distinct names: those of the force fields if they differ and are short, else the parts of the paths that differ.
    """
    models = [_short_model(path) for path in folders]
    if all(models) and max(Counter(models).values()) == 1:
        return models
    names = [path.name for path in folders]
    if len(set(names)) == len(names):
        return names
    resolved = [path.resolve() for path in folders]
    parent = os.path.commonpath(resolved)
    return [path.relative_to(parent).as_posix() for path in resolved]


def _short_model(folder: Path) -> str:
    """Name a force field without the folders of its files and without arguments; empty if it is unknown, or too long for a legend."""
    try:
        record = read_record(folder)
        subject = record.get("subject") or {}
        spec = str(record["details"].get("model") or subject.get("model") or "")
        parts = [split_spec(member) for member in committee_members(spec)] if spec else []
    except FlatforceError:
        return ""
    name = ",".join(f"{kind}:{_last_part(kind, rest)}" for kind, rest in parts)
    return name if len(name) <= MAX_NAME else ""


def _last_part(kind: str, name: str) -> str:
    """Shorten the name of one force field to the class of a calculator, or to the file."""
    if kind == "ase":
        return name.partition("?")[0].rpartition(":")[2]
    return PurePath(name).name
