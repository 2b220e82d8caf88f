"""MACE models, batched, in float64 or float32."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ase.data import chemical_symbols

from flatforce.models.backends.mace_files import import_mace, load_module
from flatforce.models.batches import split_outputs, to_numpy
from flatforce.models.precision import default_dtype, torch_device

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.models.backends.mace_hessian import MaceHessian
    from flatforce.models.protocols import RawPrediction

BATCH_ATOMS_CPU = 110
"""Number of atoms in one batch on a CPU: small frames are faster in batches, while one frame of 100 atoms fills the cache."""

BATCH_ATOMS_GPU = 8000
"""Number of atoms in one batch on a GPU, with which a model of 128 channels takes a few GiB."""


def load(name: str, *, device: str, dtype: str) -> MaceBackend:
    """Load a MACE model as a backend.

    Parameters
    ----------
    name
        Path of a `.model` file, or name of a bundled or published model.
    device
        `cpu`, `cuda`, or `auto` for a GPU if there is one.
    dtype
        `float64` or `float32`.

    Returns
    -------
    The backend, which evaluates batches of fully periodic cells on that device.
    """
    import_mace()
    torch_name = torch_device(device)
    return MaceBackend(load_module(name, device=torch_name), device=torch_name, dtype=dtype)


class MaceBackend:
    """A MACE model as a backend.

    Parameters
    ----------
    model
        Torch module of the model.
    device
        `cpu` or `cuda`.
    dtype
        `float64` or `float32`.
    """

    local = True

    def __init__(self, model: Any, *, device: str, dtype: str) -> None:
        self.torch = import_mace()
        self.model = model.to(device=device, dtype=getattr(self.torch, dtype)).eval()
        for parameter in self.model.parameters():
            parameter.requires_grad_(False)
        self.device, self.dtype = device, dtype
        self.cutoff = float(model.r_max)
        self.layers = int(model.num_interactions)
        self.numbers = [int(z) for z in model.atomic_numbers]
        self.elements = frozenset(chemical_symbols[z] for z in self.numbers)
        self.batch_atoms = BATCH_ATOMS_CPU if device == "cpu" else BATCH_ATOMS_GPU
        self.heads = list(getattr(model, "heads", None) or ["Default"])

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
        batch = collate(frames, numbers=self.numbers, cutoff=self.cutoff, heads=self.heads, dtype=self.dtype)
        outputs = self.model(batch.to(self.device).to_dict(), compute_stress=stress, compute_force=True)
        stresses = to_numpy(outputs["stress"]) if stress else None
        return split_outputs(frames, to_numpy(outputs["energy"]), to_numpy(outputs["forces"]), stresses)

    def hessian(self, slab: Atoms) -> MaceHessian | None:
        """Prepare analytic rows of the Hessian of one cell.

        Parameters
        ----------
        slab
            A fully periodic cell.

        Returns
        -------
        An object that computes the rows; None for a model with interaction blocks that have not been verified.
        """
        from flatforce.models.backends.mace_hessian import MaceHessian, is_checked

        return MaceHessian(self.model, slab, device=self.device) if is_checked(self.model) else None


def collate(
    frames: Sequence[Atoms], *, numbers: Sequence[int], cutoff: float, heads: Sequence[str], dtype: str
) -> Any:
    """Build MACE's batch of graphs.

    Parameters
    ----------
    frames
        Fully periodic cells.
    numbers
        Atomic numbers of the elements of the model, in its order.
    cutoff
        Å, cutoff of the neighbour graph.
    heads
        Names of the model's heads.
    dtype
        Arithmetic of the batch, `float32` or `float64`.

    Returns
    -------
    Batch of MACE's graphs on the CPU, to be moved to the device of the model.
    """
    import_mace()
    from mace.tools import torch_geometric

    with default_dtype(dtype):
        graphs = [make_graph(frame, numbers=numbers, cutoff=cutoff, heads=heads) for frame in frames]
        return torch_geometric.Batch.from_data_list(graphs)


def make_graph(slab: Atoms, *, numbers: Sequence[int], cutoff: float, heads: Sequence[str]) -> Any:
    """Build MACE's graph of one cell, in the default dtype of torch.

    Parameters
    ----------
    slab
        A fully periodic cell.
    numbers
        Atomic numbers of the elements of the model, in its order.
    cutoff
        Å, cutoff of the neighbour graph.
    heads
        Names of the model's heads, of which the last is evaluated.

    Returns
    -------
    MACE's `AtomicData` of the cell, on the CPU.
    """
    from mace import data
    from mace.tools import AtomicNumberTable

    configuration = data.Configuration(
        atomic_numbers=slab.numbers,
        positions=slab.positions,
        properties={},
        property_weights={},
        cell=slab.cell.array,
        pbc=(True, True, True),
        head=heads[-1],
    )
    return data.AtomicData.from_config(
        configuration, z_table=AtomicNumberTable(list(numbers)), cutoff=cutoff, heads=list(heads)
    )
