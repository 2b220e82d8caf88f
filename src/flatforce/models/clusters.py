"""Rows of the Hessian of any strictly local force field, by central differences in finite clusters.

What the displacement of an atom changes are energies within L steps of it, and these depend on atoms within 2 L steps.
So the cluster of those atoms, cut out of the cell, gives the row of the whole cell exactly, whatever happens at its rim.
A cluster that meets its own image is not cut out; the whole cell is taken then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from ase import Atoms

from flatforce.structures.hops import hop_ball, neighbour_graph

if TYPE_CHECKING:
    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.models.potential import Backend

DISPLACEMENT: Final = 0.005
"""Å. Central differences then err by some 1e-5 eV/Å² of truncation, and round-off of float64 by 1e-11."""

MARGIN: Final = 1.0
"""Å beyond the cutoff between a cluster and its images."""

SAME: Final = 1e-6
"""Å between the places at which an atom is reached along two ways."""


class ClusterHessian:
    """Hessian rows of one cell, from forces.

    Parameters
    ----------
    backend
        A strictly local force field.
    slab
        A fully periodic cell.
    """

    how = "central differences in finite clusters"

    def __init__(self, backend: Backend, slab: Atoms) -> None:
        self.backend, self.slab = backend, slab
        self.graph = neighbour_graph(slab, backend.cutoff)

    def reach(self, centre: int) -> int:
        """Count the atoms that a row takes in.

        Parameters
        ----------
        centre
            An atom.

        Returns
        -------
        Those within 2 L steps.
        """
        return len(hop_ball(self.graph, centre, 2 * self.backend.layers)[0])

    def rows(self, centre: int) -> tuple[IntArray, FloatArray]:
        """Compute the three rows of one atom.

        Parameters
        ----------
        centre
            An atom.

        Returns
        -------
        (M,) atoms within reach, and (M, 3, 3) eV/Å², ∂²E / ∂r_centre,a ∂r_atom,b.
        """
        atoms, steps = hop_ball(self.graph, centre, 2 * self.backend.layers)
        places = self._places(atoms, steps)
        if places is None:
            return atoms, self._differences(self.slab, centre)[atoms]
        wall = 2 * (self.backend.cutoff + MARGIN)
        cluster = Atoms(
            self.slab.numbers[atoms],
            positions=places,
            cell=np.diag(np.ptp(places, axis=0) + wall),
            pbc=True,
        )
        return atoms, self._differences(cluster, 0)

    def full_rows(self, centre: int) -> FloatArray:
        """Compute the three rows of one atom from the whole cell: the check of `rows`.

        Parameters
        ----------
        centre
            An atom.

        Returns
        -------
        (N, 3, 3) eV/Å².
        """
        return self._differences(self.slab, centre)

    def _places(self, atoms: IntArray, steps: IntArray) -> FloatArray | None:
        """Place each atom where the edges lead to; None where they disagree, the cluster being wrapped."""
        graph, positions = self.graph, self.slab.positions
        place = np.full(positions.shape, np.nan)
        place[atoms[0]] = positions[atoms[0]]
        for step in range(min(int(steps.max()) + 1, 2 * self.backend.layers)):
            edges = graph.edges_of(atoms[steps == step])
            sender, receiver = graph.sender[edges], graph.receiver[edges]
            reached = place[receiver] - (positions[receiver] - positions[sender] + graph.shift[edges])
            new = np.isnan(place[sender, 0])
            place[sender[new]] = reached[new]
            if np.abs(place[sender] - reached).max() > SAME:
                return None
        found: FloatArray = place[atoms]
        return found

    def _differences(self, cell: Atoms, centre: int) -> FloatArray:
        """(N, 3, 3) eV/Å²."""
        moved = []
        for axis in range(3):
            for sign in (1, -1):
                one = cell.copy()
                one.positions[centre, axis] += sign * DISPLACEMENT
                moved.append(one)
        batch = max(1, self.backend.batch_atoms // len(cell))
        forces = [
            said.forces
            for first in range(0, len(moved), batch)
            for said in self.backend.predict(moved[first : first + batch], stress=False)
        ]
        each = np.array(forces).reshape(3, 2, len(cell), 3)
        found: FloatArray = ((each[:, 1] - each[:, 0]) / (2 * DISPLACEMENT)).transpose(1, 0, 2)
        return found
