"""Interface that a kind of model implements so that it can be trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from flatforce.core.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.protocols import Backend
    from flatforce.models.training.architectures import Architecture

KINDS: Final[dict[str, str]] = {
    "mace": "flatforce.models.training.learners.mace",
    "m3gnet": "flatforce.models.training.learners.matgl",
    "tensornet": "flatforce.models.training.learners.matgl",
    "matgl": "flatforce.models.training.learners.matgl",
    "chgnet": "flatforce.models.training.learners.chgnet",
    "nequip": "flatforce.models.training.learners.nequip",
}
"""Kind of model → module with `build(…)` and `pretrained(…)`, imported when a model of that kind is trained."""


@dataclass(frozen=True)
class Scale:
    """Scales of the data, with which a new model is initialised."""

    e0s: dict[str, float]
    """Element → reference energy in eV."""
    shift: float
    """eV/atom, mean difference between the labelled energies and the sums of the reference energies."""
    force: float
    """eV/Å, root mean square of the force components; in energy-only training the standard deviation of the energies in eV/atom."""


@dataclass(frozen=True)
class PredictionBatch:
    """Predictions of a model in training for a batch of F frames with N atoms in total, as torch tensors."""

    energy: Any
    """(F,) eV."""
    forces: Any
    """(N, 3) eV/Å; None if they are not computed."""
    stress: Any
    """(F, 3, 3) eV/Å³, tension positive; None if it is not computed."""


class Learner(ABC):
    """A model in training."""

    module: Any
    """Torch module with the weights."""
    cutoff: float
    """Cutoff of the neighbour graph in Å."""
    layers: int
    """Number of message-passing layers."""
    elements: frozenset[str]
    """Chemical symbols of the elements that the model can evaluate."""
    suffix: str
    """Suffix of the model file."""
    loads_as: str
    """Kind of force field in the spec of the model file."""

    @abstractmethod
    def graph(self, slab: Atoms) -> Any:
        """Build the graph of a fully periodic cell.

        Parameters
        ----------
        slab
            A fully periodic cell.

        Returns
        -------
        The graph in the form of the backend, on the CPU, to be batched by `predict`.
        """

    @abstractmethod
    def predict(self, graphs: Sequence[Any], *, device: str, forces: bool, stress: bool) -> PredictionBatch:
        """Evaluate a batch of graphs in a way that the loss can be differentiated.

        Parameters
        ----------
        graphs
            Graphs of the cells.
        device
            Device of the module.
        forces
            Whether forces are computed.
        stress
            Whether the stress is computed.

        Returns
        -------
        Energies, forces and stresses as tensors.
        """

    @abstractmethod
    def shift(self, energies: dict[str, float]) -> None:
        """Shift the reference energies.

        Parameters
        ----------
        energies
            Element → energy in eV that is added for each of its atoms.
        """

    @abstractmethod
    def save(self, path: Path) -> None:
        """Write the model file.

        Parameters
        ----------
        path
            Path of the file, which is replaced as a whole.
        """

    @abstractmethod
    def backend(self) -> Backend:
        """Make a backend of the current weights.

        Returns
        -------
        The backend, on the CPU in float64.
        """


def untrained(
    shape: Architecture, scale: Scale, *, neighbours: Callable[[float], float], dtype: str
) -> Learner:
    """Build a model with random weights.

    Parameters
    ----------
    shape
        Architecture of the model.
    scale
        Scales of the data.
    neighbours
        Function from a cutoff in Å to the mean number of neighbours of an atom in the training set.
    dtype
        Arithmetic of the model, `float32` or `float64`.

    Returns
    -------
    The model with random weights, ready for training on the CPU.
    """
    learner: Learner = import_module(KINDS[shape.kind]).build(
        shape, scale, neighbours=neighbours(shape.r_max), dtype=dtype
    )
    return learner


def pretrained(spec: str, *, dtype: str) -> Learner:
    """Load a model for fine-tuning.

    Parameters
    ----------
    spec
        Name of the force field: `mace:a.model`, `matgl:folder`, `chgnet:0.3.0`, `nequip:a.nequip.pt`.
    dtype
        Arithmetic of the model, `float32` or `float64`.

    Returns
    -------
    The model with its weights, ready for training on the CPU.

    Raises
    ------
    ModelError
        If models of this kind cannot be trained.
    """
    from flatforce.models.loading import check_trust
    from flatforce.models.spec import BACKENDS, split_spec

    check_trust(spec)
    kind, name = split_spec(spec)
    if kind not in KINDS:
        raise ModelError(
            f"{spec} cannot be fine-tuned.",
            fix=f"start from a model of one of these kinds: {', '.join(kind for kind in KINDS if kind in BACKENDS)}",
        )
    learner: Learner = import_module(KINDS[kind]).pretrained(name, dtype=dtype)
    return learner


def mean_neighbours(slabs: Sequence[Atoms], cutoff: float) -> float:
    """Count the neighbours of an atom.

    Parameters
    ----------
    slabs
        Fully periodic cells.
    cutoff
        Å, cutoff of the neighbour graph.

    Returns
    -------
    Mean over the atoms of all cells of the number of neighbours within the cutoff.
    """
    from vesin import NeighborList

    search = NeighborList(cutoff=cutoff, full_list=True)
    pairs: list[FloatArray] = [
        search.compute(points=slab.positions, box=slab.cell.array, periodic=True, quantities="i")[0]
        for slab in slabs
    ]
    return sum(len(indices) for indices in pairs) / sum(len(slab) for slab in slabs)
