"""Roost, a neural network of the composition alone, as a predictor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from flatforce.models.isolated.roost import RoostTask, predict_compositions
from flatforce.properties.alloys.predictors import Predictor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.properties.alloys.config import RoostConfig


@dataclass(frozen=True)
class RoostPredictor(Predictor):
    """Roost, run in its own environment."""

    orderings: Sequence[Atoms]
    """Orderings, in the order of the rows of the table."""
    python: Path
    """Python interpreter of the environment."""
    config: RoostConfig
    seed: int = 0
    name: str = "Roost"
    model_input: str = "composition"

    @override
    def predict(self, train: IntArray, targets: FloatArray, test: IntArray) -> FloatArray:
        formulas = [ordering.get_chemical_formula(empirical=True) for ordering in self.orderings]
        task = RoostTask(
            train=[formulas[row] for row in train],
            targets=[float(target) for target in targets],
            test=[formulas[row] for row in test],
            epochs=self.config.epochs,
            members=self.config.members,
            seed=self.seed,
        )
        return np.array(predict_compositions(self.python, task))
