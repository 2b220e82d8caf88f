"""Colours that stand for values: limits of the scale, tiles of a periodic table and the text on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from flatforce.core.arrays import FloatArray
    from flatforce.report.figures.figure import Series

SCALE: Final = (
    "#ffffd9",
    "#edf8b1",
    "#c7e9b4",
    "#7fcdbb",
    "#41b6c4",
    "#1d91c0",
    "#225ea8",
    "#253494",
    "#081d58",
)
"""ColorBrewer's YlGnBu, from small to large values."""

EMPTY: Final = "#f0f0f0"
"""Fill of an element without a value."""

EMPTY_TEXT: Final = "#5a5a5a"
"""Symbol of an element without a value."""


def relative_luminance(colour: str) -> float:
    """Compute the relative luminance of a colour (WCAG 2.2).

    Parameters
    ----------
    colour
        Hexadecimal RGB.

    Returns
    -------
    0 for black, 1 for white.
    """
    channels = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def contrast_ratio(first: str, second: str) -> float:
    """Compute the contrast ratio of two colours (WCAG 2.2).

    Parameters
    ----------
    first
        Hexadecimal RGB.
    second
        Hexadecimal RGB.

    Returns
    -------
    Between 1 and 21; text needs 4.5.
    """
    dark, light = sorted((relative_luminance(first), relative_luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def value_limits(series: Series) -> tuple[float, float]:
    """Find the range of values that the colours of points or tiles span.

    Parameters
    ----------
    series
        Points or tiles with values.

    Returns
    -------
    Smallest value, or zero where the values are positive and differ much, or not at all; and largest value.
    """
    values = np.zeros(1) if series.value is None else series.value[np.isfinite(series.value)]
    if not values.size:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    if low > 0 and (low == high or low < high / 2):
        low = 0.0
    return low, high if high > low else low + 1.0


def tile_colours(series: Series) -> list[tuple[str, str]]:
    """Choose the colours of each tile.

    Parameters
    ----------
    series
        Tiles.

    Returns
    -------
    Fill and text of each tile, hexadecimal RGB; the text is black or white, whichever has the larger contrast.
    """
    values = np.full(len(series.x), np.nan) if series.value is None else series.value
    low, high = value_limits(series)
    colours = []
    for value in values:
        if not np.isfinite(value):
            colours.append((EMPTY, EMPTY_TEXT))
            continue
        fill = _interpolate((float(value) - low) / (high - low))
        colours.append((fill, max(("#000000", "#ffffff"), key=lambda text: contrast_ratio(fill, text))))
    return colours


def _interpolate(fraction: float) -> str:
    position = fraction * (len(SCALE) - 1)
    k = min(int(position), len(SCALE) - 2)
    lower, upper = (_rgb(colour) for colour in SCALE[k : k + 2])
    channels = lower + (position - k) * (upper - lower)
    return "#" + "".join(f"{round(float(channel)):02x}" for channel in channels)


def _rgb(colour: str) -> FloatArray:
    return np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)], dtype=float)
