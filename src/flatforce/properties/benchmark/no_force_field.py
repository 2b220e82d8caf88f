"""What is predicted without any force field: the baseline that every force field has to beat."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from flatforce.models.errors import Comparison


def without_force_field(labels: Comparison) -> Comparison:
    """Predict energies from the composition alone, and no forces and no stress.

    Parameters
    ----------
    labels
        Labels; its predictions are not used.

    Returns
    -------
    The same labels with these predictions. The energies of the elements are fitted to the labels themselves by least squares, so
    that the baseline is as good as it can be.
    """
    species = sorted(set(labels.atom_symbol))
    starts = np.cumsum([0, *labels.frame_size])
    symbols = np.array(labels.atom_symbol)
    fractions = np.array(
        [
            [np.mean(symbols[start:stop] == element) for element in species]
            for start, stop in itertools.pairwise(starts)
        ]
    )
    energies, *_ = np.linalg.lstsq(fractions, labels.energy[0], rcond=None)
    return replace(
        labels,
        energy=np.stack([labels.energy[0], fractions @ energies]),
        forces=np.stack([labels.forces[0], np.zeros_like(labels.forces[0])]),
        stress=np.stack([labels.stress[0], np.zeros_like(labels.stress[0])]),
    )
