"""Models of MatGL (M3GNet, TensorNet, CHGNet, SO3Net): `matgl:folder`, or a name on its hub.

MatGL evaluates in float32; flatforce runs it in float64 if that is asked for. MatGL silently fills weights that are missing from
a checkpoint with random numbers; flatforce refuses such a checkpoint.
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


def import_matgl() -> Any:
    """Import MatGL.

    Returns
    -------
    The package `torch`, imported after MatGL.

    Raises
    ------
    MissingDependencyError
        If MatGL is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import matgl.ext.ase  # noqa: F401  # the import fails if a dependency is missing
            import torch
    except ImportError as error:
        raise MissingDependencyError(
            "MatGL is not installed.", why=str(error), fix="pip install 'flatforce[matgl]'"
        ) from error
    return torch


def load_module(name: str) -> Any:
    """Load a potential of MatGL.

    Parameters
    ----------
    name
        Folder written by MatGL, or name of a model on its hub.

    Returns
    -------
    MatGL's `Potential`, a torch module, on the CPU.

    Raises
    ------
    ModelError
        If it cannot be loaded, its weights do not fit its architecture, or it is no potential.
    """
    import_matgl()
    import matgl
    from matgl.utils import io

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            files = io._get_file_paths(Path(name), str_path=name)  # noqa: SLF001  # of the folder, or of the hub's cache
            module = matgl.load_model(name)
    except Exception as error:
        root = error.__cause__ or error
        raise ModelError(
            f"MatGL could not load {name}.",
            why=f"{type(root).__name__}: {str(root).splitlines()[0]}",
            fix="write matgl:FOLDER with a folder that holds model.pt, state.pt and model.json; a name on the hub needs the network",
        ) from error
    if not hasattr(module, "calc_stresses"):
        raise ModelError(
            f"{name} is a {type(module).__name__}, which is no force field.",
            fix="give the folder of a potential",
        )
    _check_weights(name, Path(files["state.pt"]), module)
    return module


def _check_weights(name: str, state: Path, module: Any) -> None:
    """Refuse a checkpoint whose weights do not fit the architecture, which MatGL loads silently."""
    import torch

    stored = set(torch.load(state, map_location="cpu", weights_only=True))
    expected = set(module.state_dict())
    mismatched = sorted(stored ^ expected)
    if mismatched:
        raise ModelError(
            f"{name} was not written by the version of MatGL that is installed.",
            why=f"{len(expected - stored)} weights are missing and {len(stored - expected)} unknown, such as {mismatched[0]}",
            fix="install the version of MatGL that wrote it, or train the model again",
        )


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
        energies = energy.detach().cpu().numpy().astype(float)
        stresses = stress_tensor.detach().cpu().numpy().astype(float) if stress else None
        ends = np.cumsum([len(frame) for frame in frames])[:-1]
        return [
            RawPrediction(float(energies[k]), frame_forces, None if stresses is None else stresses[k])
            for k, frame_forces in enumerate(np.split(forces.detach().cpu().numpy().astype(float), ends))
        ]


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
