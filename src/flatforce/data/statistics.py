"""Statistics of a dataset: counts, distributions of labels, step selection, and a map of environments."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from scipy.linalg import eigh

from flatforce.core.outcome import Outcome
from flatforce.core.progress import Progress, silent
from flatforce.core.units import EV_PER_A2_IN_N_PER_M
from flatforce.data.curation.diversity import descriptors
from flatforce.data.curation.steps import select_steps
from flatforce.data.frames import ISOLATED_NOTE, get_labels, material_of, without_isolated
from flatforce.data.splits import find_trajectories
from flatforce.structures.sheet import cell_height
from flatforce.structures.symmetry import symmetry_dataset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray, IntArray

SYMPREC: Final = 0.01
"""Å. Tolerance of the symmetry search for the histogram of space groups."""

ENERGY_STEPS: Final = np.geomspace(1e-5, 1.0, 26)
"""eV/atom. Values of min_energy_step for which the selected steps are counted."""

MAX_MAPPED: Final = 4000
"""Largest number of frames in the map, drawn evenly: more points cannot be told apart in a figure."""


@dataclass(frozen=True, repr=False)
class Statistics(Outcome):
    """Counts and distributions of a dataset."""

    kind: ClassVar[str] = "statistics"
    units = {
        "n_frames": "",
        "n_materials": "",
        "n_elements": "",
        "n_space_groups": "",
        "energy_min": "eV/atom",
        "energy_max": "eV/atom",
        "force_median": "eV/Å",
        "force_max": "eV/Å",
        "stress_max": "N/m",
    }

    n_frames: int
    """Number of frames."""
    n_isolated: int
    """Number of isolated atoms that were left out."""
    n_materials: int
    """Number of different materials."""
    elements: Counter[str]
    """Element → number of frames that contain it."""
    space_groups: Counter[int]
    """Number of the space group → number of frames; 0 where it could not be determined."""
    energy: FloatArray
    """(F,) eV/atom, energy of each frame."""
    force: FloatArray
    """(A,) eV/Å, norm of the force on each atom."""
    stress: FloatArray
    """(S,) N/m, largest component of the membrane stress of each frame with a stress."""
    n_selected: IntArray
    """(26,) number of frames that step selection keeps at each of `ENERGY_STEPS`."""
    map: FloatArray
    """(M, 2) first two principal components of the mean SOAP vectors, dimensionless; empty without a map."""
    map_energy: FloatArray
    """(M,) eV/atom, energy of each frame in the map."""

    @property
    def metrics(self) -> dict[str, float]:
        """Counts, and extremes of the labels."""
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
    def notes(self) -> list[str]:
        """Isolated atoms that were left out."""
        return [ISOLATED_NOTE.format(count=self.n_isolated)] if self.n_isolated else []

    @property
    def details(self) -> dict[str, Any]:
        """Number of frames by element and by space group."""
        return {
            "elements": dict(self.elements),
            "space_groups": {str(number): count for number, count in self.space_groups.items()},
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that the figures show.

        Returns
        -------
        Name → array, under the names of `arrays.npz` in the result folder; shapes and units are those of the fields.
        """
        return {
            "energy": self.energy,
            "force": self.force,
            "stress": self.stress,
            "min_energy_step": ENERGY_STEPS,
            "n_selected": self.n_selected,
            "map": self.map,
            "map_energy": self.map_energy,
        }


def statistics(frames: Sequence[Atoms], *, with_map: bool = True, progress: Progress = silent) -> Statistics:
    """Compute the statistics of a dataset.

    Parameters
    ----------
    frames
        Labelled frames.
    with_map
        Whether the map of environments is computed; it needs dscribe.
    progress
        Called every thousand frames.

    Returns
    -------
    Counts of frames, materials, elements and space groups, distributions of the labels, and the map of the frames.
    """
    n_all, frames = len(frames), without_isolated(frames)
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
            stress.append(np.abs(labels.stress[:2, :2]).max() * cell_height(frame) * EV_PER_A2_IN_N_PER_M)
        if (k + 1) % 1000 == 0 or k + 1 == len(frames):
            progress(k + 1, len(frames), "frames")
    mapped_indices = np.unique(np.linspace(0, len(frames) - 1, min(MAX_MAPPED, len(frames))).astype(int))
    points = (
        _principal_components(descriptors([frames[i] for i in mapped_indices]))
        if with_map
        else np.empty((0, 2))
    )
    return Statistics(
        n_frames=len(frames),
        n_isolated=n_all - len(frames),
        n_materials=len({material_of(frame) for frame in frames}),
        elements=elements,
        space_groups=groups,
        energy=np.array(energy),
        force=np.concatenate(force),
        stress=np.array(stress),
        n_selected=_count_selected(frames, np.array(energy)),
        map=points,
        map_energy=np.array(energy)[mapped_indices] if with_map else np.empty(0),
    )


def _space_group(frame: Atoms) -> int:
    os.environ.setdefault("SPGLIB_WARNING", "OFF")  # it writes a line for each rattled frame it cannot decide
    dataset = symmetry_dataset(frame, symprec=SYMPREC)
    return 0 if dataset is None else int(dataset.number)


def _count_selected(frames: Sequence[Atoms], energy: FloatArray) -> IntArray:
    """Count the frames that step selection keeps; frames outside trajectories are always kept."""
    trajectories = find_trajectories(frames)
    n_outside = len(frames) - sum(len(trajectory) for trajectory in trajectories)
    counts = [
        n_outside
        + sum(
            len(select_steps(energy[trajectory].tolist(), min_energy_step=float(step)))
            for trajectory in trajectories
        )
        for step in ENERGY_STEPS
    ]
    return np.array(counts, dtype=np.int64)


def _principal_components(points: FloatArray) -> FloatArray:
    """Project points on the two directions in which they vary most."""
    centred = points - points.mean(axis=0)
    last = points.shape[1] - 1
    _, axes = eigh(centred.T @ centred, subset_by_index=(last - 1, last))  # only two of thousands are needed
    projected: FloatArray = centred @ axes[:, ::-1]
    return projected
