"""Figures of elastic constants and thermal expansion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.report.figures.figure import COLOURS, GREY, Figure, Panel, Series

if TYPE_CHECKING:
    from numpy.typing import NDArray


def elasticity(arrays: dict[str, NDArray[Any]]) -> list[Figure]:
    """Draw stresses of the strained sheet, and its moduli by direction.

    Parameters
    ----------
    arrays
        Arrays of an `elastic` folder.

    Returns
    -------
    One figure; its second and third panel are left out for an unstable sheet.
    """
    curves = []
    stiffness = arrays["stiffness"]
    for k, name in enumerate(("xx", "yy", "xy")):
        strain, stress = 100 * arrays["strain"][k], arrays["stress"][k, :, k]
        curves += [
            Series(
                strain,
                strain / 100 * stiffness[k, k] + stress[len(stress) // 2],
                colour=COLOURS[k],
                guide=True,
                width=0.9,
            ),
            Series(strain, stress, name=name, colour=COLOURS[k], style="points", width=5),
        ]
    panels = [Panel(tuple(curves), "Lagrangian strain (%)", "stress (N/m)", title="stress")]
    if "angle" in arrays:
        degrees = np.degrees(arrays["angle"])
        panels += [
            Panel(
                (Series(degrees, arrays[key]),),
                "direction (degrees)",
                label,
                title=title,
                x_range=(0, 180),
                y_range=limits,
            )
            for key, label, title, limits in (
                (
                    "youngs_modulus",
                    "Young's modulus (N/m)",
                    "Young's modulus",
                    (0.0, 1.2 * float(arrays["youngs_modulus"].max())),
                ),
                ("poisson_ratio", "Poisson's ratio", "Poisson's ratio", _around(arrays["poisson_ratio"])),
            )
        ]
    caption = (
        "Stress (second Piola–Kirchhoff) against the strain component of the same name, relaxed ions; lines have the slope of the "
        "elastic constants."
    )
    if len(panels) > 1:
        caption += (
            " Young's modulus and Poisson's ratio for uniaxial stress, against the angle from the x axis."
        )
    return [Figure("elasticity", caption, tuple(panels))]


def _around(values: NDArray[Any]) -> tuple[float, float]:
    """Limits that hold zero and all values."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    margin = 0.2 * (high - low)
    return (low - margin if low < 0 else 0.0, high + margin)


def expansion(arrays: dict[str, NDArray[Any]]) -> list[Figure]:
    """Draw lattice constant, thermal expansion and Grüneisen parameters.

    Parameters
    ----------
    arrays
        Arrays of a `thermal expansion` folder.

    Returns
    -------
    Two figures: against temperature, and by mode.
    """
    temperature = arrays["temperature"]
    zero = Series(temperature[[0, -1]], np.zeros(2), colour=GREY, guide=True, width=0.8)
    curves = Figure(
        "expansion",
        "Lattice constant with zero-point motion, and coefficient of linear thermal expansion.",
        (
            Panel((Series(temperature, arrays["a"]),), "temperature (K)", "a (Å)", title="lattice constant"),
            Panel(
                (zero, Series(temperature, 1e6 * arrays["alpha"])),
                "temperature (K)",
                "α (10⁻⁶/K)",
                title="expansion",
            ),
        ),
    )
    frequency, parameter = arrays["mode_frequency"].ravel(), arrays["grueneisen"].ravel()
    known = np.isfinite(parameter)
    limit = float(np.quantile(np.abs(parameter[known]), 0.98)) * 1.3
    modes = Figure(
        "grueneisen",
        "Grüneisen parameter with respect to the area, −∂ ln ω/∂ ln A, of each mode on the mesh; the strongly negative ones are long flexural "
        "waves, some of which lie below the panel.",
        (
            Panel(
                (
                    Series(
                        frequency[[0, -1]] * 0 + [0, frequency.max()],
                        np.zeros(2),
                        colour=GREY,
                        guide=True,
                        width=0.8,
                    ),
                    Series(frequency[known], parameter[known], style="points", width=2),
                ),
                "frequency (THz)",
                "Grüneisen parameter",
                y_range=(-limit, limit),
                wavenumbers="x",
            ),
        ),
    )
    return [curves, modes]
