"""Figures of paths of minimum energy: energy along the path, and distances beside those of the training set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.report.figures.figure import COLOURS, GREY, Figure, Panel, Series

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

TRUSTED, OUTSIDE = COLOURS[0], COLOURS[1]


def path(
    arrays: Mapping[str, NDArray[Any]], *, pairs: Sequence[str], shortest: Mapping[str, float]
) -> list[Figure]:
    """Draw the energy along a path, and the smallest distances of its images.

    Parameters
    ----------
    arrays
        Arrays of a `neb` folder.
    pairs
        Pairs of elements.
    shortest
        Pair of elements → smallest distance in the training set in Å; empty where it is unknown.

    Returns
    -------
    One figure of two panels; images outside the training set are marked.
    """
    distances = [
        Series(
            arrays["distance"],
            arrays[f"shortest_{pair}"] / shortest.get(pair, 1.0),
            name=pair,
            colour=COLOURS[2 + k % (len(COLOURS) - 2)],
        )
        for k, pair in enumerate(pairs)
        if pair in shortest or not shortest
    ]
    label, text = "smallest distance (Å)", "Smallest distance of each pair of elements."
    if shortest:
        ends = np.array([0.0, arrays["distance"][-1]])
        distances.append(
            Series(ends, np.ones(2), name="training set", colour=OUTSIDE, dashed=True, width=1.0)
        )
        label = "distance / smallest in the training set"
        text = (
            "Smallest distance of each pair of elements, divided by the smallest one in the training set: below 1, the force field "
            "extrapolates."
        )
    return [
        Figure(
            "path",
            "Energy along the path of minimum energy; lines are cubic, with the forces as slopes, and orange points are images outside the "
            f"training set or uncertain. {text}",
            (
                Panel(tuple(_energies(arrays)), "path (Å)", "energy (eV)", title="energy"),
                Panel(tuple(distances), "path (Å)", label, title="distances"),
            ),
        )
    ]


def _energies(arrays: Mapping[str, NDArray[Any]]) -> list[Series]:
    distance, energy, outside = arrays["distance"], arrays["energy"], arrays["outside"].astype(bool)
    series = [
        Series(distance, member, name="members of the committee", colour=GREY, width=0.7)
        for member in arrays.get("member_energy", [])
    ]
    series.append(
        Series(arrays["fine_distance"], arrays["fine_energy"], colour=TRUSTED, guide=True, width=1.2)
    )
    for mask, name, colour in ((~outside, "images", TRUSTED), (outside, "outside", OUTSIDE)):
        if mask.any():
            series.append(
                Series(distance[mask], energy[mask], name=name, colour=colour, style="points", width=6)
            )
    return series
