"""Whether a force field knows the images of a path: distances of its training set, committee, and labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.data.frames import get_labels
from flatforce.data.training_range import TrainingRange, pair_courses
from flatforce.models.backends.committee import CommitteeBackend
from flatforce.models.model_card import training_range
from flatforce.reference.label import label

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import BoolArray, FloatArray
    from flatforce.core.progress import Progress
    from flatforce.models.potential import Potential
    from flatforce.models.prediction import Prediction
    from flatforce.properties.barriers.config import NebConfig


@dataclass(frozen=True)
class Verification:
    """Labels of the decisive images."""

    names: list[str]
    """Which images were labelled."""
    frames: list[Atoms]
    """The labelled frames."""
    failures: list[tuple[str, str]]
    """Name of each image whose label failed, and the reason."""
    energies: FloatArray
    """(3) eV, labels of start, saddle point and end, NaN where one failed."""
    predicted: FloatArray
    """(3) eV, predictions of the force field."""
    max_force_error: float
    """eV/Å, largest error of an atom's force."""

    @property
    def barrier(self) -> float:
        """Barrier of the labels in eV."""
        return float(self.energies[1] - self.energies[0])

    @property
    def barrier_error(self) -> float:
        """Barrier of the force field minus that of the labels, on the same structures, in eV."""
        return float(self.predicted[1] - self.predicted[0]) - self.barrier


@dataclass(frozen=True)
class Judgement:
    """What is known of the images of a path."""

    courses: dict[str, FloatArray]
    """Pair of elements → (n_images) Å, smallest distance."""
    known: TrainingRange | None
    """Range of the training set; None where no model card states it."""
    outside: BoolArray
    """(n_images) whether an image is outside the training set, or uncertain."""
    problems: list[str]
    """Why images are outside, whole sentences."""
    notes: list[str]
    """Neighbours that atoms of the training set do not have."""
    member_energies: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    """(M, n_images) eV, energies of the members of a committee; no rows for a single model."""
    forces_std: FloatArray | None = None
    """(n_images) eV/Å, largest standard deviation of a force of a committee; None for a single model."""

    @property
    def distance_ratio(self) -> float:
        """Smallest distance along the path divided by the smallest one in the training set; NaN where that is unknown."""
        if self.known is None:
            return float("nan")
        shortest = self.known.shortest
        return min(
            float(course.min()) / shortest[pair] for pair, course in self.courses.items() if pair in shortest
        )


def judge(
    potential: Potential, images: Sequence[Atoms], predictions: Sequence[Prediction], config: NebConfig
) -> Judgement:
    """Compare the images of a path with the training set of the force field, and the members of a committee with one another.

    Parameters
    ----------
    potential
        The force field.
    images
        Images, ends included.
    predictions
        Their predictions.
    config
        Settings.

    Returns
    -------
    Which images are outside, and why.
    """
    known = training_range(potential.spec)
    outside = np.zeros(len(images), dtype=bool)
    courses = pair_courses(images)
    problems, notes = [], []
    if known is not None:
        close, unusual = _outside(images, known, outside)
        problems += [f"The path leaves what the force field was trained on: {text}." for text in close]
        notes += unusual
    stds = [
        float(np.linalg.norm(prediction.forces_std, axis=1).max())
        for prediction in predictions
        if prediction.forces_std is not None
    ]
    forces_std = np.array(stds) if len(stds) == len(images) else None
    if forces_std is not None and forces_std.max() > config.uncertainty_threshold:
        outside |= forces_std > config.uncertainty_threshold
        k = int(forces_std.argmax())
        problems.append(
            f"The committee is not sure of the path: the standard deviation of a force in image {k} is {forces_std[k]:.2f} eV/Å, and "
            f"uncertainty_threshold is {config.uncertainty_threshold:g}."
        )
    return Judgement(
        courses, known, outside, problems, notes, _member_energies(potential, images), forces_std
    )


def _outside(
    images: Sequence[Atoms], known: TrainingRange, outside: BoolArray
) -> tuple[list[str], list[str]]:
    """Mark images with atoms that are too close; one text for the worst image of each pair, and for each element."""
    close: dict[str, tuple[float, str]] = {}
    unusual: dict[str, str] = {}
    for k, image in enumerate(images):
        texts = known.too_close(image)
        outside[k] = bool(texts)
        for pair, text in texts.items():
            distance = float(pair_courses([image])[pair][0])
            if pair not in close or distance < close[pair][0]:
                close[pair] = (distance, f"in image {k}, {text}")
        for element, text in known.unusual_neighbours(image).items():
            unusual.setdefault(element, f"in image {k}, {text}")
    return [text for _, text in close.values()], list(unusual.values())


def _member_energies(potential: Potential, images: Sequence[Atoms]) -> FloatArray:
    backend = potential.backend
    if not isinstance(backend, CommitteeBackend):
        return np.zeros((0, len(images)))
    return np.array(
        [
            [prediction.energy for prediction in member.evaluate(images, stress=False)]
            for member in backend.members
        ]
    )


def verify(
    images: dict[str, Atoms],
    predictions: Sequence[Prediction],
    config: NebConfig,
    *,
    cache: Path,
    progress: Progress,
) -> Verification:
    """Label start, saddle point and end, and compare them with the force field.

    Parameters
    ----------
    images
        `start`, `saddle` and `end`.
    predictions
        Their predictions.
    config
        Settings, with those of the labels.
    cache
        Folder of finished labels.
    progress
        Called after each label.

    Returns
    -------
    Labels, failures, and errors of the force field.
    """
    assert config.verify is not None  # noqa: S101  # the caller asks
    structures: list[Any] = []
    for name, image in images.items():
        structure = image.copy()
        structure.info = {"name": name, "config_type": "neb"}
        structures.append(structure)
    result = label(structures, config.verify, cache=cache, progress=progress)
    by_name = {str(frame.info["name"]): get_labels(frame) for frame in result.frames}
    energies = [by_name[name].energy if name in by_name else np.nan for name in images]
    errors = [
        float(np.linalg.norm(prediction.forces - by_name[name].forces, axis=1).max())
        for name, prediction in zip(images, predictions, strict=True)
        if name in by_name
    ]
    return Verification(
        list(images),
        result.frames,
        result.failures,
        np.array(energies),
        np.array([prediction.energy for prediction in predictions]),
        max(errors, default=float("nan")),
    )
