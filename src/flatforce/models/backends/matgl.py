"""Models of MatGL (M3GNet, TensorNet, CHGNet, SO3Net): `matgl:folder`, or a name on its hub.

MatGL evaluates in float32; flatforce runs it in float64 if that is asked for.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.core.units import EV_PER_A3_IN_GPA
from flatforce.models.backends.matgl_files import import_matgl, load_module
from flatforce.models.batches import split_outputs, to_numpy
from flatforce.models.precision import default_dtype, torch_device

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

    from flatforce.models.protocols import RawPrediction

BATCH_ATOMS: Final = {"cpu": 200, "cuda": 4000}
"""Device → number of atoms in one batch with which the model is fastest."""

EXTRA_HOPS: Final = {"M3GNet": 0, "TensorNet": 1}
"""Class of a strictly local model → number of edges by which its interaction range exceeds its number of blocks."""


def load(name: str, *, device: str, dtype: str) -> MatglBackend:
    """Load a model.

    Parameters
    ----------
    name
        Folder written by MatGL, or name of a model on its hub.
    device
        `cpu`, `cuda`, or `auto` for a GPU if there is one.
    dtype
        `float64` or `float32`.

    Returns
    -------
    The backend, which evaluates batches of fully periodic cells on that device.
    """
    import_matgl()
    return MatglBackend(load_module(name), device=torch_device(device), dtype=dtype)


class MatglBackend:
    """A potential of MatGL as a backend.

    Parameters
    ----------
    module
        MatGL's `Potential`.
    device
        `cpu` or `cuda`.
    dtype
        `float64` or `float32`.
    """

    def __init__(self, module: Any, *, device: str, dtype: str) -> None:
        torch = import_matgl()
        self.module = module.to(device=device, dtype=getattr(torch, dtype)).eval()
        for parameter in self.module.parameters():
            parameter.requires_grad_(False)
        self.device, self.dtype = device, dtype
        inner = module.model
        kind = type(inner).__name__
        self.cutoff = float(inner.cutoff)
        self.elements = frozenset(inner.element_types)
        self.local = kind in EXTRA_HOPS
        self.layers = count_blocks(inner) + EXTRA_HOPS.get(kind, 0)
        self.batch_atoms = BATCH_ATOMS[device]

    def predict(self, frames: Sequence[Atoms], *, stress: bool) -> list[RawPrediction]:
        """Evaluate one batch of fully periodic cells.

        Parameters
        ----------
        frames
            Fully periodic cells.
        stress
            Whether the stress is computed.

        Returns
        -------
        One prediction for each frame, in their order.
        """
        with precision(self.dtype):
            graphs = [make_graph(frame, self.module) for frame in frames]
            energy, forces, stress_tensor = evaluate(
                self.module, graphs, device=self.device, forces=True, stress=stress
            )
        stresses = to_numpy(stress_tensor) if stress else None
        return split_outputs(frames, to_numpy(energy), to_numpy(forces), stresses)


def count_blocks(model: Any) -> int:
    """Count the message-passing layers of a model.

    Parameters
    ----------
    model
        The graph model inside a potential.

    Returns
    -------
    Number of message-passing layers, as the model was built.
    """
    return int(model._init_args.get("nblocks") or model._init_args.get("num_blocks") or 3)  # noqa: SLF001  # the only place that holds it


def make_graph(slab: Atoms, module: Any) -> tuple[Any, Any]:
    """Build MatGL's graph of one cell, in the default dtype of torch.

    Parameters
    ----------
    slab
        A fully periodic cell.
    module
        MatGL's `Potential`.

    Returns
    -------
    Graph, and (1, 3, 3) Å, lattice vectors as rows.
    """
    from matgl.ext.ase import Atoms2Graph

    graph, lattice, _ = Atoms2Graph(module.model.element_types, float(module.model.cutoff)).get_graph(slab)
    return graph, lattice.reshape(1, 3, 3)


def evaluate(
    module: Any, graphs: Sequence[tuple[Any, Any]], *, device: str, forces: bool, stress: bool
) -> tuple[Any, Any, Any]:
    """Evaluate a batch of graphs.

    Parameters
    ----------
    module
        MatGL's `Potential`.
    graphs
        Graph and lattice of each cell.
    device
        Device of the module.
    forces
        Whether forces are computed.
    stress
        Whether the stress is computed.

    Returns
    -------
    (F,) eV, (N, 3) eV/Å and (F, 3, 3) eV/Å³, tension positive, as tensors.
    """
    import torch
    from torch_geometric.data import Batch

    # without forces or stress MatGL keeps no graph by which the loss could be differentiated
    module.calc_forces = forces or stress or module.training
    module.calc_stresses = stress
    batch = Batch.from_data_list([graph for graph, _ in graphs]).to(device)
    lattice = torch.cat([cell for _, cell in graphs]).to(device)
    state = lattice.new_zeros(2)
    energy, force, stress_in_gpa, *_ = module(batch, lattice, state)
    stress_tensor = stress_in_gpa.reshape(-1, 3, 3) / EV_PER_A3_IN_GPA if stress else None
    return energy.reshape(-1), force, stress_tensor


@contextmanager
def precision(dtype: str) -> Iterator[None]:
    """Set the dtype of MatGL, which is separate from that of torch, for the length of a `with` block.

    Parameters
    ----------
    dtype
        `float64` or `float32`.

    Yields
    ------
    Nothing.
    """
    import matgl
    import torch

    previous = matgl.float_th, matgl.float_np
    matgl.float_th, matgl.float_np = getattr(torch, dtype), getattr(np, dtype)
    try:
        with default_dtype(dtype):
            yield
    finally:
        matgl.float_th, matgl.float_np = previous
