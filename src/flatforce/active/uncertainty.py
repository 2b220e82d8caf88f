"""Estimates of the uncertainty of forces, before calibration.

The standard deviation of a committee needs several models. The distance of an atom's neighbourhood from the training set (Janet et al.,
Chem. Sci. 10, 7913, 2019) needs one model only. Both rank errors well, but their size is not that of the errors: `calibration`
scales them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from flatforce.core.errors import ModelError
from flatforce.data.curation.diversity import atom_descriptors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.prediction import Prediction


class ForceUncertainty(Protocol):
    """Estimates the uncertainty of the force on each atom, up to a factor."""

    def __call__(self, frames: Sequence[Atoms], predictions: Sequence[Prediction]) -> list[FloatArray]:
        """Estimate the uncertainty of the force on each atom.

        Parameters
        ----------
        frames
            Structures.
        predictions
            One for each frame.

        Returns
        -------
        (N,) for each frame; eV/Å for a committee, dimensionless for a descriptor distance.
        """
        ...


def committee_uncertainty(frames: Sequence[Atoms], predictions: Sequence[Prediction]) -> list[FloatArray]:
    """Take the standard deviation of the committee's forces: a `ForceUncertainty`.

    Parameters
    ----------
    frames
        Structures; not read.
    predictions
        Predictions of a committee.

    Returns
    -------
    (N,) eV/Å for each frame.
    """
    del frames
    return [force_standard_deviation(prediction) for prediction in predictions]


class DescriptorDistance:
    """Distance of each atom's SOAP vector from the nearest one of its species in the training set: a `ForceUncertainty`."""

    def __init__(self, training_set: Sequence[Atoms]) -> None:
        """Compute the SOAP vectors of the training set.

        Parameters
        ----------
        training_set
            Frames that the model was trained on.
        """
        self.species = sorted({symbol for frame in training_set for symbol in frame.symbols})
        vectors = np.concatenate([atom_descriptors(frame, self.species) for frame in training_set])
        numbers = np.concatenate([frame.numbers for frame in training_set])
        self.vectors_by_number = {int(z): vectors[numbers == z] for z in np.unique(numbers)}

    def __call__(self, frames: Sequence[Atoms], predictions: Sequence[Prediction]) -> list[FloatArray]:
        """Compute the distance of each atom.

        Parameters
        ----------
        frames
            Structures whose species occur in the training set.
        predictions
            Not read.

        Returns
        -------
        (N,) for each frame, dimensionless, between 0 and √2.
        """
        del predictions
        return [self._nearest(frame) for frame in frames]

    def _nearest(self, frame: Atoms) -> FloatArray:
        vectors, distances = atom_descriptors(frame, self.species), np.empty(len(frame))
        for z in np.unique(frame.numbers):
            same_species = frame.numbers == z
            cosine = (vectors[same_species] @ self.vectors_by_number[int(z)].T).max(axis=1)
            distances[same_species] = np.sqrt(np.maximum(2 - 2 * cosine, 0.0))
        return distances


def force_standard_deviation(prediction: Prediction) -> FloatArray:
    """Compute the standard deviation of a committee's force on each atom.

    Parameters
    ----------
    prediction
        Prediction of a committee.

    Returns
    -------
    (N,) eV/Å, square root of the sum of the variances of the three components.

    Raises
    ------
    ModelError
        If a single model made the prediction.
    """
    if prediction.forces_std is None:
        raise ModelError(
            "A single model has no standard deviation of its forces.",
            fix="give a committee (committee:a.model,b.model, or `n_models: 4`), or set `uncertainty: descriptor_distance`",
        )
    return np.asarray(np.linalg.norm(prediction.forces_std, axis=1))
