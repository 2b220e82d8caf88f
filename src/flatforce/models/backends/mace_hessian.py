"""Analytic rows of the Hessian of a MACE model, computed from the receptive field alone.

Row k is Σ ∂²E_i / ∂r_j ∂r_k over the atoms i within T edges of k, where T is the number of layers. Layer t is needed for
receivers within 2 T − t edges, and only atoms within 2 T edges have an entry. MACE's own truncation of ghost atoms
(`lammps_natoms`) evaluates exactly these, so a row costs the same in every cell and is exact to round-off.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from typing_extensions import override

from flatforce.models.protocols import HessianRows
from flatforce.structures.neighbour_graph import build_neighbour_graph, k_hop_neighbourhood

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray

CHECKED_BLOCKS: Final = (
    "RealAgnosticInteractionBlock",
    "RealAgnosticResidualInteractionBlock",
    "RealAgnosticDensityInteractionBlock",
    "RealAgnosticDensityResidualInteractionBlock",
)
"""Interaction blocks of mace-torch 0.3.16 that truncate receivers after the sum over senders, which the rows rely on."""


MAX_PARALLEL_ROWS: Final = 8
"""Rows computed in parallel at most: each takes 0.7 GiB with 64 channels."""


def is_checked(model: Any) -> bool:
    """Report whether the analytic rows have been verified for the interaction blocks of a model.

    Parameters
    ----------
    model
        Torch module of the MACE model.

    Returns
    -------
    False if the model has interaction blocks that truncate at another place.
    """
    return {type(block).__name__ for block in model.interactions} <= set(CHECKED_BLOCKS)


class _Ghosts:
    """Placeholder for MACE's LAMMPS interface, which MACE only tests for its presence."""


@dataclass(frozen=True)
class _Cluster:
    """Receptive field of one atom as a graph."""

    atom: IntArray
    """(M,) index in the cell of each node, nearest to the centre first."""
    n_nodes: list[int]
    """(T + 1) number of nodes that layer t reads, t = 0 … T."""
    n_edges: list[int]
    """(T) number of edges of layer t + 1."""
    edge: IntArray
    """(E,) index of each edge in the graph of the cell."""
    sender: IntArray
    """(E,) node at which each edge starts."""
    receiver: IntArray
    """(E,) node at which each edge ends."""


