"""A path of minimum energy with its barrier, as a result folder holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from scipy.interpolate import CubicHermiteSpline

from flatforce.core.outcome import Outcome
from flatforce.properties.barriers.band import RUNAWAY_FORCE
from flatforce.properties.barriers.saddle import attempt_frequency, rate

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.barriers.config import NebConfig
    from flatforce.properties.barriers.judgement import Judgement, Verification
    from flatforce.properties.barriers.saddle import Vibrations

ENERGY_TOLERANCE: Final = 0.005
"""eV, largest difference of the energies of two ends that symmetry makes equal: that of two relaxations. An image counts as an intermediate
minimum if both sides of it are higher by more."""

FINE_POINTS: Final = 201
"""Points of the interpolated energy."""


@dataclass(frozen=True, repr=False)
class MinimumEnergyPath(Outcome):
    """Images between two minima, the saddle point, and how far the force field can be trusted there."""

    kind: ClassVar[str] = "neb"

    config: NebConfig
    """Settings."""
    images: list[Atoms]
    """Structures from start to end, the saddle point among them, with energy and forces in their calculators."""
    energies: FloatArray
    """(n_images) eV."""
    distances: FloatArray
    """(n_images) Å, length of the path up to each image."""
    slopes: FloatArray
    """(n_images) eV/Å, change of the energy along the path."""
    end_forces: tuple[float, float]
    """eV/Å, largest force left in start and end."""
    max_force: float
    """eV/Å, largest force across the path, or at the saddle point after a dimer."""
    n_steps: int
    """Number of optimiser steps of the path."""
    converged: bool
    """Whether path and saddle point have converged."""
    saddle: int
    """Index of the saddle point: the highest image between the ends, refined where a dimer was asked for."""
    collapsed_at: int | None
    """Step at which the force field collapsed; the images are those of an earlier step then. None if it did not."""
    moving_atom: int
    """Index of the atom that moves farthest."""
    length: float
    """Å, how far it moves from start to end."""
    is_symmetric: bool
    """Whether symmetry makes start and end equal."""
    judgement: Judgement
    """Whether the force field knows the images."""
    vibrations: tuple[Vibrations, Vibrations, Vibrations] | None = None
    """Vibrations of start, saddle point and end; None without."""
    verification: Verification | None = None
    """Labels of start, saddle point and end; None without."""

    @property
    def barrier(self) -> float:
        """Energy of the saddle point above the start in eV."""
        return float(self.energies[self.saddle] - self.energies[0])

    @property
    def barrier_reverse(self) -> float:
        """Energy of the saddle point above the end in eV."""
        return float(self.energies[self.saddle] - self.energies[-1])

    @property
    def units(self) -> dict[str, str]:  # type: ignore[override]  # the names hold temperatures
        """Unit of each metric."""
        return {name: "1/s" if name.startswith("rate_") else UNITS[name] for name in self.metrics}

    @property
    def metrics(self) -> dict[str, float]:
        """Barriers, saddle point, rates, uncertainty, and how the path was computed."""
        has_path = self.collapsed_at is None
        values = {
            "barrier": self.barrier if has_path else float("nan"),
            "barrier_reverse": self.barrier_reverse if has_path else float("nan"),
            "energy_difference": float(self.energies[-1] - self.energies[0]),
        }
        members = self.judgement.member_energies
        if len(members):
            values["barrier_std"] = float((members[:, self.saddle] - members[:, 0]).std(ddof=1))
        if self.judgement.forces_std is not None:
            values["force_std"] = float(self.judgement.forces_std.max())
        values |= self._rates()
        if self.judgement.known is not None:
            values["distance_ratio"] = self.judgement.distance_ratio
            values["n_outside"] = float(self.judgement.outside.sum())
        if self.verification is not None:
            values["label_barrier"] = self.verification.barrier
            values["label_barrier_error"] = self.verification.barrier_error
            values["label_force_error"] = self.verification.max_force_error
        return values | {
            "path_length": float(self.distances[-1]),
            "max_force": self.max_force,
            "n_steps": float(self.n_steps),
        }

    def _rates(self) -> dict[str, float]:
        if self.vibrations is None:
            return {}
        start, saddle, end = self.vibrations
        forward, reverse = attempt_frequency(start, saddle), attempt_frequency(end, saddle)
        values = {
            "n_imaginary": float(saddle.n_imaginary),
            "imaginary_frequency": max(0.0, -float(saddle.frequencies[0])),
            "attempt_frequency": forward,
            "attempt_frequency_reverse": reverse,
        }
        for temperature in self.config.temperatures:
            values[f"rate_{temperature:g}K"] = rate(forward, self.barrier, temperature)
        return values

    @property
    def problems(self) -> list[str]:
        """A path that did not converge, no saddle point between the ends, what the force field does not know, labels that differ."""
        texts = [
            f"The {name} has not converged: {force:.3g} eV/Å are left."
            for name, force in zip(("start", "end"), self.end_forces, strict=True)
            if force > self.config.end_max_force
        ]
        if self.collapsed_at is not None:
            texts.append(
                f"The force field collapses on the path: after {self.collapsed_at} steps its forces exceed {RUNAWAY_FORCE:g} eV/Å. The images "
                "are those of the step with the smallest force."
            )
        elif not self.converged:
            texts.append(
                f"The path has not converged after {self.n_steps} steps: {self.max_force:.3g} eV/Å are left."
            )
        if min(self.barrier, self.barrier_reverse) <= 0:
            texts.append("There is no saddle point between start and end: no image is higher than both.")
        return [
            *texts,
            *self._symmetry_problems(),
            *self._mode_problems(),
            *self.judgement.problems,
            *self._label_problems(),
        ]

    def _symmetry_problems(self) -> list[str]:
        difference = float(self.energies[-1] - self.energies[0])
        if not self.is_symmetric or abs(difference) < ENERGY_TOLERANCE:
            return []
        return [
            f"Symmetry makes start and end equal, and their energies differ by {1e3 * difference:.1f} meV: lower end_max_force."
        ]

    def _mode_problems(self) -> list[str]:
        if self.vibrations is None:
            return []
        start, saddle, end = self.vibrations
        texts = [
            f"The {name} is no minimum: it has {vibrations_at.n_imaginary} imaginary modes."
            for name, vibrations_at in (("start", start), ("end", end))
            if vibrations_at.n_imaginary
        ]
        if saddle.n_imaginary != 1:
            texts.append(
                f"The highest image is no saddle point of first order: it has {saddle.n_imaginary} imaginary modes, and not one."
            )
        return texts

    def _label_problems(self) -> list[str]:
        if self.verification is None:
            return []
        texts = [f"The label of the {name} failed: {reason}." for name, reason in self.verification.failures]
        error = self.verification.barrier_error
        if abs(error) > self.config.verify_tolerance:
            texts.append(
                f"The barrier of the labels is {self.verification.barrier:.3f} eV on the same structures, that of the force field "
                f"{abs(error):.3f} eV {'higher' if error > 0 else 'lower'}: train it on verified.extxyz."
            )
        return texts

    @property
    def notes(self) -> list[str]:
        """Equal ends, intermediate minima, neighbours that are not in the training set."""
        texts = ["symmetry makes start and end equal"] if self.is_symmetric else []
        texts += [
            f"image {k} is an intermediate minimum: the path consists of more than one hop; relax it and compute each of them"
            for k in self.intermediate_minima
        ]
        return [*texts, *self.judgement.notes]

    @property
    def intermediate_minima(self) -> list[int]:
        """Indices of images that are lower than the path on both sides of them."""
        energies = self.energies
        return [
            k
            for k in range(1, len(energies) - 1)
            if energies[k] < min(energies[k - 1], energies[k + 1])
            and energies[k] < min(energies[:k].max(), energies[k + 1 :].max()) - ENERGY_TOLERANCE
        ]

    @property
    def details(self) -> dict[str, Any]:
        """Which atom moves, which images are outside, and the range of the training set."""
        known = self.judgement.known
        return {
            "saddle": self.saddle,
            "moving_atom": self.moving_atom,
            "moving_element": str(self.images[0].symbols[self.moving_atom]),
            "moving_distance": self.length,
            "symmetric": self.is_symmetric,
            "pairs": sorted(self.judgement.courses),
            "outside": np.flatnonzero(self.judgement.outside).tolist(),
            "training_range": None if known is None else known.as_values(),
        }

    def arrays(self) -> dict[str, Any]:
        """Return energies, distances and slopes along the path, smallest distances, frequencies."""
        fine = np.linspace(0.0, self.distances[-1], FINE_POINTS)
        relative = self.energies - self.energies[0]
        spline = CubicHermiteSpline(self.distances, relative, self.slopes)
        arrays: dict[str, Any] = {
            "energy": relative,
            "distance": self.distances,
            "slope": self.slopes,
            "fine_distance": fine,
            "fine_energy": spline(fine),
            "outside": self.judgement.outside,
            **{f"shortest_{pair}": course for pair, course in self.judgement.courses.items()},
        }
        members = self.judgement.member_energies
        if len(members):
            arrays["member_energy"] = members - members[:, :1]
        if self.judgement.forces_std is not None:
            arrays["force_std"] = self.judgement.forces_std
        if self.vibrations is not None:
            for name, vibrations_at in zip(("start", "saddle", "end"), self.vibrations, strict=True):
                arrays[f"frequency_{name}"] = vibrations_at.frequencies
            arrays["imaginary_mode"] = self.vibrations[1].modes[0]
        return arrays

    def files(self, folder: Path) -> None:
        """Write `images.extxyz`, `saddle.extxyz`, and where there are any `outside.extxyz` and `verified.extxyz`.

        Parameters
        ----------
        folder
            Result folder.
        """
        from functools import partial

        from ase.io import write

        from flatforce.core.files import write_atomically
        from flatforce.data.frame_files import write_frames

        outside = [
            image for image, is_outside in zip(self.images, self.judgement.outside, strict=True) if is_outside
        ]
        for name, frames in {
            "images": self.images,
            "saddle": [self.images[self.saddle]],
            "outside": outside,
        }.items():
            if frames:
                write_atomically(folder / f"{name}.extxyz", partial(write, images=frames, format="extxyz"))
        if self.verification is not None and self.verification.frames:
            write_frames(folder / "verified.extxyz", self.verification.frames)


UNITS: Final = {
    "barrier": "eV",
    "barrier_reverse": "eV",
    "energy_difference": "eV",
    "barrier_std": "eV",
    "force_std": "eV/Å",
    "n_imaginary": "",
    "imaginary_frequency": "THz",
    "attempt_frequency": "THz",
    "attempt_frequency_reverse": "THz",
    "distance_ratio": "",
    "n_outside": "",
    "label_barrier": "eV",
    "label_barrier_error": "eV",
    "label_force_error": "eV/Å",
    "path_length": "Å",
    "max_force": "eV/Å",
    "n_steps": "",
}
"""Unit of each metric but the rates."""
