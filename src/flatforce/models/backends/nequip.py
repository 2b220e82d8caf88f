"""NequIP models, batched, on graphs with positions in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ase import Atoms

from flatforce.models.backends.nequip_files import load_module
from flatforce.models.batches import split_outputs, to_numpy
from flatforce.models.precision import default_dtype, torch_device

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.models.protocols import RawPrediction

BATCH_ATOMS: Final = {"cpu": 200, "cuda": 4000}
"""Device → number of atoms in one batch with which the model is fastest."""


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
        stresses = to_numpy(outputs["stress"]) if stress else None
        return split_outputs(frames, to_numpy(outputs["total_energy"]), to_numpy(outputs["forces"]), stresses)


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
