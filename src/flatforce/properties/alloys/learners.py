"""Models that are trained anew for each split: a force field trained further, and a network of energies alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt
from typing_extensions import override

from flatforce.core.config import Config
from flatforce.core.errors import DataError
from flatforce.core.hashing import hash_file, hash_structure, hash_value
from flatforce.core.progress import Progress, silent
from flatforce.core.results import read_record
from flatforce.data.frames import ENERGY, FORCES, write_frames
from flatforce.models import load
from flatforce.models.spec import model_files
from flatforce.models.training.architectures import Architecture, MaceArchitecture
from flatforce.models.training.config import TrainConfig, Weights
from flatforce.models.training.run import train
from flatforce.properties.alloys.energies import AlloyEnergies, energies_by_model
from flatforce.properties.alloys.predictors import RELAXED_BY_DFT, Predictor
from flatforce.properties.alloys.table import on_lattice

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.models.potential import Potential
    from flatforce.properties.alloys.table import AlloyTable
    from flatforce.structures.alloys import AlloyLattice


SMALLEST_SPREAD = 1e-5
"""eV/atom. Below, formation energies are noise."""

VALIDATION = 0.2
"""Share of the training orderings, end members apart, that choose epochs and candidates."""

FEW = 6
"""Training orderings below which one of them does; else two or more."""


class Further(Config):
    """A force field that is trained further on the frames of the training orderings."""

    start_from: str
    """The force field."""
    learning_rates: list[PositiveFloat] = Field([3e-4], min_length=1)
    """Candidates; validation orderings, taken from the training ones, choose."""
    epochs: list[PositiveInt] = Field([40], min_length=1)
    """Candidates."""
    batch_size: PositiveInt = 2
    """Frames a step."""
    weights: Weights = Weights(energy=1e5, forces=100.0, stress=10.0)
    """Of the loss; formation energies are a few meV per atom: 0.5 meV/atom weigh as much as 15 meV/Å."""


class Network(Config):
    """A network of formation energies on relaxed sheets, from random weights."""

    model: Architecture = MaceArchitecture(hidden_irreps="16x0e + 16x1o", r_max=5.0)
    """Its shape."""
    learning_rates: list[PositiveFloat] = Field([5e-3], min_length=1)
    """Candidates; validation orderings choose."""
    epochs: list[PositiveInt] = Field([200], min_length=1)
    """Candidates."""
    batch_size: PositiveInt = 4
    """Frames a step."""
    n_models: PositiveInt = 3
    """Trained from different seeds; their mean answers: one depends on its seed by as much as models differ."""


@dataclass(frozen=True)
class FineTuned(Predictor):
    """A force field trained further on the DFT frames of the training orderings, then relaxing the others itself."""

    lattice: AlloyLattice
    table: AlloyTable
    frames: dict[str, list[Atoms]]
    """Name of each ordering → all labelled frames of its relaxation."""
    config: Further
    energies: AlloyEnergies
    folder: Path
    label: str
    progress: Progress = silent
    sees: str = "relaxed by itself"
    chosen: list[str] = field(default_factory=list)

    @property
    @override
    def name(self) -> str:
        return f"{self.label}, trained further"

    @override
    def predict(self, train: IntArray, targets: FloatArray, test: IntArray) -> FloatArray:
        del targets  # the frames hold total energies
        aside = set_aside(self.table, train)
        fitted, choosing = (
            [frame for k in rows for frame in self.frames[self.table.rows[k].name]]
            for rows in (np.setdiff1d(train, aside), aside)
        )
        base = {
            "start_from": self.config.start_from,
            "weights": self.config.weights.model_dump(),
            "batch_size": self.config.batch_size,
        }
        potential, said = trained(fitted, choosing, base, self.config, self.folder, self.progress)
        self.chosen.append(said)
        return self._relaxed(potential, train, test)

    def _relaxed(self, potential: Potential, train: IntArray, test: IntArray) -> FloatArray:
        ends = [int(k) for k in train if self.table.rows[k].end_member]
        places = [*ends, *(int(k) for k in test)]
        solved = energies_by_model(
            self.lattice, [self.table.orderings[k] for k in places], potential, self.energies
        )
        kept = on_lattice(self.lattice, solved, max_distance=self.energies.max_distance)
        per_site = [e / self.table.rows[k].n_sites for e, k in zip(kept, places, strict=True)]
        return against_ends(self.table, ends, per_site[: len(ends)], test, per_site[len(ends) :])


@dataclass(frozen=True)
class EnergyNetwork(Predictor):
    """A network that maps relaxed sheets to formation energies."""

    table: AlloyTable
    relaxed: Sequence[Atoms]
    """In the order of the rows."""
    config: Network
    folder: Path
    sees: str = RELAXED_BY_DFT
    label: str = "energy network"
    progress: Progress = silent
    chosen: list[str] = field(default_factory=list)

    @property
    @override
    def name(self) -> str:
        return self.label

    @override
    def predict(self, train: IntArray, targets: FloatArray, test: IntArray) -> FloatArray:
        frames = {}
        for k, target in zip(train, targets, strict=True):
            frames[int(k)] = self._sheet(int(k))
            frames[int(k)].info[ENERGY] = 1e-3 * float(target) * self.table.rows[k].n_sites
        aside = {int(k) for k in set_aside(self.table, train)}
        fitted, choosing = (
            [f for k, f in frames.items() if (k in aside) == chosen] for chosen in (False, True)
        )
        base = {
            "model": self.config.model.model_dump(),
            "n_models": self.config.n_models,
            "weights": {"energy": _by_spread([*frames.values()]), "forces": 0.0, "stress": 0.0},
            "batch_size": self.config.batch_size,
            "e0s": dict.fromkeys(sorted({s for f in fitted for s in f.get_chemical_symbols()}), 0.0),
        }
        potential, said = trained(fitted, choosing, base, self.config, self.folder, self.progress)
        self.chosen.append(said)
        ends = [int(k) for k in train if self.table.rows[k].end_member]
        places = [*ends, *(int(k) for k in test)]
        found = potential.evaluate([self._sheet(k) for k in places], stress=False)
        per_site = [one.energy / self.table.rows[k].n_sites for one, k in zip(found, places, strict=True)]
        return against_ends(self.table, ends, per_site[: len(ends)], test, per_site[len(ends) :])

    def _sheet(self, place: int) -> Atoms:
        frame: Atoms = self.relaxed[place].copy()
        frame.info = {"material": self.table.rows[place].name, "config_type": "ordering"}
        for key in set(frame.arrays) - {"numbers", "positions"}:
            del frame.arrays[key]
        return frame


def against_ends(
    table: AlloyTable, ends: Sequence[int], pure: Sequence[float], test: IntArray, energies: Sequence[float]
) -> FloatArray:
    """Measure energies of a model from its own end members.

    Parameters
    ----------
    table
        The table.
    ends
        Rows of the end members.
    pure
        eV per site of each.
    test
        (k,) rows.
    energies
        (k,) eV per site.

    Returns
    -------
    (k,) meV per site.
    """
    known = {int(np.argmax(table.rows[k].shares)): energy for k, energy in zip(ends, pure, strict=True)}
    mixed = [sum(share * known[s] for s, share in enumerate(table.rows[k].shares)) for k in test]
    return np.asarray(1e3 * (np.array(energies) - np.array(mixed)))


def set_aside(table: AlloyTable, train: IntArray) -> IntArray:
    """Choose training orderings that choose epochs and candidates; end members, whose energies are known, are fitted.

    Parameters
    ----------
    table
        The table.
    train
        (m,) training rows.

    Returns
    -------
    (k,) rows, by the names of the training rows alone.

    Raises
    ------
    DataError
        If fewer than two orderings train.
    """
    mixed = sorted((int(k) for k in train if not table.rows[k].end_member), key=lambda k: table.rows[k].name)
    if len(mixed) < 2:
        raise DataError(
            f"{len(mixed)} training orderings are too few to train on.",
            why="one of them chooses the epoch",
            fix="make more orderings: raise `max_cells`",
        )
    count = 1 if len(mixed) < FEW else max(2, round(VALIDATION * len(mixed)))
    return np.sort(np.random.default_rng(0).permutation(mixed)[:count])


def _by_spread(frames: Sequence[Atoms]) -> float:
    """Weigh energies by their spread: errors of meV squared would be lost beside the round-off that optimisers allow for."""
    spread = np.std([frame.info[ENERGY] / len(frame) for frame in frames])
    return float(1 / max(spread, SMALLEST_SPREAD) ** 2)


def _frame_key(frame: Atoms) -> list[Any]:
    forces = frame.arrays.get(FORCES)
    return [hash_structure(frame), float(frame.info[ENERGY]), None if forces is None else forces.tolist()]


def trained(
    fitted: Sequence[Atoms],
    choosing: Sequence[Atoms],
    base: dict[str, Any],
    config: Further | Network,
    folder: Path,
    progress: Progress,
) -> tuple[Potential, str]:
    """Train every candidate and keep the one that the validation orderings like best; a finished run is taken up.

    Parameters
    ----------
    fitted
        Labelled frames.
    choosing
        Labelled frames of other orderings: they choose the epoch and the candidate.
    base
        Settings that candidates share.
    config
        Candidates.
    folder
        Where trainings stand, one subfolder for each set of frames and settings.
    progress
        Told after each epoch.

    Returns
    -------
    The model and what was chosen.

    Raises
    ------
    DataError
        If every candidate diverged.
    """
    best: tuple[float, Path, str] | None = None
    start = [hash_file(path) for path in model_files(base["start_from"])] if "start_from" in base else []
    for rate in config.learning_rates:
        for epochs in config.epochs:
            values = base | {"learning_rate": rate, "epochs": epochs, "name": "alloy", "stage_two": None}
            key = hash_value(
                [values, start, [[_frame_key(frame) for frame in some] for some in (fitted, choosing)]]
            )
            inside = folder / key
            files = {"fitted": fitted, "choosing": choosing}
            for name, frames in files.items():
                if not (inside / f"{name}.extxyz").is_file():
                    write_frames(inside / f"{name}.extxyz", list(frames))
            data, valid = (str(inside / f"{name}.extxyz") for name in files)
            settings = TrainConfig.parse(values | {"data": [data], "valid_file": valid, "test_fraction": 0.0})
            result = train(settings, inside / "run", progress=progress)
            error = float(result["metrics"]["energy_mae"] or np.inf)
            if result["converged"] and (best is None or error < best[0]):
                best = (error, inside / "run", f"rate {rate:g}, {epochs} epochs")
    if best is None:
        raise DataError("Every training diverged.", fix="lower the learning rates")
    specs = [f"{card['kind']}:{best[1] / card['file']}" for card in read_record(best[1])["details"]["cards"]]
    return load(specs[0] if len(specs) == 1 else f"committee:{','.join(specs)}"), best[2]
