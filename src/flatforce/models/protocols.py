"""What a backend offers to the rest of the package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class RawPrediction:
    """What a backend says of a fully periodic cell."""

    energy: float
    """eV."""
    forces: FloatArray
    """(N, 3) eV/Å."""
    stress: FloatArray | None
    """(3, 3) eV/Å³, tension positive."""
    energy_std: float | None = None
    """eV, spread of a committee."""
    forces_std: FloatArray | None = None
    """(N, 3) eV/Å, spread of a committee."""


class Backend(Protocol):
    """What a backend has to offer: raw numbers for fully periodic cells."""

    @property
    def elements(self) -> frozenset[str]:
        """Species the model knows."""
        ...

    @property
    def cutoff(self) -> float:
        """Å, length of an edge of the neighbour graph."""
        ...

    @property
    def layers(self) -> int:
        """Message-passing layers; 1 for a model without."""
        ...

    @property
    def local(self) -> bool:
        """Whether cutoff and layers are strict: nothing is felt beyond so many steps of that length."""
        ...

    @property
    def dtype(self) -> str:
        """`float64` or `float32`."""
        ...

    @property
    def device(self) -> str:
        """Where it runs."""
        ...

    @property
    def batch_atoms(self) -> int:
        """Atoms that are best evaluated at once on this device."""
        ...

    def predict(self, frames: Sequence[Atoms], *, stress: bool) -> list[RawPrediction]:
        """Evaluate one batch of fully periodic cells.

        Parameters
        ----------
        frames
            Structures with three periodic axes.
        stress
            Whether the stress is wanted.

        Returns
        -------
        One prediction a frame.
        """
        ...


class HessianRows(Protocol):
    """Rows of the Hessian of one cell, one atom at a time."""

    @property
    def how(self) -> str:
        """In what way they are computed."""
        ...

    def reach(self, centre: int) -> int:
        """Count the atoms that a row takes in.

        Parameters
        ----------
        centre
            An atom.

        Returns
        -------
        How many.
        """
        ...

    def rows(self, centre: int) -> tuple[IntArray, FloatArray]:
        """Compute the three rows of one atom from the atoms within its reach.

        Parameters
        ----------
        centre
            An atom.

        Returns
        -------
        (M,) atoms, and (M, 3, 3) eV/Å², ∂²E / ∂r_centre,a ∂r_atom,b.
        """
        ...

    def rows_of(self, centres: Sequence[int]) -> Generator[tuple[IntArray, FloatArray]]:
        """Compute the rows of several atoms.

        Parameters
        ----------
        centres
            Atoms.

        Returns
        -------
        What `rows` returns, in their order.
        """
        ...

    def whole_row(self, centre: int, axis: int) -> FloatArray:
        """Compute one of the rows of one atom from the whole cell.

        Parameters
        ----------
        centre
            An atom.
        axis
            0, 1 or 2.

        Returns
        -------
        (N, 3) eV/Å², ∂²E / ∂r_centre,axis ∂r_atom,b.
        """
        ...


@runtime_checkable
class TwiceDifferentiable(Protocol):
    """A backend that can differentiate its forces."""

    def hessian(self, slab: Atoms) -> HessianRows | None:
        """Prepare the rows of one cell.

        Parameters
        ----------
        slab
            A fully periodic cell.

        Returns
        -------
        What computes them; None if this model cannot.
        """
        ...
