"""SevenNet models: `sevennet:7net-0`, `sevennet:7net-l3i5` (weights come with the package), `sevennet:checkpoint.pth`.

SevenNet evaluates in float32; here its layers are turned to float64 where that is asked for.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols

from flatforce.core.errors import ModelError
from flatforce.models.precision import default_dtype, torch_device
from flatforce.models.protocols import RawPrediction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray

BATCH_ATOMS = {"cpu": 200, "cuda": 4000}
"""Atoms a batch."""

VOIGT = ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (2, 0))
"""Order of SevenNet's stress."""


def load(name: str, *, device: str, dtype: str) -> SevenNetBackend:
    """Load a model.

    Parameters
    ----------
    name
        Name that SevenNet knows, or path of a checkpoint; `name@modal` for a model of several fidelities.
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
    from sevenn.calculator import SevenNetCalculator

    place = torch_device(device)
    model, _, modal = name.partition("@")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            calculator = SevenNetCalculator(model, device=place, modal=modal or None)
    except Exception as error:
        raise ModelError(
            f"SevenNet could not load {name}.",
            why=f"{type(error).__name__}: {error}",
            fix="7net-0 and 7net-l3i5 come with the package; other names are downloaded when the machine is online",
        ) from error
    return SevenNetBackend(calculator, device=place, dtype=dtype)


class SevenNetBackend:
    """A SevenNet model.

    Parameters
    ----------
    calculator
        SevenNet's own, which has the model.
    device
        `cpu` or `cuda`.
    dtype
        `float64` or `float32`.
    """

    local = True

    def __init__(self, calculator: Any, *, device: str, dtype: str) -> None:
        import torch
        from sevenn.nn.node_embedding import OnehotEmbedding

        self.device, self.dtype, self.modal = device, dtype, calculator.modal
        self.cutoff = float(calculator.cutoff)
        self.layers = int(calculator.sevennet_config["num_convolution_layer"])
        self.elements = frozenset(chemical_symbols[number] for number in calculator.type_map)
        self.batch_atoms = BATCH_ATOMS[device]
        self.model = calculator.model.to(getattr(torch, dtype))
        self.model.set_is_batch_data(True)
        for module in self.model.modules():
            if isinstance(module, OnehotEmbedding):  # it hands on float32, whatever the precision
                module.register_forward_hook(_in_default_precision)

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
        import sevenn._keys as key
        from torch_geometric.data import Batch

        with default_dtype(self.dtype):
            batch = Batch.from_data_list([self._graph(frame) for frame in frames]).to(self.device)
            found = self.model(batch)
        energies = found[key.PRED_TOTAL_ENERGY].detach().cpu().numpy().astype(float)
        forces = found[key.PRED_FORCE].detach().cpu().numpy().astype(float)
        stresses = found[key.PRED_STRESS].detach().cpu().numpy().astype(float)
        ends = np.cumsum([len(frame) for frame in frames])[:-1]
        return [
            RawPrediction(float(energy), own, _tensor(pressure) if stress else None)
            for energy, own, pressure in zip(energies, np.split(forces, ends), stresses, strict=True)
        ]

    def _graph(self, frame: Atoms) -> Any:
        import sevenn._keys as key
        import torch
        from sevenn.atom_graph_data import AtomGraphData
        from sevenn.train.dataload import unlabeled_atoms_to_graph

        arrays = unlabeled_atoms_to_graph(frame, self.cutoff, with_shift=False)
        graph = AtomGraphData.from_numpy_dict(dict(arrays))  # which it changes
        for name in graph.keys():  # noqa: SIM118  # no mapping
            if torch.is_tensor(graph[name]) and graph[name].is_floating_point():  # rounded to float32
                exact = torch.as_tensor(arrays.get(name, graph[name]), dtype=getattr(torch, self.dtype))
                graph[name] = exact.reshape(graph[name].shape)
        if self.modal:
            graph[key.DATA_MODALITY] = self.modal
        return graph


def _in_default_precision(module: Any, _: Any, data: Any) -> Any:
    import torch

    for name in (module.key_output, module.key_additional_output):
        if name is not None:
            data[name] = data[name].to(torch.get_default_dtype())
    return data


def _tensor(pressure: FloatArray) -> FloatArray:
    """(3, 3) eV/Å³, tension positive."""
    found = np.zeros((3, 3))
    for value, (row, column) in zip(pressure, VOIGT, strict=True):
        found[row, column] = found[column, row] = -value
    return found
