"""Figures that draw several force fields over one another: errors, parity, bands, densities of states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.report.figures.benchmark import QUANTITIES as RELAXED_QUANTITIES
from flatforce.report.figures.figure import COLOURS, GREY, Figure, Panel, Series
from flatforce.report.figures.model import QUANTITIES
from flatforce.report.figures.phonons import THZ, as_line, ticks_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray

MAX_POINTS: Final = 3000
"""Points of one force field in one panel; of more, evenly spaced ones are drawn."""

MIN_RATIO: Final = 1e-5
"""Errors below this fraction of the largest are those of components that vanish by symmetry; they are counted, not drawn."""

BASELINE: Final = "no force field"


def _colour(k: int) -> str:
    return COLOURS[k % len(COLOURS)]


def errors(models: Mapping[str, Mapping[str, Any]], baseline: Mapping[str, float]) -> Figure:
    """Draw mean absolute errors and root mean square errors of several force fields.

    Parameters
    ----------
    models
        Name of each force field → its errors.
    baseline
        Errors without a force field.

    Returns
    -------
    One panel for each of energy, forces and stress that has labels; a row for each force field.
    """
    entries = {**models, BASELINE: baseline}
    names = list(entries)
    rows = np.arange(len(names), dtype=float)[::-1]
    panels = []
    for name, _, _, _, _, unit in QUANTITIES:
        if f"{name}_mae" not in baseline:
            continue
        series = tuple(
            Series(
                np.array([float(entries[entry].get(f"{name}_{key}") or np.nan) for entry in names]),
                rows,
                name=text,
                style="points",
                colour=_colour(k),
                width=5,
            )
            for k, (key, text) in enumerate((("mae", "mean absolute"), ("rmse", "root mean square")))
        )
        ticks = tuple((float(row), entry) for row, entry in zip(rows, names, strict=True))
        log = all(bool((entry.x > 0).any()) for entry in series)
        panels.append(
            Panel(
                series, f"{name} error ({unit})", log_x=log, y_ticks=ticks, y_range=(-0.6, len(names) - 0.4)
            )
        )
    caption = (
        "Errors of each force field on the same frames. “No force field” fits the energy to the composition and predicts no forces "
        "and no stress: a useful force field lies far to the left of it."
    )
    return Figure("comparison-errors", caption, tuple(panels), share_y=True, height=1.4 + 0.28 * len(names))


def parity(arrays: Mapping[str, NDArray[Any]], models: Sequence[str]) -> Figure:
    """Draw predictions of several force fields against the same labels.

    Parameters
    ----------
    arrays
        Arrays of a comparison of evaluations.
    models
        Names of the force fields, in the order of the arrays.

    Returns
    -------
    One panel for each of energy, forces and stress that has labels.
    """
    panels = []
    for name, key, _, unit, _, _ in QUANTITIES:
        labels, predictions = _finite(arrays[key])
        if labels.size:
            panels.append(_parity_panel(labels, predictions, models, name, unit))
    caption = "Predictions against DFT labels: the closer to the grey line, the better."
    return Figure("comparison-parity", caption, tuple(panels), height=3.0)


def _parity_panel(
    labels: FloatArray, predictions: FloatArray, models: Sequence[str], name: str, unit: str
) -> Panel:
    ends = np.array([min(labels.min(), np.nanmin(predictions)), max(labels.max(), np.nanmax(predictions))])
    step = max(1, labels.size // MAX_POINTS)
    points = [
        Series(
            labels[::step], predictions[k][::step], name=model, style="points", colour=_colour(k), width=2.2
        )
        for k, model in enumerate(models)
    ]
    line = Series(ends, ends, colour=GREY, width=0.8)
    return Panel((line, *points), f"DFT {name} ({unit})", f"force field {name} ({unit})")


def _finite(stacked: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Split labels (N) and predictions (M, N), without the entries that have no label."""
    flat = stacked.reshape(len(stacked), -1)
    labelled = np.isfinite(flat[0])
    return flat[0, labelled], flat[1:, labelled]


def cumulative_errors(arrays: Mapping[str, NDArray[Any]], models: Sequence[str]) -> Figure:
    """Draw which fraction of the errors is smaller than a value.

    Parameters
    ----------
    arrays
        Arrays of a comparison of evaluations.
    models
        Names of the force fields, in the order of the arrays.

    Returns
    -------
    One panel for each of energy, forces and stress that has labels, a curve for each force field.
    """
    panels = []
    for name, key, _, _, scale, unit in QUANTITIES:
        labels, predictions = _finite(arrays[key])
        if labels.size:
            panels.append(_cumulative_panel(scale * np.abs(predictions - labels), models, name, unit))
    caption = "Fraction of the errors that are smaller than the value on the horizontal axis: the further left, the better."
    return Figure("comparison-cumulative-errors", caption, tuple(panels), share_y=True, height=2.8)


