"""Errors of a force field against DFT labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from flatforce.core.outcome import Outcome
from flatforce.core.progress import Progress, silent
from flatforce.data.audit.sheets import sheet_notes
from flatforce.data.frames import ISOLATED_NOTE
from flatforce.data.label_origin import label_methods
from flatforce.models.errors import (
    ALIGNED_UNITS,
    ERROR_UNITS,
    Comparison,
    aligned_errors,
    compare,
    element_force_errors,
    error_metrics,
)
from flatforce.models.resumable import evaluate_resumably

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms
    from numpy.typing import NDArray

    from flatforce.core.arrays import BoolArray
    from flatforce.models.potential import Potential
    from flatforce.models.prediction import Prediction

MISALIGNED: Final = 10.0
"""Ratio of the errors without and with fitted reference energies beyond which the references differ."""

MIN_MISALIGNMENT: Final = 20.0
"""meV/atom. Smaller errors are those of a model on its own references."""


@dataclass(frozen=True, repr=False)
class Evaluation(Outcome):
    """Errors over all frames, by config type and by element."""

    kind: ClassVar[str] = "evaluate"

    model: str
    """Spec of the force field."""
    comparison: Comparison
    """Labels and predictions of the frames that the force field was not trained on; of all if it was trained on all."""
    errors: dict[str, float]
    """Metric → error with the names and units of `ERROR_UNITS` and `ALIGNED_UNITS`, over the frames that the force field was not
    trained on; over all frames if it was trained on all. The errors by config type and by element are over the same frames."""
    train_errors: dict[str, float]
    """The same over frames of its training and validation set; empty if there is none."""
    is_training: BoolArray
    """(F,) whether the force field was trained on, or validated with, the frame."""
    n_isolated: int
    """Number of isolated atoms that were left out."""
    sheet_notes: list[str]
    """Notes on frames that are not isolated sheets."""
    config_type_errors: dict[str, dict[str, float]]
    """Config type → metric → error, with the names and units of `ERROR_UNITS`."""
    element_force_mae: dict[str, float]
    """Element → mean absolute error of the force components on its atoms, meV/Å."""
    labels: list[str]
    """DFT codes and functionals that the frames state."""

    @property
    def units(self) -> dict[str, str]:  # type: ignore[override]  # those of the metrics that there are
        """Unit of each metric."""
        known = ERROR_UNITS | ALIGNED_UNITS | {"n_frames": "", "n_train_frames": ""}
        return {name: known.get(name) or known.get(name.removeprefix("train_"), "") for name in self.metrics}

    @property
    def metrics(self) -> dict[str, float]:
        """Errors over frames outside the training set, and those over frames in it."""
        counts = {"n_frames": float(len(self.is_training)), "n_train_frames": float(self.is_training.sum())}
        return self.errors | {f"train_{name}": error for name, error in self.train_errors.items()} | counts

    @property
    def notes(self) -> list[str]:
        """Frames of the training set, and energies from other references."""
        notes = [ISOLATED_NOTE.format(count=self.n_isolated)] if self.n_isolated else []
        notes += self.sheet_notes
        count, total = int(self.is_training.sum()), len(self.is_training)
        if count == total:
            notes.append(
                f"all {total} frames are in the training set of {self.model}: the errors are no test errors"
            )
        elif count:
            notes.append(
                f"{count} of {total} frames are in the training set of {self.model}; their errors are listed apart, as train_…"
            )
        mae, aligned = (self.errors.get(name, 0.0) for name in ("energy_mae", "energy_mae_aligned"))
        if aligned and mae > MISALIGNED * aligned and mae > MIN_MISALIGNMENT:
            notes.append(
                f"the energies count from other references than the labels: once those of the elements are fitted, {mae:.0f} "
                f"meV/atom become {aligned:.1f} (energy_mae_aligned)"
            )
        return notes

    @property
    def details(self) -> dict[str, Any]:
        """Model, number of frames, and the errors by config type and by element."""
        return {
            "model": self.model,
            "config_type": self.config_type_errors,
            "element_force_mae": self.element_force_mae,
            "n_frames": self.comparison.energy.shape[1],
            "train_errors": self.train_errors,
            "labels": self.labels,
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the labels and predictions of the parity plots.

        Returns
        -------
        `energy` (2, F) eV/atom, `forces` (2, A, 3) eV/Å, `stress` (2, S, 3) N/m, labels first; the config type of each
        (`frame_group`, `atom_group`, `stress_group`) and the element of each atom (`atom_symbol`); hash and number of atoms of
        each frame (`frame_hash`, `frame_size`), and the frame of each stress (`stress_frame`).
        """
        comparison = self.comparison
        return {
            "energy": comparison.energy,
            "forces": comparison.forces,
            "stress": comparison.stress,
            "frame_group": np.array(comparison.frame_group),
            "atom_group": np.array(comparison.atom_group),
            "atom_symbol": np.array(comparison.atom_symbol),
            "stress_group": np.array(comparison.stress_group),
            "stress_frame": np.array(comparison.stress_frame, dtype=int),
            "frame_hash": np.array(comparison.frame_hash),
            "frame_size": np.array(comparison.frame_size, dtype=int),
        }


