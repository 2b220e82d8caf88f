"""Training and fine-tuning of M3GNet, TensorNet and the other models of MatGL."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from flatforce.core.files import part_prefix
from flatforce.core.trust import trust
from flatforce.models.backends.matgl import MatglBackend, count_blocks, evaluate, make_graph, precision
from flatforce.models.backends.matgl_files import import_matgl, load_module
from flatforce.models.training.learners.base import Learner, PredictionBatch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.models.training.architectures import M3GNetArchitecture, TensorNetArchitecture
    from flatforce.models.training.learners.base import Scale


def pretrained(name: str, *, dtype: str) -> MatglLearner:
    """Load a model for fine-tuning.

    Parameters
    ----------
    name
        Folder of a model, or a name on MatGL's hub.
    dtype
        Arithmetic of the model, `float32` or `float64`.

    Returns
    -------
    The MatGL potential with its weights, ready for training.
    """
    return MatglLearner(load_module(name), dtype)


def build(
    shape: M3GNetArchitecture | TensorNetArchitecture, scale: Scale, *, neighbours: float, dtype: str
) -> MatglLearner:
    """Build a model with random weights.

    Parameters
    ----------
    shape
        Architecture of the model.
    scale
        Scales of the data; the shift is added to the reference energies.
    neighbours
        Without effect, since these models are not normalised by it.
    dtype
        Arithmetic of the model, `float32` or `float64`.

    Returns
    -------
    The MatGL potential with random weights, ready for training.
    """
    del neighbours
    import_matgl()
    from matgl.apps.pes import Potential
    from matgl.models import M3GNet, TensorNet

    species = tuple(sorted(scale.e0s))
    with precision(dtype):
        if shape.kind == "m3gnet":
            model = M3GNet(
                element_types=species,
                is_intensive=False,
                cutoff=shape.r_max,
                threebody_cutoff=shape.threebody_cutoff,
                nblocks=shape.num_interactions,
                units=shape.units,
                dim_node_embedding=shape.units,
                dim_edge_embedding=shape.units,
                use_smooth=True,
            )
        else:
            model = TensorNet(
                element_types=species,
                is_intensive=False,
                cutoff=shape.r_max,
                nblocks=shape.num_interactions,
                units=shape.units,
                num_rbf=shape.num_radial_basis,
                use_warp=False,
            )
        references = [scale.e0s[symbol] + scale.shift for symbol in species]
        return MatglLearner(Potential(model, data_std=scale.force, element_refs=references), dtype)


class MatglLearner(Learner):
    """A potential of MatGL in training.

    Parameters
    ----------
    module
        MatGL's `Potential`.
    dtype
        Arithmetic of the model, `float32` or `float64`.
    """

    suffix, loads_as = ".matgl", "matgl"

    def __init__(self, module: Any, dtype: str) -> None:
        torch = import_matgl()
        self.module, self.dtype = module.to(getattr(torch, dtype)), dtype
        self.cutoff, self.layers = float(module.model.cutoff), count_blocks(module.model)
        self.elements = frozenset(module.model.element_types)

    @override
    def graph(self, slab: Atoms) -> Any:
        with precision(self.dtype):
            return make_graph(slab, self.module)

    @override
    def predict(self, graphs: Sequence[Any], *, device: str, forces: bool, stress: bool) -> PredictionBatch:
        with precision(self.dtype):
            energy, force, tension = evaluate(
                self.module, graphs, device=device, forces=forces, stress=stress
            )
        return PredictionBatch(energy, force if forces else None, tension)

    @override
    def shift(self, energies: dict[str, float]) -> None:
        table = self.module.element_refs.property_offset
        for symbol, energy in energies.items():
            table[..., self.module.model.element_types.index(symbol)] += energy
        self.module._init_args["element_refs"] = table.tolist()  # noqa: SLF001  # MatGL saves them in two places

    @override
    def save(self, path: Path) -> None:
        part = path.with_name(f"{part_prefix()}{path.name}")
        shutil.rmtree(part, ignore_errors=True)
        self.module.cpu().save(part)
        shutil.rmtree(path, ignore_errors=True)
        part.rename(path)
        for file in path.iterdir():
            trust(file)

    @override
    def backend(self) -> MatglBackend:
        return MatglBackend(self.module.cpu(), device="cpu", dtype="float64")
