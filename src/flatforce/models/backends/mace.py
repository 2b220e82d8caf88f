"""MACE models, batched, in float64 or float32."""

from __future__ import annotations

import warnings
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols

from flatforce.core.errors import MissingDependencyError, ModelError
from flatforce.models.precision import default_dtype, torch_device
from flatforce.models.protocols import RawPrediction
from flatforce.models.spec import PUBLISHED, model_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.models.backends.mace_hessian import MaceHessian

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


def load_module(name: str, *, device: str) -> Any:
    """Load the torch module of a MACE model.

    Parameters
    ----------
    name
        Path of a `.model` file, or name of a bundled or published model.
    device
        `cpu` or `cuda`.

    Returns
    -------
    Torch module of the model, as mace-torch saved it, in the dtype of its file.

    Raises
    ------
    ModelError
        If the file does not exist or holds no MACE model.
    """
    torch = import_mace()
    if name in PUBLISHED:
        return _fetch(name, device=device)
    path = model_path(name)
    try:
        model = torch.load(path, map_location=device, weights_only=False)
        float(model.r_max)
    except Exception as error:
        raise ModelError(
            f"{path} is no MACE model.",
            why=f"{type(error).__name__}: {error}",
            fix="copy the file again if it was truncated, or install the version of mace-torch that wrote it",
        ) from error
    return model


def _fetch(name: str, *, device: str) -> Any:
    """Download a published model with mace-torch, or take it from its cache."""
    from mace.calculators import mace_mp

    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            return mace_mp(model=name, device=device, return_raw_model=True)
    except Exception as error:
        raise ModelError(
            f"mace:{name} could not be downloaded.",
            why=f"{type(error).__name__}: {error}",
            fix="download its file on a machine with a network and write mace:PATH, or put it into ~/.cache/mace",
        ) from error


def import_mace() -> Any:
    """Import MACE before torch, since e3nn 0.4.4 fails with torch ≥ 2.6 in the other order.

    Returns
    -------
    The package `torch`, imported after MACE.

    Raises
    ------
    MissingDependencyError
        If MACE is not installed.
    """
    try:
        with (
            warnings.catch_warnings(),
            redirect_stdout(StringIO()),
        ):  # MACE prints which optional packages are missing
            warnings.simplefilter("ignore")
            import mace.modules  # noqa: F401  # the import prepares torch for e3nn
            import torch
    except ImportError as error:
        raise MissingDependencyError(
            "MACE is not installed.", why=str(error), fix="pip install 'flatforce[mace]'"
        ) from error
    return torch


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
        energies = outputs["energy"].detach().cpu().numpy().astype(float)
        forces = outputs["forces"].detach().cpu().numpy().astype(float)
        stresses = outputs["stress"].detach().cpu().numpy().astype(float) if stress else None
        ends = np.cumsum([len(frame) for frame in frames])
        return [
            RawPrediction(float(energies[k]), frame_forces, None if stresses is None else stresses[k])
            for k, frame_forces in enumerate(np.split(forces, ends[:-1]))
        ]

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
