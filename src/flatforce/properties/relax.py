"""Relaxation of a sheet: positions, and the cell in its plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from ase.constraints import FixSymmetry
from ase.filters import FrechetCellFilter
from ase.optimize import FIRE, LBFGS
from pydantic import PositiveFloat, PositiveInt

from flatforce.core.config import Config
from flatforce.core.progress import Progress, silent
from flatforce.core.units import EV_PER_A2_IN_N_PER_M
from flatforce.models.calculator import SheetCalculator
from flatforce.models.potential import padded
from flatforce.structures.sheet import IN_PLANE, area
from flatforce.structures.symmetry import RELAXED_SYMPREC, find_symmetry, symmetrised

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential


class RelaxConfig(Config):
    """Settings of a relaxation."""

    max_force: PositiveFloat = 0.001
    """eV/Å. Largest force left on any atom."""
    max_stress: PositiveFloat = 0.01
    """N/m. Largest component of the membrane stress left, where the cell may change."""
    max_steps: PositiveInt = 1000
    """Steps of the optimiser."""
    optimizer: Literal["FIRE", "LBFGS"] = "FIRE"
    """Which optimiser of ASE."""
    relax_cell: bool = True
    """Whether the cell changes in its plane."""
    keep_symmetry: bool = False
    """Whether the space group of the start is kept."""


@dataclass(frozen=True)
class Relaxation:
    """A relaxed sheet and how it got there."""

    atoms: Atoms
    trajectory: list[Atoms]
    """Every step, with its labels under the calculator keys."""
    energy: float
    """eV."""
    max_force: float
    """eV/Å."""
    membrane_stress: FloatArray
    """(2, 2) N/m."""
    n_steps: int
    converged: bool

    @property
    def metrics(self) -> dict[str, float]:
        """Flat numbers for the record."""
        return {
            "energy": self.energy,
            "area_per_atom": area(self.atoms) / len(self.atoms),
            "max_force": self.max_force,
            "max_membrane_stress": float(np.abs(self.membrane_stress).max()),
            "n_steps": float(self.n_steps),
            "a": float(self.atoms.cell.lengths()[0]),
            "b": float(self.atoms.cell.lengths()[1]),
        }

    units = {
        "energy": "eV",
        "area_per_atom": "Å²/atom",
        "max_force": "eV/Å",
        "max_membrane_stress": "N/m",
        "n_steps": "1",
        "a": "Å",
        "b": "Å",
    }


def relax(
    potential: Potential, atoms: Atoms, config: RelaxConfig, *, progress: Progress = silent
) -> Relaxation:
    """Relax a sheet until atoms and, where allowed, cell feel no force.

    Parameters
    ----------
    potential
        The force field.
    atoms
        A sheet; given enough vacuum first.
    config
        Settings.
    progress
        Told after each step.

    Returns
    -------
    The relaxation; `converged` only when both criteria of the settings hold.
    """
    potential.check([atoms])
    sheet = padded(atoms, potential.cutoff)
    if config.keep_symmetry:
        sheet = symmetrised(sheet, find_symmetry(sheet, symprec=RELAXED_SYMPREC))
        sheet.set_constraint(FixSymmetry(sheet))
    sheet.calc = SheetCalculator(potential)
    target: Any = sheet
    if config.relax_cell:
        target = FrechetCellFilter(sheet, mask=list(IN_PLANE))
    optimizer = {"FIRE": FIRE, "LBFGS": LBFGS}[config.optimizer](target, logfile=None)
    trajectory: list[Atoms] = []
    for _ in optimizer.irun(fmax=0.0, steps=config.max_steps):
        trajectory.append(_snapshot(sheet))
        force, stress = _residuals(sheet)
        progress(optimizer.nsteps, config.max_steps, f"max force {force:.4f} eV/Å")
        if force < config.max_force and (not config.relax_cell or np.abs(stress).max() < config.max_stress):
            break
    force, stress = _residuals(sheet)
    calm = force < config.max_force
    slack = not config.relax_cell or bool(np.abs(stress).max() < config.max_stress)
    energy = float(sheet.get_potential_energy())
    final = sheet.copy()
    final.set_constraint()
    return Relaxation(final, trajectory, energy, force, stress, optimizer.nsteps, calm and slack)


def _residuals(sheet: Atoms) -> tuple[float, FloatArray]:
    forces = sheet.get_forces(apply_constraint=False)
    stress = sheet.get_stress(voigt=False, apply_constraint=False)
    membrane: FloatArray = stress[:2, :2] * sheet.cell[2, 2] * EV_PER_A2_IN_N_PER_M
    return float(np.linalg.norm(forces, axis=1).max()), membrane


def _snapshot(sheet: Atoms) -> Atoms:
    from ase.calculators.singlepoint import SinglePointCalculator

    copy = sheet.copy()
    copy.set_constraint()
    copy.calc = SinglePointCalculator(
        copy,
        energy=sheet.get_potential_energy(),
        forces=sheet.get_forces(apply_constraint=False),
        stress=sheet.get_stress(apply_constraint=False),
    )
    return copy
