"""What every computation returns: numbers with units, arrays, files, and what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

REPR_METRICS = 6
"""Metrics that a `repr` shows."""


class Outcome:
    """Base of the frozen dataclasses that the functions of `properties` return.

    Subclasses are declared with `@dataclass(frozen=True, repr=False)`, so that the `repr` stays a few lines long.
    """

    kind: ClassVar[str]
    """Kind of result, as `result.json` and the page name it."""
    units: Mapping[str, str]
    """Unit of each metric; a dimensionless one has an empty text."""

    @property
    def metrics(self) -> dict[str, float]:
        """Name → number, flat; what `result.json` holds."""
        raise NotImplementedError

    @property
    def problems(self) -> list[str]:
        """What is wrong with the physics; with any, the result is not converged and the command exits with 1."""
        return []

    @property
    def notes(self) -> list[str]:
        """What a reader must know though nothing is wrong."""
        return []

    @property
    def details(self) -> dict[str, Any]:
        """Further plain values for `result.json`: tables, labels, names."""
        return {}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return name → array; what `arrays.npz` holds."""
        return {}

    def files(self, folder: Path) -> None:
        """Write the files that the field expects, such as `phonopy.yaml` or `relaxed.extxyz`.

        Parameters
        ----------
        folder
            Result folder.
        """

    def __repr__(self) -> str:
        """Show the kind, the first metrics with their units, and the problems, one a line."""
        return summary(self.kind, self.metrics, self.units, self.problems)


def summary(
    kind: str, metrics: Mapping[str, float | None], units: Mapping[str, str], problems: list[str]
) -> str:
    """Describe a result in a few lines.

    Parameters
    ----------
    kind
        Kind of result.
    metrics
        Name → number; the first few are shown.
    units
        Unit of each metric.
    problems
        What is wrong with the physics.

    Returns
    -------
    Kind, metrics and problems, one a line.
    """
    lines = [f"<{kind}>"]
    for name, value in list(metrics.items())[:REPR_METRICS]:
        number = "–" if value is None else f"{value:.6g}"
        lines.append(f"  {name}: {number} {units.get(name, '')}".rstrip())
    if len(metrics) > REPR_METRICS:
        lines.append(f"  … and {len(metrics) - REPR_METRICS} more in .metrics")
    return "\n".join([*lines, *(f"  problem: {text}" for text in problems)])
