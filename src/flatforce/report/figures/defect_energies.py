"""Figures of formation energies: against the chemical potentials, and against supercell size and separation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.report.figures.figure import COLOURS, Figure, Panel, Series

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def formation_energies(
    defects: Sequence[Mapping[str, Any]], limits: Sequence[Mapping[str, Any]]
) -> list[Figure]:
    """Draw formation energies from limit to limit, and energies against size and separation where there are several.

    Parameters
    ----------
    defects
        Entries `defects` of the details of a `defect energies` folder.
    limits
        Entries `limits` of the same.

    Returns
    -------
    Figures of formation energies, and where there are several of sizes and separations.
    """
    place = np.arange(len(limits), dtype=float)
    lines = tuple(
        Series(
            place,
            np.array(defect["formation_energies"]),
            name=defect["name"],
            colour=COLOURS[k % len(COLOURS)],
        )
        for k, defect in enumerate(defects)
    )
    ticks = tuple((float(k), limit["name"] or "sheet") for k, limit in enumerate(limits))
    figures = [
        Figure(
            "formation_energies",
            "Formation energies at the limits of the chemical potentials; between two limits they are linear.",
            (Panel(lines, "", "formation energy (eV)", x_ticks=ticks),),
        )
    ]
    if any(len(defect["sizes"]) > 1 for defect in defects):
        series = [
            Series(
                1 / np.array(defect["sizes"], dtype=float) ** 2,
                np.array(
                    [np.nan if x is None else x - defect["differences"][-1] for x in defect["differences"]]
                )
                if defect["differences"][-1] is not None
                else np.full(len(defect["sizes"]), np.nan),
                name=defect["name"],
                colour=COLOURS[k % len(COLOURS)],
                style="points",
                width=5,
            )
            for k, defect in enumerate(defects)
        ]
        figures.append(
            Figure(
                "sizes",
                "Energy relative to the largest supercell, against the inverse number of primitive cells.",
                (Panel(tuple(series), "1 / primitive cells", "ΔE (eV)"),),
            )
        )
    bound = [defect for defect in defects if defect["binding_energy"] is not None]
    if len(bound) > 1:
        points = Series(
            np.array([defect["separation"] for defect in bound]),
            np.array([defect["binding_energy"] for defect in bound]),
            style="points",
            width=6,
        )
        figures.append(
            Figure(
                "binding",
                "Binding energy of complexes against the distance of their sites; positive where they attract one another.",
                (Panel((points,), "separation (Å)", "binding energy (eV)"),),
            )
        )
    return figures
