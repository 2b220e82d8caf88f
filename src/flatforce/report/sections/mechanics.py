"""Section of the page about elastic constants."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from flatforce.core.results import read_arrays
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


MECHANICS_MAKERS: Final[dict[str, Callable[[Path, dict[str, Any], str], Section]]] = {"elastic": _elastic}
"""Kind of result → function that makes its section."""
