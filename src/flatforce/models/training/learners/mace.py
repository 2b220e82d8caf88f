"""Training and fine-tuning of MACE."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from typing_extensions import override

from flatforce.core.trust import trust
from flatforce.models.backends.mace import MaceBackend, make_graph
from flatforce.models.backends.mace_files import import_mace, load_module
from flatforce.models.training.files import save_torch
from flatforce.models.training.learners.base import Learner, PredictionBatch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.models.training.architectures import MaceArchitecture
    from flatforce.models.training.learners.base import Scale


def pretrained(name: str, *, dtype: str) -> MaceLearner:
    """Load a model for fine-tuning.

    Parameters
    ----------
    name
        Path of a `.model` file, or name of a bundled or published model.
    dtype
        Arithmetic of the model, `float32` or `float64`.

    Returns
    -------
    The MACE model with its weights, ready for training.
    """
    torch = import_mace()
    module = load_module(name, device="cpu").to(getattr(torch, dtype))
    for parameter in module.parameters():
        parameter.requires_grad_(True)
    return MaceLearner(module)


def build(shape: MaceArchitecture, scale: Scale, *, neighbours: float, dtype: str) -> MaceLearner:
    """Build a model with random weights.

    Parameters
    ----------
    shape
        Architecture of the model.
    scale
        Scales of the data.
    neighbours
        Mean number of neighbours of an atom in the training set.
    dtype
        Arithmetic of the model, to which the default dtype of torch is set.

    Returns
    -------
    The MACE model with random weights, ready for training.
    """
    torch = import_mace()
    from e3nn import o3
    from mace import modules

    by_number = {atomic_numbers[symbol]: energy for symbol, energy in scale.e0s.items()}
    numbers = sorted(by_number)
    block = modules.interaction_classes["RealAgnosticResidualInteractionBlock"]
    with warnings.catch_warnings():  # e3nn 0.4.4 compiles with TorchScript, which is deprecated
        warnings.simplefilter("ignore")
        module = modules.ScaleShiftMACE(
            r_max=shape.r_max,
            num_bessel=shape.num_radial_basis,
            num_polynomial_cutoff=shape.num_cutoff_basis,
            max_ell=shape.max_ell,
            interaction_cls=block,
            interaction_cls_first=block,
            num_interactions=shape.num_interactions,
            num_elements=len(numbers),
            hidden_irreps=o3.Irreps(shape.hidden_irreps),
            MLP_irreps=o3.Irreps(shape.readout_irreps),
            gate=torch.nn.functional.silu,
            atomic_energies=np.array([[by_number[z] for z in numbers]]),
            avg_num_neighbors=neighbours,
            atomic_numbers=numbers,
            correlation=shape.correlation,
            radial_type="bessel",
            atomic_inter_scale=scale.force,
            atomic_inter_shift=scale.shift,
            heads=["Default"],
        )
    return MaceLearner(module.to(getattr(torch, dtype)))


class MaceLearner(Learner):
    """A MACE model in training.

    Parameters
    ----------
    module
        Torch module of the model.
    """

    suffix, loads_as = ".model", "mace"

    def __init__(self, module: Any) -> None:
        self.module = module
        self.cutoff, self.layers = float(module.r_max), int(module.num_interactions)
        self.numbers = [int(z) for z in module.atomic_numbers]
        self.elements = frozenset(chemical_symbols[z] for z in self.numbers)
        self.heads = list(getattr(module, "heads", None) or ["Default"])

    @override
    def graph(self, slab: Atoms) -> Any:
        return make_graph(slab, numbers=self.numbers, cutoff=self.cutoff, heads=self.heads)

    @override
    def predict(self, graphs: Sequence[Any], *, device: str, forces: bool, stress: bool) -> PredictionBatch:
        from mace.tools import torch_geometric

        batch = torch_geometric.Batch.from_data_list(list(graphs)).to(device)
        out = self.module(
            batch.to_dict(), training=self.module.training, compute_force=forces, compute_stress=stress
        )
        return PredictionBatch(
            out["energy"], out["forces"] if forces else None, out["stress"] if stress else None
        )

    @override
    def shift(self, energies: dict[str, float]) -> None:
        table = self.module.atomic_energies_fn.atomic_energies
        for symbol, energy in energies.items():
            table.data[..., self.numbers.index(atomic_numbers[symbol])] += energy

    @override
    def save(self, path: Path) -> None:
        save_torch(path, self.module.cpu())
        trust(path)

    @override
    def backend(self) -> MaceBackend:
        return MaceBackend(self.module.cpu(), device="cpu", dtype="float64")
