"""Energies that do not belong to their dataset, found by a robust fit to the compositions of the frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.data.frames import ENERGY, ISOLATED, config_type, describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray

MAX_DEVIATION: Final = 2.0
"""eV/atom. Rattled, strained and broken sheets of one composition stay within 1 eV/atom of one another; an energy of zero, one of
another code or one in other units does not."""

MIN_FRAMES: Final = 4
"""Number of frames more than elements from which on a fit can tell an outlier."""

MIN_GROUP: Final = 3
"""Number of frames of one composition whose median is compared with, where there are too few frames for a fit."""

MIN_SINGULAR: Final = 0.02
"""Ratio of singular values of the compositions below which they do not determine the reference energies: pristine MoSe₂ and a Se
vacancy have 0.0065, and a fit gives Mo +0.2 and Se −7.2 eV; vacancies and antisites of both species in small cells have 0.029
(validation/audit_thresholds.py)."""

ITERATIONS: Final = 50
"""Iterations of reweighted least squares; the weights of 1,000 frames settle within 20."""


def energy_deviations(frames: Sequence[Atoms]) -> FloatArray:
    """Compute how far the energies are from a fit by the numbers of atoms of each element.

    The fit minimises the sum of absolute deviations, by iteratively reweighted least squares, so that outliers do not pull it. Combinations
    of elements that the compositions do not determine are left out, so that a lone composition near the others cannot bend the fit.

    Parameters
    ----------
    frames
        Labelled frames.

    Returns
    -------
    (F,) eV/atom; 0 for isolated atoms. Where there are too few frames for a fit, deviations from the median of three frames or more of
    the same composition, and 0 for other frames.
    """
    deviations = np.zeros(len(frames))
    sheets = [k for k, frame in enumerate(frames) if config_type(frame) != ISOLATED and ENERGY in frame.info]
    species = sorted({symbol for k in sheets for symbol in frames[k].get_chemical_symbols()})
    if not sheets:
        return deviations
    counts = np.array(
        [[frames[k].get_chemical_symbols().count(symbol) for symbol in species] for k in sheets]
    )
    fractions = counts / counts.sum(axis=1, keepdims=True)
    energies = np.array([frames[k].info[ENERGY] / len(frames[k]) for k in sheets], dtype=float)
    if len(sheets) < len(species) + MIN_FRAMES:
        deviations[sheets] = _from_medians(fractions, energies)
    else:
        deviations[sheets] = _from_fit(fractions, energies)
    return deviations


def _from_medians(fractions: FloatArray, energies: FloatArray) -> FloatArray:
    deviations = np.zeros(len(energies))
    _, group = np.unique(fractions.round(6), axis=0, return_inverse=True)
    for number in np.unique(group):
        members = group.ravel() == number
        if members.sum() >= MIN_GROUP:
            deviations[members] = energies[members] - np.median(energies[members])
    return deviations


def _from_fit(fractions: FloatArray, energies: FloatArray) -> FloatArray:
    _, singular, directions = np.linalg.svd(np.unique(fractions.round(6), axis=0), full_matrices=False)
    reduced = fractions @ directions[singular > MIN_SINGULAR * singular[0]].T
    weights = np.ones(len(energies))
    residuals = energies
    for _ in range(ITERATIONS):
        root = np.sqrt(weights)
        fitted, *_ = np.linalg.lstsq(reduced * root[:, None], energies * root, rcond=None)
        residuals = energies - reduced @ fitted
        weights = 1 / np.maximum(np.abs(residuals), 1e-4)
    return residuals


def energy_warnings(frames: Sequence[Atoms]) -> list[str]:
    """Warn of energies that do not belong to the dataset.

    Parameters
    ----------
    frames
        Labelled frames.

    Returns
    -------
    One sentence; empty if there is none.
    """
    deviations = energy_deviations(frames)
    outliers = np.flatnonzero(np.abs(deviations) > MAX_DEVIATION)
    if outliers.size == 0:
        return []
    worst = int(outliers[np.abs(deviations[outliers]).argmax()])
    energy = frames[worst].info[ENERGY] / len(frames[worst])
    subject = f"the energies of {outliers.size} frame(s) are more than {MAX_DEVIATION:g} eV/atom from a fit by composition"
    extent = f"the farthest is {describe(frames[worst])} with {energy:.2f} eV/atom, {deviations[worst]:+.1f} from it"
    return [f"{subject}; {extent}: remove them, or run `flatforce data curate`"]
