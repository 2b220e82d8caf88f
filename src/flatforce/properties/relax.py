"""Relaxation of a sheet: positions, and the cell in its plane."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixSymmetry
from ase.filters import UnitCellFilter
from ase.optimize import FIRE, LBFGS
from ase.stress import full_3x3_to_voigt_6_stress
from pydantic import PositiveFloat, PositiveInt

from flatforce.core.config import Config
from flatforce.core.errors import FlatforceError, ModelError
from flatforce.core.progress import Progress, silent
from flatforce.models.potential import padded
from flatforce.structures.sheet import IN_PLANE, area
from flatforce.structures.symmetry import RELAXED_SYMPREC, find_symmetry, symmetrised

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential, Prediction

RUNAWAY = 2.5
"""Factor by which an area may change before a relaxation is given up."""


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
    """Every step, with its labels under the calculator keys; empty where many were relaxed at once."""
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


@dataclass(frozen=True)
class FailedRelaxation:
    """A sheet that could not be relaxed."""

    error: FlatforceError


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

    Raises
    ------
    FlatforceError
        If the model does not know a species, returns NaN, or drives the sheet apart.
    """

    def told(walk: _Walk) -> None:
        progress(walk.n_steps, config.max_steps, f"max force {walk.force:.4f} eV/Å")

    (found,) = _relax(potential, [atoms], config, keep_path=True, after_step=told)
    if isinstance(found, FailedRelaxation):
        raise found.error
    return found


def relax_many(
    potential: Potential, sheets: Sequence[Atoms], config: RelaxConfig, *, progress: Progress = silent
) -> list[Relaxation | FailedRelaxation]:
    """Relax sheets side by side: as many at a time as fill a batch, a finished one replaced by the next.

    Parameters
    ----------
    potential
        The force field.
    sheets
        Sheets, each of any size.
    config
        Settings.
    progress
        Told after each sheet.

    Returns
    -------
    One for each sheet, as `relax` would have found it, without its trajectory; a failure stops no other.
    """
    return _relax(potential, sheets, config, keep_path=False, progress=progress)


def _relax(
    potential: Potential,
    sheets: Sequence[Atoms],
    config: RelaxConfig,
    *,
    keep_path: bool,
    after_step: Callable[[_Walk], None] | None = None,
    progress: Progress = silent,
) -> list[Relaxation | FailedRelaxation]:
    done: dict[int, Relaxation | FailedRelaxation] = {}
    waiting = deque(enumerate(sheets))
    active: dict[int, _Walk] = {}
    while waiting or active:
        while waiting and _room(active, waiting[0][1], potential.batch_atoms):
            number, atoms = waiting.popleft()
            try:
                potential.check([atoms])
                active[number] = _Walk(padded(atoms, potential.cutoff), config, keep_path=keep_path)
            except FlatforceError as error:
                done[number] = FailedRelaxation(error)
        for number, found in _evaluated(potential, active).items():
            walk = active[number]
            ended = found if isinstance(found, FailedRelaxation) else _advanced(walk, found)
            if after_step is not None and walk.evaluated:
                after_step(walk)
            if ended is not None:
                del active[number]
                done[number] = ended
                progress(len(done), len(sheets), f"{sheets[number].get_chemical_formula()}: {_told(ended)}")
    return [done[number] for number in range(len(sheets))]


def _told(ended: Relaxation | FailedRelaxation) -> str:
    if isinstance(ended, FailedRelaxation):
        return "failed"
    return f"{ended.n_steps} steps" if ended.converged else "not converged"


def _room(active: dict[int, _Walk], atoms: Atoms, batch_atoms: int) -> bool:
    return not active or sum(len(walk.sheet) for walk in active.values()) + len(atoms) <= batch_atoms


