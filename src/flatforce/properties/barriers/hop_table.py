"""Barriers of all first hops of a defect, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from flatforce.core.files import write_text
from flatforce.core.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, repr=False)
class HopTable(Outcome):
    """First hops of a defect and their barriers."""

    kind: ClassVar[str] = "hops"

    defect: str
    """Notation of the defect."""
    descriptions: Mapping[str, str]
    """Name of each hop → what it is, in words."""
    multiplicities: Mapping[str, int]
    """Name of each hop → number of hops that symmetry makes equal to it."""
    records: Mapping[str, dict[str, Any]]
    """Name of each hop → content of its `result.json`."""

    @property
    def units(self) -> dict[str, str]:  # type: ignore[override]  # the names hold those of the hops
        """Unit of each metric."""
        return {name: "" if name == "n_hops" else "eV" for name in self.metrics}

    @property
    def metrics(self) -> dict[str, float]:
        """Barrier of each hop that converged, the lowest of them, and their number."""
        barriers = {name: self._barrier(name) for name in self.trusted}
        lowest = {"lowest_barrier": min(barriers.values())} if barriers else {}
        return (
            {"n_hops": float(len(self.records))}
            | lowest
            | {f"barrier_{name}": value for name, value in barriers.items()}
        )

    @property
    def trusted(self) -> list[str]:
        """Names of the hops whose path converged and which the force field knows."""
        return [name for name, record in self.records.items() if record["converged"]]

    def _barrier(self, name: str) -> float:
        value = self.records[name]["metrics"]["barrier"]
        return float("nan") if value is None else float(value)

    @property
    def problems(self) -> list[str]:
        """Hops without a barrier, each with its first reason."""
        return [
            f"{name} ({self.descriptions[name]}): {record['warnings'][0]}"
            for name, record in self.records.items()
            if not record["converged"]
        ]

    @property
    def details(self) -> dict[str, Any]:
        """The table: a row for each hop."""
        return {"defect": self.defect, "hops": self.rows}

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One mapping for each hop: name, description, multiplicity, whether it converged, barriers in eV, attempt frequency in THz."""
        return [
            {
                "name": name,
                "description": self.descriptions[name],
                "multiplicity": self.multiplicities[name],
                "converged": record["converged"],
                **{quantity: record["metrics"].get(quantity) for quantity in QUANTITIES},
            }
            for name, record in self.records.items()
        ]

    def files(self, folder: Path) -> None:
        """Write `hops.csv`.

        Parameters
        ----------
        folder
            Result folder.
        """
        lines = ["hop,description,multiplicity,converged,barrier_eV,barrier_reverse_eV,attempt_frequency_THz"]
        for row in self.rows:
            numbers = ["" if row[quantity] is None else f"{row[quantity]:.6g}" for quantity in QUANTITIES]
            text = row["description"].replace(",", ";")
            lines.append(f"{row['name']},{text},{row['multiplicity']},{row['converged']},{','.join(numbers)}")
        write_text(folder / "hops.csv", "\n".join(lines) + "\n")


QUANTITIES = ("barrier", "barrier_reverse", "attempt_frequency")
"""Metrics of each path in the table."""
