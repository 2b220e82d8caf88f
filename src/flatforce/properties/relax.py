"""Relaxation of a sheet: its positions, and its cell in the plane."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixSymmetry
from ase.filters import UnitCellFilter
from ase.optimize import FIRE, LBFGS
from ase.stress import full_3x3_to_voigt_6_stress

from flatforce.core.errors import FlatforceError, ModelError
from flatforce.core.progress import Progress, silent
from flatforce.models.slab import pad_vacuum
from flatforce.properties.convergence_criteria import criteria_discriminate
from flatforce.properties.relaxation import FailedRelaxation, Relaxation
from flatforce.structures.sheet import IN_PLANE, area
from flatforce.structures.symmetry import RELAXED_SYMPREC, find_symmetry, symmetrise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ase import Atoms

    from flatforce.models.potential import Potential
    from flatforce.models.prediction import Prediction
    from flatforce.properties.relax_config import RelaxConfig

MAX_AREA_RATIO = 2.5
"""Factor by which an area may grow or shrink before a relaxation is given up."""


def relax(
    potential: Potential, atoms: Atoms, config: RelaxConfig, *, progress: Progress = silent
) -> Relaxation:
    """Relax a sheet until the forces on its atoms and, where allowed, the stress of its cell vanish.

    Parameters
    ----------
    potential
        The force field.
    atoms
        A sheet; vacuum is added where the force field would otherwise see a periodic image.
    config
        Settings.
    progress
        Called after each step.

    Returns
    -------
    The relaxed sheet with its trajectory; `converged` is true only where both criteria of the settings hold.

    Raises
    ------
    FlatforceError
        If the model does not know a species, returns NaN, or the structure diverges.
    """

    def report(run: _RelaxationRun) -> None:
        progress(run.n_steps, config.max_steps, f"max force {run.max_force:.4f} eV/Å")

    (result,) = _relax(potential, [atoms], config, keep_trajectory=True, after_step=report)
    if isinstance(result, FailedRelaxation):
        raise result.error
    if result.converged and result.n_steps == 0:
        return replace(result, discriminates=criteria_discriminate(potential, result.atoms, config))
    return result


def relax_many(
    potential: Potential, sheets: Sequence[Atoms], config: RelaxConfig, *, progress: Progress = silent
) -> list[Relaxation | FailedRelaxation]:
    """Relax sheets in parallel: as many at a time as fill a batch, a finished one replaced by the next.

    Parameters
    ----------
    potential
        The force field.
    sheets
        Sheets, each of any size.
    config
        Settings.
    progress
        Called after each sheet.

    Returns
    -------
    For each sheet the relaxation that `relax` would return, without its trajectory, or the reason of its failure. One
    failure does not stop the other relaxations.
    """
    return _relax(potential, sheets, config, keep_trajectory=False, progress=progress)


def _relax(
    potential: Potential,
    sheets: Sequence[Atoms],
    config: RelaxConfig,
    *,
    keep_trajectory: bool,
    after_step: Callable[[_RelaxationRun], None] | None = None,
    progress: Progress = silent,
) -> list[Relaxation | FailedRelaxation]:
    results: dict[int, Relaxation | FailedRelaxation] = {}
    waiting = deque(enumerate(sheets))
    active: dict[int, _RelaxationRun] = {}
    while waiting or active:
        while waiting and _has_room(active, waiting[0][1], potential.batch_atoms):
            number, atoms = waiting.popleft()
            try:
                potential.check([atoms])
                sheet = pad_vacuum(atoms, potential.cutoff)
                active[number] = _RelaxationRun(sheet, config, keep_trajectory=keep_trajectory)
            except FlatforceError as error:
                results[number] = FailedRelaxation(error)
        for number, prediction in _evaluate(potential, active).items():
            run = active[number]
            result = (
                prediction if isinstance(prediction, FailedRelaxation) else _advance_safely(run, prediction)
            )
            if after_step is not None and run.is_evaluated:
                after_step(run)
            if result is not None:
                del active[number]
                results[number] = result
                formula = sheets[number].get_chemical_formula()
                progress(len(results), len(sheets), f"{formula}: {_describe(result)}")
    return [results[number] for number in range(len(sheets))]


def _describe(result: Relaxation | FailedRelaxation) -> str:
    if isinstance(result, FailedRelaxation):
        return "failed"
    return f"{result.n_steps} steps" if result.converged else "not converged"


def _has_room(active: dict[int, _RelaxationRun], atoms: Atoms, batch_atoms: int) -> bool:
    return not active or sum(len(run.sheet) for run in active.values()) + len(atoms) <= batch_atoms


def _evaluate(
    potential: Potential, active: dict[int, _RelaxationRun]
) -> dict[int, Prediction | FailedRelaxation]:
    """Evaluate all sheets in one batch; if that fails, one by one, so that only the broken ones fail."""
    sheets = [run.sheet for run in active.values()]
    try:
        return dict(zip(active, potential.evaluate(sheets), strict=True))
    except Exception as error:  # noqa: BLE001  # a force field may refuse a structure in any way
        if len(active) == 1:
            return dict.fromkeys(active, _failure(error))
    predictions: dict[int, Prediction | FailedRelaxation] = {}
    for number, run in active.items():
        predictions |= _evaluate(potential, {number: run})
    return predictions


def _advance_safely(run: _RelaxationRun, prediction: Prediction) -> Relaxation | FailedRelaxation | None:
    try:
        return run.advance(prediction)
    except Exception as error:  # noqa: BLE001  # a cell may collapse under the optimiser
        return _failure(error)


def _failure(error: Exception) -> FailedRelaxation:
    if isinstance(error, FlatforceError):
        return FailedRelaxation(error)
    return FailedRelaxation(ModelError(f"The relaxation failed: {type(error).__name__}: {error}"))


class _RelaxationRun:
    """State of one relaxation: an ASE optimiser that receives predictions computed for many sheets at once."""

    def __init__(self, sheet: Atoms, config: RelaxConfig, *, keep_trajectory: bool) -> None:
        if config.keep_symmetry:
            sheet = symmetrise(sheet, find_symmetry(sheet, symprec=RELAXED_SYMPREC))
            sheet.set_constraint(FixSymmetry(sheet))
        self.sheet, self.config, self.keep_trajectory = sheet, config, keep_trajectory
        target: Any = UnitCellFilter(sheet, mask=list(IN_PLANE)) if config.relax_cell else sheet
        self.optimizer = {"FIRE": FIRE, "LBFGS": LBFGS}[config.optimizer](target, logfile=None)
        self.initial_area, self.n_steps = area(sheet), 0
        self.trajectory: list[Atoms] = []
        self.max_force, self.membrane_stress = float("inf"), np.full((2, 2), np.inf)

    @property
    def is_evaluated(self) -> bool:
        """Whether the forces of the current structure are known."""
        return bool(np.isfinite(self.max_force))

    def advance(self, prediction: Prediction) -> Relaxation | FailedRelaxation | None:
        """Take one step; return a result where the relaxation has ended."""
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
