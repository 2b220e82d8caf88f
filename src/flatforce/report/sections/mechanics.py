"""Sections of the page about elastic constants, thermal expansion, molecular dynamics and formation energies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from flatforce.core.results import read_arrays
from flatforce.report.figures import defect_energies as defect_figures
from flatforce.report.figures import dynamics as dynamics_figures
from flatforce.report.figures import mechanics as figures
from flatforce.report.sections.section import Section, Table, make_section, metrics_table


def _elastic(folder: Path, result: dict[str, Any], name: str) -> Section:
    arrays = read_arrays(folder)
    tables = [
        Table(
            ["relaxed ions (N/m)", "xx", "yy", "xy", "clamped ions (N/m)", "xx", "yy", "xy"],
            [
                [row, *(f"{value:.2f}" for value in full), row, *(f"{value:.2f}" for value in clamped)]
                for row, full, clamped in zip(
                    ("xx", "yy", "xy"), arrays["stiffness"], arrays["clamped"], strict=True
                )
            ],
            "Elastic constants",
        ),
        metrics_table(result),
    ]
    tubes = result["details"].get("tubes")
    if tubes:
        rows = [
            [f"{radius:.2f}", f"{1e3 * energy:.4f}"]
            for radius, energy in zip(tubes["radii"], tubes["energies"], strict=True)
        ]
        tables.append(Table(["radius (Å)", "energy of bending (meV/Å²)"], rows, "Relaxed tubes"))
    return make_section("Elastic constants", result, name, tables=tables, figures=figures.elasticity(arrays))


def _expansion(folder: Path, result: dict[str, Any], name: str) -> Section:
    shown = figures.expansion(read_arrays(folder))
    return make_section("Thermal expansion", result, name, tables=[metrics_table(result)], figures=shown)


def _dynamics(folder: Path, result: dict[str, Any], name: str) -> Section:
    details = result["details"]
    tables = [metrics_table(result)]
    if details["hops"]:
        rows = [
            [
                hop["trajectory"],
                str(hop["atom"]),
                hop["symbol"],
                f"{hop['time'] / 1e3:.3f}",
                f"{hop['distance']:.2f}",
            ]
            for hop in details["hops"][:MAX_HOPS]
        ]
        title = "Atoms that left their sites" + (
            f", the first {MAX_HOPS}" if len(details["hops"]) > MAX_HOPS else ""
        )
        tables.append(Table(["trajectory", "atom", "element", "time (ps)", "distance (Å)"], rows, title))
    shown = (
        dynamics_figures.dynamics(
            read_arrays(folder),
            trajectories=list(details["end_reasons"]),
            temperatures=details["temperatures"],
            pairs=details["pairs"],
            elements=details["elements"],
        )
        if details["temperatures"]
        else []
    )
    return make_section("Molecular dynamics", result, name, tables=tables, figures=shown)


def _defect_energies(folder: Path, result: dict[str, Any], name: str) -> Section:
    del folder
    defects, limits = result["details"]["defects"], result["details"]["limits"]
    temperatures = result["config"]["temperatures"]
    energies = [
        [
            defect["name"],
            *(f"{value:.3f}" for value in defect["formation_energies"]),
            "–" if defect["binding_energy"] is None else f"{defect['binding_energy']:.3f}",
            f"{defect['separation']:.2f}" if defect["separation"] else "–",
        ]
        for defect in defects
    ]
    heads = [limit["name"] or "formation energy" for limit in limits]
    concentrations = [
        [defect["name"], *(f"{value:.1e}" for of_limit in defect["concentrations"] for value in of_limit)]
        for defect in defects
    ]
    columns = [f"{head}, {temperature:g} K" for head in heads for temperature in temperatures]
    potentials = [
        [limit["name"] or "sheet", ", ".join(f"{k} {v:.3f}" for k, v in limit["potentials"].items())]
        for limit in limits
    ]
    tables = [
        Table(["defect", *heads, "binding", "separation (Å)"], energies, "Formation energies (eV)"),
        Table(["defect", *columns], concentrations, "Equilibrium concentrations (1/cm²)"),
        Table(["limit", "eV"], potentials, "Chemical potentials"),
    ]
    if result["details"].get("labelled") is not None:
        tables.append(_labelled_energies(result["details"], result["metrics"]))
    shown = defect_figures.formation_energies(defects, limits)
    return make_section("Formation energies of defects", result, name, tables=tables, figures=shown)


def _labelled_energies(details: dict[str, Any], metrics: dict[str, Any]) -> Table:
    """Tabulate formation energies by labels, and how far each relaxation by labels went."""
    labelled = details["labelled"]
    heads = [limit["name"] or "formation energy" for limit in labelled["limits"]]
    rows = [
        [
            defect["name"],
            *("–" if x is None else f"{x:.3f}" for x in defect["labelled_formation_energies"]),
            "–" if (force := labelled["residual_forces"][defect["name"]]) is None else f"{force:.3f}",
            "–" if (error := metrics.get(f"{defect['name']}: label_error")) is None else f"{error:+.3f}",
        ]
        for defect in details["defects"]
        if defect["labelled_formation_energies"] is not None
    ]
    size = labelled["size"]
    return Table(
        ["defect", *heads, "largest force (eV/Å)", "error of the force field"],
        rows,
        f"Formation energies by labels, {size} × {size} cells (eV)",
    )


MAX_HOPS: Final = 30
"""Hops that the page lists."""

MECHANICS_MAKERS: Final[dict[str, Callable[[Path, dict[str, Any], str], Section]]] = {
    "elastic": _elastic,
    "thermal expansion": _expansion,
    "defect energies": _defect_energies,
    "molecular dynamics": _dynamics,
}
"""Kind of result → function that makes its section."""
