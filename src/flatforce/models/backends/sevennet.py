"""SevenNet models: `sevennet:7net-0`, `sevennet:7net-l3i5` (weights come with the package), `sevennet:checkpoint.pth`.

SevenNet evaluates in float32; flatforce converts its layers to float64 if that is asked for.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols

from flatforce.core.errors import ModelError
from flatforce.models.batches import split_outputs, to_numpy
from flatforce.models.precision import default_dtype, torch_device

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.protocols import RawPrediction

BATCH_ATOMS = {"cpu": 200, "cuda": 4000}
"""Device → number of atoms in one batch with which the model is fastest."""

VOIGT = ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (2, 0))
"""Row and column of each component of SevenNet's stress."""


def load(name: str, *, device: str, dtype: str) -> SevenNetBackend:
    """Load a model.

    Parameters
    ----------
    name
        Name of a published model, or path of a checkpoint; `name@modal` for a model of several fidelities.
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
    from sevenn.calculator import SevenNetCalculator

    torch_name = torch_device(device)
    model, _, modal = name.partition("@")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            calculator = SevenNetCalculator(model, device=torch_name, modal=modal or None)
    except Exception as error:
        raise ModelError(
            f"SevenNet could not load {name}.",
            why=f"{type(error).__name__}: {error}",
            fix="write sevennet:7net-0 or sevennet:7net-l3i5, which come with the package; other names need the network",
        ) from error
    return SevenNetBackend(calculator, device=torch_name, dtype=dtype)


class SevenNetBackend:
    """A SevenNet model as a backend.

    Parameters
    ----------
    calculator
        ASE calculator of SevenNet, which holds the model.
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
            if isinstance(module, OnehotEmbedding):  # its output is float32, whatever the dtype of the model
                module.register_forward_hook(_cast_output)

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
        import sevenn._keys as key
        from torch_geometric.data import Batch

        with default_dtype(self.dtype):
            batch = Batch.from_data_list([self._make_graph(frame) for frame in frames]).to(self.device)
            outputs = self.model(batch)
        energies, forces = to_numpy(outputs[key.PRED_TOTAL_ENERGY]), to_numpy(outputs[key.PRED_FORCE])
        stresses = _stress_tensors(to_numpy(outputs[key.PRED_STRESS])) if stress else None
        return split_outputs(frames, energies, forces, stresses)

    def _make_graph(self, frame: Atoms) -> Any:
        import sevenn._keys as key
        import torch
        from sevenn.atom_graph_data import AtomGraphData
        from sevenn.train.dataload import unlabeled_atoms_to_graph

        arrays = unlabeled_atoms_to_graph(frame, self.cutoff, with_shift=False)
        graph = AtomGraphData.from_numpy_dict(dict(arrays))  # the call changes the dictionary
        for name in graph.keys():  # noqa: SIM118  # the graph is no mapping
            if (
                torch.is_tensor(graph[name]) and graph[name].is_floating_point()
            ):  # they were rounded to float32
                exact = torch.as_tensor(arrays.get(name, graph[name]), dtype=getattr(torch, self.dtype))
                graph[name] = exact.reshape(graph[name].shape)
        if self.modal:
            graph[key.DATA_MODALITY] = self.modal
        return graph


def _cast_output(module: Any, _: Any, data: Any) -> Any:
    import torch

    for name in (module.key_output, module.key_additional_output):
        if name is not None:
            data[name] = data[name].to(torch.get_default_dtype())
    return data


def _stress_tensors(components: FloatArray) -> FloatArray:
    """Return (F, 3, 3) eV/Å³, tension positive, from the (F, 6) components of SevenNet, pressure positive."""
    tensors = np.zeros((len(components), 3, 3))
    for values, (row, column) in zip(components.T, VOIGT, strict=True):
        tensors[:, row, column] = tensors[:, column, row] = -values
    return tensors
