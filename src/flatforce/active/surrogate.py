"""A linear stand-in for the force field: it tells in closed form what a label would do to a property.

The energy is a sum over atoms of weights, one set for each species, times the atom's SOAP vector (Bartók et al., Phys.
Rev. B 87, 184115, 2013). What labelled forces leave open of the weights is a Gaussian (Bayesian ridge regression:
MacKay, Neural Comput. 4, 415, 1992), of full rank however few models there are.
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
    """Forces and energies along the directions that the labels leave open, one standard deviation each."""

    def __init__(self, learnt: Sequence[Atoms]) -> None:
        """Learn how much is known.

        Parameters
        ----------
        learnt
            Labelled frames, of all species that will be met.
        """
        self.species = sorted({symbol for frame in learnt for symbol in frame.symbols})
        design = np.concatenate([self._gradients(frame) for frame in learnt])
        from sklearn.linear_model import BayesianRidge  # comes with dscribe, which the line before needs

        scale = float(np.sqrt((design**2).mean())) or 1.0
        fitted = BayesianRidge(fit_intercept=False)
        fitted.fit(design / scale, np.concatenate([get_labels(frame).forces.ravel() for frame in learnt]))
        self.noise = float(fitted.alpha_**-0.5)
        """eV/Å that a linear model leaves of a labelled force component."""
        gathered = design.T @ design / (self.noise * scale) ** 2
        values, vectors = np.linalg.eigh(gathered)
        self.directions: FloatArray = vectors / np.sqrt(np.maximum(values, 0) + fitted.lambda_) / scale
        """(K, K) weights, a direction a column."""

    def energy(self, frame: Atoms) -> FloatArray:
        """Return what the directions do to the energy.

        Parameters
        ----------
        frame
            A structure of known species.

        Returns
        -------
        (K,) eV.
        """
        return np.asarray(sum_descriptors(frame, self.species) @ self.directions)

    def forces(self, frame: Atoms) -> FloatArray:
        """Return what the directions do to the forces.

        Parameters
        ----------
        frame
            A structure of known species.

        Returns
        -------
        (3N, K) eV/Å.
        """
        return np.asarray(self._gradients(frame) @ self.directions)

    def force_constants(self, sheet: Atoms) -> FloatArray:
        """Return what the directions do to the force constants of a cell, by central differences.

        Parameters
        ----------
        sheet
            A cell of known species.

        Returns
        -------
        (K, 3N, 3N) eV/Å², symmetric.
        """
        moved = iter(displaced(sheet))
        rows = np.array(
            [
                (self.forces(down) - self.forces(up)) / (2 * STEP)
                for up, down in zip(moved, moved, strict=True)
            ]
        )
        return np.asarray((rows + rows.transpose(1, 0, 2)).transpose(2, 0, 1) / 2)

    def _gradients(self, frame: Atoms) -> FloatArray:
        return -descriptor_gradients(frame, self.species)


def displaced(sheet: Atoms) -> list[Atoms]:
    """Move every atom along every axis, up and down.

    Parameters
    ----------
    sheet
        A cell.

    Returns
    -------
    6N cells: first atom up and down along x, then along y, …
    """
    frames = []
    for atom in range(len(sheet)):
        for axis in range(3):
            for sign in (1.0, -1.0):
                moved = sheet.copy()
                moved.positions[atom, axis] += sign * STEP
                frames.append(moved)
    return frames
