"""Relaxation of a sheet: its positions, and its cell in the plane."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

import ase

from flatforce.core.checkpoint import Checkpoint
from flatforce.core.errors import FlatforceError, ModelError
from flatforce.core.hashing import hash_structure, hash_value
from flatforce.core.progress import Progress, silent
from flatforce.models.model_card import outside_notes
from flatforce.models.slab import pad_vacuum
from flatforce.properties.convergence_criteria import criteria_discriminate
from flatforce.properties.relaxation import FailedRelaxation, Relaxation
from flatforce.properties.relaxation_run import RelaxationRun

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.models.potential import Potential
    from flatforce.models.prediction import Prediction
    from flatforce.properties.relax_config import RelaxConfig


def relax(
    potential: Potential,
    atoms: Atoms,
    config: RelaxConfig,
    *,
    checkpoint: Path | None = None,
    progress: Progress = silent,
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
    checkpoint
        File of the state of an interrupted relaxation, which continues with the same steps; None to keep nothing.
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

    def report(run: RelaxationRun) -> None:
        progress(run.n_steps, config.max_steps, f"max force {run.max_force:.4f} eV/Å")

    (result,) = _relax(potential, [atoms], config, checkpoint=checkpoint, after_step=report)
    if isinstance(result, FailedRelaxation):
        raise result.error
    notes = outside_notes(potential.spec, [result.atoms], subject="the relaxed sheet")
    result = replace(result, outside=tuple(notes))
    if result.converged and result.n_steps == 0:
        return replace(result, discriminates=criteria_discriminate(potential, result.atoms, config))
    return result


def relax_many(
    potential: Potential,
    sheets: Sequence[Atoms],
    config: RelaxConfig,
    *,
    checkpoint: Path | None = None,
    progress: Progress = silent,
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
    checkpoint
        File of the state of an interrupted run, which continues with the same steps; None to keep nothing.
    progress
        Called after each sheet.

    Returns
    -------
    For each sheet the relaxation that `relax` would return, without its trajectory, or the reason of its failure. One
    failure does not stop the other relaxations.
    """
    return _relax(potential, sheets, config, checkpoint=checkpoint, progress=progress)


def _relax(
    potential: Potential,
    sheets: Sequence[Atoms],
    config: RelaxConfig,
    *,
    checkpoint: Path | None,
    after_step: Callable[[RelaxationRun], None] | None = None,
    progress: Progress = silent,
) -> list[Relaxation | FailedRelaxation]:
    """Relax sheets; with `after_step`, the trajectory of each is kept."""
    kept = Checkpoint(checkpoint, _key(potential, sheets, config) if checkpoint else "")
    results: dict[int, Relaxation | FailedRelaxation] = {}
    active: dict[int, RelaxationRun] = {}
    stored = kept.load()
    if stored is not None:
        results, active = stored
    started = {*results, *active}
    waiting = deque((number, sheet) for number, sheet in enumerate(sheets) if number not in started)
    while waiting or active:
        while waiting and _has_room(active, waiting[0][1], potential.batch_atoms):
            number, atoms = waiting.popleft()
            try:
                potential.check([atoms])
                sheet = pad_vacuum(atoms, potential.cutoff)
                active[number] = RelaxationRun(sheet, config, keep_trajectory=after_step is not None)
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
        kept.save(lambda: (results, active), now=not (waiting or active))
    return [results[number] for number in range(len(sheets))]


def _key(potential: Potential, sheets: Sequence[Atoms], config: RelaxConfig) -> str:
    structures = [hash_structure(sheet) for sheet in sheets]
    settings = config.model_dump(mode="json")
    return hash_value([potential.spec, potential.dtype, settings, structures, ase.__version__])


def _describe(result: Relaxation | FailedRelaxation) -> str:
    if isinstance(result, FailedRelaxation):
        return "failed"
    return f"{result.n_steps} steps" if result.converged else "not converged"


def _has_room(active: dict[int, RelaxationRun], atoms: Atoms, batch_atoms: int) -> bool:
    return not active or sum(len(run.sheet) for run in active.values()) + len(atoms) <= batch_atoms


def _evaluate(
    potential: Potential, active: dict[int, RelaxationRun]
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


def _advance_safely(run: RelaxationRun, prediction: Prediction) -> Relaxation | FailedRelaxation | None:
    try:
        return run.advance(prediction)
    except Exception as error:  # noqa: BLE001  # a cell may collapse under the optimiser
        return _failure(error)


def _failure(error: Exception) -> FailedRelaxation:
    if isinstance(error, FlatforceError):
        return FailedRelaxation(error)
    return FailedRelaxation(ModelError(f"The relaxation failed: {type(error).__name__}: {error}"))
