"""Where a training run starts: random weights scaled to the data, or a model that knows something already."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.errors import ConfigError, ModelError
from flatforce.core.hashing import hash_structure
from flatforce.data.bundled import dataset_path
from flatforce.data.frames import Labels, attach_labels, get_labels, material_of, read_frames, read_labelled
from flatforce.models.atomic_energies import fit_energies
from flatforce.models.loading import load
from flatforce.models.slab import pad_vacuum
from flatforce.models.training.learners.base import Scale, mean_neighbours, pretrained, untrained

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ase import Atoms

    from flatforce.models.potential import Potential
    from flatforce.models.training.config import Replay, TrainConfig
    from flatforce.models.training.learners.base import Learner


def begin(
    config: TrainConfig,
    train: Sequence[Atoms],
    never: Sequence[Atoms],
    *,
    seed: int,
    species: set[str],
    e0s: dict[str, float],
) -> tuple[Learner, list[Atoms]]:
    """Make the model that is to be fitted.

    Parameters
    ----------
    config
        Settings.
    train
        Training frames.
    never
        Frames that must not be learnt; with `hold_out: material`, nor any other frame of their materials.
    seed
        Of random weights and of the frames replayed.
    species
        That the model has to know.
    e0s
        Species → eV, for random weights.

    Returns
    -------
    The model, and the frames that it is to be reminded of.

    Raises
    ------
    ModelError
        If a model that is trained further does not know a species.
    """
    import torch

    torch.manual_seed(seed)
    if config.start_from is None:
        return untrained(
            config.model,
            _scale(train, e0s, energy_only=config.energy_only),
            neighbours=lambda cutoff: mean_neighbours([pad_vacuum(f, cutoff) for f in train], cutoff),
            dtype=config.dtype,
        ), []
    learner = pretrained(config.start_from, dtype=config.dtype)
    unknown = species - learner.elements
    if unknown:
        raise ModelError(
            f"{config.start_from} does not know {', '.join(sorted(unknown))}.",
            why="a model trained further learns no new species",
            fix="start from another model, or from random weights",
        )
    before = load(config.start_from, device="cpu", dtype="float32")
    shifts = _misfit(before, train) if config.refit_e0s else {}
    learner.shift(shifts)
    _freeze(learner, config.freeze)
    if config.replay is None:
        return learner, []
    known = {hash_structure(frame) for frame in (*train, *never)}
    out = {material_of(frame) for frame in never} if config.hold_out == "material" else set()

    def allowed(frame: Atoms) -> bool:
        return hash_structure(frame) not in known and material_of(frame) not in out

    return learner, _replayed(config.replay, before, shifts, seed=seed, allowed=allowed)


def _scale(train: Sequence[Atoms], e0s: dict[str, float], *, energy_only: bool) -> Scale:
    labels = [get_labels(frame, need_forces=not energy_only) for frame in train]
    left = [
        (one.energy - sum(e0s[symbol] for symbol in frame.get_chemical_symbols())) / len(frame)
        for one, frame in zip(labels, train, strict=True)
    ]
    forces = np.concatenate([one.forces for one in labels])
    known = forces[np.isfinite(forces) & (not energy_only)]
    size = float(np.sqrt(np.mean(known**2))) if len(known) else float(np.std(left))
    size = size or 1.0
    return Scale(e0s, shift=float(np.mean(left)), force=size)


def _misfit(model: Potential, frames: Sequence[Atoms]) -> dict[str, float]:
    """Species → eV by which the energies of the frames differ from those of the model."""
    found = model.evaluate(frames, stress=False)
    left = [
        get_labels(frame, need_forces=False).energy - one.energy
        for frame, one in zip(frames, found, strict=True)
    ]
    species = sorted({symbol for frame in frames for symbol in frame.get_chemical_symbols()})
    return fit_energies(frames, left, species)


def _freeze(learner: Learner, patterns: Sequence[str]) -> None:
    named: list[tuple[str, Any]] = list(learner.module.named_parameters())
    for pattern in patterns:
        met = [weight for name, weight in named if fnmatch(name, pattern)]
        if not met:
            parts = sorted({name.split(".")[0] for name, _ in named})
            raise ConfigError(
                f"freeze: no weight is called {pattern}.", why=f"names begin with {', '.join(parts)}"
            )
        for weight in met:
            weight.requires_grad_(False)
    if not any(weight.requires_grad for _, weight in named):
        raise ConfigError("freeze leaves nothing to be trained.", fix="freeze fewer weights")


def _replayed(
    replay: Replay,
    before: Potential,
    shifts: dict[str, float],
    *,
    seed: int,
    allowed: Callable[[Atoms], bool],
) -> list[Atoms]:
    own = replay.labels == "own"
    read = read_labelled if own else read_frames
    frames = [
        frame
        for name in replay.data
        for frame in read(dataset_path(name))
        if before.elements >= set(frame.get_chemical_symbols()) and allowed(frame)
    ]
    chosen = sorted(np.random.default_rng([seed, 1]).permutation(len(frames))[: replay.count])
    picked = [frames[i] for i in chosen]
    if own:
        return picked
    return [
        attach_labels(frame, Labels(one.energy + _sum(frame, shifts), one.forces, one.stress))
        for frame, one in zip(picked, before.evaluate(picked), strict=True)
    ]


def _sum(frame: Atoms, energies: dict[str, float]) -> float:
    return sum(energies.get(symbol, 0.0) for symbol in frame.get_chemical_symbols())
