"""Rows of the Hessian of any strictly local force field, by central differences in finite clusters.

The displacement of an atom changes the energies of the atoms within L edges of it, and these depend on the atoms within
2 L edges. The cluster of those atoms, cut out of the cell, therefore gives the row of the whole cell exactly, whatever its
boundary looks like. A cluster that meets its own periodic image is not cut out; the whole cell is evaluated instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from ase import Atoms
from typing_extensions import override

from flatforce.models.protocols import HessianRows
from flatforce.structures.neighbour_graph import build_neighbour_graph, k_hop_neighbourhood

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.models.protocols import Backend

DISPLACEMENT: Final = 0.005
"""Å. Central differences then have a truncation error of about 1e-5 eV/Å², and a round-off error of 1e-11 in float64."""

MAX_BATCH_ATOMS: Final = 1500
"""Atoms of displaced clusters in one frame: enough to keep compiled kernels busy, with little memory."""

VACUUM_MARGIN: Final = 1.0
"""Å of vacuum beyond the cutoff between a cluster and its images."""

POSITION_TOLERANCE: Final = 1e-6
"""Å. Largest difference between the positions of an atom that follow from two paths of edges."""


class ClusterHessian(HessianRows):
    """Rows of the Hessian of one cell, by central differences of forces.

    Parameters
    ----------
    backend
        Backend of a strictly local force field.
    slab
        A fully periodic cell.
    """

    method = "central differences in finite clusters"

    def __init__(self, backend: Backend, slab: Atoms) -> None:
        self.backend, self.slab = backend, slab
        self.graph = build_neighbour_graph(slab, backend.cutoff)

    @override
    def count_row_atoms(self, centre: int) -> int:
        return len(k_hop_neighbourhood(self.graph, centre, 2 * self.backend.layers)[0])

    @override
    def rows(self, centre: int) -> tuple[IntArray, FloatArray]:
        atoms, hops = k_hop_neighbourhood(self.graph, centre, 2 * self.backend.layers)
        positions = self._unwrap(atoms, hops)
        if positions is None:
            return atoms, self._differentiate_cell(centre, range(3))[atoms]
        return atoms, self._differentiate_cluster(atoms, positions)

    @override
    def whole_row(self, centre: int, axis: int) -> FloatArray:
        return self._differentiate_cell(centre, (axis,))[:, 0]

    def _unwrap(self, atoms: IntArray, hops: IntArray) -> FloatArray | None:
        """Position each atom of a cluster along the edges that lead to it; None if two paths disagree, in a wrapped cluster."""
        graph, cell_positions = self.graph, self.slab.positions
        unwrapped = np.full(cell_positions.shape, np.nan)
        unwrapped[atoms[0]] = cell_positions[atoms[0]]
        for hop in range(min(int(hops.max()) + 1, 2 * self.backend.layers)):
            edges = graph.edges_of(atoms[hops == hop])
            sender, receiver = graph.sender[edges], graph.receiver[edges]
            edge_vectors = cell_positions[receiver] - cell_positions[sender] + graph.shift[edges]
            sender_positions = unwrapped[receiver] - edge_vectors
            is_new = np.isnan(unwrapped[sender, 0])
            unwrapped[sender[is_new]] = sender_positions[is_new]
            if np.abs(unwrapped[sender] - sender_positions).max() > POSITION_TOLERANCE:
                return None
        positions: FloatArray = unwrapped[atoms]
        return positions

    def _differentiate_cluster(self, atoms: IntArray, positions: FloatArray) -> FloatArray:
        """Return the rows of the first atom, (M, 3, 3) eV/Å²; one call evaluates several displaced clusters in one frame."""
        displacements = _displacements(range(3))
        lengths = np.ptp(positions, axis=0) + 2 * (self.backend.cutoff + VACUUM_MARGIN)
        n_clusters = max(1, min(len(displacements), MAX_BATCH_ATOMS // len(atoms)))
        forces = []
        for batch in np.array_split(displacements, -(-len(displacements) // n_clusters)):
            clusters = np.tile(positions, (len(batch), 1, 1))
            clusters[:, 0] += batch
            clusters[:, :, 0] += lengths[0] * np.arange(len(batch))[:, None]
            frame = Atoms(
                np.tile(self.slab.numbers[atoms], len(batch)),
                positions=clusters.reshape(-1, 3),
                cell=np.diag(lengths * [len(batch), 1, 1]),
                pbc=True,
            )
            (prediction,) = self.backend.predict([frame], stress=False)
            forces.append(prediction.forces.reshape(len(batch), len(atoms), 3))
        return _central_differences(np.concatenate(forces))

    def _differentiate_cell(self, centre: int, axes: Sequence[int]) -> FloatArray:
        """Return the rows of one atom from the whole cell, (N, len(axes), 3) eV/Å²."""
        displaced_cells = []
        for displacement in _displacements(axes):
            cell = self.slab.copy()
            cell.positions[centre] += displacement
            displaced_cells.append(cell)
        n_cells = max(1, self.backend.batch_atoms // len(self.slab))
        forces = [
            prediction.forces
            for first in range(0, len(displaced_cells), n_cells)
            for prediction in self.backend.predict(displaced_cells[first : first + n_cells], stress=False)
        ]
        return _central_differences(np.array(forces))


def _displacements(axes: Sequence[int]) -> FloatArray:
    """Return (2 len(axes), 3) Å, a positive and a negative displacement along each axis."""
    return np.array([sign * DISPLACEMENT * np.eye(3)[axis] for axis in axes for sign in (1, -1)])


def _central_differences(forces: FloatArray) -> FloatArray:
    """Return (N, A, 3) eV/Å² from (2 A, N, 3) eV/Å, forces in the order of `_displacements`."""
    blocks: FloatArray = ((forces[1::2] - forces[::2]) / (2 * DISPLACEMENT)).transpose(1, 0, 2)
    return blocks
