"""Result of a round of active learning."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from flatforce.active.assess import reason_to_stop
from flatforce.active.trajectories import EXPLODED
from flatforce.core.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from flatforce.active.assess import Assessment
    from flatforce.active.config import LearnConfig, StoppingConfig

UNITS: Final = {
    "n_train": "",
    "n_labels": "",
    "force_mae": "meV/Å",
    "force_mae_low": "meV/Å",
    "force_mae_high": "meV/Å",
    "energy_mae": "meV/atom",
    "n_test": "",
    "coverage_68": "",
    "coverage_95": "",
    "outside_fraction": "",
    "n_candidates": "",
    "n_selected": "",
    "n_failed": "",
    "training_time": "s",
    "label_time": "s",
    "max_force_uncertainty": "eV/Å",
}
"""Units of the metrics of a round."""

HISTORY: Final = ("n_labels", "force_mae", "force_mae_low", "force_mae_high")
"""Metrics of the earlier rounds that each round repeats."""

ALL_LABELS_FAILED: Final = (
    "every label of two rounds in a row failed: correct what the reasons name (`label.timeout` and `label.machine` may change) "
    "and run the same command again, which retries them; other `label.settings` or samplers need another folder, -o …"
)
"""Reason to stop."""


@dataclass(frozen=True)
class SelectedFrame:
    """A frame that was selected to be labelled."""

    name: str
    """Name of the frame."""
    source: str
    """Its sampler, or its config type in the pool."""
    force_uncertainty: float
    """eV/Å, largest 90 % interval of an atom's force before it was labelled. Where atoms are outside the calibration set it only ranks
    the candidates, and covers nothing."""
    reason: str
    """Why it was selected."""
    n_outside: int = 0
    """Number of its atoms whose environment was unlike any in the calibration set."""
    force_error: float | None = None
    """eV/Å, largest error of an atom's force that its label showed; None without a label."""


@dataclass(frozen=True)
class Acquisition:
    """Candidates of a round, and the labels that were requested."""

    n_candidates: int = 0
    """Number of candidates."""
    selected: Sequence[SelectedFrame] = ()
    """The selected frames, in the order of selection."""
    failures: Sequence[tuple[str, str]] = ()
    """Name of each frame whose label failed, and the reason."""
    label_time: float = 0.0
    """s, sum over all labels."""
    max_force_uncertainty: float | None = None
    """eV/Å, largest force uncertainty among all candidates; None without candidates."""
    trajectories: Sequence[dict[str, Any]] | None = None
    """Summary of each trajectory, see `summarise_trajectories`; None if the round ended before it sampled."""

    @property
    def all_failed(self) -> bool:
        """Whether labels were requested, and each of them failed."""
        return len(self.failures) == len(self.selected) > 0


