"""Doubt of a force field whose parts were each trained without other frames: nearly every labelled frame calibrates it.

The score |error| / spread of a frame is that of the part that has not fitted it; all parts together predict (cross-conformal
prediction: Vovk, Ann. Math. Artif. Intell. 74, 9, 2015). Fewer members make a noisier spread, so the scores of a part are too wide for
the whole: log(|error| / spread of a part) = log(|error| / spread of the whole) - log(spread of a part / spread of the whole). The
last is known on any frame, labelled or not. Taken as independent of the rest, its mean and variance are taken off the scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flatforce.active.calibration import LEAST_SPREAD, Calibration, atom_errors, calibrate, level_margins
from flatforce.data.splits import whole_trajectories

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.active.uncertainty import Spread
    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential, Prediction


@dataclass(frozen=True)
class Model:
    """A force field and its doubt."""

    potential: Potential
    """A committee, or one model."""
    spread: Spread
    """What ranks its errors."""

    def evaluate(self, frames: Sequence[Atoms]) -> tuple[list[Prediction], list[FloatArray]]:
        """Predict forces, and how they rank by doubt.

        Parameters
        ----------
        frames
            Structures.

        Returns
        -------
        One prediction a frame, and (N,) spread of each.
        """
        said = self.potential.evaluate(list(frames), stress=False)
        return said, [np.maximum(one, LEAST_SPREAD) for one in self.spread(frames, said)]


@dataclass(frozen=True)
class Fold(Model):
    """A part of a force field, or all of it, and frames that it has not fitted."""

    held_out: Sequence[Atoms] = ()
    """Labelled."""
    fitted: Sequence[Atoms] = ()
    """What it has fitted."""


def calibrate_folds(
    folds: Sequence[Fold], known: Sequence[Atoms], spread: Sequence[FloatArray]
) -> tuple[Calibration, FloatArray]:
    """Calibrate the doubt of a force field by what its parts make of the frames that they have not fitted.

    The errors of the whole are taken for those of its parts, which are a little larger.

    Parameters
    ----------
    folds
        Its parts; one alone is the whole.
    known
        Frames that no part has fitted; labels are not read.
    spread
        (N,) of each of them, of the whole.

    Returns
    -------
    The calibration, and (L,) the margins of its levels (see `level_margins`).
    """
    errors: list[FloatArray] = []
    spreads: list[FloatArray] = []
    for fold in folds:
        said, doubted = fold.evaluate(fold.held_out)
        for unit in whole_trajectories(fold.held_out, besides=fold.fitted):
            errors.append(atom_errors([fold.held_out[k] for k in unit], [said[k] for k in unit]))
            spreads.append(np.concatenate([doubted[k] for k in unit]))
    if len(folds) > 1:
        all_ = np.concatenate(spread)
        parts = [np.concatenate(fold.evaluate(known)[1]) for fold in folds]
        both = [(all_ > LEAST_SPREAD) & (part > LEAST_SPREAD) for part in parts]
        shares = [np.log(part[true] / all_[true]) for part, true in zip(parts, both, strict=True)]
        scores = [np.maximum(e, LEAST_SPREAD) / s for e, s in zip(errors, spreads, strict=True)]
        errors = transferred(scores, np.concatenate(shares))
        spreads = [np.ones(len(one)) for one in errors]
    found = calibrate(np.concatenate(errors), np.concatenate(spreads))
    return found, level_margins(found, errors, spreads)


def transferred(scores: Sequence[FloatArray], shares: FloatArray) -> list[FloatArray]:
    """Turn scores of the parts into scores of the whole.

    Parameters
    ----------
    scores
        (N,) |error| / spread of the part that has not fitted a frame, of each frame.
    shares
        (M,) logarithm of spread of a part / spread of the whole.

    Returns
    -------
    (N,) |error| / spread of the whole, of each frame.
    """
    logs = np.log(np.concatenate(scores))
    if not len(shares) or logs.var() <= 0:
        return list(scores)
    narrower = np.sqrt(max(1 - shares.var() / logs.var(), 0.0))
    return [np.exp(logs.mean() + shares.mean() + narrower * (np.log(one) - logs.mean())) for one in scores]
