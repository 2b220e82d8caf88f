"""Section of the page about a screening."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from flatforce.core.results import read_arrays
from flatforce.report.figures.screening import screening
from flatforce.report.sections.section import Section, Table, make_section, metrics_table

SHOWN: Final = {
    "rank": "rank",
    "name": "sheet",
    "energy_above_hull": "energy above hull (eV/atom)",
    "formation_energy": "formation energy (eV/atom)",
    "area": "area (Å²/atom)",
    "area_change": "change of area (%)",
    "duplicate_of": "same as",
    "bonds": "bonds",
}
"""Column of `ranking.csv` → heading of the page."""

N_BEST: Final = 12
"""Number of sheets that the page shows at once."""

MAX_ROWS: Final = 300
"""Number of rows of a longer table, which is folded; `ranking.csv` holds all."""


def _screening(folder: Path, result: dict[str, Any], name: str) -> Section:
    with (folder / "ranking.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    relaxed = [row for row in rows if row["status"] == "converged"]
    others = [row for row in rows if row["status"] != "converged"]
    tables = []
    if relaxed:
        texts = [[_text(row[column]) for column in SHOWN] for row in relaxed[:MAX_ROWS]]
        heads = list(SHOWN.values())
        tables.append(Table(heads, texts[:N_BEST], "Best sheets", leads=True))
        if len(texts) > N_BEST:
            tables.append(Table(heads, texts, _title("Ranking", len(relaxed)), folded=True))
    if others:
        texts = [[row["name"], row["status"], row["reason"]] for row in others[:MAX_ROWS]]
        tables.append(Table(["sheet", "verdict", "reason"], texts, _title("Not relaxed", len(others))))
    figures = screening(read_arrays(folder), result["details"])
    return make_section(
        f"Screening of {len(rows)} sheets",
        result,
        name,
        tables=[*tables, metrics_table(result)],
        figures=figures,
    )


def _title(text: str, count: int) -> str:
    return text if count <= MAX_ROWS else f"{text}: the first {MAX_ROWS} of {count}, all in ranking.csv"


def _text(value: str) -> str:
    """Shorten a decimal number."""
    try:
        return f"{float(value):.4f}" if "." in value else value
    except ValueError:
        return value


SCREENING_MAKERS: Final[dict[str, Callable[[Path, dict[str, Any], str], Section]]] = {"screening": _screening}
