"""Folders of several results as objects: a study, a series of defect supercells, active learning."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from flatforce.core.errors import ResultError
from flatforce.report.results.defect_comparisons import CommitteePhononResult
from flatforce.report.results.defects import DefectPhononResult, DiluteResult, EmbeddedResult
from flatforce.report.results.models import LearningRoundResult
from flatforce.report.results.result import Result
from flatforce.report.results.view import View, flatten, html_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.phonons.spectra.defect_modes import Mode
    from flatforce.properties.phonons.spectra.mode_classes import LdosPeak
    from flatforce.report.figures.figure import Figure

MAX_LISTED = 8
"""Number of results that a `repr` lists."""


class ResultTree(View, Mapping[str, Any]):
    """Results in the sub-folders of a folder: a mapping from the name of each sub-folder to what it holds.

    `tree["defects/v_Se_top"]` is the same as `tree["defects"]["v_Se_top"]`.

    Parameters
    ----------
    folder
        The folder, on disk.

    Raises
    ------
    ResultError
        If no sub-folder holds a finished result.
    """

    KIND: ClassVar[str] = "results"

    def __init__(self, folder: str | Path) -> None:
        from flatforce.report.result import open_result

        super().__init__(folder)
        self._children: dict[str, Result | ResultTree] = {
            path.name: open_result(path) for path in result_folders(self.folder)
        }
        if not self._children:
            raise ResultError(
                f"There is no finished result in {self.folder}.",
                fix="run the command that makes it, to its end",
            )

    @property
    def kind(self) -> str:
        """Kind of the collection, such as `defect series`."""
        return self.KIND

    @property
    def names(self) -> list[str]:
        """Names of the sub-folders that hold results."""
        return list(self._children)

    def __getitem__(self, name: str) -> Any:  # which class it is depends on the folder
        """Return the result of a sub-folder; its class is the one of its kind."""
        first, _, rest = name.partition("/")
        if first not in self._children:
            raise KeyError(f"{first}; there are: {', '.join(self._children)}")
        child = self._children[first]
        if not rest:
            return child
        if isinstance(child, Result):
            raise KeyError(f"{first} holds one result, and no {rest}")
        return child[rest]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._children)

    def __len__(self) -> int:
        """Count the sub-folders."""
        return len(self._children)

    @property
    def converged(self) -> bool:
        """Whether every result passed its own checks."""
        return all(child.converged for child in self._children.values())

    @property
    def warnings(self) -> list[str]:
        """Warnings of all results, each after the name of its folder."""
        return [f"{name}: {text}" for name, child in self._children.items() for text in child.warnings]

    @property
    def metrics(self) -> dict[str, float | None]:
        """`name/metric` → number, for all results."""
        return flatten({name: child.metrics for name, child in self._children.items()})

    @property
    def units(self) -> dict[str, str]:
        """`name/metric` → unit, for all results."""
        return flatten({name: child.units for name, child in self._children.items()})

    def _make_figures(self) -> dict[str, Figure]:
        return flatten({name: child._figures for name, child in self._children.items()})  # noqa: SLF001  # views of the same kind

    def _lines(self) -> list[tuple[str, str, str]]:
        """Return name, kind and state of each sub-folder."""
        return [
            (name, child.kind, "" if child.converged else "not converged")
            for name, child in self._children.items()
        ]

    def __repr__(self) -> str:
        """List the sub-folders, one a line."""
        lines = [f"  {name}: {kind} {state}".rstrip() for name, kind, state in self._lines()]
        shown = lines[:MAX_LISTED]
        if len(lines) > MAX_LISTED:
            shown.append(f"  … and {len(lines) - MAX_LISTED} more in .names")
        return "\n".join([f"<{self.kind}>", *shown, f"  folder: {self.folder}"])

    def _repr_html_(self) -> str:
        return html_table(self.kind, self._lines(), self.warnings, converged=self.converged)


class DefectSeriesResult(ResultTree):
    """Phonons of one defect in supercells of several sizes, embedded, in the dilute limit, or by a committee.

    `series["6x6"]` is the result of one supercell. Attributes of the series are those of its best member: the dilute limit
    before the largest embedding before the largest supercell.
    """

    KIND = "defect series"

    @cached_property
    def _best(self) -> DiluteResult | EmbeddedResult | DefectPhononResult | CommitteePhononResult:
        for kind in (DiluteResult, EmbeddedResult, DefectPhononResult, CommitteePhononResult):
            members = [child for child in self._children.values() if isinstance(child, kind)]
            if members:
                return max(members, key=lambda member: member.metrics.get("n_atoms") or 0.0)
        raise ResultError(f"{self.folder} holds no phonons of a defect.", fix="run: flatforce defect phonons")

    @property
    def best(self) -> str:
        """Name of the member whose spectra the series shows."""
        return self._best.folder.name

    @property
    def supercells(self) -> list[str]:
        """Names of the supercells, from the smallest, such as `6x6`."""
        cells = {
            name: child for name, child in self._children.items() if isinstance(child, DefectPhononResult)
        }
        return sorted(cells, key=lambda name: cells[name].metrics["n_atoms"] or 0.0)

    @property
    def frequency(self) -> FloatArray:
        """(G) THz, grid of `ldos`."""
        return self._best.frequency

    @property
    def ldos(self) -> FloatArray:
        """(G) 1/THz, site-averaged local density of states of the innermost shell around the defect; its integral is 3."""
        return self._best.ldos

    @property
    def ldos_peaks(self) -> list[LdosPeak]:
        """Peaks that the defect adds to `ldos`: local modes and resonances, from the lowest frequency."""
        if isinstance(self._best, CommitteePhononResult):
            raise ResultError(
                f"{self.folder} holds the phonons of a committee alone.",
                fix='look at those of a member, such as result["committee"].modes',
            )
        return self._best.ldos_peaks

    @property
    def modes(self) -> list[Mode]:
        """Modes at Γ that the defect changes most, in the largest supercell.

        `classification` is `local`, `resonance` or `extended`.
        """
        if not self.supercells:
            raise ResultError(
                f"{self.folder} holds no supercell of its own.",
                why="its modes are those of a committee",
                fix='look at result["committee"].modes',
            )
        largest: DefectPhononResult = self[self.supercells[-1]]
        return largest.modes

    def _make_figures(self) -> dict[str, Figure]:
        """Put the comparison of the members first, then the best one."""
        figures = super()._make_figures()
        first = [name for name in ("finite_size", "committee", self.best) if name in self]
        rank = {name: k for k, name in enumerate(first)}
        ordered = sorted(figures, key=lambda name: rank.get(name.partition("/")[0], len(rank)))
        return {name: figures[name] for name in ordered}


class LearningResult(ResultTree):
    """Active learning, round by round."""

    KIND = "active learning"

    @property
    def rounds(self) -> list[LearningRoundResult]:
        """The finished rounds, in order."""
        return [child for child in self._children.values() if isinstance(child, LearningRoundResult)]

    @property
    def n_labels(self) -> list[int]:
        """(R) number of labels that were used up before each round."""
        return [round_.n_labels for round_ in self.rounds]

    @property
    def force_mae(self) -> list[float]:
        """(R) meV/Å, mean absolute error of the forces on the test set in each round."""
        return [round_.force_mae for round_ in self.rounds]

    @property
    def stop_reason(self) -> str:
        """Why the last round ended active learning; empty if it may go on."""
        return self.rounds[-1].stop_reason

    def _make_figures(self) -> dict[str, Figure]:
        """Put the last round first: its figure shows the whole course."""
        figures = super()._make_figures()
        return dict(sorted(figures.items(), key=lambda item: item[0].partition("/")[0], reverse=True))


def result_folders(folder: Path) -> list[Path]:
    """Find the sub-folders that hold finished results, at any depth.

    Parameters
    ----------
    folder
        Where to look.

    Returns
    -------
    Direct sub-folders, sorted so that `6x6` comes before `12x12`.
    """
    children = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    finished = [path for path in children if next(path.rglob("result.json"), None) is not None]
    return sorted(finished, key=lambda path: _numeric_order(path.name))


def _numeric_order(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
