"""The path of minimum energy between two structures: ends, band, saddle point, judgement, labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import GeometryError
from flatforce.core.progress import Progress, silent
from flatforce.models.slab import pad_vacuum
from flatforce.properties.barriers.band import Band, find_path, path_distances, path_slopes, set_prediction
from flatforce.properties.barriers.judgement import Verification, judge, verify
from flatforce.properties.barriers.matching import (
    SAME_TOLERANCE,
    are_equivalent,
    displacements,
    match_ends,
    moving_atom,
)
from flatforce.properties.barriers.result import MinimumEnergyPath
from flatforce.properties.barriers.saddle import Vibrations, atoms_near, refine_by_dimer, vibrations
from flatforce.properties.relax import relax_many
from flatforce.properties.relax_config import RelaxConfig
from flatforce.properties.relaxation import FailedRelaxation

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from flatforce.models.potential import Potential
    from flatforce.models.prediction import Prediction
    from flatforce.properties.barriers.config import NebConfig
    from flatforce.properties.relaxation import Relaxation


def minimum_energy_path(
    potential: Potential,
    start: Atoms,
    end: Atoms,
    config: NebConfig,
    *,
    scratch: Path,
    progress: Progress = silent,
) -> MinimumEnergyPath:
    """Find the path of minimum energy between two structures, and judge whether the force field knows it.

    Parameters
    ----------
    potential
        The force field.
    start
        First structure.
    end
        Last structure, of the same atoms in the same cell.
    config
        Settings.
    scratch
        Folder of parts that an interrupted run takes up again.
    progress
        Called after each step, row of the Hessian, or label.

    Returns
    -------
    Images, barriers and rates; `problems` says where the path is not to be trusted.

    Raises
    ------
    GeometryError
        If the atoms of start and end do not match, or both relax to the same structure.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    ends = _relaxed_ends(potential, start, end, config, scratch=scratch, progress=progress)
    first, last = (run.atoms for run in ends)
    atom, length = moving_atom(first, last)
    if length < SAME_TOLERANCE:
        raise GeometryError(
            "Start and end relax to the same structure.",
            why=f"no atom is farther than {length:.2f} Å from its position in the other one",
            fix="give two different minima; one of these may be no minimum of the force field",
        )
    for run in ends:
        set_prediction(run.atoms, potential.evaluate(run.atoms, stress=False))
    band = find_path(
        potential, (first, last), config, checkpoint=scratch / "path.checkpoint", progress=progress
    )
    finished = _finish(potential, band, config)
    active = atoms_near(finished.images[finished.saddle], atom, config.vibration_radius)
    decisive = {
        "start": finished.images[0],
        "saddle": finished.images[finished.saddle],
        "end": finished.images[-1],
    }
    modes: tuple[Vibrations, Vibrations, Vibrations] | None = None
    if config.frequencies and band.collapsed_at is None:
        of_start, of_saddle, of_end = (
            vibrations(potential, image, active, scratch=scratch / f"rows_{name}", progress=progress)
            for name, image in decisive.items()
        )
        modes = (of_start, of_saddle, of_end)
    verification: Verification | None = None
    if config.verify is not None:
        predictions = [finished.predictions[k] for k in (0, finished.saddle, -1)]
        verification = verify(decisive, predictions, config, cache=scratch / "labels", progress=progress)
    return MinimumEnergyPath(
        config=config,
        images=finished.images,
        energies=np.array([prediction.energy for prediction in finished.predictions]),
        distances=path_distances(finished.images),
        slopes=path_slopes(
            finished.images, np.array([prediction.forces for prediction in finished.predictions])
        ),
        end_forces=(ends[0].max_force, ends[1].max_force),
        max_force=finished.max_force,
        n_steps=band.n_steps,
        converged=finished.converged,
        saddle=finished.saddle,
        collapsed_at=band.collapsed_at,
        moving_atom=atom,
        length=length,
        is_symmetric=are_equivalent(first, last),
        judgement=judge(potential, finished.images, finished.predictions, config),
        vibrations=modes,
        verification=verification,
    )


def _relaxed_ends(
    potential: Potential,
    start: Atoms,
    end: Atoms,
    config: NebConfig,
    *,
    scratch: Path,
    progress: Progress,
) -> tuple[Relaxation, Relaxation]:
    """Match the ends and relax their atoms."""
    first = pad_vacuum(start, potential.cutoff)
    first.set_constraint()
    last = match_ends(first, end, keep_order=config.keep_order)
    settings = RelaxConfig(
        max_force=config.end_max_force, max_steps=config.max_steps, relax_cell=False, optimizer="LBFGS"
    )
    runs: list[Relaxation] = []
    for result in relax_many(
        potential, [first, last], settings, checkpoint=scratch / "ends.checkpoint", progress=progress
    ):
        if isinstance(result, FailedRelaxation):
            raise result.error
        runs.append(result)
    first, last = (run.atoms for run in runs)
    last.positions = first.positions + displacements(first.positions, last.positions, first)
    return runs[0], runs[1]


@dataclass(frozen=True)
class _FinishedPath:
    """Images where the band and the dimer ended."""

    images: list[Atoms]
    predictions: list[Prediction]
    saddle: int
    max_force: float
    converged: bool


def _finish(potential: Potential, band: Band, config: NebConfig) -> _FinishedPath:
    """Refine the saddle point where the settings ask for it, and evaluate all images, with the deviations of a committee."""
    images = [image.copy() for image in band.images]
    max_force, converged = band.max_force, band.converged
    between = potential.evaluate(images[1:-1], stress=False)
    saddle = 1 + int(np.argmax([prediction.energy for prediction in between]))
    if config.dimer and band.collapsed_at is None:
        tangent = images[saddle + 1].positions - images[saddle - 1].positions
        images[saddle], max_force = refine_by_dimer(
            potential, images[saddle], tangent, max_force=config.end_max_force, max_steps=config.max_steps
        )
        converged = max_force <= config.end_max_force
    for k, image in enumerate(images):
        image.info = {"name": f"image {k}", "config_type": "neb"}
    predictions = potential.evaluate(images, stress=False)
    for image, prediction in zip(images, predictions, strict=True):
        set_prediction(image, prediction)
    return _FinishedPath(images, predictions, saddle, max_force, converged)
