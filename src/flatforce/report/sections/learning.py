"""Rounds of active learning as sections of a page: what was chosen, why, what it cost, what improved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from flatforce.core.results import read_arrays
from flatforce.report.figures.figure import COLOURS, GREY, Figure, Panel, Series
from flatforce.report.sections.section import Section, Table, make_section, metrics_table


def _met(error: float | None) -> str:
    return "no label" if error is None else f"{error:.3f}"


def _round(folder: Path, result: dict[str, Any], name: str) -> Section:
    details = result["details"]
    tables = [metrics_table(result)]
    if details["chosen"]:
        rows = [
            [one["name"], one["from"], f"{one['doubt']:.3f}", _met(one.get("error")), one["reason"]]
            for one in details["chosen"]
        ]
        head = ["frame", "from", "doubt (eV/Å)", "largest error met (eV/Å)", "why"]
        tables.append(Table(head, rows, title="chosen"))
    rows = [[kind, f"{error:.1f}"] for kind, error in details.get("by_kind", {}).items()]
    tables.append(Table(["test frames", "force MAE (meV/Å)"], rows))
    if "margins" in details:
        tables.append(_doubt(details))
    if details["failures"]:
        tables.append(
            Table(["frame", "has no label because"], [list(map(str, one)) for one in details["failures"]])
        )
    if moved := details.get("dynamics"):
        rows = [[one["sheet"], f"{one['temperature']:g}", f"{one['time']:g}", one["ended"]] for one in moved]
        tables.append(Table(["sheet", "K", "fs", "ended because"], rows, title="trajectories"))
    if details["stop"]:
        tables.append(Table(["ended because"], [[details["stop"]]]))
    number = int(folder.name.rpartition("-")[2])
    return make_section(
        f"Round {number} of active learning", result, name, tables=tables, figures=[_progress(details)]
    )


def _doubt(details: dict[str, Any]) -> Table:
    keys = ("levels", "factors", "covered", "margins")
    rows = [
        [f"{100 * level:g} %", f"{factor:.2f}", f"{100 * held:.0f} %", _points(margin)]
        for level, factor, held, margin in zip(*(details[key] for key in keys), strict=True)
    ]
    head = ["level", "error below spread times", "held on the test frames", "fixed to (points, 95 %)"]
    return Table(head, rows, title=f"doubt, calibrated on {details['n_calibrating']} frames")


def _points(margin: float | None) -> str:
    return "unknown" if margin is None else f"± {100 * margin:.0f}"


def _optimum(folder: Path, result: dict[str, Any], name: str) -> Section:
    arrays, objective = read_arrays(folder), result["details"]["objective"]
    strains, energies = 100 * arrays["strains"], arrays["energies"]
    map_ = Series(
        100 * arrays["grid"][:, 0],
        100 * arrays["grid"][:, 1],
        style="points",
        width=5,
        value=arrays["mean"],
        value_name="eV",
    )
    tried = Series(strains[:, 0], strains[:, 1], name="evaluated", style="points", width=4, colour=COLOURS[6])
    best = np.fmax.accumulate(energies) if objective == "maximise" else np.fmin.accumulate(energies)
    order = np.arange(1.0, len(energies) + 1)
    course = (
        Series(order, energies, name="evaluated", style="points", width=4, colour=GREY),
        Series(order, best, name="best so far", style="steps"),
    )
    figure = Figure(
        "optimum",
        "Formation energy against the unstrained sheet: mean of the Gaussian process, and the course of the search.",
        (
            Panel((map_, tried), "strain along x (%)", "strain along y (%)"),
            Panel(course, "evaluation", "formation energy (eV)"),
        ),
    )
    title = f"{result['details']['defect']}: optimal strain ({objective})"
    return make_section(title, result, name, tables=[metrics_table(result)], figures=[figure])


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
    series.append(replace(series[0], name="", style="points", width=4))  # a first round has no line yet
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


LEARNING_MAKERS: Final[dict[str, Callable[[Path, dict[str, Any], str], Section]]] = {
    "learning round": _round,
    "strain optimum": _optimum,
}
"""Kind of result → its section."""
