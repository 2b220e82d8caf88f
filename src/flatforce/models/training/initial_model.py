"""The model with which a training run starts: random weights scaled to the data, or an existing model to be fine-tuned."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.errors import ConfigError, ModelError
from flatforce.core.hashing import hash_structure
from flatforce.data.frames import get_labels, material_of
from flatforce.models.atomic_energies import fit_energies
from flatforce.models.loading import load
from flatforce.models.slab import pad_vacuum
from flatforce.models.training.learners.base import Scale, mean_neighbours, pretrained, untrained
from flatforce.models.training.replay import replay_frames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.models.potential import Potential
    from flatforce.models.training.config import TrainConfig
    from flatforce.models.training.learners.base import Learner


@dataclass(frozen=True)
class MemberFrames:
    """Frames of one member of a committee."""

    train: Sequence[Atoms]
    """Training set."""
    excluded: Sequence[Atoms]
    """Validation and test set, whose frames are never replayed."""


def make_initial_model(
    config: TrainConfig, frames: MemberFrames, *, seed: int, species: set[str], e0s: dict[str, float]
) -> tuple[Learner, list[Atoms]]:
    """Make the model that a training run fits.

    Parameters
    ----------
    config
        Settings of the training.
    frames
        Frames of the member. With `hold_out: material` no frame of an excluded material is replayed.
    seed
        Seed of the random weights and of the replayed frames.
    species
        Elements that the model must be able to evaluate.
    e0s
        Element → reference energy in eV, for random weights.

    Returns
    -------
    The model, and the frames that are replayed in fine-tuning.
    """
    import torch

    torch.manual_seed(seed)
    if config.start_from is None:
        return untrained(
            config.model,
            data_scale(frames.train, e0s, energy_only=config.energy_only),
            neighbours=lambda cutoff: mean_neighbours(
                [pad_vacuum(frame, cutoff) for frame in frames.train], cutoff
            ),
            dtype=config.dtype,
        ), []
    return _prepare_fine_tuning(config, config.start_from, frames, seed=seed, species=species)


def _prepare_fine_tuning(
    config: TrainConfig, spec: str, frames: MemberFrames, *, seed: int, species: set[str]
) -> tuple[Learner, list[Atoms]]:
    learner = pretrained(spec, dtype=config.dtype)
    unknown = species - learner.elements
    if unknown:
        raise ModelError(
            f"{spec} does not know {', '.join(sorted(unknown))}.",
            why="fine-tuning cannot add elements to a model",
            fix="set start_from to another model, or leave it out to train from random weights",
        )
    initial = load(spec, device="cpu", dtype="float32")
    shifts = _fit_energy_shifts(initial, frames.train) if config.refit_e0s else {}
    learner.shift(shifts)
    _freeze(learner, config.freeze)
    if config.replay is None:
        return learner, []
    excluded_hashes = {hash_structure(frame) for frame in (*frames.train, *frames.excluded)}
    by_material = config.hold_out == "material"
    excluded_materials = {material_of(frame) for frame in frames.excluded} if by_material else set()

    def is_allowed(frame: Atoms) -> bool:
        return hash_structure(frame) not in excluded_hashes and material_of(frame) not in excluded_materials

    return learner, replay_frames(config.replay, initial, shifts, seed=seed, is_allowed=is_allowed)


def data_scale(train: Sequence[Atoms], e0s: dict[str, float], *, energy_only: bool) -> Scale:
    """Compute the scales of the data, with which random weights are initialised.

    Parameters
    ----------
    train
        Training set.
    e0s
        Element → reference energy in eV.
    energy_only
        Whether forces are ignored.

    Returns
    -------
    Mean energy per atom beyond the reference energies, and root mean square of the force components.
    """
    labels = [get_labels(frame, need_forces=not energy_only) for frame in train]
    residual_energies = [
        (label.energy - sum(e0s[symbol] for symbol in frame.get_chemical_symbols())) / len(frame)
        for label, frame in zip(labels, train, strict=True)
    ]
    forces = np.concatenate([label.forces for label in labels])
    labelled = forces[np.isfinite(forces) & (not energy_only)]
    scale = float(np.sqrt(np.mean(labelled**2))) if len(labelled) else float(np.std(residual_energies))
    return Scale(e0s, shift=float(np.mean(residual_energies)), force=scale or 1.0)


def _fit_energy_shifts(model: Potential, frames: Sequence[Atoms]) -> dict[str, float]:
    """Fit the energies in eV, by element, by which the labels of the frames differ from the predictions of the model."""
    differences = [
        get_labels(frame, need_forces=False).energy - prediction.energy
        for frame, prediction in zip(frames, model.evaluate(frames, stress=False), strict=True)
    ]
    species = sorted({symbol for frame in frames for symbol in frame.get_chemical_symbols()})
    return fit_energies(frames, differences, species)


def _freeze(learner: Learner, patterns: Sequence[str]) -> None:
    parameters: list[tuple[str, Any]] = list(learner.module.named_parameters())
    for pattern in patterns:
        matches = [weight for name, weight in parameters if fnmatch(name, pattern)]
        if not matches:
            prefixes = sorted({name.split(".")[0] for name, _ in parameters})
            raise ConfigError(
                f"freeze: no weight is called {pattern}.",
                why=f"the names of the weights begin with {', '.join(prefixes)}",
                fix=f"write for instance freeze: [{prefixes[0]}.*]",
            )
        for weight in matches:
            weight.requires_grad_(False)
    if not any(weight.requires_grad for _, weight in parameters):
        raise ConfigError("freeze leaves no weight to be trained.", fix="remove a pattern from freeze")
