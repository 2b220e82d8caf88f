"""Figures of benchmarks: relaxed energies and areas against DFT, errors, comparison of force fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.report.figures.data import periodic_table
from flatforce.report.figures.figure import COLOURS, Figure, Panel, Series, parity_panel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

QUANTITIES: Final = (
    ("energy", "eV/atom", 1e3, "meV/atom"),
    ("area", "Å²/atom", 1.0, "Å²/atom"),
)
"""Name and unit of each quantity, scale and unit of its errors."""


def relaxations(
    arrays: dict[str, NDArray[Any]],
    metrics: Mapping[str, float | None],
    elements: Mapping[str, Mapping[str, float]],
) -> list[Figure]:
    """Draw relaxed energies and areas against DFT, and their errors.

    Parameters
    ----------
    arrays
        Arrays of a `relaxation benchmark` folder.
    metrics
        Metrics of the same folder.
    elements
        Chemical symbol → `energy_mae` (meV/atom) and `area_mae` (Å²/atom) of the materials that hold it.

    Returns
    -------
    Parity plots, distributions of the errors, and a periodic table of errors for energy and area.
    """
    parity, errors = [], []
    for k, (name, unit, scale, error_unit) in enumerate(QUANTITIES):
        relaxed = np.isfinite(arrays["predicted"][:, k])
        x, y = arrays["dft"][relaxed, k], arrays["predicted"][relaxed, k]
        r2 = metrics.get(f"{name}_r2")
        mae = metrics[f"{name}_mae"]
        title = "no material was relaxed" if mae is None else f"MAE {mae:.3g} {error_unit}"
        title += f", R² {r2:.4f}" if r2 is not None else ""
        parity.append(
            parity_panel(
                np.append(x, y),
                [Series(x, y, name="material", style="points", width=4)],
                x_label=f"DFT {name} ({unit})",
                y_label=f"force field {name} ({unit})",
                title=title,
            )
        )
        error = np.sort(scale * np.abs(y - x))
        counts, edges = np.histogram(error, bins=min(30, max(5, error.size // 3)))
        fraction = np.arange(1, error.size + 1) / max(1, len(relaxed))
        bars = Series((edges[1:] + edges[:-1]) / 2, counts.astype(float), name="materials", style="steps")
        cumulative = Series(error, fraction, name="cumulative fraction", colour=COLOURS[1], second_axis=True)
        errors.append(
            Panel(
                (bars, cumulative),
                f"|{name} error| ({error_unit})",
                "materials",
                second_label="cumulative fraction",
            )
        )
    maps = [
        periodic_table(
            {symbol: row[f"{name}_mae"] for symbol, row in elements.items() if f"{name}_mae" in row},
            name=f"elements-{name}",
            caption=f"Mean absolute error of the {name} over the materials that hold each element.",
            label=f"{name} MAE ({unit})",
        )
        for name, _, _, unit in QUANTITIES
    ]
    return [
        Figure(
            "relaxed",
            "Energies and areas relaxed by the force field against those relaxed by DFT; on the grey diagonal both are equal.",
            tuple(parity),
            height=3.2,
        ),
        Figure(
            "relaxed-errors",
            "Absolute errors; the cumulative fraction counts a failed relaxation as an infinite error.",
            tuple(errors),
            height=2.4,
        ),
        *maps,
    ]


def force_field_comparison(models: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw the mean and median errors of several force fields.

    Parameters
    ----------
    models
        Name of each force field → its metrics.

    Returns
    -------
    One panel for the energy, one for the area.
    """
    names = list(models)
    rows = np.arange(len(names), dtype=float)[::-1]
    panels = []
    for name, _, _, unit in QUANTITIES:
        points = [
            Series(
                np.array([float(models[model][f"{name}_{key}"] or np.nan) for model in names]),
                rows,
                name=text,
                style="points",
                colour=COLOURS[k],
                width=5,
            )
            for k, (key, text) in enumerate((("mae", "mean"), ("median_ae", "median")))
        ]
        ticks = tuple((float(row), model) for row, model in zip(rows, names, strict=True))
        panels.append(
            Panel(
                tuple(points),
                f"{name} error ({unit})",
                log_x=all(bool((series.x > 0).any()) for series in points),
                y_ticks=ticks,
                y_range=(-0.6, len(names) - 0.4),
            )
        )
    return Figure(
        "force-field-comparison",
        "Absolute errors of relaxed energies and areas.",
        tuple(panels),
        share_y=True,
        height=1.2 + 0.28 * len(names),
    )
