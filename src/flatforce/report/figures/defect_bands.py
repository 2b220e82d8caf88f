"""Bands of a defect in one supercell: coloured by the shell around the defect, and over those of the pristine sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from flatforce.report.figures.figure import (
    COLOURS,
    GREY,
    LIGHT_GREY,
    Figure,
    Panel,
    Series,
)
from flatforce.report.figures.phonons import (
    AXES,
    MAX_COLOURED_POINTS,
    THZ,
    as_line,
    frequency_range,
    ticks_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray


def coloured_bands(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw the bands of the defect cell, coloured by their projection onto the defect shell, and densities of states.

    Parameters
    ----------
    arrays
        Arrays of a `defect phonons` folder.

    Returns
    -------
    Three panels with one frequency axis.
    """
    bands, projection = arrays["bands"], arrays["shell_projection"]
    x, y = as_line(arrays["distance"], arrays["bands"])
    uniform_projection = arrays["shell_sites"][1, 0] / len(arrays["numbers"])
    distances = np.broadcast_to(arrays["distance"][:, None], bands.shape)
    strongest = np.argsort(projection.ravel())[-MAX_COLOURED_POINTS:]
    coloured_points = Series(
        distances.ravel()[strongest],
        bands.ravel()[strongest],
        style="points",
        width=2.4,
        value=projection.ravel()[strongest],
        value_name="projection onto the defect shell",
    )
    limits = (float(arrays["distance"][0]), float(arrays["distance"][-1]))
    frequency, dos = arrays["frequency"], arrays["dos"]
    ldos = arrays["shell_ldos"][:, 0] / arrays["shell_sites"][:, :1]
    y_range = frequency_range(bands)
    return Figure(
        "defect-bands",
        "(a) Bands of the defect cell (light grey lines). The points on them are coloured by the projection of the mode onto "
        "the innermost shell around the defect, from light yellow (none) to dark red (large); a mode that is spread evenly "
        f"over the cell has {uniform_projection:.2f}. (b) Density of states (DOS) of the defect cell (orange) and of the "
        "pristine cell of the same size (grey). (c) Site-averaged local density of states (LDOS) of the innermost shell. "
        + AXES,
        (
            Panel(
                (Series(x, y, name="bands with the defect", colour=LIGHT_GREY, width=0.4), coloured_points),
                "",
                THZ,
                x_range=limits,
                y_range=y_range,
                x_ticks=ticks_of(arrays),
                width=2.4,
            ),
            _sideways(frequency, dos, "DOS (states/THz)", y_range),
            _sideways(frequency, ldos, "LDOS (1/THz)", y_range, wavenumbers="y"),
        ),
        share_y=True,
        height=3.6,
    )


def compared_bands(arrays: dict[str, NDArray[Any]]) -> Figure:
    """Draw the bands with and without the defect over each other, and both densities of states.

    Parameters
    ----------
    arrays
        Arrays of a `defect phonons` folder.

    Returns
    -------
    Two panels with one frequency axis.
    """
    x, y = as_line(arrays["distance"], arrays["bands"])
    pristine_x, pristine_y = as_line(arrays["distance"], arrays["pristine_bands"])
    y_range = frequency_range(np.append(arrays["bands"], arrays["pristine_bands"]))
    return Figure(
        "compared-bands",
        "(a) Bands of the defect cell (orange) over those of the pristine sheet (grey), which are folded into the Brillouin "
        "zone of the same supercell. An orange line between the grey ones belongs to a mode that the defect shifts. (b) "
        f"Density of states (DOS) of both cells. {AXES}",
        (
            Panel(
                (
                    Series(pristine_x, pristine_y, name="pristine", colour=GREY, width=1.6),
                    Series(x, y, name="defect", colour=COLOURS[1], width=0.5),
                ),
                "",
                THZ,
                x_range=(float(arrays["distance"][0]), float(arrays["distance"][-1])),
                y_range=y_range,
                x_ticks=ticks_of(arrays),
                width=2.8,
            ),
            _sideways(arrays["frequency"], arrays["dos"], "DOS (states/THz)", y_range, wavenumbers="y"),
        ),
        share_y=True,
        height=4.2,
    )


def _sideways(
    frequency: FloatArray,
    pair: FloatArray,
    label: str,
    y_range: tuple[float, float],
    *,
    wavenumbers: Literal["", "y"] = "",
) -> Panel:
    return Panel(
        (
            Series(pair[0], frequency, name="pristine", colour=GREY),
            Series(pair[1], frequency, name="defect", colour=COLOURS[1]),
        ),
        label,
        THZ,
        x_range=(0.0, 1.05 * float(pair.max())),
        y_range=y_range,
        wavenumbers=wavenumbers,
    )
