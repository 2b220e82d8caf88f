"""What a round knows when it selects frames: its force field, its calibrated uncertainty, and the frames known so far."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.active.property import property_response
from flatforce.active.selection import CandidatePool, Selection, select
from flatforce.active.surrogate import Surrogate
from flatforce.core.hashing import hash_structure
from flatforce.data.curation.diversity import descriptors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.active.config import LearnConfig
    from flatforce.active.coverage import CalibratedUncertainty
    from flatforce.active.cross_conformal import UncertainModel
    from flatforce.active.run_frames import RunFrames
    from flatforce.core.arrays import FloatArray
    from flatforce.models.prediction import Prediction

INTERVAL_LEVEL: Final = 0.9
"""Level of the interval that is reported as the uncertainty of a force: the error is below it in nine of ten cases."""


@dataclass(frozen=True)
class RoundState:
    """A round after its training, before its selection."""

    config: LearnConfig
    """Settings of the run."""
    frames: RunFrames
    """All structures of the run."""
    training_set: Sequence[Atoms]
    """Labelled frames known in this round: the initial ones and those of earlier rounds."""
    number: int
    """Number of the round, from 0."""
    n_labels: int
    """Number of labels that earlier rounds requested."""
    model: UncertainModel
    """The force field of the round."""
    uncertainty: CalibratedUncertainty
    """Conformal scale factors of its uncertainty, and the environments for which they hold."""

    @property
    def seed(self) -> int:
        """Seed of the samplers in this round."""
        return self.config.seed + 1000 * self.number

    @property
    def n_requested(self) -> int:
        """Number of frames to be labelled in this round."""
        count, budget = self.config.labels_per_round, self.config.stop.label_budget
        return count if budget is None else min(count, budget - self.n_labels)

    def known_hashes(self) -> set[str]:
        """Return the content hashes of the labelled frames."""
        return {hash_structure(frame) for frame in self.training_set}

    def max_force_uncertainty(self, frame: Atoms, prediction: Prediction) -> float:
        """Return the largest 90 % interval of an atom's force; it ranks atoms outside the calibration set too, but covers nothing there.

        Parameters
        ----------
        frame
            A structure.
        prediction
            Prediction of the force field for it.

        Returns
        -------
        90 % interval in eV/Å of the force on the atom where it is widest.
        """
        (uncertainty,) = self.model.uncertainty([frame], [prediction])
        return float(self.uncertainty.calibration.interval(uncertainty, INTERVAL_LEVEL).max())

    def select(self, candidates: Sequence[Atoms]) -> tuple[Selection, CandidatePool]:
        """Select the candidates to be labelled.

        Parameters
        ----------
        candidates
            Distinct structures without a label.

        Returns
        -------
        The selection, and what is known of the candidates.
        """
        predictions = self.model.potential.evaluate(list(candidates), stress=False)
        uncertainty = np.array(
            [
                self.max_force_uncertainty(frame, prediction)
                for frame, prediction in zip(candidates, predictions, strict=True)
            ]
        )
        pool = self._pool(candidates, uncertainty)
        rng = np.random.default_rng([self.config.seed, self.number])
        return select(pool, self.n_requested, self.config.strategy, rng=rng), pool

    def _pool(self, candidates: Sequence[Atoms], uncertainty: FloatArray) -> CandidatePool:
        """Compute what the run needs to know of the candidates."""
        masks = self.uncertainty.environments.is_outside(candidates)
        n_outside = np.array([int(mask.sum()) for mask in masks])
        return replace(self._pool_of_strategy(candidates, uncertainty), n_outside=n_outside)

    def _pool_of_strategy(self, candidates: Sequence[Atoms], uncertainty: FloatArray) -> CandidatePool:
        strategy, target = self.config.strategy, self.config.target
        n = len(candidates)
        if strategy in {"diversity", "combined"}:
            points = descriptors([*candidates, *self.training_set])
            return CandidatePool(uncertainty, points[:n], points[n:])
        placeholder = np.zeros((n, 1)), np.zeros((1, 1))
        if strategy != "property" or target is None or self.frames.target is None:
            return CandidatePool(uncertainty, *placeholder)
        surrogate = Surrogate(self.training_set)
        response = property_response(
            self.model.potential, surrogate, self.frames.target, target, self.frames.pristine
        )
        forces = [surrogate.forces(frame) / surrogate.noise for frame in candidates]
        return CandidatePool(uncertainty, *placeholder, forces, response)
