"""NequIP in training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from flatforce.core.errors import ModelError
from flatforce.models.backends.nequip import (
    NequipBackend,
    build_module,
    evaluate,
    layers,
    load_module,
    make_graph,
)
from flatforce.models.training.files import save_torch
from flatforce.models.training.learners.base import Learner, Predicted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.models.training.architectures import NequIPArchitecture
    from flatforce.models.training.learners.base import Scale


def pretrained(name: str, *, dtype: str) -> NequipLearner:
    """Load a model to be trained further.

    Parameters
    ----------
    name
        File that `flatforce train` wrote.
    dtype
        Arithmetic.

    Returns
    -------
    The model.

    Raises
    ------
    ModelError
        If it is a package of NequIP's own.
    """
    module, shape = load_module(name, dtype=dtype)
    if not shape:
        raise ModelError(
            f"{name} cannot be trained further here.",
            why="a package of NequIP does not say how it was built",
            fix="use nequip-train for it, or start from a model that flatforce train wrote",
        )
    return NequipLearner(module, shape)


def build(shape: NequIPArchitecture, scale: Scale, *, neighbours: float, dtype: str) -> NequipLearner:
    """Make an untrained model.

    Parameters
    ----------
    shape
        Of the model.
    scale
        What it is scaled to; the shift is added to the energies of the species.
    neighbours
        Mean number of neighbours of an atom.
    dtype
        Arithmetic.

    Returns
    -------
    The model; its weights come from torch's random state.
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
        Arguments that it was built from.
    """

    suffix, loads_as = ".nequip.pt", "nequip"

    def __init__(self, module: Any, shape: dict[str, Any]) -> None:
        self.module, self.shape = module, shape
        self.type_names = list(shape["type_names"])
        self.elements = frozenset(self.type_names)
        self.cutoff, self.layers = float(shape["r_max"]), layers(module)

    @override
    def graph(self, slab: Atoms) -> Any:
        return make_graph(slab, self.type_names, self.cutoff)

    @override
    def predict(self, graphs: Sequence[Any], *, device: str, forces: bool, stress: bool) -> Predicted:
        for one in self.module.modules():
            if hasattr(one, "do_derivatives"):
                one.do_derivatives = forces or stress
        found = evaluate(self.module, graphs, device=device)
        return Predicted(
            found["total_energy"].reshape(-1),
            found["forces"] if forces else None,
            found["stress"] if stress else None,
        )

    @override
    def shift(self, energies: dict[str, float]) -> None:
        tables = [one.shifts for one in self.module.modules() if hasattr(one, "has_shifts")]
        for symbol, energy in energies.items():
            tables[0].data[self.type_names.index(symbol)] += energy

    @override
    def save(self, path: Path) -> None:

        content = {"shape": self.shape, "weights": self.module.cpu().state_dict()}
        save_torch(path, content)

    @override
    def backend(self) -> NequipBackend:
        exact = build_module(self.shape, dtype="float64")
        exact.load_state_dict(self.module.cpu().state_dict())
        return NequipBackend(exact, device="cpu")
