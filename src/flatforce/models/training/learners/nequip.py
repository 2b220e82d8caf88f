"""Training and fine-tuning of NequIP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from flatforce.core.errors import ModelError
from flatforce.models.backends.nequip import NequipBackend, count_layers, evaluate, make_graph
from flatforce.models.backends.nequip_files import build_module, load_module
from flatforce.models.training.files import save_torch
from flatforce.models.training.learners.base import Learner, PredictionBatch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.models.training.architectures import NequIPArchitecture
    from flatforce.models.training.learners.base import Scale


def pretrained(name: str, *, dtype: str) -> NequipLearner:
    """Load a model for fine-tuning.

    Parameters
    ----------
    name
        Path of a file written by `flatforce train`.
    dtype
        Arithmetic of the model, `float32` or `float64`.

    Returns
    -------
    The NequIP model with its weights, ready for training.

    Raises
    ------
    ModelError
        If the file is a package of NequIP itself.
    """
    module, shape = load_module(name, dtype=dtype)
    if not shape:
        raise ModelError(
            f"{name} cannot be fine-tuned by flatforce.",
            why="a package of NequIP does not hold the architecture of its model",
            fix="use nequip-train, or start from a .nequip.pt file written by `flatforce train`",
        )
    return NequipLearner(module, shape)


def build(shape: NequIPArchitecture, scale: Scale, *, neighbours: float, dtype: str) -> NequipLearner:
    """Build a model with random weights.

    Parameters
    ----------
    shape
        Architecture of the model.
    scale
        Scales of the data; the shift is added to the reference energies.
    neighbours
        Mean number of neighbours of an atom in the training set.
    dtype
        Arithmetic of the model, `float32` or `float64`.

    Returns
    -------
    The model in training; its weights are drawn from the random state of torch.
    """
    import torch

    arguments: dict[str, Any] = {
        "seed": int(torch.initial_seed() % 2**31),
        "type_names": sorted(scale.e0s),
        "r_max": shape.r_max,
        "num_layers": shape.num_interactions,
        "l_max": shape.l_max,
        "parity": shape.parity,
        "num_features": shape.num_features,
        "num_bessels": shape.num_radial_basis,
        "avg_num_neighbors": neighbours,
        "per_type_energy_scales": scale.force,
        "per_type_energy_shifts": {symbol: e0 + scale.shift for symbol, e0 in sorted(scale.e0s.items())},
    }
    return NequipLearner(build_module(arguments, dtype=dtype), arguments)


class NequipLearner(Learner):
    """A NequIP model in training.

    Parameters
    ----------
    module
        NequIP's `GraphModel`.
    shape
        Arguments with which NequIP built the model.
    """

    suffix, loads_as = ".nequip.pt", "nequip"

    def __init__(self, module: Any, shape: dict[str, Any]) -> None:
        self.module, self.shape = module, shape
        self.type_names = list(shape["type_names"])
        self.elements = frozenset(self.type_names)
        self.cutoff, self.layers = float(shape["r_max"]), count_layers(module)

    @override
    def graph(self, slab: Atoms) -> Any:
        return make_graph(slab, self.type_names, self.cutoff)

    @override
    def predict(self, graphs: Sequence[Any], *, device: str, forces: bool, stress: bool) -> PredictionBatch:
        for submodule in self.module.modules():
            if hasattr(submodule, "do_derivatives"):
                submodule.do_derivatives = forces or stress
        outputs = evaluate(self.module, graphs, device=device)
        return PredictionBatch(
            outputs["total_energy"].reshape(-1),
            outputs["forces"] if forces else None,
            outputs["stress"] if stress else None,
        )

    @override
    def shift(self, energies: dict[str, float]) -> None:
        tables = [submodule.shifts for submodule in self.module.modules() if hasattr(submodule, "has_shifts")]
        for symbol, energy in energies.items():
            tables[0].data[self.type_names.index(symbol)] += energy

    @override
    def save(self, path: Path) -> None:
        content = {"shape": self.shape, "weights": self.module.cpu().state_dict()}
        save_torch(path, content)

    @override
    def backend(self) -> NequipBackend:
        double = build_module(self.shape, dtype="float64")
        double.load_state_dict(self.module.cpu().state_dict())
        return NequipBackend(double, device="cpu")
