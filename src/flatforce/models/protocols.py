"""Interfaces that a backend offers to the rest of the package."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class RawPrediction:
    """What a backend predicts for a fully periodic cell."""

    energy: float
    """eV, potential energy of the cell."""
    forces: FloatArray
    """(N, 3) eV/Å, force on each atom."""
    stress: FloatArray | None
    """(3, 3) eV/Å³, tension positive; None if it was not asked for."""
    energy_std: float | None = None
    """eV, standard deviation of a committee's energies; None for a single model."""
    forces_std: FloatArray | None = None
    """(N, 3) eV/Å, standard deviation of a committee's force components; None for a single model."""


class Structure(Protocol):
    """A single structure, as opposed to a sequence of them: `ase.Atoms`, which carries no types that could tell the two apart."""

    def get_chemical_symbols(self) -> list[str]:
        """Return the chemical symbol of each atom."""
        ...


class Backend(Protocol):
    """What every backend implements: predictions for fully periodic cells."""

    @property
    def elements(self) -> frozenset[str]:
        """Chemical symbols of the elements that the model can evaluate."""
        ...

    @property
    def cutoff(self) -> float:
        """Cutoff of the neighbour graph in Å."""
        ...

    @property
    def layers(self) -> int:
        """Number of message-passing layers; 1 for a model without message passing."""
        ...

    @property
    def local(self) -> bool:
        """Whether the model is strictly local: the energy of an atom depends on no atom more than `layers` edges away."""
        ...

    @property
    def dtype(self) -> str:
        """`float64` or `float32`."""
        ...

    @property
    def device(self) -> str:
        """Device on which the model runs, `cpu` or `cuda`."""
        ...

    @property
    def batch_atoms(self) -> int:
        """Number of atoms in one batch with which the model is fastest on this device."""
        ...

    def predict(self, frames: Sequence[Atoms], *, stress: bool) -> list[RawPrediction]:
        """Evaluate one batch of fully periodic cells.

        Parameters
        ----------
        frames
            Structures with three periodic axes.
        stress
            Whether the stress is computed.

        Returns
        -------
        One prediction for each frame, in their order.
        """
        ...


class HessianRows(ABC):
    """Rows of the Hessian of one cell, computed one atom at a time."""

    method: str
    """Description of how the rows are computed, for `result.json`."""

    @abstractmethod
    def count_row_atoms(self, centre: int) -> int:
        """Count the atoms that have an entry in the rows of one atom.

        Parameters
        ----------
        centre
            Index of the atom.

        Returns
        -------
        Number of atoms in the receptive field of the rows, `centre` included.
        """

    @abstractmethod
    def rows(self, centre: int) -> tuple[IntArray, FloatArray]:
        """Compute the three rows of one atom from the atoms in its receptive field.

        Parameters
        ----------
        centre
            Index of the atom.

        Returns
        -------
        (M,) indices of the atoms with an entry, and (M, 3, 3) eV/Å², ∂²E / ∂r_centre,a ∂r_atom,b.
        """

    def rows_of(self, centres: Sequence[int]) -> Generator[tuple[IntArray, FloatArray]]:
        """Compute the rows of several atoms, one after the other unless a subclass computes them in parallel.

        Parameters
        ----------
        centres
            Indices of the atoms.

        Yields
        ------
        What `rows` returns, in the order of `centres`.
        """
        yield from map(self.rows, centres)

    @abstractmethod
    def whole_row(self, centre: int, axis: int) -> FloatArray:
        """Compute one of the rows of one atom from the whole cell, to verify `rows`.

        Parameters
        ----------
        centre
            Index of the atom.
        axis
            Cartesian axis of the displacement: 0, 1 or 2.

        Returns
        -------
        (N, 3) eV/Å², ∂²E / ∂r_centre,axis ∂r_atom,b.
        """


@runtime_checkable
class TwiceDifferentiable(Protocol):
    """A backend with analytic second derivatives of the energy."""

    def hessian(self, slab: Atoms) -> HessianRows | None:
        """Prepare single rows of the Hessian of one cell.

        Parameters
        ----------
        slab
            A fully periodic cell.

        Returns
        -------
        An object that computes the rows; None if this model cannot.
        """
        ...
