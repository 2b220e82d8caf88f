"""Comparison of the errors of several force fields on the same labelled frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from flatforce.core.errors import ResultError
from flatforce.core.outcome import Outcome
from flatforce.core.results import read_arrays, read_record
from flatforce.models.errors import ERROR_UNITS, Comparison, error_metrics
from flatforce.properties.benchmark.no_force_field import without_force_field

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

BASELINE = "no force field"
"""Name of the row that a force field has to beat."""


@dataclass(frozen=True)
class StoredEvaluation:
    """An evaluation as its result folder holds it."""

    model: str
    """Spec of the force field."""
    is_training: bool
    """Whether all frames are in the training set of the force field."""
    comparison: Comparison
    """Labels and predictions."""
    labels: list[str]
    """DFT codes and functionals that the frames state."""

    @classmethod
    def read(cls, folder: Path) -> StoredEvaluation:
        """Read the result folder of `flatforce evaluate`.

        Parameters
        ----------
        folder
            Result folder.

        Returns
        -------
        Name of the force field, labels and predictions of the frames of its headline errors.

        Raises
        ------
        ResultError
            If it was written before the hashes of the frames were.
        """
        record, arrays = read_record(folder, kind="evaluate", made_by="evaluate"), read_arrays(folder)
        if "frame_hash" not in arrays:
            raise ResultError(
                f"{folder} does not state which frames it was evaluated on.",
                why="an older version of flatforce wrote it",
                fix="run flatforce evaluate again with another folder",
            )
        fields: dict[str, Any] = {name: arrays[name] for name in ("energy", "forces", "stress")}
        fields |= {name: arrays[name].tolist() for name in LISTS}
        comparison = Comparison(**fields)
        metrics = record["metrics"]
        n_frames, n_train = metrics["n_frames"], metrics["n_train_frames"]
        details = record["details"]
        return cls(details["model"], n_frames == n_train, comparison, details.get("labels", []))

    def restricted(self, hashes: list[str], stress_hashes: list[str]) -> Comparison:
        """Take the labels and predictions of some frames.

        Parameters
        ----------
        hashes
            Hashes of the frames, in the order of the returned arrays.
        stress_hashes
            Hashes of those whose stress is taken.

        Returns
        -------
        Labels and predictions of these frames alone.
        """
        whole = self.comparison
        index = {name: frame for frame, name in enumerate(whole.frame_hash)}
        frames = [index[name] for name in hashes]
        ends = np.cumsum(whole.frame_size)
        atoms = [
            atom for frame in frames for atom in range(ends[frame] - whole.frame_size[frame], ends[frame])
        ]
        position = {name: frame for frame, name in enumerate(hashes)}
        stress_of = {whole.frame_hash[frame]: row for row, frame in enumerate(whole.stress_frame)}
        rows = [stress_of[name] for name in stress_hashes]
        return Comparison(
            energy=whole.energy[:, frames],
            forces=whole.forces[:, atoms],
            stress=whole.stress[:, rows],
            frame_group=[whole.frame_group[frame] for frame in frames],
            atom_group=[whole.atom_group[atom] for atom in atoms],
            atom_symbol=[whole.atom_symbol[atom] for atom in atoms],
            stress_group=[whole.stress_group[row] for row in rows],
            stress_frame=[position[name] for name in stress_hashes],
            frame_hash=hashes,
            frame_size=[whole.frame_size[frame] for frame in frames],
        )

    @property
    def stress_hashes(self) -> set[str]:
        """Hashes of the frames whose stress was labelled and predicted."""
        return {self.comparison.frame_hash[frame] for frame in self.comparison.stress_frame}


LISTS = (
    "frame_group",
    "atom_group",
    "atom_symbol",
    "stress_group",
    "stress_frame",
    "frame_hash",
    "frame_size",
)
"""Arrays of an evaluation that a comparison holds as lists."""


@dataclass(frozen=True, repr=False)
class EvaluationComparison(Outcome):
    """Errors of several force fields over the frames that every one of them was evaluated on."""

    kind: ClassVar[str] = "evaluation comparison"

    evaluations: dict[str, StoredEvaluation]
    """Name → evaluation."""
    common: dict[str, Comparison]
    """Name → labels and predictions of the common frames."""
    baseline: Comparison
    """The same for no force field: energies fitted to the composition, no forces, no stress."""

    @property
    def errors(self) -> dict[str, dict[str, float]]:
        """Name, the baseline last → errors with the names and units of `ERROR_UNITS`."""
        errors = {name: error_metrics(comparison) for name, comparison in self.common.items()}
        return errors | {BASELINE: error_metrics(self.baseline)}

    @property
    def metrics(self) -> dict[str, float]:
        """Errors of each force field and of none, and the number of common frames."""
        flat = {
            f"{name}: {key}": value for name, errors in self.errors.items() for key, value in errors.items()
        }
        return flat | {"n_common": float(len(self.baseline.frame_hash))}

    @property
    def units(self) -> dict[str, str]:  # type: ignore[override]  # those of the metrics that there are
        """Unit of each metric."""
        return {name: ERROR_UNITS.get(name.rpartition(" ")[2], "") for name in self.metrics}

    @property
    def notes(self) -> list[str]:
        """Frames that were left out, and training frames."""
        n_common = len(self.baseline.frame_hash)
        others = {
            name: len(set(evaluation.comparison.frame_hash)) for name, evaluation in self.evaluations.items()
        }
        notes = []
        if any(count != n_common for count in others.values()):
            counts = ", ".join(f"{name} on {count}" for name, count in others.items())
            notes.append(
                f"the same frames were not used for all ({counts}): the errors are over the {n_common} common frames"
            )
        trained = [name for name, evaluation in self.evaluations.items() if evaluation.is_training]
        if trained:
            notes.append(
                f"all frames are in the training set of {', '.join(trained)}: those are no test errors, and cannot be compared "
                "with errors on frames that a force field has not seen"
            )
        return notes

    @property
    def details(self) -> dict[str, Any]:
        """Errors of each force field over the common frames, of no force field, and by config type."""
        groups = sorted(set(self.baseline.frame_group))
        errors = self.errors
        return {
            "models": {
                name: {"model": self.evaluations[name].model, **errors[name]} for name in self.evaluations
            },
            "baseline": errors[BASELINE],
            "labels": sorted({name for entry in self.evaluations.values() for name in entry.labels}),
            "config_type": {
                name: {group: error_metrics(comparison, group=group) for group in groups}
                for name, comparison in self.common.items()
            },
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return labels and predictions of the common frames.

        Returns
        -------
        `energy` (1 + M, F) eV/atom, `forces` (1 + M, A, 3) eV/Å, `stress` (1 + M, S, 3) N/m, the labels first; hashes of the
        frames (`frame_hash`).
        """
        comparisons = list(self.common.values())
        stacked = {
            name: np.stack(
                [getattr(comparisons[0], name)[0], *(getattr(entry, name)[1] for entry in comparisons)]
            )
            for name in ("energy", "forces", "stress")
        }
        return stacked | {"frame_hash": np.array(self.baseline.frame_hash)}


