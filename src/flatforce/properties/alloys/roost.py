"""Roost among the predictors: what a network of the composition alone can say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import PositiveInt
from typing_extensions import override

from flatforce.core.config import Config
from flatforce.models.isolated.roost import predict_compositions
from flatforce.properties.alloys.predictors import Predictor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray


class RoostConfig(Config):
    """How Roost is trained."""

    epochs: PositiveInt = 200
    """Passes over the training orderings."""
    members: PositiveInt = 1
    """Of the ensemble."""


@dataclass(frozen=True)
class RoostPredictor(Predictor):
    """Roost in its own environment."""

    orderings: Sequence[Atoms]
    """In the order of the rows."""
    python: Path
    config: RoostConfig
    seed: int = 0
    name: str = "Roost"
    sees: str = "composition"

    @override
    def predict(self, train: IntArray, targets: FloatArray, test: IntArray) -> FloatArray:
        formulas = [one.get_chemical_formula(empirical=True) for one in self.orderings]
        return np.array(
            predict_compositions(
                self.python,
                [formulas[k] for k in train],
                [float(one) for one in targets],
                [formulas[k] for k in test],
                epochs=self.config.epochs,
                members=self.config.members,
                seed=self.seed,
            )
        )
