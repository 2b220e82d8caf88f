"""Figures of a force field: learning curve, parity, error histograms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.report.figures.figure import COLOURS, GREY, Figure, Panel, Series, parity_panel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray

QUANTITIES: Final = (
    ("energy", "energy", "frame_group", "eV/atom", 1e3, "meV/atom"),
    ("force", "forces", "atom_group", "eV/Å", 1e3, "meV/Å"),
    ("stress", "stress", "stress_group", "N/m", 1.0, "N/m"),
)
"""Name, array, array of groups and unit of each quantity, scale and unit of its errors."""

MIN_LOG_RATIO: Final = 8
"""Ratio of the largest to the smallest value of a setting above which its axis is logarithmic."""

MAX_PERCENTILE: Final = 99.0
"""Histograms end at this percentile of the errors."""


def learning_curve(history: NDArray[Any], *, name: str = "learning-curve") -> Figure:
    """Draw the validation errors against the epoch.

    Parameters
    ----------
    history
        `metrics.csv` as a structured array.
    name
        Name of the figure.

    Returns
    -------
    One panel for each of forces, energy and stress that has labels.
    """
    epoch = np.atleast_1d(history["epoch"]) + 1

    def panel(column: str, label: str) -> Panel:
        values = np.atleast_1d(history[column])
        return Panel((Series(epoch, values),), "epoch", label, log_y=True)

    return Figure(
        name,
        "Errors on the validation set during training, with the averaged weights (EMA).",
        (
            *(
                panel(column, label)
                for column, label in (
                    ("valid_force_mae", "force MAE (meV/Å)"),
                    ("valid_energy_mae", "energy MAE (meV/atom)"),
                    ("valid_stress_mae", "stress MAE (N/m)"),
                )
                if column in (history.dtype.names or ())
            ),
        ),
        height=2.4,
    )


def sweep(rows: Sequence[dict[str, Any]], settings: Sequence[str], objective: str) -> Figure:
    """Draw the objective of a sweep against each setting.

    Parameters
    ----------
    rows
        Settings and errors of each training run.
    settings
        Names of the varied settings.
    objective
        Name of the error that was minimised.

    Returns
    -------
    One panel for each setting; a line joins the best run of each value.
    """
    values = np.array([float(row[objective]) for row in rows])
    panels = []
    for name in settings:
        levels = sorted({row[name] for row in rows}, key=lambda level: (isinstance(level, str), str(level)))
        numeric = all(isinstance(level, (int, float)) and not isinstance(level, bool) for level in levels)
        if numeric:
            levels = sorted(levels)
        coordinate = {level: float(level) if numeric else float(k) for k, level in enumerate(levels)}
        x = np.array([coordinate[row[name]] for row in rows])
        positions = np.array([coordinate[level] for level in levels])
        best = np.array([values[x == position].min() for position in positions])
        log = numeric and positions.min() > 0 and positions.max() > MIN_LOG_RATIO * positions.min()
        ticks = None if numeric else tuple((coordinate[level], str(level)) for level in levels)
        points = Series(x, values, name="training run", style="points", width=4)
        line = Series(positions, best, name="best run", colour=GREY)
        panels.append(Panel((line, points), name, objective, log_x=log, x_ticks=ticks))
    return Figure(
        "sweep", "Each point is a training run; the line joins the best run of each value.", tuple(panels)
    )


def parity(arrays: dict[str, NDArray[Any]], metrics: dict[str, float], units: dict[str, str]) -> Figure:
    """Draw predictions against labels, coloured by config type (parity plot).

    Parameters
    ----------
    arrays
        Arrays of an `evaluate` folder.
    metrics
        Metrics of the same folder.
    units
        Units of the metrics.

    Returns
    -------
    One panel for each of energy, forces and membrane stress that has labels.
    """
    groups = sorted(set(arrays["frame_group"].tolist()))
    panels = []
    for name, key, group_key, unit, _, _ in QUANTITIES:
        pair, group_of = _labelled(arrays[key], arrays[group_key])
        if pair[0].size == 0:
            continue
        points = [_group_points(pair, group_of == group, group, k) for k, group in enumerate(groups)]
        r2 = metrics.get(f"{name}_r2") or float("nan")
        title = f"MAE {metrics[f'{name}_mae']:.3g} {units[f'{name}_mae']}, R² {r2:.4f}"
        panels.append(
            parity_panel(
                pair,
                [series for series in points if series.x.size],
                x_label=f"DFT {name} ({unit})",
                y_label=f"force field {name} ({unit})",
                title=title,
            )
        )
    return Figure(
        "parity",
        "Predictions of the force field against DFT labels, coloured by config type. A point on the grey diagonal is predicted "
        "exactly.",
        tuple(panels),
        height=2.8,
    )


def _labelled(pair: FloatArray, groups: NDArray[Any]) -> tuple[FloatArray, NDArray[Any]]:
    """Leave out atoms and frames without a label."""
    labelled = np.isfinite(pair[0]).all(axis=tuple(range(1, pair[0].ndim)))
    return pair[:, labelled], groups[labelled]


def _group_points(pair: FloatArray, selected: NDArray[np.bool_], group: str, k: int) -> Series:
    labels, predictions = pair[0][selected].ravel(), pair[1][selected].ravel()
    return Series(
        labels, predictions, name=group, style="points", colour=COLOURS[k % len(COLOURS)], width=2.2
    )


def error_histograms(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw histograms of the absolute errors, with the cumulative fraction.

    Parameters
    ----------
    arrays
        Arrays of an `evaluate` folder.

    Returns
    -------
    One panel for each of energy, forces and membrane stress that has labels.
    """
    panels = []
    for name, key, group_key, _, scale, unit in QUANTITIES:
        pair, _ = _labelled(arrays[key], arrays[group_key])
        if pair[0].size == 0:
            continue
        errors = np.sort(scale * np.abs(pair[1] - pair[0]).ravel())
        limit = float(np.percentile(errors, MAX_PERCENTILE)) or 1.0
        counts, edges = np.histogram(errors, bins=min(40, max(5, errors.size // 4)), range=(0.0, limit))
        centres = (edges[1:] + edges[:-1]) / 2
        fraction = np.arange(1, errors.size + 1) / errors.size
        inside = errors <= limit
        bars = Series(centres, counts.astype(float), name="count", style="steps", colour=COLOURS[0])
        cumulative = Series(
            errors[inside],
            fraction[inside],
            name="cumulative fraction",
            colour=COLOURS[1],
            second_axis=True,
        )
        panels.append(
            Panel(
                (bars, cumulative),
                f"|{name} error| ({unit})",
                "count",
                x_range=(0.0, limit),
                second_label="cumulative fraction",
            )
        )
    caption = (
        f"Absolute errors up to the {MAX_PERCENTILE:.0f}th percentile: their number in each bin (blue, left axis), and the "
        "fraction of smaller errors (orange, right axis)."
    )
    return Figure("error-histograms", caption, tuple(panels), height=2.4)