def evaluate(
    potential: Potential,
    frames: Sequence[Atoms],
    *,
    is_training: BoolArray | None = None,
    n_isolated: int = 0,
    checkpoint: Path | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Compare the predictions of a force field with labels.

    Parameters
    ----------
    potential
        The force field.
    frames
        Labelled frames.
    is_training
        (F,) whether the force field was trained on the frame; on none if None.
    n_isolated
        Number of isolated atoms that were left out, for the note about them.
    checkpoint
        File of the predictions of an interrupted run, which are not computed again; None to keep nothing.
    progress
        Called after each batch.

    Returns
    -------
    Errors over frames outside and inside the training set, by config type and by element.
    """
    predictions = evaluate_resumably(potential, frames, checkpoint=checkpoint, progress=progress)
    return evaluate_predictions(
        potential.spec, frames, predictions, is_training=is_training, n_isolated=n_isolated
    )


def evaluate_predictions(
    model: str,
    frames: Sequence[Atoms],
    predictions: Sequence[Prediction],
    *,
    is_training: BoolArray | None = None,
    n_isolated: int = 0,
) -> Evaluation:
    """Compare predictions with labels.

    Parameters
    ----------
    model
        Spec of the force field that made the predictions.
    frames
        Labelled frames.
    predictions
        Prediction of each frame.
    is_training
        (F,) whether the force field was trained on the frame; on none if None.
    n_isolated
        Number of isolated atoms that were left out, for the note about them.

    Returns
    -------
    Errors over frames outside and inside the training set, by config type and by element.
    """
    is_known = np.zeros(len(frames), dtype=bool) if is_training is None else is_training
    tested, comparison = _compare(frames, predictions, is_known if is_known.all() else ~is_known)
    train_errors: dict[str, float] = {}
    if is_known.any() and not is_known.all():
        trained, train_comparison = _compare(frames, predictions, is_known)
        train_errors = _errors(trained, train_comparison)
    config_types = sorted(set(comparison.frame_group))
    return Evaluation(
        model=model,
        comparison=comparison,
        errors=_errors(tested, comparison),
        train_errors=train_errors,
        is_training=is_known,
        n_isolated=n_isolated,
        sheet_notes=sheet_notes(frames),
        config_type_errors={name: error_metrics(comparison, group=name) for name in config_types},
        element_force_mae=element_force_errors(comparison),
        labels=label_methods(frames),
    )


def _compare(
    frames: Sequence[Atoms], predictions: Sequence[Prediction], selected: BoolArray
) -> tuple[list[Atoms], Comparison]:
    indices = np.flatnonzero(selected).tolist()
    selected_frames = [frames[k] for k in indices]
    return selected_frames, compare(selected_frames, [predictions[k] for k in indices])


def _errors(frames: Sequence[Atoms], comparison: Comparison) -> dict[str, float]:
    """Errors with the aligned ones of energies beside those of energies."""
    errors, aligned = error_metrics(comparison), aligned_errors(frames, comparison)
    energies = {name: error for name, error in errors.items() if name.startswith("energy")}
    return energies | aligned | errors
