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
    discriminates: bool = True
    """Whether the criteria tell this structure from a distorted copy of it; it was tested only if no step was taken."""
    outside: tuple[str, ...] = ()
    """Where the relaxed sheet leaves what the force field was trained on; not tested where many sheets were relaxed at once."""

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

    @property
    def notes(self) -> list[str]:
        """A relaxation without a step, and atoms that are nearer to one another than in the training set."""
        return [*self._no_step_notes(), *self.outside]

    def _no_step_notes(self) -> list[str]:
        """Say why no step was taken: the structure was relaxed before, or the force field does not move it."""
        if self.n_steps > 0 or not self.converged:
            return []
        stress = float(np.abs(self.membrane_stress).max())
        limits = f"forces are below {self.max_force:.2g} eV/Å" + (
            f", the membrane stress is {stress:.2g} N/m" if np.isfinite(stress) else ""
        )
        if self.discriminates:
            return [
                f"no step was taken: the initial structure meets the convergence criteria already ({limits})"
            ]
        cause = "they are too large (lower max_force and max_stress), or the force field does not depend on the structure"
        return [
            f"no step was taken ({limits}), and a distorted copy of the structure meets the convergence criteria as well: {cause}"
        ]

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
