"""Relaxation with DFT labels: each step is a frame of a labelling run, so that many sheets are relaxed in parallel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS

from flatforce.core.progress import Progress, silent
from flatforce.core.units import EV_PER_A2_IN_N_PER_M
from flatforce.data.frames import Labels, attach_labels, describe
from flatforce.reference.cached_calculator import CachedLabels, LabelMissing
from flatforce.reference.keys import label_key
from flatforce.reference.label import label
from flatforce.reference.tasks import read_task_result
from flatforce.structures.sheet import IN_PLANE, cell_height

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.reference.config import LabelConfig, LabelRelaxation, Settings

MAX_STEP = 0.1
"""Å. Largest displacement of an atom in one step of the optimiser."""


@dataclass(frozen=True)
class LabelledPath:
    """Labelled steps of one relaxation."""

    frames: list[Atoms]
    """Labelled frames with `step` in `info`; the last frame of a converged relaxation has `relaxed`."""
    relaxed: bool
    """Whether the relaxation converged."""
    reason: str = ""
    """Why it ended without convergence."""


@dataclass(frozen=True)
class RelaxationStart:
    """Where the relaxation of a sheet starts, and how its labels are computed."""

    sheet: Atoms
    """Initial structure with three periodic axes and a vacuum; its `info` is kept on every step."""
    settings: Settings
    """Code and settings of its labels."""
    hessian: FloatArray | None = None
    """eV/Å², initial Hessian of BFGS in the coordinates of ASE's `FrechetCellFilter` (of the positions alone if the cell is
    fixed); a good one saves labels. None for 70 eV/Å² times the identity."""


def relax_by_labels(
    starts: Sequence[RelaxationStart],
    config: LabelConfig,
    target: LabelRelaxation,
    *,
    cache: Path,
    progress: Progress = silent,
) -> list[LabelledPath]:
    """Relax sheets with BFGS; the next steps of all sheets are labelled in parallel.

    Parameters
    ----------
    starts
        Initial structures with the settings of their labels.
    config
        How the machine is used; its `settings` are replaced by those of each sheet.
    target
        Convergence criteria.
    cache
        Folder of labels; an interrupted run continues from it.
    progress
        Called after each round with the number of sheets whose relaxation has ended.

    Returns
    -------
    The labelled steps of each sheet, in the order of `starts`.
    """
    failures: dict[str, str] = {}
    while True:
        states = [
            _advance(start, target, cache=cache, failures=failures, timeout=config.timeout)
            for start in starts
        ]
        unlabelled = [
            (state, start.settings)
            for state, start in zip(states, starts, strict=True)
            if not isinstance(state, LabelledPath)
        ]
        progress(len(states) - len(unlabelled), len(states), f"{len(unlabelled)} frames to label")
        if not unlabelled:
            return [state for state in states if isinstance(state, LabelledPath)]
        result = label(
            [frame for frame, _ in unlabelled],
            config,
            cache=cache,
            settings=[frame_settings for _, frame_settings in unlabelled],
        )
        reasons = dict(result.failures)
        for frame, frame_settings in unlabelled:
            # a frame that no worker could start is not in the cache: requested again, it would fail for ever
            key = label_key(frame, frame_settings)
            found = read_task_result(cache / f"{key}.json")
            if found is not None and found["status"] != "done":
                failures[key] = found["reason"]
            elif found is None:
                failures[key] = reasons.get(describe(frame), "its worker wrote no result")


def _advance(
    start: RelaxationStart,
    target: LabelRelaxation,
    *,
    cache: Path,
    failures: dict[str, str],
    timeout: float,
) -> LabelledPath | Atoms:
    """Repeat a relaxation as far as its labels are cached; return the frame to label next, or the ended path."""
    atoms = start.sheet.copy()
    atoms.calc = calculator = CachedLabels(
        start.sheet,
        cache=cache,
        settings=start.settings,
        failures=failures,
        need_stress=target.relax_cell,
        timeout=timeout,
    )
    path: list[Atoms] = []
    try:
        variables = FrechetCellFilter(atoms, mask=list(IN_PLANE)) if target.relax_cell else atoms
        optimizer = BFGS(variables, logfile=None, maxstep=MAX_STEP)
        if start.hessian is not None:
            optimizer.H0 = start.hessian.copy()  # BFGS updates in place
        for _ in optimizer.irun(fmax=0.0, steps=target.max_steps - 1):
            path.append(_label_step(atoms, calculator.labelled_frame, start.sheet, len(path)))
            if _is_converged(atoms, target):
                path[-1].info["relaxed"] = True
                return LabelledPath(path, relaxed=True)
    except LabelMissing as missing:
        frame = missing.frame
        frame.info = dict(start.sheet.info)
        frame.calc = None
        return frame
    except ArithmeticError as error:
        return LabelledPath(path, relaxed=False, reason=str(error))
    return LabelledPath(path, relaxed=False, reason=f"not converged after {len(path)} labels")


def _is_converged(atoms: Atoms, target: LabelRelaxation) -> bool:
    if float(np.linalg.norm(atoms.get_forces(), axis=1).max()) >= target.max_force:
        return False
    if not target.relax_cell:
        return True
    membrane = atoms.get_stress(voigt=False)[:2, :2] * cell_height(atoms) * EV_PER_A2_IN_N_PER_M
    return bool(np.abs(membrane).max() < target.max_stress)


def _label_step(atoms: Atoms, labelled_frame: Atoms, sheet: Atoms, number: int) -> Atoms:
    """Return the labelled frame of one step."""
    stress = atoms.get_stress(voigt=False).copy() if "stress" in atoms.calc.results else None
    labels = Labels(atoms.get_potential_energy(), atoms.get_forces().copy(), stress)
    frame = labelled_frame.copy()
    frame.calc = None
    frame.info = {key: value for key, value in sheet.info.items() if key != "relaxed"}
    frame.info |= {"config_type": "relaxation", "step": number}
    if "name" in sheet.info:
        frame.info["name"] = f"{sheet.info['name']}-{number:02d}"
    return attach_labels(frame, labels)
