"""Models that are trained anew for each split: a force field trained further, and a network of energies alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from flatforce.core.progress import Progress, silent
from flatforce.data.frames import ENERGY
from flatforce.properties.alloys.energies import AlloyEnergies, energies_by_model
from flatforce.properties.alloys.predictors import RELAXED_BY_DFT, Predictor
from flatforce.properties.alloys.table import on_lattice
from flatforce.properties.alloys.training import Further, Network, set_aside, trained

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


def _by_spread(frames: Sequence[Atoms]) -> float:
    """Weigh energies by their spread: errors of meV squared would be lost beside the round-off that optimisers allow for."""
    spread = np.std([frame.info[ENERGY] / len(frame) for frame in frames])
    return float(1 / max(spread, SMALLEST_SPREAD) ** 2)
