"""Figures of a force field: learning curve, parity, error histograms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.report.figures.figure import COLOURS, GREY, Figure, Panel, Series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray

QUANTITIES: Final = (
    ("energy", "energy", "frame_group", "eV/atom", 1e3, "meV/atom"),
    ("force", "forces", "atom_group", "eV/Å", 1e3, "meV/Å"),
    ("stress", "stress", "stress_group", "N/m", 1.0, "N/m"),
)
"""Name, array, array of groups, unit, scale and unit of the errors."""

LOG_FROM: Final = 8
"""Ratio of the ends of a setting from which its axis is logarithmic."""

TAIL: Final = 99.0
"""Percentile of the errors up to which histograms reach."""


def learning_curve(history: NDArray[Any], *, name: str = "learning-curve") -> Figure:
    """Draw the validation errors against the epoch.

    Parameters
    ----------
    history
        `metrics.csv` as a structured array.
    name
        Of the files.

    Returns
    -------
    Force and energy errors, logarithmic.
    """
    epoch = np.atleast_1d(history["epoch"]) + 1

    def panel(column: str, label: str) -> Panel:
        values = np.atleast_1d(history[column])
        return Panel((Series(epoch, values),), "epoch", label, log_y=True)

    return Figure(
        name,
        "Errors on the validation frames while training, of the averaged weights.",
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
    """Draw what a sweep minimised against each setting.

    Parameters
    ----------
    rows
        Of its record.
    settings
        Those that were varied.
    objective
        What was minimised.

    Returns
    -------
    A panel a setting; a line joins the best run of each value.
    """
    values = np.array([float(row[objective]) for row in rows])
    panels = []
    for name in settings:
        kinds = sorted({row[name] for row in rows}, key=lambda one: (isinstance(one, str), str(one), one)[:2])
        number = all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in kinds)
        if number:
            kinds = sorted(kinds)
        place = {one: float(one) if number else float(k) for k, one in enumerate(kinds)}
        x = np.array([place[row[name]] for row in rows])
        ends = np.array([place[one] for one in kinds])
        best = np.array([values[x == end].min() for end in ends])
        log = number and ends.min() > 0 and ends.max() > LOG_FROM * ends.min()
        ticks = None if number else tuple((place[one], str(one)) for one in kinds)
        points = Series(x, values, style="points", width=4)
        panels.append(
            Panel((Series(ends, best, colour=GREY), points), name, objective, log_x=log, x_ticks=ticks)
        )
    return Figure(
        "sweep", "Each point is a training run; the line joins the best of each value.", tuple(panels)
    )


def parity(arrays: dict[str, NDArray[Any]], metrics: dict[str, float], units: dict[str, str]) -> Figure:
    """Draw predictions against labels, coloured by config type.

    Parameters
    ----------
    arrays
        Of an `evaluate` folder.
    metrics
        Of its record.
    units
        Of its record.

    Returns
    -------
    Energy, forces and membrane stress.
    """
    groups = sorted(set(arrays["frame_group"].tolist()))
    panels = []
    for name, key, group_key, unit, _, _ in QUANTITIES:
        pair, of = _labelled(arrays[key], arrays[group_key])
        if pair[0].size == 0:
            continue
        low, high = float(pair.min()), float(pair.max())
        line = Series(np.array([low, high]), np.array([low, high]), colour=GREY, width=0.8)
        points = [_of_group(pair, of == group, group, k) for k, group in enumerate(groups)]
        r2 = metrics.get(f"{name}_r2") or float("nan")
        title = f"MAE {metrics[f'{name}_mae']:.3g} {units[f'{name}_mae']}, R² {r2:.4f}"
        panels.append(
            Panel((line, *points), f"DFT {name} ({unit})", f"force field {name} ({unit})", title=title)
        )
    return Figure("parity", "Force field against DFT, by config type.", tuple(panels), height=2.8)


def _labelled(pair: FloatArray, groups: NDArray[Any]) -> tuple[FloatArray, NDArray[Any]]:
    """Leave out atoms and frames without a label."""
    known = np.isfinite(pair[0]).all(axis=tuple(range(1, pair[0].ndim)))
    return pair[:, known], groups[known]


def _of_group(pair: FloatArray, chosen: NDArray[np.bool_], group: str, k: int) -> Series:
    label, said = pair[0][chosen].ravel(), pair[1][chosen].ravel()
    return Series(label, said, name=group, style="points", colour=COLOURS[k % len(COLOURS)], width=2.2)


def error_histograms(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw histograms of the absolute errors, with the cumulative share.

    Parameters
    ----------
    arrays
        Of an `evaluate` folder.

    Returns
    -------
    Energy, forces and membrane stress.
    """
    panels = []
    for name, key, group_key, _, scale, unit in QUANTITIES:
        pair, _ = _labelled(arrays[key], arrays[group_key])
        if pair[0].size == 0:
            continue
        errors = np.sort(scale * np.abs(pair[1] - pair[0]).ravel())
        end = float(np.percentile(errors, TAIL)) or 1.0
        counts, edges = np.histogram(errors, bins=min(40, max(5, errors.size // 4)), range=(0.0, end))
        middle = (edges[1:] + edges[:-1]) / 2
        share = np.arange(1, errors.size + 1) / errors.size
        keep = errors <= end
        bars = Series(middle, counts.astype(float), style="steps", colour=COLOURS[0])
        total = Series(errors[keep], share[keep], colour=COLOURS[1], second_axis=True)
        panels.append(
            Panel(
                (bars, total),
                f"|{name} error| ({unit})",
                "count",
                x_range=(0.0, end),
                second_label="cumulative share",
            )
        )
    caption = f"Absolute errors up to the {TAIL:.0f}th percentile, with the share of smaller errors."
    return Figure("error-histograms", caption, tuple(panels), height=2.4)
