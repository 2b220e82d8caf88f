"""One finished result folder as an object: metrics, arrays, figures, files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from flatforce.core.errors import ResultError
from flatforce.core.outcome import summary
from flatforce.core.results import read_record
from flatforce.report.results.view import View, html_table, number_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flatforce.report.figures.figure import Figure

MAX_PROBLEMS = 2
"""Number of problems that a `repr` shows."""


class Result(View):
    """Read-only view of a finished result folder: `result.json`, `arrays.npz` and the files beside them.

    It is the same object whether the numbers were computed just now or years ago.

    Parameters
    ----------
    folder
        The folder, on disk.

    Raises
    ------
    ResultError
        If there is no finished result, or it is of another kind.
    """

    KIND: ClassVar[str] = ""
    """Kind of result that the class reads; any if empty."""
    MADE_BY: ClassVar[str] = ""
    """Command that writes such a folder."""

    def __init__(self, folder: str | Path) -> None:
        super().__init__(folder)
        self._record = read_record(self.folder, kind=self.KIND, made_by=self.MADE_BY)

    @property
    def kind(self) -> str:
        """Kind of result, such as `phonons`."""
        return str(self._record["kind"])

    @property
    def converged(self) -> bool:
        """Whether the result passed its own checks; if not, `warnings` says why."""
        return bool(self._record["converged"])

    @property
    def warnings(self) -> list[str]:
        """What a reader should know: failed checks first, then notes."""
        return list(self._record["warnings"])

    @property
    def metrics(self) -> Mapping[str, float | None]:
        """Name → number; None where it is not finite. Units are in `units`."""
        return MappingProxyType(self._record["metrics"])

    @property
    def units(self) -> Mapping[str, str]:
        """Name of each metric → unit; empty where it has none."""
        return MappingProxyType(self._record["units"])

    @property
    def details(self) -> Mapping[str, Any]:
        """Further plain values: tables, names, settings that were found."""
        return MappingProxyType(self._record["details"])

    @property
    def config(self) -> Mapping[str, Any]:
        """Settings, with every default filled in."""
        return MappingProxyType(self._record["config"])

    @cached_property
    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Name → read-only array, each read from `arrays.npz` when first asked for."""
        return LazyArrays(self.folder / "arrays.npz")

    def _number(self, name: str) -> float:
        """Return a metric, NaN where it is not finite."""
        try:
            value = self._record["metrics"][name]
        except KeyError as error:
            raise ResultError(
                f"{self.folder} has no metric {name}.",
                why="another version of flatforce wrote it",
                fix="compute it again in a new folder",
            ) from error
        return float("nan") if value is None else float(value)

    def _array(self, name: str, *index: int) -> NDArray[Any]:
        """Return an array, or the part of it at the first indices."""
        try:
            part: NDArray[Any] = self.arrays[name][index]
        except KeyError as error:
            raise ResultError(
                f"{self.folder} has no array {name}.",
                why="another version of flatforce wrote it",
                fix="compute it again in a new folder",
            ) from error
        return part

    def _file(self, name: str) -> Path:
        path = self.folder / name
        if not path.is_file():
            raise ResultError(f"{path} is missing.", fix="compute it again, or copy the whole folder")
        return path

    def _make_figures(self) -> dict[str, Figure]:
        from flatforce.report.sections.registry import section_of

        try:
            section = section_of(self.folder, self._record, self.folder.name)
        except KeyError as error:
            raise ResultError(
                f"The figures of {self.folder} cannot be drawn.",
                why=f"another version of flatforce wrote it, without {error}",
                fix="compute it again in a new folder",
            ) from error
        return {figure.name: figure for figure in section.figures}

    def __repr__(self) -> str:
        """Show the kind, the first metrics with their units, problems and the folder, one a line."""
        problems = [] if self.converged else self.warnings[:MAX_PROBLEMS]
        return f"{summary(self.kind, self.metrics, self.units, problems)}\n  folder: {self.folder}"

    def _repr_html_(self) -> str:
        rows = [(name, number_text(value), self.units.get(name, "")) for name, value in self.metrics.items()]
        return html_table(self.kind, rows, self.warnings, converged=self.converged)


class LazyArrays(Mapping[str, "NDArray[Any]"]):
    """Arrays of an `.npz` file, each read when first asked for, and read-only.

    Parameters
    ----------
    path
        The file; absent where a result has no arrays.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loaded: dict[str, NDArray[Any]] = {}

    @cached_property
    def _names(self) -> list[str]:
        if not self._path.is_file():
            return []
        with np.load(self._path) as stored:
            return list(stored.files)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return an array by its name."""
        if name not in self._names:
            raise KeyError(f"{name}; there are: {', '.join(self._names)}")
        if name not in self._loaded:
            with np.load(self._path) as stored:
                array = stored[name]
            array.setflags(write=False)
            self._loaded[name] = array
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._names)

    def __len__(self) -> int:
        """Count the arrays."""
        return len(self._names)

    def __repr__(self) -> str:
        """Name the arrays."""
        return f"<arrays: {', '.join(self._names)}>"
