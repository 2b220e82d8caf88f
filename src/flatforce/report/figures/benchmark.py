"""Figures of benchmarks: relaxed energies and areas against DFT, errors, models side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.report.figures.figure import COLOURS, GREY, Figure, Panel, Series
from flatforce.report.figures.data import periodic_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

QUANTITIES: Final = (
    ("energy", "eV/atom", 1e3, "meV/atom"),
    ("area", "Å²/atom", 1.0, "Å²/atom"),
)
"""Name, unit, and scale and unit of its errors."""


def relaxations(
    arrays: dict[str, NDArray[Any]],
    metrics: Mapping[str, float | None],
    elements: Mapping[str, Mapping[str, float]],
) -> list[Figure]:
    """Draw a relaxation benchmark.

    Parameters
    ----------
    arrays
        Of its folder.
    metrics
        Of its record.
    elements
        Element → `energy_mae`, `area_mae`.

    Returns
    -------
    Parity, errors, and a periodic table each of energy and area.
    """
    parity, errors = [], []
    for k, (name, unit, scale, error_unit) in enumerate(QUANTITIES):
        known = np.isfinite(arrays["found"][:, k])
        x, y = arrays["dft"][known, k], arrays["found"][known, k]
        ends = np.array([min(x.min(), y.min()), max(x.max(), y.max())]) if len(x) else np.zeros(2)
        r2 = metrics.get(f"{name}_r2")
        mae = metrics[f"{name}_mae"]
        title = "none compared" if mae is None else f"MAE {mae:.3g} {error_unit}"
        title += f", R² {r2:.4f}" if r2 is not None else ""
        parity.append(
            Panel(
                (Series(ends, ends, colour=GREY, width=0.8), Series(x, y, style="points", width=4)),
                f"DFT {name} ({unit})",
                f"force field {name} ({unit})",
                title=title,
            )
        )
        error = np.sort(scale * np.abs(y - x))
        counts, edges = np.histogram(error, bins=min(30, max(5, error.size // 3)))
        share = np.arange(1, error.size + 1) / max(1, len(known))
        bars = Series((edges[1:] + edges[:-1]) / 2, counts.astype(float), style="steps")
        total = Series(error, share, colour=COLOURS[1], second_axis=True)
        errors.append(
            Panel(
                (bars, total), f"|{name} error| ({error_unit})", "materials", second_label="cumulative share"
            )
        )
    maps = [
        periodic_table(
            {symbol: row[f"{name}_mae"] for symbol, row in elements.items() if f"{name}_mae" in row},
            name=f"elements-{name}",
            caption=f"Mean error of the {name} of the materials that hold each element.",
            label=f"{name} MAE ({unit})",
        )
        for name, _, _, unit in QUANTITIES
    ]
    return [
        Figure("relaxed", "Relaxed by the force field against relaxed by DFT.", tuple(parity), height=3.2),
        Figure(
            "relaxed-errors",
            "Absolute errors; the share counts a failed relaxation as an error without bound.",
            tuple(errors),
            height=2.4,
        ),
        *maps,
    ]


def side_by_side(models: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw the mean errors of several force fields.

    Parameters
    ----------
    models
        Name → metrics.

    Returns
    -------
    Energy and area, the better the further left.
    """
    names = list(models)
    places = np.arange(len(names), dtype=float)[::-1]
    panels = []
    for name, _, _, unit in QUANTITIES:
        points = [
            Series(
                np.array([float(models[one][f"{name}_{key}"] or np.nan) for one in names]),
                places,
                name=text,
                style="points",
                colour=COLOURS[k],
                width=5,
            )
            for k, (key, text) in enumerate((("mae", "mean"), ("median_ae", "median")))
        ]
        texts = tuple((float(y), one) for y, one in zip(places, names, strict=True))
        panels.append(
            Panel(
                tuple(points),
                f"{name} error ({unit})",
                log_x=all(bool((one.x > 0).any()) for one in points),
                y_ticks=texts,
                y_range=(-0.6, len(names) - 0.4),
            )
        )
    return Figure(
        "side-by-side",
        "Absolute errors of relaxed energy and area.",
        tuple(panels),
        share_y=True,
        height=1.2 + 0.28 * len(names),
    )
