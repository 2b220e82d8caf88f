"""Phonons of sheets and of their defects as sections of a page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from flatforce.core.results import read_arrays
from flatforce.core.units import THZ_IN_INVERSE_CM
from flatforce.report.figures import defect as defect_figures
from flatforce.report.figures import embedded as embedded_figures
from flatforce.report.figures import phonons as phonons_figures
from flatforce.report.figures import series as series_figures
from flatforce.report.rows import describe_mode
from flatforce.report.sections.section import Section, Table, make_section, metrics_table
from flatforce.report.viewer import scene

MODE_COLUMNS: Final = ["THz", "cm⁻¹", "degeneracy", "irrep", "atoms taking part", "weight by shell", ""]


def _phonons(folder: Path, result: dict[str, Any], name: str) -> Section:
    arrays = read_arrays(folder)
    figures = [
        phonons_figures.bands_and_dos(arrays),
        phonons_figures.pdos(arrays),
        phonons_figures.thermal(arrays),
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
            f"{mode['participation_number']:.1f}",
            " · ".join(f"{weight:.2f}" for weight in mode["shells"]),
            describe_mode(mode),
        ]
        for mode in modes
    ]
    tables = [metrics_table(result), Table(MODE_COLUMNS, rows, "Modes at Γ near the defect", modes=True)]
    figures = [defect_figures.coloured_bands(arrays)] if len(arrays["distance"]) > 1 else []
    figures += [
        defect_figures.difference(arrays),
        defect_figures.radial(arrays, result["config"]["shells"]),
    ]
    if "free_energy" in arrays:  # results of 0.1.0.dev had none
        figures.append(defect_figures.thermal(arrays, result["config"]["shells"]))
    title = f"{result['config']['defect']} in {'×'.join(str(n) for n in result['config']['supercell'])}"
    view = scene(arrays, modes) if modes else None
    return make_section(title, result, name, tables=tables, figures=figures, scene=view)


def _sizes(folder: Path, result: dict[str, Any], name: str) -> Section:
    figures = [series_figures.sizes(read_arrays(folder))]
    title = f"{result['config']['defect']}: supercell size"
    rows = [
        [
            f"{mode['frequency']:.3f}",
            mode["irrep"],
            " → ".join("–" if one is None else f"{one:.1f}" for one in mode["participation_number"]),
            "–" if mode["growth"] is None else f"{mode['growth']:.2f}",
            mode["verdict"],
        ]
        for mode in result["details"].get("modes", [])
    ]
    columns = ["THz", "irrep", "atoms taking part, by size", "growth with N", "verdict"]
    tables = [metrics_table(result), Table(columns, rows, "Modes of the largest cell, through the sizes")]
    return make_section(title, result, name, tables=tables, figures=figures)


def _strain(folder: Path, result: dict[str, Any], name: str) -> Section:
    figures = [series_figures.strain(read_arrays(folder))]
    rows = [
        [
            f"{mode['frequency']:.3f}",
            mode["irrep"],
            "–" if mode["slope"] is None else f"{mode['slope']:.4f}",
            f"{mode['min_overlap']:.2f}",
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
    figures = [embedded_figures.embedding(read_arrays(folder), result["config"]["shells"])]
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
            f"{mode['participation_number']:.1f}",
            str(mode["n_members"]),
            describe_mode(mode),
        ]
        for mode in result["details"]["modes"]
    ]
    columns = ["THz", "± THz", "irrep", "degeneracy", "atoms taking part", "members that know it", ""]
    tables = [metrics_table(result), Table(columns, rows, "Modes at Γ near the defect")]
    figures = [series_figures.committee(read_arrays(folder))]
    title = f"{result['config']['defect']}: error bars"
    return make_section(title, result, name, tables=tables, figures=figures)


def _dilute(folder: Path, result: dict[str, Any], name: str) -> Section:
    figures = [embedded_figures.dilute(read_arrays(folder), result["config"]["shells"])]
    title = f"{result['config']['defect']} in an infinite sheet"
    return make_section(title, result, name, tables=[metrics_table(result)], figures=figures)


def _unfolded(folder: Path, result: dict[str, Any], name: str) -> Section:
    figures = [embedded_figures.unfolded_bands(read_arrays(folder))]
    title = f"{result['config']['defect']}: unfolded bands"
    return make_section(title, result, name, tables=[metrics_table(result)], figures=figures)


def _line_shape(folder: Path, result: dict[str, Any], name: str) -> Section:
    figures = [embedded_figures.line_shape(read_arrays(folder))]
    title = f"Line shape at {result['config']['temperature']:g} K"
    return make_section(title, result, name, tables=[metrics_table(result)], figures=figures)


PHONON_MAKERS: Final[dict[str, Callable[[Path, dict[str, Any], str], Section]]] = {
    "phonons": _phonons,
    "defect phonons": _defect,
    "embedded defect": _embedded,
    "dilute limit": _dilute,
    "unfolded bands": _unfolded,
    "committee": _committee,
    "strain series": _strain,
    "finite size": _sizes,
    "line shape": _line_shape,
}
"""Kind of result → its section."""
