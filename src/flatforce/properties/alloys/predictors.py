"""Models of formation energies behind one face: they learn from training rows and speak of test rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from flatforce.core.errors import DataError
from flatforce.properties.alloys.cluster_expansion import choose_and_fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.properties.alloys.cluster_expansion import ClusterExpansionConfig, Design
    from flatforce.properties.alloys.table import AlloyTable


RELAXED_BY_DFT = "relaxed by DFT"
"""What a model is given that knows more than any new ordering offers."""

ANSWERS = "composition and the answers"


class Predictor(ABC):
    """What a model of formation energies does."""

    @property
    @abstractmethod
    def name(self) -> str:
        """For tables."""

    @property
    @abstractmethod
    def sees(self) -> str:
        """What it is given: composition, ideal lattice, relaxed by itself, relaxed by DFT, or the answers."""

    @property
    def learns(self) -> bool:
        """Whether it needs the energies of the training rows."""
        return True

    @property
    def asks_dft(self) -> bool:
        """Whether it needs the DFT relaxation of what it is asked."""
        return self.sees in {RELAXED_BY_DFT, ANSWERS}

    @abstractmethod
    def predict(self, train: IntArray, targets: FloatArray, test: IntArray) -> FloatArray:
        """Learn and predict.

        Parameters
        ----------
        train
            (m,) places of rows in the table.
        targets
            (m,) meV per site, their formation energies.
        test
            (k,) places of rows.

        Returns
        -------
        (k,) meV per site.
        """


@dataclass(frozen=True)
class Zero(Predictor):
    """An ideal mixture: no formation energy."""

    name: str = "zero"
    sees: str = "nothing"

    @property
    @override
    def learns(self) -> bool:
        return False

    @override
    def predict(self, train: IntArray, targets: FloatArray, test: IntArray) -> FloatArray:
        del train, targets
        return np.zeros(len(test))


@dataclass(frozen=True)
class RedlichKister(Predictor):
    """Polynomials of the composition, Σ over pairs of x_i x_j Σ_k L_k (x_i − x_j)^k (Redlich and Kister 1948)."""

    shares: FloatArray
    """(n, species) of all rows."""
    terms: int
    """For each pair of species."""
    sees: str = "composition"

    @property
    @override
    def name(self) -> str:
        return f"Redlich–Kister {self.terms}"

    @override
    def predict(self, train: IntArray, targets: FloatArray, test: IntArray) -> FloatArray:
        matrix = self._matrix()
        found = np.linalg.lstsq(matrix[train], targets, rcond=None)[0]
        return np.asarray(matrix[test] @ found)

    def _matrix(self) -> FloatArray:
        columns = []
        for i in range(self.shares.shape[1]):
            for j in range(i):
                xi, xj = self.shares[:, j], self.shares[:, i]
                columns += [xi * xj * (xi - xj) ** k for k in range(self.terms)]
        return np.array(columns).T


@dataclass(frozen=True)
class CompositionOracle(Predictor):
    """The median of each composition, knowing the answers.

    Over all rows no model that sees the composition alone has a smaller mean absolute error.
    """

    shares: FloatArray
    truth: FloatArray
    name: str = "composition oracle"
    sees: str = ANSWERS

    @override
    def predict(self, train: IntArray, targets: FloatArray, test: IntArray) -> FloatArray:
        del train, targets
        same = [np.abs(self.shares - self.shares[k]).max(axis=1) < 1e-6 for k in test]
        return np.array([np.median(self.truth[one]) for one in same])


@dataclass(frozen=True)
class NestedExpansion(Predictor):
    """A cluster expansion whose cutoffs and regulariser are chosen among the training rows."""

    designs: Sequence[Design]
    config: ClusterExpansionConfig
    name: str = "cluster expansion"
    sees: str = "ideal lattice"
    chosen: list[str] = field(default_factory=list)
    """What was chosen at each call."""

    @override
    def predict(self, train: IntArray, targets: FloatArray, test: IntArray) -> FloatArray:
        fitted = choose_and_fit(self.designs, train, targets, self.config)
        cutoffs = "/".join(f"{one:.1f}" for one in fitted.design.cutoffs)
        self.chosen.append(f"{cutoffs} Å, {fitted.method}")
        return fitted.predict(fitted.design.vectors[test])


@dataclass(frozen=True)
class ForceField(Predictor):
    """Energies of a force field as they are, or brought into line by a straight line."""

    label: str
    energies: FloatArray
    """(n,) meV per site; NaN where it failed."""
    sees: str = "relaxed by itself"
    calibrated: bool = False

    @property
    @override
    def name(self) -> str:
        return f"{self.label}, {'calibrated' if self.calibrated else 'as it is'}"

    @property
    @override
    def learns(self) -> bool:
        return self.calibrated

    @override
    def predict(self, train: IntArray, targets: FloatArray, test: IntArray) -> FloatArray:
        found = self.energies[test]
        if not self.calibrated:
            return found
        rows = known(self.energies, train, self.label)
        return slope_of(self.energies[train][rows], targets[rows]) * found


@dataclass(frozen=True)
class DeltaExpansion(Predictor):
    """A cluster expansion on top of a force field: the inner loop weighs the force field by 0, β or 1.

    A force field that is wrong makes a difference that is harder to expand than the energies themselves; hence the
    choice. β is the slope of the least-squares line.
    """

    label: str
    energies: FloatArray
    """(n,) meV per site."""
    designs: Sequence[Design]
    config: ClusterExpansionConfig
    sees: str = "ideal lattice and the force field"
    chosen: list[str] = field(default_factory=list)

    @property
    @override
    def name(self) -> str:
        return f"cluster expansion on {self.label}"

    @override
    def predict(self, train: IntArray, targets: FloatArray, test: IntArray) -> FloatArray:
        rows = known(self.energies, train, self.label)
        train, targets = train[rows], targets[rows]
        prior, ahead = self.energies[train], self.energies[test]
        fits = {
            weight: choose_and_fit(self.designs, train, targets - weight * prior, self.config)
            for weight in (0.0, slope_of(prior, targets), 1.0)
        }
        weight = min(fits, key=lambda one: fits[one].cv_rmse)
        self.chosen.append(f"weight {weight:.2f}")
        return weight * ahead + fits[weight].predict(fits[weight].design.vectors[test])


def known(energies: FloatArray, places: IntArray, label: str) -> IntArray:
    """Tell which rows a force field has energies for.

    Parameters
    ----------
    energies
        (n,) meV per site.
    places
        (m,) rows.
    label
        Whose energies.

    Returns
    -------
    Places within `places`.

    Raises
    ------
    DataError
        If it has none but of end members.
    """
    found = np.flatnonzero(np.isfinite(energies[places]))
    if not energies[places][found].any():
        raise DataError(
            f"{label} has no energies to learn from.",
            why="its relaxations failed or left the lattice",
            fix="leave the force field out",
        )
    return found


def slope_of(x: FloatArray, y: FloatArray) -> float:
    """Fit a straight line through zero, where the end members stay.

    Parameters
    ----------
    x
        (m,).
    y
        (m,).

    Returns
    -------
    Its slope.
    """
    return float(x @ y / (x @ x))


def in_sample(
    table: AlloyTable, designs: Sequence[Design], config: ClusterExpansionConfig
) -> tuple[FloatArray, str]:
    """Fit an expansion to all rows and predict the same rows: a number that says nothing of new orderings.

    Parameters
    ----------
    table
        The table.
    designs
        Candidates.
    config
        Settings.

    Returns
    -------
    (n,) meV per site, and what was chosen.
    """
    rows = np.arange(len(table.rows))
    fitted = choose_and_fit(designs, rows, table.formation, config)
    return fitted.predict(fitted.design.vectors), fitted.method
