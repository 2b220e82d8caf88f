"""A nudged elastic band: its images move together, and all of them are evaluated in one batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator
from ase.mep import NEB
from ase.optimize import FIRE

from flatforce.core.checkpoint import Checkpoint
from flatforce.core.hashing import hash_structure, hash_value
from flatforce.core.progress import Progress, silent
from flatforce.properties.barriers.matching import moving_atom

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential
    from flatforce.models.prediction import Prediction
    from flatforce.properties.barriers.config import NebConfig

CLIMBING_FORCE: Final = 0.2
"""eV/Å. The highest image climbs from when the force across the path is smaller: the path then knows which image that is."""

RUNAWAY_FORCE: Final = 30.0
"""eV/Å. A force field that gives larger forces on a path that it optimises collapses there; frames of training sets have less than 20."""

CLIMBING_STEPS: Final = 3
"""The highest image climbs at the latest after this fraction of the steps: one of so many."""


class Band:
    """Images between two ends, and the optimiser that moves them.

    It can be pickled between two steps, and continues with the same numbers.

    Parameters
    ----------
    start
        Relaxed start, with energy and forces in its calculator.
    end
        Relaxed end, matched.
    config
        Settings.
    """

    def __init__(self, start: Atoms, end: Atoms, config: NebConfig) -> None:
        self.config, self.n_steps, self.max_force = config, 0, float("inf")
        self.images: list[Atoms] = [start, *(start.copy() for _ in range(config.images)), end]
        self.neb = NEB(self.images, k=config.spring, climb=False, method="improvedtangent")
        self.neb.interpolate("idpp", mic=True)
        atom, _ = moving_atom(start, end)
        for k, image in enumerate(self.images):
            image.positions[atom, 2] += config.lift * np.sin(np.pi * k / (len(self.images) - 1))
        self.optimizer = FIRE(self.neb, logfile=None)
        self.smoothest: tuple[float, list[FloatArray]] = (float("inf"), [])
        self.collapsed_at: int | None = None

    @property
    def converged(self) -> bool:
        """Whether the path and its climbing image have converged."""
        return bool(self.neb.climb and self.max_force < self.config.max_force)

    def advance(self, predictions: Sequence[Prediction]) -> bool:
        """Take one step.

        Parameters
        ----------
        predictions
            Energy and forces of each image between the ends.

        Returns
        -------
        Whether the path has ended: it converged, or took all its steps.
        """
        for image, prediction in zip(self.images[1:-1], predictions, strict=True):
            set_prediction(image, prediction)
        forces = self.neb.get_forces()
        self.max_force = float(np.linalg.norm(forces, axis=1).max())
        if self.max_force < self.smoothest[0]:
            self.smoothest = (self.max_force, [image.positions.copy() for image in self.images])
        elif self.max_force > RUNAWAY_FORCE and self.smoothest[0] < RUNAWAY_FORCE:
            self._go_back()
            return True
        if self.converged or self.n_steps == self.config.max_steps:
            return True
        if self.max_force < CLIMBING_FORCE or self.n_steps >= self.config.max_steps // CLIMBING_STEPS:
            self.neb.climb = True
        self.optimizer.step()
        self.n_steps += 1
        return False

    def _go_back(self) -> None:
        """Return to the step with the smallest force: later ones lead into a collapse."""
        self.collapsed_at = self.n_steps
        self.max_force, positions = self.smoothest
        for image, stored in zip(self.images, positions, strict=True):
            image.positions = stored
        self.neb.climb = False


def set_prediction(image: Atoms, prediction: Prediction) -> None:
    """Attach energy and forces to a structure.

    Parameters
    ----------
    image
        The structure, changed in place.
    prediction
        What the force field says of it.
    """
    image.calc = SinglePointCalculator(image, energy=prediction.energy, forces=prediction.forces)


def find_path(
    potential: Potential,
    ends: tuple[Atoms, Atoms],
    config: NebConfig,
    *,
    checkpoint: Path,
    progress: Progress = silent,
) -> Band:
    """Move a band to the path of minimum energy.

    Parameters
    ----------
    potential
        The force field.
    ends
        Relaxed start and end, matched, with energies and forces in their calculators.
    config
        Settings.
    checkpoint
        File of the state of an interrupted run, which continues with the same steps.
    progress
        Called after each step.

    Returns
    -------
    The band where it ended: images, forces in eV/Å, number of steps, and whether it converged.
    """
    key = hash_value(
        [
            potential.spec,
            potential.dtype,
            config.model_dump(mode="json", exclude={"verify"}),
            *map(hash_structure, ends),
        ]
    )
    stored_state = Checkpoint(checkpoint, key)
    band = stored_state.load() or Band(*ends, config)
    has_ended = False
    while not has_ended:
        has_ended = band.advance(potential.evaluate(band.images[1:-1], stress=False))
        progress(band.n_steps, config.max_steps, f"max force {band.max_force:.3f} eV/Å")
        if not has_ended:
            stored_state.save(lambda: band)
    return band


def path_distances(images: Sequence[Atoms]) -> FloatArray:
    """Compute the length of the path up to each image.

    Parameters
    ----------
    images
        Images, each near the one before.

    Returns
    -------
    (n_images) Å, sum of the steps in the space of all atoms.
    """
    steps = np.diff([image.positions for image in images], axis=0)
    return np.insert(np.cumsum(np.linalg.norm(steps, axis=(1, 2))), 0, 0.0)


def path_slopes(images: Sequence[Atoms], forces: FloatArray) -> FloatArray:
    """Compute how the energy changes along the path at each image.

    Parameters
    ----------
    images
        Images, each near the one before.
    forces
        (n_images, N, 3) eV/Å.

    Returns
    -------
    (n_images) eV/Å, minus the force along the direction from the image before to the next.
    """
    positions = np.array([image.positions for image in images])
    tangents = np.gradient(positions, axis=0)
    tangents /= np.linalg.norm(tangents, axis=(1, 2))[:, None, None]
    slopes: FloatArray = -(np.asarray(forces) * tangents).sum(axis=(1, 2))
    return slopes
