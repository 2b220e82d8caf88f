"""Figure of an export: what another program computes against flatforce."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.report.figures.figure import COLOURS, Figure, Panel, Series, parity_panel

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_DIFFERENCE = 1e-16
"""eV/Å or THz. Equal numbers are drawn as this on the logarithmic axis."""


def agreement(
    ours: NDArray[Any], exported: NDArray[Any], *, quantity: str, unit: str, tolerance: float
) -> Figure:
    """Draw numbers of another program against those of flatforce, and their differences.

    Parameters
    ----------
    ours
        Numbers of flatforce.
    exported
        The same, of the other program.
    quantity
        Name of the quantity.
    unit
        Its unit.
    tolerance
        Largest difference that is allowed.

    Returns
    -------
    A parity plot, and the differences on a logarithmic axis with the tolerance.
    """
    x, y = np.ravel(ours), np.ravel(exported)
    both = parity_panel(
        np.append(x, y),
        [Series(x, y, name=quantity, style="points", width=4)],
        x_label=f"flatforce {quantity} ({unit})",
        y_label=f"exported {quantity} ({unit})",
        title="both programs",
    )
    difference = np.maximum(np.abs(y - x), MIN_DIFFERENCE)
    limits = np.array([x.min(), x.max()])
    differences = Panel(
        (
            Series(limits, np.full(2, tolerance), name="tolerance", colour=COLOURS[1], dashed=True),
            Series(x, difference, name=f"|difference of the {quantity}|", style="points", width=4),
        ),
        f"flatforce {quantity} ({unit})",
        f"|difference| ({unit})",
        title="differences",
        log_y=True,
    )
    caption = (
        f"(a) Each {quantity} of the exported file, as its program computes it, against flatforce. (b) The differences; the dashed line "
        f"is the tolerance of {tolerance:g} {unit}."
    )
    return Figure("agreement", caption, (both, differences))