def _evaluated(potential: Potential, active: dict[int, _Walk]) -> dict[int, Prediction | FailedRelaxation]:
    """Evaluate all in one batch; one by one if that fails, so that only what is broken fails."""
    sheets = [walk.sheet for walk in active.values()]
    try:
        return dict(zip(active, potential.evaluate(sheets), strict=True))
    except Exception as error:  # noqa: BLE001  # a force field may refuse a structure in any way
        if len(active) == 1:
            return dict.fromkeys(active, _failure(error))
    found: dict[int, Prediction | FailedRelaxation] = {}
    for number, walk in active.items():
        found |= _evaluated(potential, {number: walk})
    return found


def _advanced(walk: _Walk, found: Prediction) -> Relaxation | FailedRelaxation | None:
    try:
        return walk.advance(found)
    except Exception as error:  # noqa: BLE001  # a cell may collapse under the optimiser
        return _failure(error)


def _failure(error: Exception) -> FailedRelaxation:
    if isinstance(error, FlatforceError):
        return FailedRelaxation(error)
    return FailedRelaxation(ModelError(f"The relaxation failed: {type(error).__name__}: {error}"))


class _Walk:
    """One sheet on its way: ASE's optimiser, fed with numbers that were computed for many at once."""

    def __init__(self, sheet: Atoms, config: RelaxConfig, *, keep_path: bool) -> None:
        if config.keep_symmetry:
            sheet = symmetrised(sheet, find_symmetry(sheet, symprec=RELAXED_SYMPREC))
            sheet.set_constraint(FixSymmetry(sheet))
        self.sheet, self.config, self.keep_path = sheet, config, keep_path
        target: Any = UnitCellFilter(sheet, mask=list(IN_PLANE)) if config.relax_cell else sheet
        self.optimizer = {"FIRE": FIRE, "LBFGS": LBFGS}[config.optimizer](target, logfile=None)
        self.area, self.n_steps = area(sheet), 0
        self.path: list[Atoms] = []
        self.force, self.stress = float("inf"), np.full((2, 2), np.inf)

    @property
    def evaluated(self) -> bool:
        """Whether its forces are known."""
        return bool(np.isfinite(self.force))

    def advance(self, found: Prediction) -> Relaxation | FailedRelaxation | None:
        """Take a step, or end."""
        sheet, config = self.sheet, self.config
        if found.stress is None or found.membrane_stress is None:
            if config.relax_cell:
                return FailedRelaxation(
                    ModelError("The force field gives no stress.", fix="keep the cell: --no-relax-cell")
                )
            stress, self.stress = np.zeros(6), np.full((2, 2), np.nan)
        else:
            stress, self.stress = full_3x3_to_voigt_6_stress(found.stress), found.membrane_stress
        sheet.calc = SinglePointCalculator(sheet, energy=found.energy, forces=found.forces, stress=stress)
        if self.keep_path:
            self.path.append(_snapshot(sheet))
        self.force = float(np.linalg.norm(found.forces, axis=1).max())
        calm = self.force < config.max_force
        slack = not config.relax_cell or bool(np.abs(self.stress).max() < config.max_stress)
        if (calm and slack) or self.n_steps == config.max_steps:
            final = sheet.copy()
            final.set_constraint()
            path = self.path
            return Relaxation(
                final, path, found.energy, self.force, self.stress, self.n_steps, calm and slack
            )
        self.optimizer.step()
        self.n_steps += 1
        grown = area(sheet) / self.area
        if not 1 / RUNAWAY < grown < RUNAWAY:
            return FailedRelaxation(
                ModelError(
                    f"{sheet.get_chemical_formula()} runs away: its area is {grown:.2g} times what it was.",
                    why="the force field has no minimum near this structure",
                    fix="look at the structure; try `flatforce doctor` on the model",
                )
            )
        return None


def _snapshot(sheet: Atoms) -> Atoms:
    copy = sheet.copy()
    copy.set_constraint()
    copy.calc = SinglePointCalculator(copy, **sheet.calc.results)
    return copy
