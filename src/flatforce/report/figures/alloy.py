"""Figures of alloys: formation energies, interactions, models side by side, ground states, Monte Carlo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.report.figures.figure import COLOURS, GREY, Figure, Panel, Series

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flatforce.core.arrays import FloatArray

ENERGY = "formation energy (meV/site)"

TOUCHES = 1e-6
"""meV/site above the hull that is round-off."""

SHOWN_MODELS = 3
"""Models whose held-out predictions are drawn one by one: those with the least errors."""


def formation(arrays: dict[str, FloatArray], species: Sequence[str]) -> list[Figure]:
    """Draw formation energies and their hull.

    Parameters
    ----------
    arrays
        Of the folder.
    species
        Those that mix.

    Returns
    -------
    One figure for a binary, none for more species.
    """
    if len(species) != 2:
        return []
    x, y = arrays["shares"][:, 1], arrays["formation"]
    points = Series(x, y, style="points", width=4, value=arrays["distance"], value_name="Å from the site")
    panel = Panel((_lowest(x, y, arrays["above"]), points), f"share of {species[-1]}", ENERGY)
    return [
        Figure("formation", "Formation energies of the orderings; the line is their convex hull.", (panel,))
    ]


def _lowest(x: FloatArray, y: FloatArray, above: FloatArray) -> Series:
    """Join what lies on the hull, end members included."""
    corners = np.array([(0.0, 0.0), (1.0, 0.0), *zip(x[above <= TOUCHES], y[above <= TOUCHES], strict=True)])
    corners = corners[np.argsort(corners[:, 0], kind="stable")]
    return Series(corners[:, 0], corners[:, 1], name="hull", colour=GREY)


def expansion(arrays: dict[str, FloatArray], metrics: Mapping[str, float | None]) -> list[Figure]:
    """Draw a cluster expansion.

    Parameters
    ----------
    arrays
        Of its folder.
    metrics
        Of its record.

    Returns
    -------
    Interactions against the size of the cluster, and parity.
    """
    series = []
    for number, order in enumerate(sorted(set(arrays["order"].astype(int)))):
        if order < 1:
            continue
        chosen = arrays["order"] == order
        name = {1: "points", 2: "pairs", 3: "triplets", 4: "quadruplets"}.get(order, f"{order} sites")
        series.append(
            Series(
                arrays["radius"][chosen],
                arrays["eci"][chosen],
                name=name,
                style="points",
                width=5,
                colour=COLOURS[number % len(COLOURS)],
            )
        )
    truth, found = arrays["truth"], arrays["predicted"]
    ends = np.array([min(truth.min(), found.min()), max(truth.max(), found.max())])
    parity = (Series(ends, ends, colour=GREY, width=0.8), Series(truth, found, style="points", width=4))
    cv = metrics["cv_rmse"]
    title = "" if cv is None else f"cross-validated RMSE {cv:.3g} meV/site"
    return [
        Figure(
            "interactions",
            "Effective cluster interactions, times multiplicity (left); fitted energies, in-sample (right).",
            (
                Panel(tuple(series), "radius (Å)", "interaction (meV/site)"),
                Panel(parity, ENERGY, "cluster expansion (meV/site)", title=title),
            ),
        )
    ]


def contest(arrays: dict[str, FloatArray], models: Mapping[str, Mapping[str, Any]]) -> list[Figure]:
    """Draw models side by side.

    Parameters
    ----------
    arrays
        Of the comparison.
    models
        Name → scores, interval, curve.

    Returns
    -------
    Errors with intervals, held-out parity of the best, learning curves.
    """
    names = [name for name in models if models[name]["scores"].get("folds")]
    places = np.arange(len(names), dtype=float)[::-1]
    bars = []
    for place, name in zip(places, names, strict=True):
        low, high = models[name]["interval"]
        if low is not None:
            bars.append(Series(np.array([low, high]), np.array([place, place]), colour=GREY))
    middle = np.array([models[name]["scores"]["folds"]["mae"] for name in names], dtype=float)
    bars.append(Series(middle, places, style="points", width=5))
    texts = tuple((float(y), one) for y, one in zip(places, names, strict=True))
    positive = bool((middle > 0).all())
    errors = Panel(
        tuple(bars), "MAE (meV/site)", y_ticks=texts, y_range=(-0.6, len(names) - 0.4), log_x=positive
    )
    found = [
        Figure(
            "contest",
            "Mean absolute error on held-out orderings; bars are 95 % intervals over structures.",
            (errors,),
            height=1.2 + 0.24 * len(names),
        )
    ]
    order = list(models)
    best = [names[k] for k in np.argsort(middle)[:SHOWN_MODELS]]
    truth = arrays["truth"]
    series = [Series(np.array([truth.min(), truth.max()]), np.array([truth.min(), truth.max()]), colour=GREY)]
    series += [
        Series(
            truth, arrays["predictions"][order.index(name)], name=name, style="points", width=4, colour=colour
        )
        for name, colour in zip(best, COLOURS, strict=False)
    ]
    curves = [
        Series(
            np.array([float(size) for size in models[name]["curve"]]),
            np.array([np.mean(values) for values in models[name]["curve"].values()]),
            name=name,
            colour=colour,
        )
        for name, colour in zip(best, COLOURS, strict=False)
        if models[name]["curve"]
    ]
    panels = [Panel(tuple(series), ENERGY, "held-out prediction (meV/site)")]
    if curves:
        panels.append(Panel(tuple(curves), "training orderings", "MAE (meV/site)", log_y=True))
    found.append(Figure("held-out", "The models with the least errors.", tuple(panels)))
    return found


def hull(arrays: dict[str, FloatArray]) -> list[Figure]:
    """Draw a search for ground states.

    Parameters
    ----------
    arrays
        Of its folder.

    Returns
    -------
    One figure for a binary, none for more species.
    """
    if arrays["shares"].shape[1] != 2:
        return []
    x, y = arrays["shares"][:, 1], arrays["energies"]
    points = Series(
        x, y, style="points", width=4, value=arrays["probability"], value_name="probability on the hull"
    )
    panel = Panel((_lowest(x, y, arrays["above"]), points), "x", ENERGY)
    caption = "Orderings by the cluster expansion; colour: share of resampled expansions with it on the hull."
    return [Figure("ground-states", caption, (panel,))]


def monte_carlo(arrays: dict[str, FloatArray], metrics: Mapping[str, float | None]) -> list[Figure]:
    """Draw Monte Carlo averages against temperature.

    Parameters
    ----------
    arrays
        Of its folder: one entry for each run.
    metrics
        Of its record.

    Returns
    -------
    Order parameter, Binder cumulant and heat capacity of each size.
    """
    panels = []
    lost = metrics.get("transition")
    for key, label in (
        ("second", "⟨ψ²⟩"),
        ("binder", "Binder cumulant"),
        ("heat_capacity", "heat capacity (k/site)"),
    ):
        series = []
        for number, size in enumerate(np.unique(arrays["size"])):
            runs = arrays["size"] == size
            temperatures = np.unique(arrays["temperature"][runs])
            means = np.array([arrays[key][runs & (arrays["temperature"] == t)].mean() for t in temperatures])
            name = f"{int(size)} × {int(size)}"
            series.append(Series(temperatures, means, name=name, colour=COLOURS[number % len(COLOURS)]))
        title = "" if lost is None or key != "binder" else f"crossing at {lost:.0f} K"
        panels.append(Panel(tuple(series), "temperature (K)", label, title=title))
    return [Figure("monte-carlo", "Order, its cumulant and heat capacity of each cell.", tuple(panels))]
