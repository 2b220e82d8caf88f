"""Paths of minimum energy as objects."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from flatforce.report.results.result import Result

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import BoolArray, FloatArray


class NebResult(Result):
    """A path of minimum energy between two structures, and its barrier."""

    KIND = "neb"
    MADE_BY = "neb"

    @property
    def barrier(self) -> float:
        """Energy of the saddle point above the start (eV)."""
        return self._number("barrier")

    @property
    def barrier_reverse(self) -> float:
        """Energy of the saddle point above the end (eV)."""
        return self._number("barrier_reverse")

    @cached_property
    def images(self) -> list[Atoms]:
        """Structures from start to end, with energy (eV) and forces (eV/Å) in their calculators."""
        from ase.io import read

        return list(read(self._file("images.extxyz"), index=":"))

    @property
    def saddle(self) -> Atoms:
        """The saddle point, a copy of the highest image."""
        highest: Atoms = self.images[self.details["saddle"]].copy()
        return highest

    @property
    def energies(self) -> FloatArray:
        """(n_images) eV, energies of the images above the start."""
        return self._array("energy")

    @property
    def distances(self) -> FloatArray:
        """(n_images) Å, length of the path up to each image."""
        return self._array("distance")

    @property
    def outside(self) -> BoolArray:
        """(n_images) whether an image is outside the training set of the force field, or uncertain."""
        return self._array("outside")


class HopsResult(Result):
    """First hops of a defect, side by side."""

    KIND = "hops"
    MADE_BY = "defect hops"

    @property
    def table(self) -> list[dict[str, Any]]:
        """For each hop `name`, `description`, `multiplicity`, `converged`, barriers (eV) and `attempt_frequency` (THz)."""
        return list(self.details["hops"])
