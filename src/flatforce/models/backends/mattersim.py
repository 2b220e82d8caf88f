"""MatterSim models: `mattersim:mattersim-v1.0.0-1m`, `mattersim:checkpoint.pth`.

MatterSim evaluates in float32 and casts to it in several places; flatforce redirects the casts to float64 if that is asked for.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import numpy as np
from ase.data import chemical_symbols

from flatforce.core.errors import ModelError
from flatforce.models.batches import split_outputs, to_numpy
from flatforce.models.precision import default_dtype, torch_device

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

    from flatforce.models.protocols import RawPrediction

BATCH_ATOMS: Final = {"cpu": 200, "cuda": 4000}
"""Device → number of atoms in one batch with which the model is fastest."""

RANDOM: Final = "random"
"""Name of a small model with random weights for self-tests, since the package ships no weights: it obeys every exact law."""


def load(name: str, *, device: str, dtype: str) -> MatterSimBackend:
    """Load a model.

    Parameters
    ----------
    name
        Name of a published model, path of a checkpoint, or `random`.
    device
        `cpu`, `cuda`, or `auto` for a GPU if there is one.
    dtype
        `float64` or `float32`.

    Returns
    -------
    The backend, which evaluates batches of fully periodic cells on that device.

    Raises
    ------
    ModelError
        If the model cannot be loaded.
    """
    import torch
    from loguru import logger
    from mattersim.forcefield.m3gnet.m3gnet import M3Gnet
    from mattersim.forcefield.potential import Potential

    logger.remove()  # MatterSim logs every step to standard error
    torch_name = torch_device(device)
    if name == RANDOM:
        torch.manual_seed(0)
        model = M3Gnet(num_blocks=2, units=16, device=torch_name).to(torch_name)
        return MatterSimBackend(Potential(model, device=torch_name), device=torch_name, dtype=dtype)
    try:
        potential = Potential.from_checkpoint(name, device=torch_name, load_training_state=False)
    except (Exception, SystemExit) as error:
        raise ModelError(
            f"MatterSim could not load {name}.",
            why=f"{type(error).__name__}: {error}",
            fix="write mattersim:mattersim-v1.0.0-1m or -5m, which needs the network, or mattersim:PATH of a checkpoint",
        ) from error
    return MatterSimBackend(potential, device=torch_name, dtype=dtype)


class MatterSimBackend:
    """A MatterSim model as a backend.

    Parameters
    ----------
    potential
        `Potential` of MatterSim.
    device
        `cpu` or `cuda`.
    dtype
        `float64` or `float32`.
    """

    local = True

    def __init__(self, potential: Any, *, device: str, dtype: str) -> None:
        import torch

        shape = potential.model.model_args
        self.device, self.dtype, self.potential = device, dtype, potential
        self.cutoff, self.threebody = float(shape["cutoff"]), float(shape["threebody_cutoff"])
        self.layers = int(shape["num_blocks"])
        self.elements = frozenset(chemical_symbols[1 : int(shape["max_z"]) + 1])
        self.batch_atoms = BATCH_ATOMS[device]
        potential.model.to(getattr(torch, dtype)).eval()

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
        from ase.units import GPa
        from mattersim.datasets.utils.build import build_dataloader
        from mattersim.forcefield.potential import batch_to_dict

        wrapped = [frame.copy() for frame in frames]
        for frame in wrapped:
            frame.wrap(eps=0.0)  # MatterSim's graph assumes atoms inside the cell
        with _precision(self.dtype):
            batches = build_dataloader(
                wrapped,
                cutoff=self.cutoff,
                threebody_cutoff=self.threebody,
                batch_size=len(frames),
                only_inference=True,
            )
            (batch,) = batches
            inputs = batch_to_dict(batch, device=self.device)
            exact = {
                "atom_pos": [frame.positions for frame in wrapped],
                "cell": [frame.cell.array[None] for frame in frames],
            }
            for key, arrays in exact.items():  # the graph holds them rounded to float32
                inputs[key] = inputs[key].new_tensor(np.concatenate(arrays), dtype=self._dtype())
            outputs = self.potential.forward(inputs, include_forces=True, include_stresses=stress)
        stresses = to_numpy(outputs["stresses"]) * GPa if stress else None
        return split_outputs(frames, to_numpy(outputs["total_energy"]), to_numpy(outputs["forces"]), stresses)

    def _dtype(self) -> Any:
        import torch

        return getattr(torch, self.dtype)


@contextmanager
def _precision(dtype: str) -> Iterator[None]:
    """Create constants in this dtype, and redirect the casts of MatterSim to it."""
    import torch

    cast = torch.Tensor.double if dtype == "float64" else torch.Tensor.float
    with default_dtype(dtype), patch.object(torch.Tensor, "float", cast):
        yield
