"""What every force field is to the rest of the package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import ModelError
from flatforce.core.progress import Progress, silent
from flatforce.core.units import EV_PER_A2_IN_N_PER_M
from flatforce.models.finite_difference_hessian import ClusterHessian
from flatforce.models.protocols import TwiceDifferentiable
from flatforce.structures.sheet import as_slab, check_sheet, thickness

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.protocols import Backend, HessianRows, RawPrediction

VACUUM_MARGIN = 1.0
"""Å added to the cutoff: atoms that move during a relaxation must not begin to see an image."""


@dataclass(frozen=True)
class Prediction:
    """What a force field says of a sheet."""

    energy: float
    """eV."""
    forces: FloatArray
    """(N, 3) eV/Å."""
    stress: FloatArray | None
    """(3, 3) eV/Å³ in the cell as given, tension positive, out-of-plane components zero."""
    membrane_stress: FloatArray | None
    """(2, 2) N/m."""
    energy_std: float | None = None
    """eV, spread of a committee."""
    forces_std: FloatArray | None = None
    """(N, 3) eV/Å, spread of a committee."""


class Potential:
    """A force field that is right for sheets.

    Whatever periodicity and vacuum a frame has, the backend sees three periodic axes and a gap wider
    than its cutoff; stress is masked out of plane.

    Parameters
    ----------
    spec
        The name it was loaded by.
    backend
        What computes.
    """

    def __init__(self, spec: str, backend: Backend) -> None:
        self.spec, self.backend = spec, backend

    @property
    def elements(self) -> frozenset[str]:
        """Species the model knows."""
        return self.backend.elements

    @property
    def cutoff(self) -> float:
        """Å."""
        return self.backend.cutoff

    @property
    def interaction_range(self) -> float:
        """Å, layers × cutoff: no atom feels another beyond it."""
        return self.backend.layers * self.backend.cutoff

    @property
    def dtype(self) -> str:
        """`float64` or `float32`."""
        return self.backend.dtype

    @property
    def device(self) -> str:
        """Where it runs."""
        return self.backend.device

    @property
    def batch_atoms(self) -> int:
        """Atoms that are best evaluated at once."""
        return self.backend.batch_atoms

    def hessian(self, frame: Atoms) -> HessianRows | None:
        """Prepare rows of the Hessian of a sheet: analytic ones, or by differences in finite clusters.

        Parameters
        ----------
        frame
            A sheet.

        Returns
        -------
        What computes them; None if the reach of the backend is not known.
        """
        self.check([frame])
        slab = padded(frame, self.cutoff)
        analytic = self.backend.hessian(slab) if isinstance(self.backend, TwiceDifferentiable) else None
        if analytic is None and self.backend.local:
            return ClusterHessian(self.backend, slab)
        return analytic

    def check(self, frames: Sequence[Atoms]) -> None:
        """Refuse frames that the model cannot judge.

        Parameters
        ----------
        frames
            Sheets.

        Raises
        ------
        ModelError
            If a species is unknown to the model.
        """
        for frame in frames:
            check_sheet(frame)
            unknown = set(frame.get_chemical_symbols()) - self.elements
            if unknown:
                raise ModelError(
                    f"{self.spec} does not know {', '.join(sorted(unknown))}.",
                    why=f"it was trained on {', '.join(sorted(self.elements))}",
                    fix="choose another model, or train one on frames with these elements",
                )

    def evaluate(
        self, frames: Sequence[Atoms], *, stress: bool = True, progress: Progress = silent
    ) -> list[Prediction]:
        """Evaluate sheets in batches.

        Parameters
        ----------
        frames
            Sheets, of any periodicity and vacuum.
        stress
            Whether the stress is wanted.
        progress
            Told after each batch.

        Returns
        -------
        One prediction a frame, in their order.

        Raises
        ------
        ModelError
            If a species is unknown, or the model returns NaN.
        """
        self.check(frames)
        found: list[Prediction] = []
        for batch in _batches(frames, self.backend.batch_atoms):
            slabs = [padded(frame, self.cutoff) for frame in batch]
            raw = self.backend.predict(slabs, stress=stress)
            found += [
                self._flatten(frame, slab, one) for frame, slab, one in zip(batch, slabs, raw, strict=True)
            ]
            progress(len(found), len(frames), "frames")
        return found

    def _flatten(self, frame: Atoms, slab: Atoms, raw: RawPrediction) -> Prediction:
        if not (np.isfinite(raw.energy) and np.isfinite(raw.forces).all()):
            raise ModelError(
                f"{self.spec} returns NaN for {frame.get_chemical_formula()}.",
                why="two atoms may lie on top of each other, or the model is broken",
                fix="look at the structure; try `flatforce doctor` on the model",
            )
        if raw.stress is None:
            return Prediction(raw.energy, raw.forces, None, None, raw.energy_std, raw.forces_std)
        per_area = raw.stress[:2, :2] * slab.cell[2, 2]
        stress = np.zeros((3, 3))
        height = float(frame.cell[2, 2])
        stress[:2, :2] = per_area / (height if height > 0 else slab.cell[2, 2])
        membrane = per_area * EV_PER_A2_IN_N_PER_M
        return Prediction(raw.energy, raw.forces, stress, membrane, raw.energy_std, raw.forces_std)


def padded(frame: Atoms, cutoff: float) -> Atoms:
    """Return the cell that a backend sees: three periodic axes, vacuum wider than the cutoff.

    Parameters
    ----------
    frame
        A sheet.
    cutoff
        Å.

    Returns
    -------
    A copy; a cell that already is wide enough keeps its height.
    """
    needed = cutoff + VACUUM_MARGIN
    height, extent = float(frame.cell[2, 2]), thickness(frame)
    gap = height - extent if height > 0 else 0.0
    return as_slab(frame, gap=max(gap, needed))


def _batches(frames: Sequence[Atoms], batch_atoms: int) -> Iterator[list[Atoms]]:
    batch: list[Atoms] = []
    count = 0
    for frame in frames:
        if batch and count + len(frame) > batch_atoms:
            yield batch
            batch, count = [], 0
        batch.append(frame)
        count += len(frame)
    if batch:
        yield batch
