"""A linear surrogate of the force field: it predicts in closed form how a label would change a property.

The energy is a sum over atoms of weights, one set for each species, times the atom's SOAP vector (Bartók et al., Phys.
Rev. B 87, 184115, 2013). The distribution of the weights given the labelled forces is a Gaussian (Bayesian ridge regression: MacKay,
Neural Comput. 4, 415, 1992). Its covariance has full rank, however few models there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.data.curation.diversity import descriptor_gradients, sum_descriptors
from flatforce.data.frames import get_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray

STEP: Final = 0.01
"""Å, of central differences."""


class Surrogate:
    """Changes of forces and energies by one standard deviation along each principal direction of the posterior weights."""

    def __init__(self, training_set: Sequence[Atoms]) -> None:
        """Fit the linear model to labelled forces.

        Parameters
        ----------
        training_set
            Labelled frames that contain all species of the structures that will be evaluated.
        """
        self.species = sorted({symbol for frame in training_set for symbol in frame.symbols})
        design = np.concatenate([self._gradients(frame) for frame in training_set])
        from sklearn.linear_model import BayesianRidge  # installed with dscribe, which the line above needs

        scale = float(np.sqrt((design**2).mean())) or 1.0
        regression = BayesianRidge(fit_intercept=False)
        labels = np.concatenate([get_labels(frame).forces.ravel() for frame in training_set])
        regression.fit(design / scale, labels)
        self.noise = float(regression.alpha_**-0.5)
        """eV/Å, standard deviation of a labelled force component from the linear model."""
        precision = design.T @ design / (self.noise * scale) ** 2
        values, vectors = np.linalg.eigh(precision)
        self.directions: FloatArray = vectors / np.sqrt(np.maximum(values, 0) + regression.lambda_) / scale
        """(K, K) weights, one direction for each column."""

    def energy(self, frame: Atoms) -> FloatArray:
        """Return the change of the energy by each direction.

        Parameters
        ----------
        frame
            A structure whose species occur in the training set.

        Returns
        -------
        (K,) eV, change of the energy by a unit step along each of the K directions.
        """
        return np.asarray(sum_descriptors(frame, self.species) @ self.directions)

    def forces(self, frame: Atoms) -> FloatArray:
        """Return the change of the forces by each direction.

        Parameters
        ----------
        frame
            A structure whose species occur in the training set.

        Returns
        -------
        (3N, K) eV/Å.
        """
        return np.asarray(self._gradients(frame) @ self.directions)

    def force_constants(self, sheet: Atoms) -> FloatArray:
        """Return the change of the force constants of a cell by each direction, from central differences.

        Parameters
        ----------
        sheet
            A cell whose species occur in the training set.

        Returns
        -------
        (K, 3N, 3N) eV/Å², symmetric.
        """
        cells = iter(displace_atoms(sheet))
        rows = np.array(
            [
                (self.forces(minus) - self.forces(plus)) / (2 * STEP)
                for plus, minus in zip(cells, cells, strict=True)
            ]
        )
        return np.asarray((rows + rows.transpose(1, 0, 2)).transpose(2, 0, 1) / 2)

    def _gradients(self, frame: Atoms) -> FloatArray:
        return -descriptor_gradients(frame, self.species)


def displace_atoms(sheet: Atoms) -> list[Atoms]:
    """Displace each atom by `STEP` along each Cartesian axis, in both directions.

    Parameters
    ----------
    sheet
        A cell.

    Returns
    -------
    6N cells: the first atom along +x, along −x, along +y, …
    """
    frames = []
    for atom in range(len(sheet)):
        for axis in range(3):
            for sign in (1.0, -1.0):
                frame = sheet.copy()
                frame.positions[atom, axis] += sign * STEP
                frames.append(frame)
    return frames
