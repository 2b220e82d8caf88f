"""Result of a training run: test errors, model cards, and the spec of the force field."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from flatforce.core.outcome import Outcome
from flatforce.data.audit.energies import energy_warnings
from flatforce.data.leakage import copy_warnings
from flatforce.data.splits import split_trajectory_warnings
from flatforce.models.errors import ALIGNED_UNITS, ERROR_UNITS
from flatforce.models.training.epochs import BEST_EPOCH
from flatforce.models.training.reference_energies import reference_energy_warnings
from flatforce.models.training_set import trained_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.models.training.config import TrainConfig
    from flatforce.models.training.data import TrainingData

NO_IMPROVEMENT: Final = (
    "no epoch was better on the validation set than the initial model, which is kept; the best epoch is "
    f"{BEST_EPOCH} beside it. Lower learning_rate, or, if the initial model was trained on these frames, give others as valid_file"
)

NO_TEST: Final = (
    "there is no test set: the errors are those of the validation set, by which the best epoch was chosen"
)


EXCLUDED: Final = (
    "{count} frames are in no subset of {split} and were left out: split the same frames that are trained on"
)

SEEN: Final = (
    "{count} of the {total} test frames are in the training set of {model}: the errors of the initial model are no test errors, and those "
    "of the fine-tuned one are too small; hold other frames out, as split: the folder of that training"
)

MIN_GROWTH: Final = 1.0
"""meV/atom. Energy errors that grow by less are not worth a warning."""

GROWTH: Final = 1.5
"""Ratio of the energy errors after and before fine-tuning beyond which a warning is given; test sets of a few frames scatter less."""


@dataclass(frozen=True, repr=False)
class TrainOutcome(Outcome):
    """Trained models, one for each member of a committee."""

    kind: ClassVar[str] = "train"

    folder: Path
    """Result folder, which holds the model files."""
    cards: list[dict[str, Any]]
    """Model card of each member."""
    warnings: list[str]
    """Warnings about the split."""

    @property
    def units(self) -> dict[str, str]:  # type: ignore[override]  # those of the metrics that there are
        """Unit of each metric."""
        units = ERROR_UNITS | ALIGNED_UNITS
        return {name: units[name.removeprefix("initial_")] for name in self.metrics}

    @property
    def metrics(self) -> dict[str, float]:
        """Test errors, mean over the members, and in fine-tuning those of the initial model, as `initial_…`."""
        trained = [card["test"]["all"] for card in self.cards]
        initial = [
            {f"initial_{name}": error for name, error in card["initial_test"].items()} for card in self.cards
        ]
        return _mean(trained) | _mean(initial)

    @property
    def problems(self) -> list[str]:
        """Members that diverged."""
        return [
            f"{card['file']} diverged; the best weights before the divergence were kept"
            for card in self.cards
            if card["diverged"]
        ]

    @property
    def notes(self) -> list[str]:
        """Elements without training frames, fine-tuning without improvement, and warnings about the split."""
        untrained = self.cards[0]["untrained_elements"]
        return [
            *([f"no frame of the training set contains {', '.join(untrained)}"] if untrained else []),
            *(f"{card['file']}: {NO_IMPROVEMENT}" for card in self.cards if card["best_epoch"] < 0),
            *self._suspicious_errors(),
            *self.warnings,
        ]

    def _suspicious_errors(self) -> list[str]:
        """Energies that became worse by fine-tuning, and predictions worse than the mean of the labels."""
        metrics, texts = self.metrics, []
        energy = metrics.get("energy_mae", 0.0)
        initial = metrics.get("initial_energy_mae_aligned", metrics.get("initial_energy_mae", float("inf")))
        if energy > GROWTH * initial and energy - initial > MIN_GROWTH:
            texts.append(
                f"fine-tuning made the energies of the test set worse: {initial:.1f} meV/atom before (reference energies fitted), "
                f"{energy:.1f} after; raise weights.energy, or add frames to the training set"
            )
        for quantity in ("energy", "force", "stress"):
            r2 = metrics.get(f"{quantity}_r2", 1.0)
            if r2 < 0:
                texts.append(
                    f"the predictions of {quantity} on the test set are worse than the mean of the labels (R² {r2:.2f}): the model is "
                    "not usable for it"
                )
        return texts

    @property
    def details(self) -> dict[str, Any]:
        """Model cards, and the spec by which the force field is loaded."""
        return {"cards": self.cards, "spec": trained_spec(self.folder, self.cards)}


def _mean(errors: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: sum(entry[name] for entry in errors) / len(errors) for name in errors[0]}


def trained_spec(folder: Path, cards: Sequence[dict[str, Any]]) -> str:
    """Name the force field of a training run.

    Parameters
    ----------
    folder
        Result folder of the run.
    cards
        Model card of each member.

    Returns
    -------
    Its spec, as every command takes it: `mace:DIR/model.model`, or `committee:…` for several members.

    Examples
    --------
    >>> trained_spec(Path("ft1"), [{"kind": "chgnet", "file": "model.pth.tar"}])
    'chgnet:ft1/model.pth.tar'
    """
    specs = [f"{card['kind']}:{folder / card['file']}" for card in cards]
    return specs[0] if len(specs) == 1 else f"committee:{','.join(specs)}"


def data_warnings(data: TrainingData, config: TrainConfig) -> list[str]:
    """Warn of a missing test set, of trajectories and copies in both the training and the test set, and of suspicious energies.

    Parameters
    ----------
    data
        Frames of the run.
    config
        Settings of the training.

    Returns
    -------
    Whole sentences for `warnings` of `result.json`; empty if nothing is wrong.
    """
    training = [*data.train_valid, *data.valid]
    return [
        *([] if data.test else [NO_TEST]),
        *([EXCLUDED.format(count=data.n_excluded, split=config.split)] if data.n_excluded else []),
        *split_trajectory_warnings(training, data.test),
        *copy_warnings(training, data.test),
        *_seen_by_initial_model(data, config),
        *energy_warnings(data.all_frames),
        *reference_energy_warnings([*data.isolated, *training], config),
    ]


def _seen_by_initial_model(data: TrainingData, config: TrainConfig) -> list[str]:
    if config.start_from is None or not data.test:
        return []
    count = int(trained_on(config.start_from, data.test).sum())
    if count == 0:
        return []
    return [SEEN.format(count=count, total=len(data.test), model=config.start_from)]
