"""Sections of the page about datasets, training, errors and relaxations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from ase.io import read

from flatforce.core.results import read_arrays
from flatforce.report.figures import benchmark as benchmark_figures
from flatforce.report.figures import data as data_figures
from flatforce.report.figures import model as model_figures
from flatforce.report.figures import phonons as phonons_figures
from flatforce.report.figures.coverage import coverage
from flatforce.report.sections.coverage import calibration_table, coverage_tables
from flatforce.report.sections.section import Section, Table, make_section, metrics_table


def _train(folder: Path, result: dict[str, Any], name: str) -> Section:
    cards = result["details"]["cards"]
    properties = [
        ["elements", *(", ".join(card["elements"]) for card in cards)],
        ["reference energies (eV)", *(_join_values(card["e0s"], ".4f") for card in cards)],
        ["cutoff × number of layers", *(f"{card['cutoff']:g} Å × {card['layers']}" for card in cards)],
        ["architecture", *(_architecture(card) for card in cards)],
        ["frames in training, validation and test set", *(_counts(card) for card in cards)],
        ["split", *(_split(card) for card in cards)],
        ["training data", *(_join_values(card["data"], "") for card in cards)],
        ["best epoch", *(f"{card['best_epoch'] + 1} of {card['epochs']}" for card in cards)],
        ["wall time (min)", *(f"{card['wall_time'] / 60:.1f}" for card in cards)],
        ["versions", *(_join_values(card["versions"], "") for card in cards)],
    ]
    figures = []
    for k, card in enumerate(cards):
        label = f"learning-curve-{k}" if len(cards) > 1 else "learning-curve"
        history = folder / card["history"]
        if history.is_file():
            table = np.genfromtxt(history, delimiter=",", names=True)
            figures.append(model_figures.learning_curve(table, name=label))
    tables = [Table(["model", *(card["file"] for card in cards)], properties, "Model card")]
    tables += [_errors_table(card["test"]["config_type"], f"Test errors of {card['file']}") for card in cards]
    return make_section("Force field", result, name, tables=tables, figures=figures)


def _sweep(folder: Path, result: dict[str, Any], name: str) -> Section:
    del folder
    rows, objective = result["details"]["rows"], result["config"]["objective"]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    texts = [[_cell(row.get(key, "")) for key in columns] for row in rows]
    rows = [row for row in rows if row.get(objective) is not None]
    figures = [model_figures.sweep(rows, list(result["config"]["vary"]), objective)]
    tables = [Table(columns, texts, "Training runs, the best first")]
    return make_section("Sweep", result, name, tables=tables, figures=figures)


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _counts(card: dict[str, Any]) -> str:
    return f"{card['n_train']}, {card['n_valid']}, {card['n_test']}"


def _split(card: dict[str, Any]) -> str:
    split = card.get("split")
    if not split:
        return "drawn"
    fold = "" if split.get("fold") is None else f", fold {split['fold']}"
    return f"{split['file']}{fold}"


def _architecture(card: dict[str, Any]) -> str:
    settings = card["settings"]
    if settings.get("start_from"):
        return f"fine-tuned from {settings['start_from']}"
    model = settings["model"]
    size = model.get("hidden_irreps") or f"{model.get('units') or model.get('num_features')} features"
    return f"{model.get('kind', 'mace')}, {size}"


def _join_values(values: dict[str, Any], style: str) -> str:
    return ", ".join(f"{key} {value:{style}}" for key, value in values.items())


def _errors_table(groups: dict[str, dict[str, float]], title: str) -> Table:
    columns = ["config type", "energy MAE (meV/atom)", "force MAE (meV/Å)", "stress MAE (N/m)"]
    rows = [
        [
            group,
            *(
                f"{errors[key]:.3g}" if key in errors else "–"
                for key in ("energy_mae", "force_mae", "stress_mae")
            ),
        ]
        for group, errors in groups.items()
    ]
    return Table(columns, rows, title)


def _test_and_training(metrics: dict[str, float], train_errors: dict[str, float]) -> Table:
    """Errors over frames that the force field was not trained on, and beside them those over frames that it was."""
    columns = {
        "energy_mae": "energy MAE (meV/atom)",
        "energy_mae_aligned": "with fitted reference energies",
        "force_mae": "force MAE (meV/Å)",
        "stress_mae": "stress MAE (N/m)",
    }
    n_train = int(metrics["n_train_frames"])
    is_test = bool(train_errors) or n_train == 0
    first = "outside the training set" if is_test else "in the training set"
    groups = {first: (int(metrics["n_frames"]) - (n_train if is_test else 0), metrics)}
    if train_errors:
        groups["in the training set"] = (n_train, train_errors)
    rows = [
        [group, str(count), *(f"{errors[key]:.3g}" if key in errors else "–" for key in columns)]
        for group, (count, errors) in groups.items()
    ]
    return Table(["frames", "number", *columns.values()], rows, "Errors")


def _evaluate(folder: Path, result: dict[str, Any], name: str) -> Section:
    arrays, details = read_arrays(folder), result["details"]
    elements = [[symbol, f"{error:.3g}"] for symbol, error in details["element_force_mae"].items()]
    tables = [
        _test_and_training(result["metrics"], details["train_errors"]),
        _errors_table(details["config_type"], "Errors by config type"),
        Table(["element", "force MAE (meV/Å)"], elements, "Errors by element"),
    ]
    figures = [
        model_figures.parity(arrays, result["metrics"], result["units"]),
        model_figures.error_histograms(arrays),
    ]
    if "coverage_by_config_type" in details:
        tables += [calibration_table(details), *coverage_tables(details)]
        figures.append(coverage(details))
    return make_section("Errors against DFT", result, name, tables=tables, figures=figures)


def _relax(folder: Path, result: dict[str, Any], name: str) -> Section:
    path = folder / "trajectory.extxyz"
    trajectory = read(path, index=":") if path.is_file() else []
    figures = [phonons_figures.relaxation(trajectory)] if len(trajectory) > 1 else []
    return make_section("Relaxation", result, name, tables=[metrics_table(result)], figures=figures)


def _statistics(folder: Path, result: dict[str, Any], name: str) -> Section:
    arrays, details = read_arrays(folder), result["details"]
    figures = [
        data_figures.periodic_table(
            details["elements"],
            name="periodic-table",
            caption="Frames that hold each element.",
            label="frames",
        ),
        data_figures.distributions(arrays),
        data_figures.step_selection(arrays),
        data_figures.space_groups(details["space_groups"]),
    ]
    if len(arrays["map"]):
        figures.append(data_figures.environment_map(arrays))
    return make_section("Dataset", result, name, tables=[metrics_table(result)], figures=figures)


def _relaxation_benchmark(folder: Path, result: dict[str, Any], name: str) -> Section:
    details = result["details"]
    columns = ["", "materials", "failed", "energy MAE (meV/atom)", "area MAE (Å²/atom)"]
    tables = [metrics_table(result)]
    for key, title in (("space_group", "Errors by space group"), ("element", "Errors by element")):
        rows = [
            [
                label,
                f"{row['n']:.0f}",
                f"{row['n_failed']:.0f}",
                *(f"{row[metric]:.3g}" if metric in row else "–" for metric in ("energy_mae", "area_mae")),
            ]
            for label, row in details[key].items()
        ]
        tables.append(Table(columns, rows, title))
    figures = benchmark_figures.relaxations(read_arrays(folder), result["metrics"], details["element"])
    return make_section(
        f"Relaxation benchmark of {details['model']}", result, name, tables=tables, figures=figures
    )


MODEL_MAKERS: Final[dict[str, Callable[[Path, dict[str, Any], str], Section]]] = {
    "statistics": _statistics,
    "train": _train,
    "sweep": _sweep,
    "evaluate": _evaluate,
    "relax": _relax,
    "relaxation benchmark": _relaxation_benchmark,
}
"""Kind of result → function that makes its section."""
