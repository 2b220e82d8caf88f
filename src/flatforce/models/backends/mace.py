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
"""Atoms a batch on a CPU: batches of small frames gain, frames of 100 atoms fill its cache alone."""

BATCH_ATOMS_GPU = 8000
"""Atoms a batch on a GPU; a model of 128 channels then takes a few GiB."""


def load(name: str, *, device: str, dtype: str) -> MaceBackend:
    """Load a `.model` file.

    Parameters
    ----------
    name
        Path of the file.
    device
        `cpu`, `cuda`, or `auto`.
    dtype
        `float64` or `float32`.

    Returns
    -------
    The backend.
    """
    import_mace()
    where = torch_device(device)
    return MaceBackend(load_module(name, device=where), device=where, dtype=dtype)


def load_module(name: str, *, device: str) -> Any:
    """Read a `.model` file.

    Parameters
    ----------
    name
        Path of the file, or a bundled model.
    device
        `cpu` or `cuda`.

    Returns
    -------
    The torch module.

    Raises
    ------
    ModelError
        If the file is absent or no MACE model.
    """
    torch = import_mace()
    if name in PUBLISHED:
        return _fetched(name, device=device)
    path = model_path(name)
    try:
        model = torch.load(path, map_location=device, weights_only=False)
        float(model.r_max)
    except Exception as error:
        raise ModelError(
            f"{path} is no MACE model.",
            why=f"{type(error).__name__}: {error}",
            fix="was the file cut short, or made by another MACE version?",
        ) from error
    return model


def _fetched(name: str, *, device: str) -> Any:
    """Let mace-torch fetch a published model, or take it from its cache."""
    from mace.calculators import mace_mp

    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            return mace_mp(model=name, device=device, return_raw_model=True)
    except Exception as error:
        raise ModelError(
            f"mace:{name} could not be fetched.",
            why=f"{type(error).__name__}: {error}",
            fix="fetch its file where there is a network and give its path, or put it into ~/.cache/mace",
        ) from error


def import_mace() -> Any:
    """Import MACE, then torch: e3nn 0.4.4 fails on torch ≥ 2.6 the other way round.

    Returns
    -------
    The torch module.

    Raises
    ------
    MissingDependencyError
        If MACE is not installed.
    """
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):  # it prints what it lacks
            warnings.simplefilter("ignore")
            import mace.modules  # noqa: F401  # its import sets torch up for e3nn
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
        The torch module.
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
        """Evaluate one batch.

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
        batch = collate(frames, numbers=self.numbers, cutoff=self.cutoff, heads=self.heads, dtype=self.dtype)
        out = self.model(batch.to(self.device).to_dict(), compute_stress=stress, compute_force=True)
        energies = out["energy"].detach().cpu().numpy().astype(float)
        forces = out["forces"].detach().cpu().numpy().astype(float)
        stresses = out["stress"].detach().cpu().numpy().astype(float) if stress else None
        ends = np.cumsum([len(frame) for frame in frames])
        return [
            RawPrediction(float(energies[i]), part, None if stresses is None else stresses[i])
            for i, part in enumerate(np.split(forces, ends[:-1]))
        ]

    def hessian(self, slab: Atoms) -> MaceHessian | None:
        """Prepare rows of the Hessian of one cell.

        Parameters
        ----------
        slab
            A fully periodic cell.

        Returns
        -------
        What computes them; None for a model whose blocks have not been checked.
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
        Atomic numbers that the model knows, in its order.
    cutoff
        Å.
    heads
        Names of the model's heads.
    dtype
        Of the numbers in the batch.

    Returns
    -------
    The batch.
    """
    import_mace()
    from mace.tools import torch_geometric

    with default_dtype(dtype):
        graphs = [make_graph(frame, numbers=numbers, cutoff=cutoff, heads=heads) for frame in frames]
        return torch_geometric.Batch.from_data_list(graphs)


def make_graph(slab: Atoms, *, numbers: Sequence[int], cutoff: float, heads: Sequence[str]) -> Any:
    """Build MACE's graph of one cell, in torch's default precision.

    Parameters
    ----------
    slab
        A fully periodic cell.
    numbers
        Atomic numbers that the model knows, in its order.
    cutoff
        Å.
    heads
        Names of the model's heads; the last is meant.

    Returns
    -------
    The graph.
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