def compare_evaluations(evaluations: Mapping[str, StoredEvaluation]) -> EvaluationComparison:
    """Compare force fields on the frames that every one of them was evaluated on.

    Parameters
    ----------
    evaluations
        Name → evaluation.

    Returns
    -------
    Errors of each force field, and of no force field, over the common frames.

    Raises
    ------
    ResultError
        If no frame, labels included, was used by all.
    """
    first = next(iter(evaluations.values()))
    hashes = [set(evaluation.comparison.frame_hash) for evaluation in evaluations.values()]
    shared = set.intersection(*hashes)
    if not shared:
        counts = ", ".join(f"{name}: {len(own)}" for name, own in zip(evaluations, hashes, strict=True))
        raise ResultError(
            "These evaluations cannot be compared.",
            why=f"no frame, with the same structure and labels, was used by all of them (frames of {counts})",
            fix="run flatforce evaluate with the same frames for each model",
        )
    with_stress = set.intersection(*(evaluation.stress_hashes for evaluation in evaluations.values()))
    common = [name for name in dict.fromkeys(first.comparison.frame_hash) if name in shared]
    stress = [name for name in common if name in with_stress]
    restricted = {name: evaluation.restricted(common, stress) for name, evaluation in evaluations.items()}
    labels = next(iter(restricted.values()))
    return EvaluationComparison(dict(evaluations), restricted, without_force_field(labels))
