"""Result folders as sections of a page: title, tables, figures, 3D views."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from ase.io import read

from flatforce.core.results import read_arrays
from flatforce.core.units import THZ_IN_INVERSE_CM
from flatforce.report import (
    figures_benchmark,
    figures_data,
    figures_defect,
    figures_embedded,
    figures_model,
    figures_phonons,
    figures_series,
)
from flatforce.report.section import Section, Table, make_section, metrics_table
from flatforce.report.sections_alloy import ALLOY_MAKERS
from flatforce.report.sections_learning import LEARNING_MAKERS
from flatforce.report.viewer import scene

COMPARED: Final = {
    "energy_mae": "energy MAE (meV/atom)",
    "energy_median_ae": "median",
    "area_mae": "area MAE (Å²/atom)",
    "area_median_ae": "median",
    "converged_fraction": "converged",
    "failed_fraction": "failed",
    "mean_steps": "steps",
}
"""Metrics of a relaxation benchmark and how a table calls them."""

MODE_COLUMNS: Final = ["THz", "cm⁻¹", "degeneracy", "irrep", "atoms taking part", "weight by shell", ""]


def section_of(folder: Path, result: dict[str, Any], name: str) -> Section:
    """Turn a result folder into a section.

    Parameters
    ----------
    folder
        The result folder.
    result
        Its `result.json`.
    name
        The folder, relative to the page's subject.

    Returns
    -------
    The section; a kind that has no figures shows its numbers.
    """
    make = MAKERS.get(result["kind"], _numbers)
    return make(folder, result, name)


def _numbers(folder: Path, result: dict[str, Any], name: str) -> Section:
    del folder
    return make_section(result["kind"], result, name, tables=[metrics_table(result)])


def _train(folder: Path, result: dict[str, Any], name: str) -> Section:
    cards = result["details"]["cards"]
    facts = [
        ["elements", *(", ".join(card["elements"]) for card in cards)],
        ["reference energies (eV)", *(_named(card["e0s"], ".4f") for card in cards)],
        ["cutoff × layers", *(f"{card['cutoff']:g} Å × {card['layers']}" for card in cards)],
        ["shape", *(_shape(card) for card in cards)],
        ["frames: training, validation, test", *(_counts(card) for card in cards)],
        ["data", *(_named(card["data"], "") for card in cards)],
        ["best epoch", *(f"{card['best_epoch'] + 1} of {card['epochs']}" for card in cards)],
        ["wall time (min)", *(f"{card['wall_time'] / 60:.1f}" for card in cards)],
        ["versions", *(_named(card["versions"], "") for card in cards)],
    ]
    figures = []
    for k, card in enumerate(cards):
        label = f"learning-curve-{k}" if len(cards) > 1 else "learning-curve"
        several = f"{Path(card['file']).stem}/metrics.csv" if len(cards) > 1 else "metrics.csv"
        history = folder / card.get("history", several)  # cards of 0.1.0.dev did not tell
        if history.is_file():
            table = np.genfromtxt(history, delimiter=",", names=True)
            figures.append(figures_model.learning_curve(table, name=label))
    tables = [Table(["model", *(card["file"] for card in cards)], facts, "Model card")]
    tables += [_errors_table(card["test"]["config_type"], f"Test errors of {card['file']}") for card in cards]
    return make_section("Force field", result, name, tables=tables, figures=figures)


def _sweep(folder: Path, result: dict[str, Any], name: str) -> Section:
    del folder
    rows, objective = result["details"]["rows"], result["config"]["objective"]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    texts = [[_cell(row.get(key, "")) for key in columns] for row in rows]
    rows = [row for row in rows if row.get(objective) is not None]
    figures = [figures_model.sweep(rows, list(result["config"]["vary"]), objective)]
    tables = [Table(columns, texts, "Runs, the best first")]
    return make_section("Sweep", result, name, tables=tables, figures=figures)


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _counts(card: dict[str, Any]) -> str:
    return f"{card['n_train']}, {card['n_valid']}, {card['n_test']}"


def _shape(card: dict[str, Any]) -> str:
    settings = card["settings"]
    if settings.get("start_from"):
        return f"trained further from {settings['start_from']}"
    shape = settings["model"]
    size = shape.get("hidden_irreps") or f"{shape.get('units') or shape.get('num_features')} features"
    return f"{shape.get('kind', 'mace')}, {size}"


def _named(values: dict[str, Any], style: str) -> str:
    return ", ".join(f"{key} {value:{style}}" for key, value in values.items())


def _errors_table(groups: dict[str, dict[str, float]], title: str) -> Table:
    columns = ["config type", "energy MAE (meV/atom)", "force MAE (meV/Å)", "stress MAE (N/m)"]
    rows = [
        [group, *(f"{e[key]:.3g}" if key in e else "–" for key in ("energy_mae", "force_mae", "stress_mae"))]
        for group, e in groups.items()
    ]
    return Table(columns, rows, title)


def _evaluate(folder: Path, result: dict[str, Any], name: str) -> Section:
    arrays, details = read_arrays(folder), result["details"]
    elements = [[symbol, f"{error:.3g}"] for symbol, error in details["force_mae_of"].items()]
    tables = [
        _errors_table(details["config_type"], "By config type"),
        Table(["element", "force MAE (meV/Å)"], elements, "By element"),
    ]
    figures = [
        figures_model.parity(arrays, result["metrics"], result["units"]),
        figures_model.error_histograms(arrays),
    ]
    return make_section("Errors against DFT", result, name, tables=tables, figures=figures)


def _relax(folder: Path, result: dict[str, Any], name: str) -> Section:
    trajectory = read(folder / "trajectory.extxyz", index=":")
    figures = [figures_phonons.relaxation(trajectory)] if len(trajectory) > 1 else []
    return make_section("Relaxation", result, name, tables=[metrics_table(result)], figures=figures)


def _phonons(folder: Path, result: dict[str, Any], name: str) -> Section:
    arrays = read_arrays(folder)
    figures = [
        figures_phonons.bands_and_dos(arrays),
        figures_phonons.pdos(arrays),
        figures_phonons.thermal(arrays),
    ]
    return make_section("Pristine phonons", result, name, tables=[metrics_table(result)], figures=figures)


def _defect(folder: Path, result: dict[str, Any], name: str) -> Section:
    arrays, modes = read_arrays(folder), result["details"]["modes"]
    rows = [
        [
            f"{mode['frequency']:.3f}",
            f"{THZ_IN_INVERSE_CM * mode['frequency']:.1f}",
            str(mode["degeneracy"]),
            mode.get("irrep", ""),  # results of 0.1.0.dev had none
            f"{mode['participating']:.1f}",
            " · ".join(f"{weight:.2f}" for weight in mode["shells"]),
            said_of(mode),
        ]
        for mode in modes
    ]
    tables = [metrics_table(result), Table(MODE_COLUMNS, rows, "Modes at Γ near the defect", modes=True)]
    figures = [figures_defect.coloured_bands(arrays)] if len(arrays["distance"]) > 1 else []
    figures += [
        figures_defect.difference(arrays),
        figures_defect.radial(arrays, result["config"]["shells"]),
    ]
    if "free_energy" in arrays:  # results of 0.1.0.dev had none
        figures.append(figures_defect.thermal(arrays, result["config"]["shells"]))
    title = f"{result['config']['defect']} in {'×'.join(str(n) for n in result['config']['supercell'])}"
    view = scene(arrays, modes) if modes else None
    return make_section(title, result, name, tables=tables, figures=figures, scene=view)


def said_of(mode: dict[str, Any]) -> str:
    """Name what is special about a mode.

    Parameters
    ----------
    mode
        As `result.json` holds it.

    Returns
    -------
    A word or two; empty for a mode of the bands.
    """
    if mode["outside_bands"]:
        return "outside the bands"
    return "localised" if mode["localised"] else ""


def _sizes(folder: Path, result: dict[str, Any], name: str) -> Section:
    figures = [figures_series.sizes(read_arrays(folder))]
    title = f"{result['config']['defect']}: supercell size"
    rows = [
        [
            f"{mode['frequency']:.3f}",
            mode["irrep"],
            " → ".join("–" if one is None else f"{one:.1f}" for one in mode["participating"]),
            "–" if mode["growth"] is None else f"{mode['growth']:.2f}",
            mode["verdict"],
        ]
        for mode in result["details"].get("modes", [])
    ]
    columns = ["THz", "irrep", "atoms taking part, by size", "growth with N", "verdict"]
    tables = [metrics_table(result), Table(columns, rows, "Modes of the largest cell, through the sizes")]
    return make_section(title, result, name, tables=tables, figures=figures)


def _strain(folder: Path, result: dict[str, Any], name: str) -> Section:
    figures = [figures_series.strain(read_arrays(folder))]
    rows = [
        [
            f"{mode['frequency']:.3f}",
            mode["irrep"],
            "–" if mode["slope"] is None else f"{mode['slope']:.4f}",
            f"{mode['least_overlap']:.2f}",
        ]
        for mode in result["details"]["modes"]
    ]
    tables = [
        metrics_table(result),
        Table(["THz", "irrep", "THz per %", "least overlap"], rows, "Modes near the defect"),
    ]
    title = f"{result['config']['defect']} under {result['config']['kind']} strain"
    return make_section(title, result, name, tables=tables, figures=figures)


def _embedded(folder: Path, result: dict[str, Any], name: str) -> Section:
    figures = [figures_embedded.embedding(read_arrays(folder), result["config"]["shells"])]
    size = result["config"]["size"]
    title = f"{result['config']['defect']} embedded in {size}×{size}"
    return make_section(title, result, name, tables=[metrics_table(result)], figures=figures)


def _committee(folder: Path, result: dict[str, Any], name: str) -> Section:
    rows = [
        [
            f"{mode['frequency']:.3f}",
            "–" if mode["interval"] is None else f"{mode['interval']:.3f}",
            mode["irrep"],
            str(mode["degeneracy"]),
            f"{mode['participating']:.1f}",
            str(mode["known_to"]),
            said_of(mode),
        ]
        for mode in result["details"]["modes"]
    ]
    columns = ["THz", "± THz", "irrep", "degeneracy", "atoms taking part", "members that know it", ""]
    tables = [metrics_table(result), Table(columns, rows, "Modes at Γ near the defect")]
    figures = [figures_series.committee(read_arrays(folder))]
    title = f"{result['config']['defect']}: error bars"
    return make_section(title, result, name, tables=tables, figures=figures)


def _dilute(folder: Path, result: dict[str, Any], name: str) -> Section:
    figures = [figures_embedded.dilute(read_arrays(folder), result["config"]["shells"])]
    title = f"{result['config']['defect']} in an infinite sheet"
    return make_section(title, result, name, tables=[metrics_table(result)], figures=figures)


def _unfolded(folder: Path, result: dict[str, Any], name: str) -> Section:
    figures = [figures_embedded.unfolded(read_arrays(folder))]
    title = f"{result['config']['defect']}: unfolded bands"
    return make_section(title, result, name, tables=[metrics_table(result)], figures=figures)


def _line_shape(folder: Path, result: dict[str, Any], name: str) -> Section:
    figures = [figures_embedded.emission(read_arrays(folder))]
    title = f"Line shape at {result['config']['temperature']:g} K"
    return make_section(title, result, name, tables=[metrics_table(result)], figures=figures)


def _statistics(folder: Path, result: dict[str, Any], name: str) -> Section:
    arrays, details = read_arrays(folder), result["details"]
    figures = [
        figures_data.periodic_table(
            details["elements"],
            name="periodic-table",
            caption="Frames that hold each element.",
            label="frames",
        ),
        figures_data.distributions(arrays),
        figures_data.step_selection(arrays),
        figures_data.space_groups(details["space_groups"]),
    ]
    if len(arrays["map"]):
        figures.append(figures_data.environment_map(arrays))
    return make_section("Dataset", result, name, tables=[metrics_table(result)], figures=figures)


def _relaxation_benchmark(folder: Path, result: dict[str, Any], name: str) -> Section:
    details = result["details"]
    columns = ["", "materials", "failed", "energy MAE (meV/atom)", "area MAE (Å²/atom)"]
    tables = [metrics_table(result)]
    for key, title in (("space_group", "By space group"), ("element", "By element")):
        rows = [
            [
                one,
                f"{row['n']:.0f}",
                f"{row['n_failed']:.0f}",
                *(f"{row[what]:.3g}" if what in row else "–" for what in ("energy_mae", "area_mae")),
            ]
            for one, row in details[key].items()
        ]
        tables.append(Table(columns, rows, title))
    figures = figures_benchmark.relaxations(read_arrays(folder), result["metrics"], details["element"])
    return make_section(f"Relaxations by {details['model']}", result, name, tables=tables, figures=figures)


def _comparison(folder: Path, result: dict[str, Any], name: str) -> Section:
    del folder
    rows = [
        [model, *("–" if row.get(key) is None else f"{row[key]:.4g}" for key in COMPARED)]
        for model, row in result["details"]["models"].items()
    ]
    figures = [figures_benchmark.side_by_side(result["details"]["models"])]
    table = Table(["", *COMPARED.values()], rows)
    return make_section("Force fields side by side", result, name, tables=[table], figures=figures)


MAKERS: Final[dict[str, Callable[[Path, dict[str, Any], str], Section]]] = {
    "statistics": _statistics,
    "train": _train,
    "sweep": _sweep,
    "evaluate": _evaluate,
    "relax": _relax,
    "relaxation benchmark": _relaxation_benchmark,
    "benchmark comparison": _comparison,
    "phonons": _phonons,
    "defect phonons": _defect,
    "embedded defect": _embedded,
    "dilute limit": _dilute,
    "unfolded bands": _unfolded,
    "committee": _committee,
    "strain series": _strain,
    "finite size": _sizes,
    "line shape": _line_shape,
    **ALLOY_MAKERS,
    **LEARNING_MAKERS,
}
"""Kind of result → its section; the page shows them in this order."""
