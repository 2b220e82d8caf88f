"""Result of a relaxation, and the files that hold it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from ase.io import write

from flatforce.core.files import write_atomically
from flatforce.core.outcome import Outcome
from flatforce.structures.sheet import area

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.core.errors import FlatforceError


@dataclass(frozen=True, repr=False)
class Relaxation(Outcome):
    """A relaxed sheet and how it was reached."""

    kind: ClassVar[str] = "relax"

    atoms: Atoms
    """The relaxed sheet, without calculator and constraints."""
    trajectory: list[Atoms]
    """Each step with energy, forces and stress in its calculator; empty where many sheets were relaxed at once."""
    energy: float
    """eV, of the cell."""
    max_force: float
    """eV/Å, largest force on any atom."""
    membrane_stress: FloatArray
    """(2, 2) N/m; NaN where the force field gives no stress."""
    n_steps: int
    """Number of optimiser steps."""
    converged: bool
    """Whether forces and, where the cell may change, membrane stress are below their criteria."""

    units = {
        "energy": "eV",
        "area_per_atom": "Å²/atom",
        "max_force": "eV/Å",
        "max_membrane_stress": "N/m",
        "n_steps": "",
        "a": "Å",
        "b": "Å",
    }

    @property
    def metrics(self) -> dict[str, float]:
        """Energy, area, residual force and stress, number of steps, lattice constants."""
        return {
            "energy": self.energy,
            "area_per_atom": area(self.atoms) / len(self.atoms),
            "max_force": self.max_force,
            "max_membrane_stress": float(np.abs(self.membrane_stress).max()),
            "n_steps": float(self.n_steps),
            "a": float(self.atoms.cell.lengths()[0]),
            "b": float(self.atoms.cell.lengths()[1]),
        }

    @property
    def problems(self) -> list[str]:
        """A warning where the relaxation has not converged."""
        return [] if self.converged else [f"The relaxation has not converged after {self.n_steps} steps."]

    def files(self, folder: Path) -> None:
        """Write `relaxed.extxyz` and, where it was recorded, `trajectory.extxyz`.

        Parameters
        ----------
        folder
            Result folder.
        """
        images = {"relaxed": self.atoms} | ({"trajectory": self.trajectory} if self.trajectory else {})
        for name, frames in images.items():
            write_atomically(folder / f"{name}.extxyz", partial(write, images=frames, format="extxyz"))


@dataclass(frozen=True)
class FailedRelaxation:
    """A sheet that could not be relaxed."""

    error: FlatforceError
    """The reason."""
