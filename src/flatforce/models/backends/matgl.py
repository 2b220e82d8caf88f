"""Models of MatGL (M3GNet, TensorNet, CHGNet, SO3Net): `matgl:folder`, or a name on its hub.

MatGL evaluates in float32; here it runs in float64 where that is asked for. It fills what it does not find in a
checkpoint with random numbers and says nothing; here such a checkpoint is refused.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.core.errors import MissingDependencyError, ModelError
from flatforce.core.units import EV_PER_A3_IN_GPA
from flatforce.models.precision import default_dtype, torch_device
from flatforce.models.protocols import RawPrediction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

BATCH_ATOMS: Final = {"cpu": 200, "cuda": 4000}
"""Atoms a batch."""

STRICT: Final = {"M3GNet": 0, "TensorNet": 1}
"""Hops that a model reaches beyond its blocks, where it is known that it reaches no further."""


def load(name: str, *, device: str, dtype: str) -> MatglBackend:
    """Load a model.

    Parameters
    ----------
    name
        Folder that MatGL wrote, or a name on its hub.
    device
        `cpu`, `cuda`, or `auto`.
    dtype
        `float64` or `float32`.

    Returns
    -------
    The backend.
    """
    import_matgl()
    place = torch_device(device)
    return MatglBackend(load_module(name), device=place, dtype=dtype)


def import_matgl() -> Any:
    """Import MatGL.

    Returns
    -------
    The torch module.

    Raises
    ------
    MissingDependencyError
        If MatGL is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import matgl.ext.ase  # noqa: F401  # what is needed of it
            import torch
    except ImportError as error:
        raise MissingDependencyError(
            "MatGL is not installed.", why=str(error), fix="pip install 'flatforce[matgl]'"
        ) from error
    return torch


def load_module(name: str) -> Any:
    """Read a potential of MatGL.

    Parameters
    ----------
    name
        Folder, or a name on the hub.

    Returns
    -------
    The torch module.

    Raises
    ------
    ModelError
        If it cannot be read, holds other weights than its shape needs, or is no potential.
    """
    import_matgl()
    import matgl
    from matgl.utils import io

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            files = io._get_file_paths(Path(name), str_path=name)  # noqa: SLF001  # local, else from the hub
            module = matgl.load_model(name)
    except Exception as error:
        root = error.__cause__ or error
        raise ModelError(
            f"MatGL could not load {name}.",
            why=f"{type(root).__name__}: {str(root).splitlines()[0]}",
            fix="give a folder with model.pt, state.pt and model.json; a name on the hub needs the network",
        ) from error
    if not hasattr(module, "calc_stresses"):
        raise ModelError(f"{name} is no force field but a {type(module).__name__}.")
    _check_weights(name, Path(files["state.pt"]), module)
    return module


def _check_weights(name: str, state: Path, module: Any) -> None:
    """Refuse a checkpoint whose weights do not fit, which MatGL reads without a word."""
    import torch

    kept = set(torch.load(state, map_location="cpu", weights_only=True))
    wanted = set(module.state_dict())
    odd = sorted(kept ^ wanted)
    if odd:
        raise ModelError(
            f"{name} was not written by the version of MatGL that is installed.",
            why=f"{len(wanted - kept)} of its weights are missing and {len(kept - wanted)} unknown, such as {odd[0]}",
            fix="install the version of MatGL that wrote it, or train the model anew",
        )


class MatglBackend:
    """A potential of MatGL.

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
        self.local = kind in STRICT
        self.layers = blocks(inner) + STRICT.get(kind, 0)
        self.batch_atoms = BATCH_ATOMS[device]

    def predict(self, frames: Sequence[Atoms], *, stress: bool) -> list[RawPrediction]:
        """Evaluate frames.

        Parameters
        ----------
        frames
            Fully periodic cells.
        stress
            Whether the stress is wanted.

        Returns
        -------
        One prediction a frame.
        """
        with precision(self.dtype):
            graphs = [make_graph(frame, self.module) for frame in frames]
            energy, forces, found = evaluate(
                self.module, graphs, device=self.device, forces=True, stress=stress
            )
        energies = energy.detach().cpu().numpy().astype(float)
        stresses = found.detach().cpu().numpy().astype(float) if stress else None
        ends = np.cumsum([len(frame) for frame in frames])[:-1]
        return [
            RawPrediction(float(energies[i]), part, None if stresses is None else stresses[i])
            for i, part in enumerate(np.split(forces.detach().cpu().numpy().astype(float), ends))
        ]


def blocks(model: Any) -> int:
    """Count message-passing layers.

    Parameters
    ----------
    model
        The graph model inside a potential.

    Returns
    -------
    How many.
    """
    return int(model._init_args.get("nblocks") or model._init_args.get("num_blocks") or 3)  # noqa: SLF001  # all it tells


def make_graph(slab: Atoms, module: Any) -> tuple[Any, Any]:
    """Build MatGL's graph of one cell, in torch's default precision.

    Parameters
    ----------
    slab
        A fully periodic cell.
    module
        MatGL's `Potential`.

    Returns
    -------
    Graph, and (1, 3, 3) lattice.
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
        Graphs and lattices.
    device
        Where the module is.
    forces
        Whether forces are wanted.
    stress
        Whether the stress is wanted.

    Returns
    -------
    Tensors: (F,) eV, (N, 3) eV/Å, (F, 3, 3) eV/Å³.
    """
    import torch
    from torch_geometric.data import Batch

    module.calc_forces = (
        forces or stress or module.training
    )  # without any, MatGL keeps no graph to learn from
    module.calc_stresses = stress
    batch = Batch.from_data_list([graph for graph, _ in graphs]).to(device)
    lattice = torch.cat([one for _, one in graphs]).to(device)
    state = lattice.new_zeros(2)
    energy, found, pressure, *_ = module(batch, lattice, state)
    return energy.reshape(-1), found, pressure.reshape(-1, 3, 3) / EV_PER_A3_IN_GPA if stress else None


@contextmanager
def precision(dtype: str) -> Iterator[None]:
    """Set the precision of MatGL, which it keeps beside torch's.

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

    before = matgl.float_th, matgl.float_np
    matgl.float_th, matgl.float_np = getattr(torch, dtype), getattr(np, dtype)
    try:
        with default_dtype(dtype):
            yield
    finally:
        matgl.float_th, matgl.float_np = before