@dataclass(frozen=True, repr=False)
class LearningRound(Outcome):
    """A round of active learning: a trained force field, its errors, and the frames that were labelled with it."""

    kind: ClassVar[str] = "learning round"

    assessment: Assessment
    """Errors on the test set, and calibration."""
    n_train: int
    """Number of labelled frames known in the round, calibration set included."""
    n_labels: int
    """Number of labels that earlier rounds requested."""
    stop: StoppingConfig
    """Criteria that end the run."""
    training_time: float
    """s, sum over all members."""
    previous: Sequence[Mapping[str, float]] = ()
    """Metrics of the earlier rounds."""
    warnings: Sequence[str] = ()
    """Warnings of the training and of the data."""
    acquisition: Acquisition = field(default_factory=Acquisition)
    """Selection and labels; empty if the run ended with this round."""
    exhaustion: str = ""
    """Why there is no candidate, if there is none."""

    @property
    def units(self) -> dict[str, str]:  # type: ignore[override]  # those of the metrics that there are
        """Unit of each metric."""
        return {name: UNITS[name] for name in self.metrics}

    @property
    def metrics(self) -> dict[str, float]:
        """Sizes, errors, coverage and times of the round."""
        acquisition = self.acquisition
        metrics = {"n_train": float(self.n_train), "n_labels": float(self.n_labels)}
        metrics |= self.assessment.metrics
        metrics |= {
            "n_candidates": float(acquisition.n_candidates),
            "n_selected": float(len(acquisition.selected)),
            "n_failed": float(len(acquisition.failures)),
            "training_time": self.training_time,
            "label_time": acquisition.label_time,
        }
        if acquisition.max_force_uncertainty is not None:
            metrics["max_force_uncertainty"] = acquisition.max_force_uncertainty
        return metrics

    @property
    def met_criterion(self) -> str:
        """The criterion of `stop` that ends the run; empty if it continues."""
        metrics = [*self.previous, self.assessment.metrics]
        return reason_to_stop(metrics, self.stop, n_labels=self.n_labels)

    @property
    def stop_reason(self) -> str:
        """Why the run ends with this round; empty if it continues."""
        if self.met_criterion or self.exhaustion:
            return self.met_criterion or self.exhaustion
        if self.acquisition.all_failed and self.previous and _all_failed(self.previous[-1]):
            return ALL_LABELS_FAILED
        return ""

    @property
    def problems(self) -> list[str]:
        """Labels that failed in two rounds in a row."""
        return [ALL_LABELS_FAILED] if self.stop_reason == ALL_LABELS_FAILED else []

    @property
    def notes(self) -> list[str]:
        """Warnings of training, data and coverage, failed labels, exploded trajectories."""
        texts = [*self.warnings, *self.assessment.coverage.warnings]
        texts += [f"the label of {name} failed: {reason}" for name, reason in self.acquisition.failures]
        texts += [
            f"{trajectory['formula']} at {trajectory['temperature']:g} K {trajectory['status']}: "
            "lower `dynamics.uncertainty_threshold`, `temperatures` or `time_step`"
            for trajectory in self.acquisition.trajectories or ()
            if trajectory["status"].startswith(EXPLODED)
        ]
        return texts

    @property
    def details(self) -> dict[str, Any]:
        """Calibration, errors by config type, selected frames, trajectories, and why the run ended."""
        assessment, acquisition = self.assessment, self.acquisition
        details: dict[str, Any] = {
            **assessment.coverage.details_with(assessment.uncertainty),
            "n_calibration": assessment.n_calibration,
            "force_mae_by_config_type": assessment.force_mae_by_config_type,
            "selected": [asdict(frame) for frame in acquisition.selected],
            "failures": list(acquisition.failures),
            "met_criterion": bool(self.met_criterion),
            "stop_reason": self.stop_reason,
            "history": [
                {name: metrics[name] for name in HISTORY} for metrics in (*self.previous, self.metrics)
            ],
        }
        if acquisition.trajectories is not None:
            details["trajectories"] = list(acquisition.trajectories)
        return details

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return errors and intervals of the forces on the test set.

        Returns
        -------
        Errors, uncertainties, intervals and marks of every test atom, as `LabelledAtoms.arrays` names them.
        """
        return self.assessment.atoms.arrays(self.assessment.uncertainty.calibration)


def _all_failed(metrics: Mapping[str, float]) -> bool:
    return metrics["n_failed"] == metrics["n_selected"] > 0


def describe_exhaustion(config: LearnConfig, trajectories: Sequence[Mapping[str, Any]]) -> str:
    """Say why a round has no candidate.

    Parameters
    ----------
    config
        Settings.
    trajectories
        Summary of each trajectory of the round, see `summarise_trajectories`.

    Returns
    -------
    The reason, which ends the run.
    """
    dynamics = config.sampling.dynamics
    if config.pool or dynamics is None or not dynamics.on_the_fly:
        return "no candidate is left"
    completed = sum(trajectory["completed"] for trajectory in trajectories)
    return (
        f"{completed} of {len(trajectories)} trajectories completed all steps, "
        f"with no force uncertainty above {dynamics.uncertainty_threshold:g} eV/Å"
    )
