"""Models of formation energies behind one interface, and the models that see the composition alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from flatforce.properties.alloys.scores import COMPOSITION_TOLERANCE

if TYPE_CHECKING:
    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.properties.alloys.splits import Split

RELAXED_BY_DFT = "relaxed by DFT"
"""Input of a model that needs the DFT relaxation of every new ordering."""

TEST_ENERGIES = "composition and the test energies"
"""Input of a model that knows the energies it predicts."""


class Predictor(ABC):
    """A model of formation energies: it is trained on some rows of a table and predicts others."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Name of the model in tables."""

    @property
    @abstractmethod
    def model_input(self) -> str:
        """What the model is given: composition, ideal lattice, a relaxed sheet, or the test energies."""

    @property
    def needs_training(self) -> bool:
        """Whether it needs the energies of the training rows."""
        return True

    @property
    def needs_dft(self) -> bool:
        """Whether it needs the DFT relaxation of every ordering that it predicts."""
        return self.model_input in {RELAXED_BY_DFT, TEST_ENERGIES}

    @abstractmethod
    def predict(self, train: IntArray, targets: FloatArray, test: IntArray) -> FloatArray:
        """Train on some rows and predict others.

        Parameters
        ----------
        train
            (m,) indices of the training rows in the table.
        targets
            (m,) formation energies of the training rows in meV per site.
        test
            (k,) indices of the test rows.

        Returns
        -------
        (k,) predicted formation energies in meV per site; NaN where the model has none.
        """


@dataclass(frozen=True)
class ComparedModel:
    """A model and the splits that it takes part in."""

    predictor: Predictor
    """The model."""
    expensive: bool = False
    """Whether its training takes minutes: then it takes part in one repeat of the folds, and in no learning curve."""
    pretrained: str = ""
    """Force field that its training starts from; empty for none."""

    def takes_part(self, split: Split) -> bool:
        """Tell whether the model is evaluated on a split.

        Parameters
        ----------
        split
            The split.

        Returns
        -------
        False for a split that the model is too expensive for.
        """
        return not self.expensive or split.kind in {"size", "window"} or split.is_first_repeat


@dataclass(frozen=True)
class Zero(Predictor):
    """An ideal mixture: every formation energy is zero."""

    name: str = "zero"
    model_input: str = "nothing"

    @property
    @override
    def needs_training(self) -> bool:
        return False

    @override
    def predict(self, train: IntArray, targets: FloatArray, test: IntArray) -> FloatArray:
        del train, targets
        return np.zeros(len(test))


@dataclass(frozen=True)
class RedlichKister(Predictor):
    """Polynomials of the composition, Σ over pairs of x_i x_j Σ_k L_k (x_i − x_j)^k (Redlich and Kister 1948)."""

    concentrations: FloatArray
    """(n, n_species) concentrations of all rows."""
    degree: int
    """Highest power k of x_i − x_j for each pair of species; 0 is the regular solution."""
    model_input: str = "composition"

    @property
    @override
    def name(self) -> str:
        return f"Redlich–Kister, degree {self.degree}"

    @override
    def predict(self, train: IntArray, targets: FloatArray, test: IntArray) -> FloatArray:
        matrix = self._design_matrix()
        coefficients = np.linalg.lstsq(matrix[train], targets, rcond=None)[0]
        return np.asarray(matrix[test] @ coefficients)

    def _design_matrix(self) -> FloatArray:
        columns = []
        for i in range(self.concentrations.shape[1]):
            for j in range(i):
                xi, xj = self.concentrations[:, j], self.concentrations[:, i]
                columns += [xi * xj * (xi - xj) ** k for k in range(self.degree + 1)]
        return np.array(columns).T


@dataclass(frozen=True)
class CompositionOracle(Predictor):
    """The median of the true energies at each composition.

    Over all rows no model that sees the composition alone has a smaller mean absolute error.
    """

    concentrations: FloatArray
    """(n, n_species) concentrations of all rows."""
    truth: FloatArray
    """(n,) true formation energies of all rows in meV per site."""
    name: str = "composition oracle"
    model_input: str = TEST_ENERGIES

    @override
    def predict(self, train: IntArray, targets: FloatArray, test: IntArray) -> FloatArray:
        del train, targets
        medians = []
        for row in test:
            difference = np.abs(self.concentrations - self.concentrations[row]).max(axis=1)
            medians.append(np.median(self.truth[difference < COMPOSITION_TOLERANCE]))
        return np.array(medians)
