"""Rows of the Hessian of any strictly local force field, by central differences in finite clusters.

What the displacement of an atom changes are energies within L steps of it, and these depend on atoms within 2 L steps.
So the cluster of those atoms, cut out of the cell, gives the row of the whole cell exactly, whatever happens at its rim.
A cluster that meets its own image is not cut out; the whole cell is taken then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from ase import Atoms

from flatforce.structures.neighbour_graph import k_hop_neighbourhood, build_neighbour_graph

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.models.protocols import Backend

DISPLACEMENT: Final = 0.005
"""Å. Central differences then err by some 1e-5 eV/Å² of truncation, and round-off of float64 by 1e-11."""

TOGETHER: Final = 1500
"""Atoms of displaced clusters in one frame: enough to keep compiled kernels busy, and little memory."""

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
        self.graph = build_neighbour_graph(slab, backend.cutoff)

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
        return len(k_hop_neighbourhood(self.graph, centre, 2 * self.backend.layers)[0])

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
        atoms, steps = k_hop_neighbourhood(self.graph, centre, 2 * self.backend.layers)
        places = self._places(atoms, steps)
        if places is None:
            return atoms, self._differences(centre, range(3))[atoms]
        return atoms, self._side_by_side(atoms, places)

    def rows_of(self, centres: Sequence[int]) -> Generator[tuple[IntArray, FloatArray]]:
        """Compute the rows of several atoms, one after the other.

        Parameters
        ----------
        centres
            Atoms.

        Yields
        ------
        What `rows` returns, in their order.
        """
        yield from map(self.rows, centres)

    def whole_row(self, centre: int, axis: int) -> FloatArray:
        """Compute one row of one atom from the whole cell: the check of `rows`.

        Parameters
        ----------
        centre
            An atom.
        axis
            0, 1 or 2.

        Returns
        -------
        (N, 3) eV/Å².
        """
        return self._differences(centre, (axis,))[:, 0]

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

    def _side_by_side(self, atoms: IntArray, places: FloatArray) -> FloatArray:
        """(M, 3, 3) eV/Å² of the first atom. Several displaced clusters are one frame, evaluated by one call."""
        moves = _moves(range(3))
        lengths = np.ptp(places, axis=0) + 2 * (self.backend.cutoff + MARGIN)
        count = max(1, min(len(moves), TOGETHER // len(atoms)))
        forces = []
        for some in np.array_split(moves, -(-len(moves) // count)):
            clusters = np.tile(places, (len(some), 1, 1))
            clusters[:, 0] += some
            clusters[:, :, 0] += lengths[0] * np.arange(len(some))[:, None]
            frame = Atoms(
                np.tile(self.slab.numbers[atoms], len(some)),
                positions=clusters.reshape(-1, 3),
                cell=np.diag(lengths * [len(some), 1, 1]),
                pbc=True,
            )
            (said,) = self.backend.predict([frame], stress=False)
            forces.append(said.forces.reshape(len(some), len(atoms), 3))
        return _central(np.concatenate(forces))

    def _differences(self, centre: int, axes: Sequence[int]) -> FloatArray:
        """(N, len(axes), 3) eV/Å² of an atom of the whole cell."""
        moved = []
        for move in _moves(axes):
            one = self.slab.copy()
            one.positions[centre] += move
            moved.append(one)
        batch = max(1, self.backend.batch_atoms // len(self.slab))
        forces = [
            said.forces
            for first in range(0, len(moved), batch)
            for said in self.backend.predict(moved[first : first + batch], stress=False)
        ]
        return _central(np.array(forces))


def _moves(axes: Sequence[int]) -> FloatArray:
    """(2 len(axes), 3) Å, there and back along each axis."""
    return np.array([sign * DISPLACEMENT * np.eye(3)[axis] for axis in axes for sign in (1, -1)])


def _central(forces: FloatArray) -> FloatArray:
    """(N, A, 3) eV/Å² from (2 A, N, 3) forces, in the order of `_moves`."""
    found: FloatArray = ((forces[1::2] - forces[::2]) / (2 * DISPLACEMENT)).transpose(1, 0, 2)
    return found
