"""The convex hull of an alloy's formation energies, and how certain it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flatforce.properties.alloys.cluster_expansion import refit
from flatforce.properties.alloys.mapping import cluster_vectors_in
from flatforce.properties.alloys.scores import ON_HULL, lower_hull

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.alloys.cluster_expansion import Expansion
    from flatforce.structures.alloys import AlloyLattice


@dataclass(frozen=True)
class Hull:
    """Orderings, their energies by a cluster expansion, and the hull."""

    shares: FloatArray
    """(n, species)."""
    energies: FloatArray
    """(n,) meV per site."""
    spread: FloatArray
    """(n,) meV per site, standard deviation over resampled expansions."""
    above: FloatArray
    """(n,) meV per site above the hull."""
    probability: FloatArray
    """(n,) share of resampled expansions that put the ordering on the hull."""


def ground_states(
    lattice: AlloyLattice,
    expansion: Expansion,
    orderings: Sequence[Atoms],
    *,
    rows: FloatArray,
    targets: FloatArray,
    draws: int,
    seed: int,
) -> Hull:
    """Search orderings for ground states; refit the expansion to resampled rows for the certainty.

    Parameters
    ----------
    lattice
        The alloy.
    expansion
        The fit.
    orderings
        Candidates, undistorted, such as all up to a size.
    rows
        (m, p) cluster vectors that the expansion was fitted to.
    targets
        (m,) meV per site.
    draws
        Resampled expansions (bootstrap of the rows).
    seed
        Of the draws.

    Returns
    -------
    The hull.
    """
    vectors = cluster_vectors_in(expansion.design.space, lattice, orderings)
    shares = np.array([list(lattice.composition(one).values()) for one in orderings])
    energies = expansion.predict(vectors)
    rng = np.random.default_rng(seed)
    samples, on_hull = [], []
    for _ in range(draws):
        chosen = rng.integers(0, len(targets), size=len(targets))
        other = vectors @ refit(expansion, rows[chosen], targets[chosen])
        samples.append(other)
        on_hull.append(lower_hull(shares, other) < ON_HULL)
    return Hull(
        shares,
        energies,
        np.std(samples, axis=0) if samples else np.zeros(len(energies)),
        lower_hull(shares, energies),
        np.mean(on_hull, axis=0) if on_hull else np.zeros(len(energies)),
    )
