"""Ground states of a cluster expansion: the convex hull of many orderings, and how certain it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from typing_extensions import override

from flatforce.core.outcome import Outcome
from flatforce.data.frame_files import write_frames
from flatforce.properties.alloys.cluster_expansion import refit
from flatforce.properties.alloys.csv_files import write_csv
from flatforce.properties.alloys.mapping import compute_cluster_vectors
from flatforce.properties.alloys.scores import HULL_TOLERANCE, lower_hull
from flatforce.properties.alloys.table import concentration_columns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.properties.alloys.cluster_expansion import Expansion
    from flatforce.properties.alloys.config import HullConfig
    from flatforce.structures.alloys import AlloyLattice


@dataclass(frozen=True)
class FittedExpansion:
    """A fitted expansion with the data that it was fitted to, as `alloy fit` leaves it."""

    expansion: Expansion
    """The fit."""
    vectors: FloatArray
    """(m, p) cluster vectors of the table."""
    targets: FloatArray
    """(m,) formation energies of the table in meV per site."""


@dataclass(frozen=True, repr=False)
class ConvexHull(Outcome):
    """Orderings, their formation energies by a cluster expansion, and their convex hull."""

    kind: ClassVar[str] = "alloy hull"
    units = {
        "n_candidates": "",
        "n_ground_states": "",
        "min_formation_energy": "meV/site",
    }

    lattice: AlloyLattice
    """The alloy."""
    orderings: Sequence[Atoms]
    """Undistorted orderings."""
    concentrations: FloatArray
    """(n, n_species) concentrations."""
    formation_energies: FloatArray
    """(n,) formation energies in meV per site."""
    standard_deviations: FloatArray
    """(n,) standard deviations over bootstrap samples of the table, in meV per site."""
    energies_above_hull: FloatArray
    """(n,) energies above the hull in meV per site."""
    probabilities: FloatArray
    """(n,) fraction of bootstrap samples in which the ordering is on the hull."""

    @property
    def ground_states(self) -> list[int]:
        """Indices of the mixed orderings on the hull."""
        return [
            int(index) for index in self._on_hull if self.concentrations[index].max() < 1 - HULL_TOLERANCE
        ]

    @property
    def _on_hull(self) -> IntArray:
        return np.flatnonzero(self.energies_above_hull < HULL_TOLERANCE)

    @property
    @override
    def metrics(self) -> dict[str, float]:
        return {
            "n_candidates": float(len(self.orderings)),
            "n_ground_states": float(len(self.ground_states)),
            "min_formation_energy": float(self.formation_energies.min()),
        }

    @property
    @override
    def details(self) -> dict[str, Any]:
        return {
            "system": self.lattice.name,
            "ground_states": [self._row(index) for index in self.ground_states],
        }

    def _row(self, index: int) -> dict[str, Any]:
        ordering, species = self.orderings[index], self.lattice.species
        return {
            "name": ordering.info["name"],
            "n_sites": self.lattice.n_sites(ordering),
            **dict(zip(concentration_columns(species), self.concentrations[index], strict=True)),
            "formation_energy": self.formation_energies[index],
            "standard_deviation": self.standard_deviations[index],
            "energy_above_hull": self.energies_above_hull[index],
            "probability": self.probabilities[index],
        }

    @override
    def arrays(self) -> dict[str, FloatArray]:
        return {
            "concentrations": self.concentrations,
            "formation_energies": self.formation_energies,
            "standard_deviations": self.standard_deviations,
            "energies_above_hull": self.energies_above_hull,
            "probabilities": self.probabilities,
        }

    @override
    def files(self, folder: Path) -> None:
        rows = [self._row(index) for index in range(len(self.orderings))]
        write_csv(folder / "hull.csv", list(rows[0]), rows)
        write_frames(folder / "ground_states.extxyz", [self.orderings[index] for index in self._on_hull])


def find_ground_states(
    lattice: AlloyLattice, fit: FittedExpansion, orderings: Sequence[Atoms], config: HullConfig
) -> ConvexHull:
    """Search orderings for ground states; refit the expansion to bootstrap samples of the table for their probability.

    Parameters
    ----------
    lattice
        The alloy.
    fit
        The expansion, and the table that it was fitted to.
    orderings
        Candidates, undistorted, such as all orderings up to a size.
    config
        Settings: number and seed of the bootstrap samples.

    Returns
    -------
    The orderings with their formation energies and energies above the hull in meV per site, and their probabilities.
    """
    vectors = compute_cluster_vectors(fit.expansion.design.space, lattice, orderings)
    concentrations = np.array([list(lattice.composition(ordering).values()) for ordering in orderings])
    energies = fit.expansion.predict(vectors)
    n_rows = len(fit.targets)
    rng = np.random.default_rng(config.seed)
    sampled_energies, on_hull = [], []
    for _ in range(config.samples):
        rows = rng.integers(0, n_rows, size=n_rows)
        sampled = vectors @ refit(fit.expansion, fit.vectors[rows], fit.targets[rows])
        sampled_energies.append(sampled)
        on_hull.append(lower_hull(concentrations, sampled) < HULL_TOLERANCE)
    return ConvexHull(
        lattice,
        orderings,
        concentrations,
        energies,
        np.std(sampled_energies, axis=0),
        lower_hull(concentrations, energies),
        np.mean(on_hull, axis=0),
    )