class MaceHessian(HessianRows):
    """Analytic rows of the Hessian of one cell; on a CPU, one atom is computed on each thread.

    Parameters
    ----------
    model
        Torch module of the MACE model.
    slab
        A fully periodic cell.
    device
        Device on which the model runs, `cpu` or `cuda`.
    """

    method = "analytic"

    def __init__(self, model: Any, slab: Atoms, *, device: str) -> None:
        import torch

        self.torch = torch
        self.model, self.device, self.layers = model, device, int(model.num_interactions)
        self.dtype = next(model.parameters()).dtype
        self.positions = slab.positions
        self.graph = build_neighbour_graph(slab, float(model.r_max))
        numbers = np.array([int(z) for z in model.atomic_numbers])
        species = np.eye(len(numbers))[np.searchsorted(numbers, slab.numbers)]
        self.species = torch.tensor(species, dtype=self.dtype, device=device)

    @override
    def count_row_atoms(self, centre: int) -> int:
        return len(k_hop_neighbourhood(self.graph, centre, 2 * self.layers)[0])

    @override
    def rows(self, centre: int) -> tuple[IntArray, FloatArray]:
        cluster = self._build_cluster(centre)
        return cluster.atom, self._differentiate(cluster, range(3))

    @override
    def rows_of(self, centres: Sequence[int]) -> Generator[tuple[IntArray, FloatArray]]:
        torch = self.torch
        threads = torch.get_num_threads() if self.device == "cpu" else 1
        if threads == 1:
            yield from map(self.rows, centres)
            return
        torch.set_num_threads(1)  # one row is too little work for several threads
        try:
            with ThreadPoolExecutor(min(threads, MAX_PARALLEL_ROWS)) as pool:
                futures = [pool.submit(self.rows, centre) for centre in centres]
                try:
                    for future in futures:
                        yield future.result()
                finally:  # otherwise the pool would compute all rows although nobody reads them
                    pool.shutdown(cancel_futures=True)
        finally:
            torch.set_num_threads(threads)

    @override
    def whole_row(self, centre: int, axis: int) -> FloatArray:
        count = len(self.positions)
        order = np.concatenate([[centre], np.delete(np.arange(count), centre)])
        node = np.empty(count, dtype=np.int64)
        node[order] = np.arange(count)
        receiver, sender = node[self.graph.receiver], node[self.graph.sender]
        by_receiver = np.argsort(receiver, kind="stable")
        whole_cell = _Cluster(
            order,
            [count] * (self.layers + 1),
            [len(sender)] * self.layers,
            by_receiver,
            sender[by_receiver],
            receiver[by_receiver],
        )
        row = np.empty((count, 3))
        row[order] = self._differentiate(whole_cell, (axis,))[:, 0]
        return row

    def _build_cluster(self, centre: int) -> _Cluster:
        depth = 2 * self.layers
        atom, hop = k_hop_neighbourhood(self.graph, centre, depth)
        node = np.full(len(self.positions), -1)
        node[atom] = np.arange(len(atom))
        n_nodes = [int(np.searchsorted(hop, depth - t, side="right")) for t in range(self.layers + 1)]
        inner = atom[: n_nodes[1]]
        counts = self.graph.start[inner + 1] - self.graph.start[inner]
        edge = self.graph.edges_of(inner)
        receiver = np.repeat(np.arange(n_nodes[1]), counts)
        n_edges = [int(np.searchsorted(receiver, n_nodes[t + 1])) for t in range(self.layers)]
        return _Cluster(atom, n_nodes, n_edges, edge, node[self.graph.sender[edge]], receiver)

    def _differentiate(self, cluster: _Cluster, axes: Sequence[int]) -> FloatArray:
        """Return the rows of the first atom of the cluster, (M, len(axes), 3) eV/Å²."""
        torch = self.torch
        positions = torch.tensor(
            self.positions[cluster.atom], dtype=self.dtype, device=self.device, requires_grad=True
        )
        energy = self._energy(cluster, positions)
        gradient = torch.autograd.grad(energy, positions, create_graph=True)[0][0]
        rows = [
            torch.autograd.grad(gradient[axis], positions, retain_graph=axis != axes[-1])[0] for axis in axes
        ]
        blocks: FloatArray = torch.stack(rows, dim=1).detach().cpu().numpy().astype(float)
        return blocks

    def _energy(self, cluster: _Cluster, positions: Any) -> Any:
        """Return the energy in eV of the atoms within T edges of the centre."""
        from mace.modules.utils import get_edge_vectors_and_lengths

        torch, model = self.torch, self.model
        pairs = torch.as_tensor(np.stack([cluster.sender, cluster.receiver]), device=self.device)
        shifts = torch.as_tensor(self.graph.shift[cluster.edge], dtype=self.dtype, device=self.device)
        species = self.species[torch.as_tensor(cluster.atom, device=self.device)]
        vectors, lengths = get_edge_vectors_and_lengths(positions=positions, edge_index=pairs, shifts=shifts)
        angular = model.spherical_harmonics(vectors)
        radial, smooth_cutoff = model.radial_embedding(lengths, species, pairs, model.atomic_numbers)
        feats = model.node_embedding(species)
        n_read = cluster.n_nodes[-1]
        heads = torch.zeros(n_read, dtype=torch.long, device=self.device)
        read_nodes = torch.arange(n_read, device=self.device)
        energies = []
        if hasattr(model, "pair_repulsion"):
            energies.append(model.pair_repulsion_fn(lengths, species, pairs, model.atomic_numbers)[:n_read])
        single = len(model.readouts) == 1
        for t, (interaction, product) in enumerate(zip(model.interactions, model.products, strict=True)):
            n_senders, n_receivers, n_edges = cluster.n_nodes[t], cluster.n_nodes[t + 1], cluster.n_edges[t]
            feats, skip = interaction(
                node_attrs=species[:n_senders],
                node_feats=feats,
                edge_attrs=angular[:n_edges],
                edge_feats=radial[:n_edges],
                edge_index=pairs[:, :n_edges],
                cutoff=None if smooth_cutoff is None else smooth_cutoff[:n_edges],
                lammps_class=_Ghosts,
                lammps_natoms=(n_receivers, n_senders - n_receivers),
                first_layer=True,
            )
            feats = product(node_feats=feats, sc=skip, node_attrs=species[:n_receivers])
            if not single or t == self.layers - 1:
                energies.append(model.readouts[0 if single else t](feats[:n_read], heads)[read_nodes, heads])
        return model.scale_shift(torch.stack(energies).sum(dim=0), heads).sum()
