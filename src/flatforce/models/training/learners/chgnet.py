"""Fine-tuning of CHGNet, from the weights of its package or from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ase.data import atomic_numbers
from typing_extensions import override

from flatforce.core.errors import ConfigError
from flatforce.core.trust import trust
from flatforce.core.units import EV_PER_A3_IN_GPA
from flatforce.models.backends.chgnet import ChgnetBackend, load, make_graph, precision
from flatforce.models.training.files import save_torch
from flatforce.models.training.learners.base import Learner, PredictionBatch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms


def pretrained(name: str, *, dtype: str) -> ChgnetLearner:
    """Load a model for fine-tuning.

    Parameters
    ----------
    name
        `0.3.0`, `0.2.0`, `r2scan`, or path of a model file.
    dtype
        Arithmetic of the model, `float32` or `float64`.

    Returns
    -------
    The CHGNet model with its weights, ready for training.
    """
    return ChgnetLearner(load(name, device="cpu", dtype=dtype).model, dtype)


class ChgnetLearner(Learner):
    """A CHGNet model in training.

    Parameters
    ----------
    module
        Torch module of the model.
    dtype
        Arithmetic of the model, `float32` or `float64`.
    """

    suffix, loads_as = ".pth.tar", "chgnet"
    elements = ChgnetBackend.elements

    def __init__(self, module: Any, dtype: str) -> None:
        self.module, self.dtype = module, dtype
        self.cutoff, self.layers = float(module.graph_converter.atom_graph_cutoff), int(module.n_conv)

    @override
    def graph(self, slab: Atoms) -> Any:
        with precision(self.dtype):
            return make_graph(slab, self.module)

    @override
    def predict(self, graphs: Sequence[Any], *, device: str, forces: bool, stress: bool) -> PredictionBatch:
        import torch

        task = "efs" if stress else "ef" if forces else "e"
        with precision(self.dtype):
            outputs = self.module([graph.to(device) for graph in graphs], task=task)
        sizes = torch.tensor([len(graph.atomic_number) for graph in graphs], device=device)
        tension = torch.stack(outputs["s"]) / EV_PER_A3_IN_GPA if stress else None
        return PredictionBatch(outputs["e"] * sizes, torch.cat(outputs["f"]) if forces else None, tension)

    @override
    def shift(self, energies: dict[str, float]) -> None:
        composition = getattr(self.module.composition_model, "fc", None)
        if composition is None:
            raise ConfigError(
                "This CHGNet model has no reference energies that could be refitted.",
                fix="set refit_e0s: false",
            )
        for symbol, energy in energies.items():
            composition.weight.data[0, atomic_numbers[symbol] - 1] += energy

    @override
    def save(self, path: Path) -> None:
        content = {"model": self.module.cpu().as_dict()}
        save_torch(path, content)
        trust(path)

    @override
    def backend(self) -> ChgnetBackend:
        import torch

        return ChgnetBackend(self.module.cpu().to(torch.float64), device="cpu", dtype="float64")
