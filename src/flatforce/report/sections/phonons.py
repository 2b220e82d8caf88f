"""Sections of the page about phonons of sheets and of their defects."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from flatforce.core.results import read_arrays
from flatforce.report.figures import defect as defect_figures
from flatforce.report.figures import defect_bands as band_figures
from flatforce.report.figures import embedded as embedded_figures
from flatforce.report.figures import phonons as phonons_figures
from flatforce.report.figures import series as series_figures
from flatforce.report.rows import GAMMA_COLUMNS, MODE_COLUMNS, PEAK_COLUMNS, gamma_row, mode_row, peak_row
from flatforce.report.sections.section import Section, Table, make_section, metrics_table
from flatforce.report.viewer import scene

PEAKS_TITLE: Final = "Local modes and resonances: peaks that the defect adds to the local density of states"
"""Title of a table."""


def _phonons(folder: Path, result: dict[str, Any], name: str) -> Section:
    arrays = read_arrays(folder)
    figures = [
        phonons_figures.bands_and_dos(arrays),
        phonons_figures.pdos(arrays),
        phonons_figures.thermal(arrays),
    ]
    rows = [gamma_row(mode) for mode in result["details"]["gamma_modes"]]
    tables = [metrics_table(result)]
    if rows:
        tables.append(Table(list(GAMMA_COLUMNS), rows, "Modes at Γ"))
    return make_section("Pristine phonons", result, name, tables=tables, figures=figures)


def _defect(folder: Path, result: dict[str, Any], name: str) -> Section:
    arrays, modes = read_arrays(folder), result["details"]["modes"]
    mode_table = Table(
        list(MODE_COLUMNS), [mode_row(mode) for mode in modes], "Defect modes at Γ", modes=True
    )
    tables = [metrics_table(result), _peaks_table(result), mode_table]
    figures = []
    if len(arrays["distance"]) > 1:
        figures = [band_figures.coloured_bands(arrays), band_figures.compared_bands(arrays)]
    figures += [
        defect_figures.difference(arrays),
        defect_figures.radial(arrays, result["config"]["shells"]),
        defect_figures.thermal(arrays, result["config"]["shells"]),
    ]
    supercell = " × ".join(str(n) for n in result["config"]["supercell"])
    title = f"{result['config']['defect']} in a {supercell} supercell"
    view = scene(arrays, modes) if modes else None
    return make_section(title, result, name, tables=tables, figures=figures, scene=view)


def _peaks_table(result: dict[str, Any]) -> Table:
    rows = [peak_row(peak) for peak in result["details"]["ldos_peaks"]]
    return Table(list(PEAK_COLUMNS), rows, PEAKS_TITLE)


def _sizes(folder: Path, result: dict[str, Any], name: str) -> Section:
    figures = [series_figures.sizes(read_arrays(folder))]
    title = f"{result['config']['defect']}: convergence with supercell size"
    rows = [
        [
            f"{mode['frequency']:.3f}",
            mode["irrep"],
            " → ".join("–" if number is None else f"{number:.1f}" for number in mode["participation_number"]),
            "–" if mode["growth"] is None else f"{mode['growth']:.2f}",
            mode["classification"],
        ]
        for mode in result["details"].get("modes", [])
    ]
    peaks = [
        [name.replace("_", " "), *peak_row(peak)]
        for name, of_size in result["details"]["ldos_peaks"].items()
        for peak in of_size
    ]
    columns = ["THz", "irrep", "participation number, by size", "growth with N", "classification"]
    tables = [
        metrics_table(result),
        Table(["supercell", *PEAK_COLUMNS], peaks, PEAKS_TITLE),
        Table(columns, rows, "Defect modes of the largest supercell, matched with those of the smaller ones"),
    ]
    return make_section(title, result, name, tables=tables, figures=figures)


def _strain(folder: Path, result: dict[str, Any], name: str) -> Section:
    figures = [series_figures.strain(read_arrays(folder), result["details"]["modes"])]
    rows = [
        [
            f"{mode['frequency']:.3f}",
            mode["irrep"],
            mode["classification"],
            "–" if mode["slope"] is None else f"{mode['slope']:.4f}",
            f"{mode['min_overlap']:.2f}",
        ]
        for mode in result["details"]["modes"]
    ]
    tables = [
        metrics_table(result),
        Table(
            ["THz", "irrep", "classification", "slope (THz per %)", "smallest overlap"],
            rows,
            "Defect modes at Γ",
        ),
    ]
    title = f"{result['config']['defect']} under {result['config']['kind']} strain"
    return make_section(title, result, name, tables=tables, figures=figures)


def _embedded(folder: Path, result: dict[str, Any], name: str) -> Section:
    figures = [embedded_figures.embedding(read_arrays(folder), result["config"]["shells"])]
    supercell = " × ".join(str(n) for n in result["config"]["supercell"])
    title = f"{result['config']['defect']} embedded in a {supercell} supercell"
    tables = [metrics_table(result), _peaks_table(result)]
    return make_section(title, result, name, tables=tables, figures=figures)


def _committee(folder: Path, result: dict[str, Any], name: str) -> Section:
    rows = [
        [
            f"{mode['frequency']:.3f}",
            "–" if mode["uncertainty"] is None else f"{mode['uncertainty']:.3f}",
            mode["irrep"],
            str(mode["degeneracy"]),
            f"{mode['participation_number']:.1f}",
            str(mode["n_members"]),
            mode["classification"],
        ]
        for mode in result["details"]["modes"]
    ]
    columns = ["THz", "± THz", "irrep", "degeneracy", "participation number", "members", "classification"]
    tables = [metrics_table(result), Table(columns, rows, "Defect modes at Γ")]
    figures = [series_figures.committee(read_arrays(folder))]
    title = f"{result['config']['defect']}: uncertainty over the committee"
    return make_section(title, result, name, tables=tables, figures=figures)


def _dilute(folder: Path, result: dict[str, Any], name: str) -> Section:
    figures = [embedded_figures.dilute(read_arrays(folder), result["config"]["shells"])]
    title = f"{result['config']['defect']} in the dilute limit"
    tables = [metrics_table(result), _peaks_table(result)]
    return make_section(title, result, name, tables=tables, figures=figures)


def _unfolded_bands(folder: Path, result: dict[str, Any], name: str) -> Section:
    figures = [embedded_figures.unfolded_bands(read_arrays(folder))]
    title = f"{result['config']['defect']}: unfolded bands"
    return make_section(title, result, name, tables=[metrics_table(result)], figures=figures)


def _line_shape(folder: Path, result: dict[str, Any], name: str) -> Section:
    figures = [embedded_figures.line_shape(read_arrays(folder))]
    title = f"Emission line shape at {result['config']['temperature']:g} K"
    return make_section(title, result, name, tables=[metrics_table(result)], figures=figures)


PHONON_MAKERS: Final[dict[str, Callable[[Path, dict[str, Any], str], Section]]] = {
    "phonons": _phonons,
    "defect phonons": _defect,
    "embedded defect": _embedded,
    "dilute limit": _dilute,
    "unfolded bands": _unfolded_bands,
    "committee": _committee,
    "strain series": _strain,
    "finite size": _sizes,
    "line shape": _line_shape,
}
"""Kind of result → function that makes its section."""
