"""What a dataset holds, in numbers that a figure can show."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import spglib
from scipy.linalg import eigh

from flatforce.core.progress import Progress, silent
from flatforce.core.units import EV_PER_A2_IN_N_PER_M
from flatforce.data.curation.diversity import descriptors
from flatforce.data.curation.steps import select_steps
from flatforce.data.frames import get_labels, material_of
from flatforce.data.splits import trajectories

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray, IntArray

SYMPREC: Final = 0.01
"""Å, for the histogram of space groups."""

E_CUTS: Final = np.geomspace(1e-5, 1.0, 26)
"""eV/atom at which the size of the set is counted."""

MAPPED: Final = 4000
"""Frames of which the map is made, drawn evenly: a picture holds no more."""


@dataclass(frozen=True)
class Statistics:
    """Counts and distributions."""

    n_frames: int
    n_materials: int
    elements: Counter[str]
    """Species → frames that hold it."""
    space_groups: Counter[int]
    """Number → frames."""
    energy: FloatArray
    """(F) eV/atom."""
    force: FloatArray
    """(A) eV/Å, norm on each atom."""
    stress: FloatArray
    """(S) N/m, largest component of the membrane stress."""
    kept: IntArray
    """(26) frames that step selection leaves at each of `E_CUTS`."""
    map: FloatArray
    """(M, 2) first two principal components of the mean SOAP vectors; empty where none was asked for."""
    map_energy: FloatArray
    """(M) eV/atom of the mapped frames."""

    @property
    def metrics(self) -> dict[str, float]:
        """Flat numbers for the record."""
        return {
            "n_frames": float(self.n_frames),
            "n_materials": float(self.n_materials),
            "n_elements": float(len(self.elements)),
            "n_space_groups": float(len(self.space_groups)),
            "energy_min": float(self.energy.min()),
            "energy_max": float(self.energy.max()),
            "force_median": float(np.median(self.force)),
            "force_max": float(self.force.max()),
            "stress_max": float(self.stress.max()) if self.stress.size else float("nan"),
        }

    @property
    def units(self) -> dict[str, str]:
        """Unit of each metric."""
        kinds = {"energy": "eV/atom", "force": "eV/Å", "stress": "N/m"}
        return {name: kinds.get(name.split("_")[0], "1") for name in self.metrics}

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return what the figures need.

        Returns
        -------
        Name → array.
        """
        return {
            "energy": self.energy,
            "force": self.force,
            "stress": self.stress,
            "e_cut": E_CUTS,
            "kept": self.kept,
            "map": self.map,
            "map_energy": self.map_energy,
        }


def statistics(frames: Sequence[Atoms], *, mapped: bool = True, progress: Progress = silent) -> Statistics:
    """Count.

    Parameters
    ----------
    frames
        Labelled frames.
    mapped
        Whether the map of environments is made; needs dscribe.
    progress
        Told every thousand frames.

    Returns
    -------
    The numbers.
    """
    elements: Counter[str] = Counter()
    groups: Counter[int] = Counter()
    energy, force, stress = [], [], []
    for k, frame in enumerate(frames):
        labels = get_labels(frame)
        elements.update(set(frame.get_chemical_symbols()))
        groups[_space_group(frame)] += 1
        energy.append(labels.energy / len(frame))
        force.append(np.linalg.norm(labels.forces, axis=1))
        if labels.stress is not None:
            stress.append(np.abs(labels.stress[:2, :2]).max() * frame.cell[2, 2] * EV_PER_A2_IN_N_PER_M)
        if (k + 1) % 1000 == 0 or k + 1 == len(frames):
            progress(k + 1, len(frames), "frames")
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(MAPPED, len(frames))).astype(int))
    points = _principal(descriptors([frames[i] for i in chosen])) if mapped else np.empty((0, 2))
    return Statistics(
        n_frames=len(frames),
        n_materials=len({material_of(frame) for frame in frames}),
        elements=elements,
        space_groups=groups,
        energy=np.array(energy),
        force=np.concatenate(force),
        stress=np.array(stress),
        kept=_sizes(frames, np.array(energy)),
        map=points,
        map_energy=np.array(energy)[chosen] if mapped else np.empty(0),
    )


def _space_group(frame: Atoms) -> int:
    os.environ.setdefault("SPGLIB_WARNING", "OFF")  # it writes a line for each rattled frame it cannot decide
    found = spglib.get_symmetry_dataset(
        (frame.cell.array, frame.get_scaled_positions(), frame.numbers), symprec=SYMPREC
    )
    return 0 if found is None else int(found.number)


def _sizes(frames: Sequence[Atoms], energy: FloatArray) -> IntArray:
    """Frames left by step selection; those outside trajectories stay at any e_cut."""
    runs = trajectories(frames)
    alone = len(frames) - sum(len(run) for run in runs)
    counts = [
        alone + sum(len(select_steps(energy[run].tolist(), e_cut=float(e_cut))) for run in runs)
        for e_cut in E_CUTS
    ]
    return np.array(counts, dtype=np.int64)


def _principal(points: FloatArray) -> FloatArray:
    centred = points - points.mean(axis=0)
    last = points.shape[1] - 1
    _, axes = eigh(
        centred.T @ centred, subset_by_index=(last - 1, last)
    )  # of thousands of points, two are wanted
    projected: FloatArray = centred @ axes[:, ::-1]
    return projected
