"""Figures of alloys: formation energies, cluster interactions, ground states, Monte Carlo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.report.figures.figure import COLOURS, GREY, Figure, Panel, Series, parity_panel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flatforce.core.arrays import FloatArray

ENERGY_LABEL: Final = "formation energy (meV/site)"
"""Label of an axis."""

HULL_TOLERANCE: Final = 1e-6
"""meV/site. An ordering closer to the convex hull lies on it; round-off is smaller."""


def formation(arrays: dict[str, FloatArray], species: Sequence[str]) -> list[Figure]:
    """Draw formation energies against the concentration, and their convex hull.

    Parameters
    ----------
    arrays
        Arrays of an `alloy energies` folder.
    species
        Chemical symbols of the elements that mix.

    Returns
    -------
    One figure for a binary, none for more species.
    """
    if len(species) != 2:
        return []
    x, y = arrays["concentrations"][:, 1], arrays["formation_energies"]
    points = Series(
        x,
        y,
        name="orderings",
        style="points",
        width=4,
        value=arrays["site_distances"],
        value_name="largest distance from the site (Å)",
    )
    panel = Panel(
        (_hull_line(x, y, arrays["energies_above_hull"]), points),
        f"concentration of {species[-1]}",
        ENERGY_LABEL,
    )
    return [
        Figure("formation", "Formation energies of the orderings; the line is the convex hull.", (panel,))
    ]


def _hull_line(x: FloatArray, y: FloatArray, above: FloatArray) -> Series:
    """Join the orderings on the convex hull and the end members."""
    corners = np.array(
        [(0.0, 0.0), (1.0, 0.0), *zip(x[above <= HULL_TOLERANCE], y[above <= HULL_TOLERANCE], strict=True)]
    )
    corners = corners[np.argsort(corners[:, 0], kind="stable")]
    return Series(corners[:, 0], corners[:, 1], name="hull", colour=GREY)


def expansion(arrays: dict[str, FloatArray], metrics: Mapping[str, float | None]) -> list[Figure]:
    """Draw the interactions of a cluster expansion and the energies that it fits.

    Parameters
    ----------
    arrays
        Arrays of a `cluster expansion` folder.
    metrics
        Metrics of the same folder.

    Returns
    -------
    Interactions against the radius of the cluster, and a parity plot.
    """
    series = []
    for number, order in enumerate(sorted(set(arrays["orbit_order"].astype(int)))):
        if order < 1:
            continue
        of_order = arrays["orbit_order"] == order
        name = {1: "points", 2: "pairs", 3: "triplets", 4: "quadruplets"}.get(order, f"{order} sites")
        series.append(
            Series(
                arrays["orbit_radius"][of_order],
                arrays["orbit_interaction"][of_order],
                name=name,
                style="points",
                width=5,
                colour=COLOURS[number % len(COLOURS)],
            )
        )
    labels, predictions = arrays["formation_energies"], arrays["predictions"]
    cv_rmse = metrics["cv_rmse"]
    title = "" if cv_rmse is None else f"cross-validated RMSE {cv_rmse:.3g} meV/site"
    return [
        Figure(
            "interactions",
            "(a) Effective cluster interactions times multiplicity. (b) Fitted energies of the training set against "
            "those of the labels; on the grey diagonal both are equal.",
            (
                Panel(tuple(series), "radius (Å)", "interaction (meV/site)"),
                parity_panel(
                    np.append(labels, predictions),
                    [
                        Series(
                            labels, predictions, name="orderings", style="points", width=4, colour=COLOURS[6]
                        )
                    ],
                    x_label=ENERGY_LABEL,
                    y_label="cluster expansion (meV/site)",
                    title=title,
                ),
            ),
        )
    ]


def hull(arrays: dict[str, FloatArray]) -> list[Figure]:
    """Draw the predicted formation energies and ground states.

    Parameters
    ----------
    arrays
        Arrays of an `alloy hull` folder.

    Returns
    -------
    One figure for a binary, none for more species.
    """
    if arrays["concentrations"].shape[1] != 2:
        return []
    x, y = arrays["concentrations"][:, 1], arrays["formation_energies"]
    points = Series(
        x,
        y,
        name="orderings",
        style="points",
        width=4,
        value=arrays["probabilities"],
        value_name="probability of a ground state",
    )
    panel = Panel((_hull_line(x, y, arrays["energies_above_hull"]), points), "concentration", ENERGY_LABEL)
    caption = (
        "Formation energies by the cluster expansion and their convex hull; colour: fraction of the resampled expansions "
        "that put the ordering on the hull."
    )
    return [Figure("ground-states", caption, (panel,))]


def monte_carlo(arrays: dict[str, FloatArray], metrics: Mapping[str, float | None]) -> list[Figure]:
    """Draw Monte Carlo averages against temperature.

    Parameters
    ----------
    arrays
        Arrays of an `alloy monte carlo` folder: one entry for each run.
    metrics
        Metrics of the same folder.

    Returns
    -------
    Order parameter, Binder cumulant and heat capacity of each supercell.
    """
    panels = []
    transition = metrics.get("transition_temperature")
    for key, label in (
        ("psi2", "squared order parameter ⟨ψ²⟩"),
        ("binder_cumulant", "Binder cumulant"),
        ("heat_capacity", "heat capacity (k/site)"),
    ):
        series = []
        for number, size in enumerate(np.unique(arrays["size"])):
            runs = arrays["size"] == size
            temperatures = np.unique(arrays["temperature"][runs])
            means = np.array(
                [
                    arrays[key][runs & (arrays["temperature"] == temperature)].mean()
                    for temperature in temperatures
                ]
            )
            name = f"{int(size)} × {int(size)}"
            series.append(Series(temperatures, means, name=name, colour=COLOURS[number % len(COLOURS)]))
        title = "" if transition is None or key != "binder_cumulant" else f"crossing at {transition:.0f} K"
        panels.append(Panel(tuple(series), "temperature (K)", label, title=title))
    return [
        Figure(
            "monte-carlo",
            "Order parameter, its Binder cumulant and heat capacity per site in each supercell.",
            tuple(panels),
        )
    ]
