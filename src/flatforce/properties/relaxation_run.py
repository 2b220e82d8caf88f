"""State of one relaxation between its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixSymmetry
from ase.filters import UnitCellFilter
from ase.optimize import BFGS, FIRE, LBFGS
from ase.stress import full_3x3_to_voigt_6_stress

from flatforce.core.errors import ModelError
from flatforce.properties.relaxation import FailedRelaxation, Relaxation
from flatforce.properties.spring_hessian import spring_hessian
from flatforce.structures.sheet import IN_PLANE, area
from flatforce.structures.symmetry import RELAXED_SYMPREC, find_symmetry, symmetrise

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.models.prediction import Prediction
    from flatforce.properties.relax_config import RelaxConfig

MAX_AREA_RATIO = 2.5
"""Factor by which an area may grow or shrink before a relaxation is given up."""


class RelaxationRun:
    """State of one relaxation: an ASE optimiser that receives predictions computed for many sheets at once.

    It can be pickled between two steps, and continues with the same numbers.

    Parameters
    ----------
    sheet
        The sheet before its relaxation; it is changed in place.
    config
        Settings.
    keep_trajectory
        Whether the sheet is kept after each step.
    """

    def __init__(self, sheet: Atoms, config: RelaxConfig, *, keep_trajectory: bool) -> None:
        if config.keep_symmetry:
            sheet = symmetrise(sheet, find_symmetry(sheet, symprec=RELAXED_SYMPREC))
            sheet.set_constraint(FixSymmetry(sheet))
        self.sheet, self.config, self.keep_trajectory = sheet, config, keep_trajectory
        target: Any = UnitCellFilter(sheet, mask=list(IN_PLANE)) if config.relax_cell else sheet
        self.optimizer = {"FIRE": FIRE, "LBFGS": LBFGS, "BFGS": BFGS}[config.optimizer](target, logfile=None)
        if config.optimizer == "BFGS":
            self.optimizer.H0 = spring_hessian(sheet, relax_cell=config.relax_cell)
        self.initial_area, self.n_steps = area(sheet), 0
        self.trajectory: list[Atoms] = []
        self.max_force, self.membrane_stress = float("inf"), np.full((2, 2), np.inf)

    @property
    def is_evaluated(self) -> bool:
        """Whether the forces of the current structure are known."""
        return bool(np.isfinite(self.max_force))

    def advance(self, prediction: Prediction) -> Relaxation | FailedRelaxation | None:
        """Take one step.

        Parameters
        ----------
        prediction
            Energy, forces and stress of the current sheet.

        Returns
        -------
        A result where the relaxation has ended, else None.
        """
        sheet, config = self.sheet, self.config
        if prediction.stress is None or prediction.membrane_stress is None:
            if config.relax_cell:
                error = ModelError(
                    "The force field gives no stress.",
                    fix="keep the cell fixed: --no-relax-cell, or relax_cell: false in the settings",
                )
                return FailedRelaxation(error)
            stress, self.membrane_stress = np.zeros(6), np.full((2, 2), np.nan)
        else:
            stress = full_3x3_to_voigt_6_stress(prediction.stress)
            self.membrane_stress = prediction.membrane_stress
        sheet.calc = SinglePointCalculator(
            sheet, energy=prediction.energy, forces=prediction.forces, stress=stress
        )
        if self.keep_trajectory:
            self.trajectory.append(_snapshot(sheet))
        self.max_force = float(np.linalg.norm(prediction.forces, axis=1).max())
        converged = self._is_converged()
        if converged or self.n_steps == config.max_steps:
            return self._result(prediction.energy, converged=converged)
        self.optimizer.step()
        self.n_steps += 1
        return self._check_area()

    def _is_converged(self) -> bool:
        forces_converged = self.max_force < self.config.max_force
        stress_converged = not self.config.relax_cell or bool(
            np.abs(self.membrane_stress).max() < self.config.max_stress
        )
        return forces_converged and stress_converged

    def _result(self, energy: float, *, converged: bool) -> Relaxation:
        relaxed = self.sheet.copy()
        relaxed.set_constraint()
        return Relaxation(
            relaxed, self.trajectory, energy, self.max_force, self.membrane_stress, self.n_steps, converged
        )

    def _check_area(self) -> FailedRelaxation | None:
        """Give up where the cell grows or shrinks without limit."""
        ratio = area(self.sheet) / self.initial_area
        if 1 / MAX_AREA_RATIO < ratio < MAX_AREA_RATIO:
            return None
        error = ModelError(
            f"The relaxation of {self.sheet.get_chemical_formula()} diverges: its area is {ratio:.2g} times the initial area.",
            why="the force field has no minimum near this structure",
            fix="inspect the initial structure, and test the model: flatforce doctor MODEL",
        )
        return FailedRelaxation(error)


def _snapshot(sheet: Atoms) -> Atoms:
    copy = sheet.copy()
    copy.set_constraint()
    copy.calc = SinglePointCalculator(copy, **sheet.calc.results)
    return copy
