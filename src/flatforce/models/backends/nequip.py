"""NequIP models: files written by `flatforce train`, and packages and checkpoints of NequIP itself."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase import Atoms

from flatforce.core.errors import ModelError
from flatforce.models.precision import default_dtype, torch_device
from flatforce.models.protocols import RawPrediction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BATCH_ATOMS: Final = {"cpu": 200, "cuda": 4000}
"""Device → number of atoms in one batch with which the model is fastest."""

RANDOM: Final = "random"
"""Name of a small model with random weights for self-tests: it obeys every exact law."""

RANDOM_ARCHITECTURE: Final[dict[str, Any]] = {
    "seed": 0,
    "type_names": ["Se", "W"],
    "r_max": 4.0,
    "num_layers": 2,
    "l_max": 1,
    "parity": True,
    "num_features": 8,
    "avg_num_neighbors": 12.0,
    "per_type_energy_scales": 5.0,
    "per_type_energy_shifts": {"Se": -5.0, "W": -10.0},
}
"""Arguments of `NequIPGNNModel` for the model with random weights."""


def load(name: str, *, device: str, dtype: str) -> NequipBackend:
    """Load a model.

    Parameters
    ----------
    name
        Path of a model file, or `random`.
    device
        `cpu`, `cuda`, or `auto` for a GPU if there is one.
    dtype
        `float64` or `float32`; packages of NequIP keep their own dtype.

    Returns
    -------
    The backend, which evaluates batches of fully periodic cells on that device.

    Raises
    ------
    ModelError
        If the model cannot be loaded.
    """
    torch_name = torch_device(device)
    module, _ = load_module(name, dtype=dtype)
    return NequipBackend(module, device=torch_name)


def load_module(name: str, *, dtype: str) -> tuple[Any, dict[str, Any]]:
    """Load the torch module of a model.

    Parameters
    ----------
    name
        Path of a model file, or `random`.
    dtype
        `float64` or `float32`.

    Returns
    -------
    NequIP's `GraphModel`, and the arguments with which it was built; empty for a package or checkpoint of NequIP.

    Raises
    ------
    ModelError
        If the model cannot be loaded.
    """
    import torch

    if name == RANDOM:
        return build_module(RANDOM_ARCHITECTURE, dtype=dtype), RANDOM_ARCHITECTURE
    path = Path(name)
    if not path.is_file():
        raise ModelError(f"There is no model {name}.", fix="write nequip:PATH with the path of a model file")
    try:
        with quiet():
            if path.suffix == ".zip":
                from nequip.model.saved_models.package import ModelFromPackage

                return ModelFromPackage(name)["sole_model"], {}
            if path.suffix == ".ckpt":
                from nequip.model.saved_models.checkpoint import ModelFromCheckpoint

                return ModelFromCheckpoint(name)["sole_model"], {}
            content = torch.load(path, map_location="cpu", weights_only=True)
            module = build_module(content["shape"], dtype=dtype)
            module.load_state_dict(content["weights"])
    except Exception as error:
        raise ModelError(
            f"{path} is no NequIP model.",
            why=f"{type(error).__name__}: {error}",
            fix="give a file written by `flatforce train`, or a .nequip.zip or .ckpt of NequIP",
        ) from error
    return module, content["shape"]


def build_module(shape: dict[str, Any], *, dtype: str) -> Any:
    """Build a model with random weights.

    Parameters
    ----------
    shape
        Arguments of `NequIPGNNModel`.
    dtype
        `float64` or `float32`.

    Returns
    -------
    NequIP's `GraphModel`, a torch module with random weights, on the CPU.
    """
    from nequip.model import NequIPGNNModel
    from nequip.utils.global_state import set_global_state

    with quiet():
        set_global_state(allow_tf32=False)
        return NequIPGNNModel(**shape, model_dtype=dtype)


class NequipBackend:
    """A NequIP model as a backend.

    Parameters
    ----------
    module
        NequIP's `GraphModel`.
    device
        `cpu` or `cuda`.
    """

    local = True

    def __init__(self, module: Any, *, device: str) -> None:
        self.module, self.device = module.to(device).eval(), device
        for parameter in self.module.parameters():
            parameter.requires_grad_(False)
        self.dtype = str(module.model_dtype).removeprefix("torch.")
        self.type_names = list(module.type_names)
        self.elements = frozenset(self.type_names)
        self.cutoff = float(module.metadata["r_max"])
        self.layers = count_layers(module)
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
        graphs = [make_graph(frame, self.type_names, self.cutoff) for frame in frames]
        outputs = evaluate(self.module, graphs, device=self.device)
        energies, forces, stresses = (
            outputs[name].detach().cpu().numpy().astype(float)
            for name in ("total_energy", "forces", "stress")
        )
        ends = np.cumsum([len(frame) for frame in frames])[:-1]
        return [
            RawPrediction(float(energy), frame_forces, tensor if stress else None)
            for energy, frame_forces, tensor in zip(
                energies.ravel(), np.split(forces, ends), stresses, strict=True
            )
        ]


def count_layers(module: Any) -> int:
    """Count the message-passing layers of a model.

    Parameters
    ----------
    module
        NequIP's `GraphModel`.

    Returns
    -------
    Number of message-passing layers, as the model was built.
    """
    return sum(type(submodule).__name__ == "ConvNetLayer" for submodule in module.modules())


def make_graph(slab: Atoms, type_names: Sequence[str], cutoff: float) -> dict[str, Any]:
    """Build NequIP's graph of one cell, with positions in float64 whatever the dtype of the model.

    Parameters
    ----------
    slab
        A fully periodic cell.
    type_names
        Elements of the model, in its order.
    cutoff
        Å, cutoff of the neighbour graph.

    Returns
    -------
    NequIP's dictionary of tensors: positions, cell, edges and atom types, on the CPU.
    """
    import torch
    from nequip.data import compute_neighborlist_, from_ase

    unlabelled = Atoms(slab.numbers, slab.positions, cell=slab.cell, pbc=True)
    with default_dtype("float64"):
        graph: dict[str, Any] = compute_neighborlist_(from_ase(unlabelled), cutoff)
    graph["atom_types"] = torch.tensor([type_names.index(symbol) for symbol in slab.get_chemical_symbols()])
    return graph


def evaluate(module: Any, graphs: Sequence[dict[str, Any]], *, device: str) -> dict[str, Any]:
    """Evaluate a batch of graphs.

    Parameters
    ----------
    module
        NequIP's `GraphModel`.
    graphs
        Graphs of the cells.
    device
        Device of the module.

    Returns
    -------
    Fields of NequIP: (F, 1) `total_energy` in eV, (N, 3) `forces` in eV/Å, (F, 3, 3) `stress` in eV/Å³.
    """
    from nequip.data import AtomicDataDict

    batch = AtomicDataDict.to_(AtomicDataDict.batched_from_list(list(graphs)), device)
    outputs: dict[str, Any] = module(batch)
    return outputs


@contextmanager
def quiet() -> Iterator[None]:
    """Restore the default dtype of torch, which NequIP changes, and suppress warnings.

    Yields
    ------
    Nothing.
    """
    import torch

    previous = torch.get_default_dtype()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_default_dtype(previous)
