"""Rows of the Hessian of a MACE model, from no more of the cell than matters.

Row k is Σ ∂²E_i / ∂r_j ∂r_k over the atoms i within T steps of k, T being the number of layers. Layer t is needed for
receivers within 2 T − t steps, and only atoms within 2 T steps have an entry. MACE's own truncation of ghost atoms
(`lammps_natoms`) evaluates just that, so a row costs the same in every cell and is exact to round-off.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.structures.neighbour_graph import k_hop_neighbourhood, build_neighbour_graph

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray

CHECKED = (
    "RealAgnosticInteractionBlock",
    "RealAgnosticResidualInteractionBlock",
    "RealAgnosticDensityInteractionBlock",
    "RealAgnosticDensityResidualInteractionBlock",
)
"""Interaction blocks of mace-torch 0.3.16 that cut receivers off after the sum over senders."""


AT_ONCE: Final = 8
"""Rows that are computed at once at most: each takes 0.7 GiB with 64 channels."""


def is_checked(model: Any) -> bool:
    """Say whether the rows are known to be right for a model.

    Parameters
    ----------
    model
        The torch module.

    Returns
    -------
    False if it is built of interaction blocks that truncate elsewhere.
    """
    return {type(block).__name__ for block in model.interactions} <= set(CHECKED)


class _Ghosts:
    """Stands where MACE expects its LAMMPS interface; only its presence counts."""


@dataclass(frozen=True)
class _Cluster:
    atom: IntArray
    """(M,) atom of each node, nearest to the centre first."""
    nodes: list[int]
    """Nodes that layer t reads, t = 0 … T."""
    edges: list[int]
    """Edges of layer t + 1."""
    edge: IntArray
    """Edges of the cell's graph."""
    sender: IntArray
    receiver: IntArray


class MaceHessian:
    """Hessian rows of one cell.

    Parameters
    ----------
    model
        The torch module.
    slab
        A fully periodic cell.
    device
        Where it runs.

    """

    how = "analytic"

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

    def reach(self, centre: int) -> int:
        """Count the atoms that a row takes in.

        Parameters
        ----------
        centre
            An atom.

        Returns
        -------
        Those within 2 T steps.
        """
        return len(k_hop_neighbourhood(self.graph, centre, 2 * self.layers)[0])

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
        cluster = self._cluster(centre)
        return cluster.atom, self._differentiate(cluster, range(3))

    def rows_of(self, centres: Sequence[int]) -> Generator[tuple[IntArray, FloatArray]]:
        """Compute the rows of several atoms, on a CPU one a thread.

        Parameters
        ----------
        centres
            Atoms.

        Yields
        ------
        What `rows` returns, in their order.
        """
        torch = self.torch
        threads = torch.get_num_threads() if self.device == "cpu" else 1
        if threads == 1:
            yield from map(self.rows, centres)
            return
        torch.set_num_threads(1)  # a row is too small for several
        try:
            with ThreadPoolExecutor(min(threads, AT_ONCE)) as pool:
                coming = [pool.submit(self.rows, centre) for centre in centres]
                try:
                    for one in coming:
                        yield one.result()
                finally:  # left alone, the pool would go on to the last row
                    pool.shutdown(cancel_futures=True)
        finally:
            torch.set_num_threads(threads)

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
        count = len(self.positions)
        order = np.concatenate([[centre], np.delete(np.arange(count), centre)])
        place = np.empty(count, dtype=np.int64)
        place[order] = np.arange(count)
        receiver, sender = place[self.graph.receiver], place[self.graph.sender]
        by_receiver = np.argsort(receiver, kind="stable")
        whole = _Cluster(
            order,
            [count] * (self.layers + 1),
            [len(sender)] * self.layers,
            by_receiver,
            sender[by_receiver],
            receiver[by_receiver],
        )
        found = np.empty((count, 3))
        found[order] = self._differentiate(whole, (axis,))[:, 0]
        return found

    def _cluster(self, centre: int) -> _Cluster:
        depth = 2 * self.layers
        atom, hop = k_hop_neighbourhood(self.graph, centre, depth)
        place = np.full(len(self.positions), -1)
        place[atom] = np.arange(len(atom))
        nodes = [int(np.searchsorted(hop, depth - t, side="right")) for t in range(self.layers + 1)]
        inner = atom[: nodes[1]]
        counts = self.graph.start[inner + 1] - self.graph.start[inner]
        edge = self.graph.edges_of(inner)
        receiver = np.repeat(np.arange(nodes[1]), counts)
        edges = [int(np.searchsorted(receiver, nodes[t + 1])) for t in range(self.layers)]
        return _Cluster(atom, nodes, edges, edge, place[self.graph.sender[edge]], receiver)

    def _differentiate(self, cluster: _Cluster, axes: Sequence[int]) -> FloatArray:
        """(M, len(axes), 3) eV/Å² of the first atom."""
        torch = self.torch
        positions = torch.tensor(
            self.positions[cluster.atom], dtype=self.dtype, device=self.device, requires_grad=True
        )
        energy = self._energy(cluster, positions)
        gradient = torch.autograd.grad(energy, positions, create_graph=True)[0][0]
        rows = [
            torch.autograd.grad(gradient[axis], positions, retain_graph=axis != axes[-1])[0] for axis in axes
        ]
        found: FloatArray = torch.stack(rows, dim=1).detach().cpu().numpy().astype(float)
        return found

    def _energy(self, cluster: _Cluster, positions: Any) -> Any:
        """Energy of the atoms within T steps of the centre."""
        from mace.modules.utils import get_edge_vectors_and_lengths

        torch, model = self.torch, self.model
        pairs = torch.as_tensor(np.stack([cluster.sender, cluster.receiver]), device=self.device)
        shifts = torch.as_tensor(self.graph.shift[cluster.edge], dtype=self.dtype, device=self.device)
        species = self.species[torch.as_tensor(cluster.atom, device=self.device)]
        vectors, lengths = get_edge_vectors_and_lengths(positions=positions, edge_index=pairs, shifts=shifts)
        angular = model.spherical_harmonics(vectors)
        radial, cut = model.radial_embedding(lengths, species, pairs, model.atomic_numbers)
        feats = model.node_embedding(species)
        read = cluster.nodes[-1]
        heads = torch.zeros(read, dtype=torch.long, device=self.device)
        at = torch.arange(read, device=self.device)
        energies = []
        if hasattr(model, "pair_repulsion"):
            energies.append(model.pair_repulsion_fn(lengths, species, pairs, model.atomic_numbers)[:read])
        single = len(model.readouts) == 1
        for t, (interaction, product) in enumerate(zip(model.interactions, model.products, strict=True)):
            given, kept, edges = cluster.nodes[t], cluster.nodes[t + 1], cluster.edges[t]
            feats, skip = interaction(
                node_attrs=species[:given],
                node_feats=feats,
                edge_attrs=angular[:edges],
                edge_feats=radial[:edges],
                edge_index=pairs[:, :edges],
                cutoff=None if cut is None else cut[:edges],
                lammps_class=_Ghosts,
                lammps_natoms=(kept, given - kept),
                first_layer=True,
            )
            feats = product(node_feats=feats, sc=skip, node_attrs=species[:kept])
            if not single or t == self.layers - 1:
                energies.append(model.readouts[0 if single else t](feats[:read], heads)[at, heads])
        return model.scale_shift(torch.stack(energies).sum(dim=0), heads).sum()