def _cumulative_panel(errors: FloatArray, models: Sequence[str], name: str, unit: str) -> Panel:
    curves: list[Series] = []
    smallest = MIN_RATIO * float(np.nanmax(errors))
    for k, model in enumerate(models):
        values = np.sort(errors[k][np.isfinite(errors[k])])
        fraction = np.arange(1, values.size + 1) / max(1, errors.shape[1])
        visible = values > smallest
        values, fraction = values[visible], fraction[visible]
        step = max(1, values.size // MAX_POINTS)
        curves.append(Series(values[::step], fraction[::step], name=model, colour=_colour(k)))
    log = all(curve.x.size for curve in curves)
    return Panel(
        tuple(curves),
        f"|{name} error| ({unit})",
        "fraction of smaller errors",
        log_x=bool(log),
        y_range=(0.0, 1.02),
    )


def config_types(groups: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Figure:
    """Draw the errors of several force fields by config type.

    Parameters
    ----------
    groups
        Name of each force field → config type → errors.

    Returns
    -------
    One panel for each of energy and forces that has labels; a row for each config type.
    """
    names = sorted({group for errors_ in groups.values() for group in errors_})
    rows = np.arange(len(names), dtype=float)[::-1]
    ticks = tuple((float(row), group) for row, group in zip(rows, names, strict=True))
    panels = []
    for name, _, _, _, _, unit in QUANTITIES[:2]:
        series = tuple(
            Series(
                np.array([float(errors_.get(group, {}).get(f"{name}_mae") or np.nan) for group in names]),
                rows,
                name=model,
                style="points",
                colour=_colour(k),
                width=5,
            )
            for k, (model, errors_) in enumerate(groups.items())
        )
        if all(bool(np.isfinite(entry.x).any()) for entry in series):
            panels.append(
                Panel(
                    series,
                    f"{name} MAE ({unit})",
                    log_x=True,
                    y_ticks=ticks,
                    y_range=(-0.6, len(names) - 0.4),
                )
            )
    caption = "Mean absolute errors by config type, over the same frames."
    return Figure(
        "comparison-config-types", caption, tuple(panels), share_y=True, height=1.2 + 0.25 * len(names)
    )


def relaxed(arrays: Mapping[str, NDArray[Any]], models: Sequence[str]) -> Figure:
    """Draw relaxed energies and areas of several force fields against DFT.

    Parameters
    ----------
    arrays
        Arrays of a comparison of relaxation benchmarks.
    models
        Names of the force fields, in the order of the arrays.

    Returns
    -------
    One panel for the energy, one for the area.
    """
    panels = []
    for k, (name, unit, _, _) in enumerate(RELAXED_QUANTITIES):
        labels, predictions = arrays["dft"][:, k], arrays["predicted"][:, :, k]
        if np.isfinite(predictions).any():
            panels.append(_parity_panel(labels, predictions, models, name, unit))
    caption = "Energies and areas relaxed by each force field against those relaxed by DFT; failed relaxations are left out."
    return Figure("comparison-relaxed", caption, tuple(panels), height=3.2)


def bands(arrays: Mapping[str, NDArray[Any]], models: Sequence[str]) -> Figure:
    """Draw the bands and the densities of states of several force fields over one another.

    Parameters
    ----------
    arrays
        Arrays of a comparison of phonons.
    models
        Names of the force fields, in the order of the arrays.

    Returns
    -------
    A panel of bands and one of densities of states, with one frequency axis.
    """
    lines, spectra = [], []
    for k, model in enumerate(models):
        x, y = as_line(arrays["distance"], arrays["bands"][k])
        lines.append(Series(x, y, name=model, colour=_colour(k), width=1.0, dashed=k > 0))
        dos = Series(arrays[f"dos_{k}"], arrays[f"frequency_{k}"], name=model, colour=_colour(k))
        spectra.append(dos)
    ticks = ticks_of(dict(arrays))
    ends = (float(arrays["distance"][0]), float(arrays["distance"][-1]))
    caption = "Phonon bands and density of states of the same sheet by each force field; the band path is that of the first."
    return Figure(
        "comparison-bands",
        caption,
        (
            Panel(tuple(lines), "", THZ, x_ticks=ticks, x_range=ends, width=2.4),
            Panel(tuple(spectra), "DOS (states/THz)", THZ),
        ),
        share_y=True,
        height=3.4,
    )
