"""Models that are trained anew for each split: a fine-tuned force field, and energy-only training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from flatforce.core.progress import Progress, silent
from flatforce.data.frames import ENERGY
from flatforce.properties.alloys.energies import energies_by_model
from flatforce.properties.alloys.predictors import RELAXED_BY_DFT, Predictor
from flatforce.properties.alloys.relative_energies import energies_on_lattice, relative_to_own_end_members
from flatforce.properties.alloys.training import TrainingFrames, train_best_candidate, validation_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.models.potential import Potential
    from flatforce.properties.alloys.config import AlloyEnergyConfig, EnergyOnlyConfig, FineTuningConfig
    from flatforce.properties.alloys.table import AlloyTable
    from flatforce.structures.alloys import AlloyLattice

MIN_STANDARD_DEVIATION = 1e-5
"""Standard deviation of formation energies in eV/atom below which they are noise."""


@dataclass(frozen=True)
class FineTunedForceField(Predictor):
    """A force field that is fine-tuned on the DFT frames of the training orderings, and then relaxes the others itself."""

    lattice: AlloyLattice
    table: AlloyTable
    frames: dict[str, list[Atoms]]
    """Name of each ordering → all labelled frames of its relaxation."""
    config: FineTuningConfig
    energies: AlloyEnergyConfig
    folder: Path
    """Folder of the trainings."""
    label: str
    """Name of the force field."""
    progress: Progress = silent
    model_input: str = "relaxed by the force field"
    selections: list[str] = field(default_factory=list)
    """Learning rate and epochs that each call selected."""

    @property
    @override
    def name(self) -> str:
        return f"{self.label}, fine-tuned"

    @override
    def predict(self, train: IntArray, targets: FloatArray, test: IntArray) -> FloatArray:
        del targets  # the frames hold total energies
        valid = validation_rows(self.table, train)
        frames = TrainingFrames(self._frames_of(np.setdiff1d(train, valid)), self._frames_of(valid))
        settings = {
            "start_from": self.config.start_from,
            "weights": self.config.weights.model_dump(),
            "batch_size": self.config.batch_size,
        }
        potential, selection = train_best_candidate(
            frames, settings, self.config, folder=self.folder, progress=self.progress
        )
        self.selections.append(selection)
        return self._relax_and_predict(potential, train, test)

    def _frames_of(self, rows: IntArray) -> list[Atoms]:
        return [frame for row in rows for frame in self.frames[self.table.rows[row].name]]

    def _relax_and_predict(self, potential: Potential, train: IntArray, test: IntArray) -> FloatArray:
        end_rows = [int(row) for row in train if self.table.rows[row].end_member]
        orderings = [self.table.orderings[row] for row in (*end_rows, *test)]
        results = energies_by_model(self.lattice, orderings, potential, self.energies)
        energies = energies_on_lattice(self.lattice, results, max_distance=self.energies.max_distance)
        return relative_to_own_end_members(self.table, end_rows, test, energies.tolist())


@dataclass(frozen=True)
class EnergyOnlyModel(Predictor):
    """A model from random weights that maps relaxed sheets to formation energies; forces are not trained."""

    table: AlloyTable
    relaxed: Sequence[Atoms]
    """Relaxed sheets, in the order of the rows."""
    config: EnergyOnlyConfig
    folder: Path
    """Folder of the trainings."""
    model_input: str = RELAXED_BY_DFT
    label: str = "energy-only model"
    progress: Progress = silent
    selections: list[str] = field(default_factory=list)
    """Learning rate and epochs that each call selected."""

    @property
    @override
    def name(self) -> str:
        return self.label

    @override
    def predict(self, train: IntArray, targets: FloatArray, test: IntArray) -> FloatArray:
        labelled = {}
        for row, target in zip(train.tolist(), targets, strict=True):
            labelled[row] = self._sheet(row)
            labelled[row].info[ENERGY] = 1e-3 * float(target) * self.table.rows[row].n_sites
        valid_rows = set(validation_rows(self.table, train).tolist())
        frames = TrainingFrames(
            [frame for row, frame in labelled.items() if row not in valid_rows],
            [frame for row, frame in labelled.items() if row in valid_rows],
        )
        symbols = {symbol for frame in frames.train for symbol in frame.get_chemical_symbols()}
        settings = {
            "model": self.config.model.model_dump(),
            "n_models": self.config.n_models,
            "weights": {"energy": _energy_weight([*labelled.values()]), "forces": 0.0, "stress": 0.0},
            "batch_size": self.config.batch_size,
            "e0s": dict.fromkeys(sorted(symbols), 0.0),
        }
        potential, selection = train_best_candidate(
            frames, settings, self.config, folder=self.folder, progress=self.progress
        )
        self.selections.append(selection)
        end_rows = [row for row in train.tolist() if self.table.rows[row].end_member]
        sheets = [self._sheet(row) for row in (*end_rows, *test.tolist())]
        predictions = potential.evaluate(sheets, stress=False)
        energies = [prediction.energy for prediction in predictions]
        return relative_to_own_end_members(self.table, end_rows, test, energies)

    def _sheet(self, row: int) -> Atoms:
        """Return the relaxed sheet of a row without labels."""
        frame: Atoms = self.relaxed[row].copy()
        frame.info = {"material": self.table.rows[row].name, "config_type": "ordering"}
        for key in set(frame.arrays) - {"numbers", "positions"}:
            del frame.arrays[key]
        return frame


def _energy_weight(frames: Sequence[Atoms]) -> float:
    """Return the weight of energies in the loss, 1 over their variance in (eV/atom)².

    Squared errors of meV would be lost beside the round-off that optimisers allow for.
    """
    deviation = np.std([frame.info[ENERGY] / len(frame) for frame in frames])
    return float(1 / max(deviation, MIN_STANDARD_DEVIATION) ** 2)
