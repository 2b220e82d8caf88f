"""Rounds of active learning as sections of a page: what was chosen, why, what it cost, what improved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from flatforce.report.figure import COLOURS, GREY, Figure, Panel, Series
from flatforce.report.section import Section, Table, make_section, metrics_table


def _round(folder: Path, result: dict[str, Any], name: str) -> Section:
    details = result["details"]
    tables = [metrics_table(result)]
    if details["chosen"]:
        rows = [[one["name"], one["from"], f"{one['doubt']:.3f}", one["reason"]] for one in details["chosen"]]
        tables.append(Table(["frame", "from", "doubt (eV/Å)", "why"], rows, title="chosen"))
    if details["failures"]:
        tables.append(
            Table(["frame", "has no label because"], [list(map(str, one)) for one in details["failures"]])
        )
    if details["stop"]:
        tables.append(Table(["ended because"], [[details["stop"]]]))
    number = int(folder.name.rpartition("-")[2])
    return make_section(
        f"Round {number} of active learning", result, name, tables=tables, figures=[_progress(details)]
    )


def _progress(details: dict[str, Any]) -> Figure:
    labels = np.array([one["n_labels"] for one in details["history"]], dtype=float)
    series = [
        Series(
            labels,
            np.array([one[key] for one in details["history"]], dtype=float),
            name=text,
            style="line",
            colour=colour,
            dashed=dashed,
        )
        for key, text, colour, dashed in (
            ("force_mae", "mean", COLOURS[0], False),
            ("force_mae_low", "95 % interval", GREY, True),
            ("force_mae_high", "", GREY, True),
        )
    ]
    levels, covered = np.array(details["levels"]), np.array(details["covered"])
    ends = np.array([levels.min(), 1.0])
    honest = (
        Series(ends, ends, colour=GREY, width=0.8),
        Series(levels, covered, style="points", width=5),
    )
    return Figure(
        "learning",
        "Force error on frames that are never learnt; how often calibrated intervals hold there.",
        (
            Panel(tuple(series), "labels", "force MAE (meV/Å)"),
            Panel(honest, "level of the interval", "share of test forces inside"),
        ),
    )


LEARNING_MAKERS: Final[dict[str, Callable[[Path, dict[str, Any], str], Section]]] = {"learning round": _round}
"""Kind of result → its section."""
