"""Sections of the page about active learning: selected frames, calibration, labels, course of the errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from flatforce.core.results import read_arrays
from flatforce.report.figures.coverage import coverage, reliability_panel
from flatforce.report.figures.figure import COLOURS, GREY, Figure, Panel, Series
from flatforce.report.sections.coverage import calibration_table, coverage_tables
from flatforce.report.sections.section import Section, Table, make_section, metrics_table


def _error_text(error: float | None) -> str:
    return "no label" if error is None else f"{error:.3f}"


def _uncertainty_text(frame: dict[str, Any]) -> str:
    n_outside = frame.get("n_outside", 0)
    return f"{n_outside} atoms outside" if n_outside else f"{frame['force_uncertainty']:.3f}"


def _round(folder: Path, result: dict[str, Any], name: str) -> Section:
    details = result["details"]
    tables = [metrics_table(result)]
    if details["selected"]:
        rows = [
            [
                frame["name"],
                frame["source"],
                _uncertainty_text(frame),
                _error_text(frame.get("force_error")),
                frame["reason"],
            ]
            for frame in details["selected"]
        ]
        columns = ["frame", "source", "uncertainty (eV/Å)", "largest force error (eV/Å)", "reason"]
        tables.append(Table(columns, rows, title="Selected frames"))
    rows = [[kind, f"{error:.1f}"] for kind, error in details.get("force_mae_by_config_type", {}).items()]
    tables.append(Table(["config type", "force MAE (meV/Å)"], rows, title="Errors on the test set"))
    if "coverage_tolerance" in details:
        tables.append(calibration_table(details))
        tables += coverage_tables(details)
    if details["failures"]:
        tables.append(
            Table(
                ["frame", "reason"],
                [list(map(str, pair)) for pair in details["failures"]],
                title="Frames without a label",
            )
        )
    if trajectories := details.get("trajectories"):
        rows = [
            [run["formula"], f"{run['temperature']:g}", f"{run['time']:g}", run["status"]]
            for run in trajectories
        ]
        columns = ["sheet", "temperature (K)", "time (fs)", "ended because"]
        tables.append(Table(columns, rows, title="Molecular dynamics"))
    if details["stop_reason"]:
        tables.append(Table(["reason to stop"], [[details["stop_reason"]]]))
    number = int(folder.name.rpartition("-")[2])
    figures = [_learning_figure(details)]
    if "coverage_by_config_type" in details:
        figures.append(coverage(details))
    return make_section(f"Round {number} of active learning", result, name, tables=tables, figures=figures)


def _optimum(folder: Path, result: dict[str, Any], name: str) -> Section:
    arrays, objective = read_arrays(folder), result["details"]["objective"]
    strains, energies = 100 * arrays["strains"], arrays["energies"]
    predicted_energies = Series(
        100 * arrays["grid"][:, 0],
        100 * arrays["grid"][:, 1],
        style="points",
        width=5,
        name="mean of the model",
        value=arrays["mean"],
        value_name="formation energy (eV)",
    )
    evaluated_strains = Series(
        strains[:, 0], strains[:, 1], name="evaluated", style="points", width=4, colour=COLOURS[6]
    )
    best = np.fmax.accumulate(energies) if objective == "maximise" else np.fmin.accumulate(energies)
    evaluation = np.arange(1.0, len(energies) + 1)
    history = (
        Series(evaluation, energies, name="evaluated", style="points", width=4, colour=GREY),
        Series(evaluation, best, name="best so far", style="steps"),
    )
    figure = Figure(
        "optimum",
        "Formation energy relative to the unstrained sheet. (a) Mean of the Gaussian process; (b) course of the search.",
        (
            Panel((predicted_energies, evaluated_strains), "strain along x (%)", "strain along y (%)"),
            Panel(history, "evaluation", "formation energy (eV)"),
        ),
    )
    title = f"{result['details']['defect']}: optimal strain ({objective})"
    return make_section(title, result, name, tables=[metrics_table(result)], figures=[figure])


def _learning_figure(details: dict[str, Any]) -> Figure:
    n_labels = np.array([round_["n_labels"] for round_ in details["history"]], dtype=float)
    series = [
        Series(
            n_labels,
            np.array([round_[key] for round_ in details["history"]], dtype=float),
            name=text,
            style="line",
            colour=colour,
            dashed=dashed,
        )
        for key, text, colour, dashed in (
            ("force_mae", "mean", COLOURS[0], False),
            ("force_mae_low", "95 % interval", GREY, True),
            ("force_mae_high", "95 % interval", GREY, True),
        )
    ]
    series.append(replace(series[0], style="points", width=4))  # a first round has no line yet
    return Figure(
        "learning",
        "(a) Learning curve on the test set. (b) Reliability diagram of the calibrated uncertainty of the test forces, of atoms "
        "inside the calibration set; on the grey line, the coverage is as stated.",
        (
            Panel(tuple(series), "number of labels", "force MAE (meV/Å)"),
            reliability_panel(details),
        ),
    )


LEARNING_MAKERS: Final[dict[str, Callable[[Path, dict[str, Any], str], Section]]] = {
    "learning round": _round,
    "strain optimum": _optimum,
}
"""Kind of result → function that makes its section."""
