"""What a kind of model has to offer so that it can be trained: the thin seam between backends."""

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
"""Kind of model → module with `build(…)` and `pretrained(…)`, imported when first asked for."""


@dataclass(frozen=True)
class Scale:
    """What an untrained model is scaled to."""

    e0s: dict[str, float]
    """Species → eV."""
    shift: float
    """eV, mean energy of an atom beyond these."""
    force: float
    """eV/Å, root mean square of the force components; where there are none, the spread of the energies (eV/atom)."""


@dataclass(frozen=True)
class Predicted:
    """What a model in training says of a batch; torch tensors."""

    energy: Any
    """(F,) eV."""
    forces: Any
    """(N, 3) eV/Å; None if not asked for."""
    stress: Any
    """(F, 3, 3) eV/Å³, tension positive; None if not asked for."""


class Learner(ABC):
    """A model in training."""

    module: Any
    """The torch module with the weights."""
    cutoff: float
    """Å."""
    layers: int
    """Message-passing layers."""
    elements: frozenset[str]
    """Species the model knows."""
    suffix: str
    """How the name of its file ends."""
    loads_as: str
    """Kind under which `models.load` takes the file."""

    @abstractmethod
    def graph(self, slab: Atoms) -> Any:
        """Turn a fully periodic cell into what the model takes.

        Parameters
        ----------
        slab
            The cell.

        Returns
        -------
        The graph, on the CPU.
        """

    @abstractmethod
    def predict(self, graphs: Sequence[Any], *, device: str, forces: bool, stress: bool) -> Predicted:
        """Evaluate a batch so that it can be differentiated.

        Parameters
        ----------
        graphs
            Of the cells.
        device
            Where the module is.
        forces
            Whether forces are wanted.
        stress
            Whether the stress is wanted.

        Returns
        -------
        Tensors.
        """

    @abstractmethod
    def shift(self, energies: dict[str, float]) -> None:
        """Move the reference energies.

        Parameters
        ----------
        energies
            Species → eV, to be added for each atom.
        """

    @abstractmethod
    def save(self, path: Path) -> None:
        """Write the model.

        Parameters
        ----------
        path
            Where; replaced as a whole.
        """

    @abstractmethod
    def backend(self) -> Backend:
        """Make a backend of the weights as they are.

        Returns
        -------
        The backend, on the CPU in float64.
        """


def untrained(
    shape: Architecture, scale: Scale, *, neighbours: Callable[[float], float], dtype: str
) -> Learner:
    """Make a model with random weights.

    Parameters
    ----------
    shape
        Of the model.
    scale
        What it is scaled to.
    neighbours
        Counts neighbours of an atom within a cutoff, the mean over the training frames.
    dtype
        Arithmetic.

    Returns
    -------
    The model.
    """
    learner: Learner = import_module(KINDS[shape.kind]).build(
        shape, scale, neighbours=neighbours(shape.r_max), dtype=dtype
    )
    return learner


def pretrained(spec: str, *, dtype: str) -> Learner:
    """Load a model to be trained further.

    Parameters
    ----------
    spec
        `mace:a.model`, `matgl:folder`, `chgnet:0.3.0`, `nequip:a.nequip.pt`.
    dtype
        Arithmetic.

    Returns
    -------
    The model.

    Raises
    ------
    ModelError
        If models of this kind cannot be trained.
    """
    from flatforce.models.spec import split_spec

    kind, name = split_spec(spec)
    if kind not in KINDS:
        raise ModelError(
            f"{spec} cannot be trained further.", why=f"models that can: {', '.join(sorted(set(KINDS)))}"
        )
    learner: Learner = import_module(KINDS[kind]).pretrained(name, dtype=dtype)
    return learner


def mean_neighbours(slabs: Sequence[Atoms], cutoff: float) -> float:
    """Count neighbours.

    Parameters
    ----------
    slabs
        Fully periodic cells.
    cutoff
        Å.

    Returns
    -------
    Mean number of neighbours of an atom.
    """
    from vesin import NeighborList

    search = NeighborList(cutoff=cutoff, full_list=True)
    pairs: list[FloatArray] = [
        search.compute(points=s.positions, box=s.cell.array, periodic=True, quantities="i")[0] for s in slabs
    ]
    return sum(len(one) for one in pairs) / sum(len(slab) for slab in slabs)
