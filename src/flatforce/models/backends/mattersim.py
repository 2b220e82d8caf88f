"""MatterSim models: `mattersim:mattersim-v1.0.0-1m`, `mattersim:checkpoint.pth`.

MatterSim evaluates in float32 and casts to it on its way; here the casts lead to float64 where that is asked for.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import numpy as np
from ase.data import chemical_symbols

from flatforce.core.errors import ModelError
from flatforce.models.precision import default_dtype, torch_device
from flatforce.models.protocols import RawPrediction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

BATCH_ATOMS: Final = {"cpu": 200, "cuda": 4000}
"""Atoms a batch."""

RANDOM: Final = "random"
"""Name of a small model with random weights, which obeys every exact law: for self-tests, since no weights come with the
package."""


def load(name: str, *, device: str, dtype: str) -> MatterSimBackend:
    """Load a model.

    Parameters
    ----------
    name
        Name that MatterSim knows, path of a checkpoint, or `random`.
    device
        `cpu`, `cuda`, or `auto`.
    dtype
        `float64` or `float32`.

    Returns
    -------
    The backend.

    Raises
    ------
    ModelError
        If it cannot be loaded.
    """
    import torch
    from loguru import logger
    from mattersim.forcefield.m3gnet.m3gnet import M3Gnet
    from mattersim.forcefield.potential import Potential

    logger.remove()  # it tells every step on standard error
    place = torch_device(device)
    if name == RANDOM:
        torch.manual_seed(0)
        model = M3Gnet(num_blocks=2, units=16, device=place).to(place)
        return MatterSimBackend(Potential(model, device=place), device=place, dtype=dtype)
    try:
        potential = Potential.from_checkpoint(name, device=place, load_training_state=False)
    except (Exception, SystemExit) as error:
        raise ModelError(
            f"MatterSim could not load {name}.",
            why=f"{type(error).__name__}: {error}",
            fix="mattersim-v1.0.0-1m and -5m are downloaded when the machine is online; else give the path of a checkpoint",
        ) from error
    return MatterSimBackend(potential, device=place, dtype=dtype)


class MatterSimBackend:
    """A MatterSim model.

    Parameters
    ----------
    potential
        MatterSim's own.
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
        from ase.units import GPa
        from mattersim.datasets.utils.build import build_dataloader
        from mattersim.forcefield.potential import batch_to_dict

        inside = [frame.copy() for frame in frames]
        for frame in inside:
            frame.wrap(eps=0.0)  # where MatterSim's graph supposes them
        with _precision(self.dtype):
            batches = build_dataloader(
                inside,
                cutoff=self.cutoff,
                threebody_cutoff=self.threebody,
                batch_size=len(frames),
                only_inference=True,
            )
            (batch,) = batches
            given = batch_to_dict(batch, device=self.device)
            exact = {
                "atom_pos": [one.positions for one in inside],
                "cell": [one.cell.array[None] for one in frames],
            }
            for key, arrays in exact.items():  # rounded to float32 on their way into the graph
                given[key] = given[key].new_tensor(np.concatenate(arrays), dtype=self._dtype())
            found = self.potential.forward(given, include_forces=True, include_stresses=stress)
        energies = found["total_energy"].detach().cpu().numpy().astype(float).reshape(-1)
        forces = found["forces"].detach().cpu().numpy().astype(float)
        tensors = (
            found["stresses"].detach().cpu().numpy().astype(float) * GPa if stress else [None] * len(frames)
        )
        ends = np.cumsum([len(frame) for frame in frames])[:-1]
        return [
            RawPrediction(float(energy), own, tensor)
            for energy, own, tensor in zip(energies, np.split(forces, ends), tensors, strict=True)
        ]

    def _dtype(self) -> Any:
        import torch

        return getattr(torch, self.dtype)


@contextmanager
def _precision(dtype: str) -> Iterator[None]:
    """Let constants be made in that precision, and lead MatterSim's own casts there."""
    import torch

    cast = torch.Tensor.double if dtype == "float64" else torch.Tensor.float
    with default_dtype(dtype), patch.object(torch.Tensor, "float", cast):
        yield
