"""Time and memory of curating, splitting and summarising many small frames, from 10,000 to 100,000.

python benchmarks/curation.py 10000 30000 100000
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ase import Atoms

from flatforce.data.config import CurationConfig, SplitConfig
from flatforce.data.curation.run import curate
from flatforce.data.frame_files import read_labelled, write_frames
from flatforce.data.frames import Labels, attach_labels
from flatforce.data.material_splits import split_by_material
from flatforce.data.statistics import statistics
from flatforce.structures.prototypes import monolayer

METALS = ("Mo", "W", "Nb", "Ta", "Ti", "Zr", "Hf", "V", "Cr", "Pt", "Sn", "Pd")
STEPS = 20
"""Number of frames of a relaxation."""


def make(count: int) -> list[Atoms]:
    """Make relaxations of 3 to 12 atoms: displacements and energies that decay."""
    rng = np.random.default_rng(0)
    frames = []
    for k in range(count // STEPS):
        metal, chalcogen = METALS[k % len(METALS)], ("S", "Se", "Te")[(k // len(METALS)) % 3]
        unit = monolayer(
            (metal, chalcogen), prototype=("2H", "1T")[k % 2], a=rng.uniform(3.1, 3.6), thickness=3.3
        )
        cell = unit.repeat((1 + k % 2, 1 + (k // 2) % 2, 1))
        shift = rng.normal(0, 0.1, cell.positions.shape)
        for step in range(STEPS):
            atoms = cell.copy()
            atoms.positions += shift * 0.8**step
            energy = len(atoms) * (-6 + 0.05 * 0.64**step)
            frame = attach_labels(atoms, Labels(energy, -5 * shift * 0.8**step, 0.001 * np.eye(3)))
            frame.info |= {"material": f"{metal}{chalcogen}2-{k // 40}", "step": step, "source": f"run-{k}"}
            frames.append(frame)
    return frames


def main() -> None:
    for count in [int(argument) for argument in sys.argv[1:]] or [10_000]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "all.extxyz"
            write_frames(path, make(count))
            clock = [time.perf_counter()]
            frames = read_labelled(path)
            clock.append(time.perf_counter())
            curation = curate(frames, CurationConfig())
            clock.append(time.perf_counter())
            split_by_material(frames, SplitConfig())
            clock.append(time.perf_counter())
            statistics(frames)
            clock.append(time.perf_counter())
        read, curated, split, counted = np.diff(clock)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"{count} frames: read {read:.1f} s, curate {curated:.1f} s ({len(curation.frames)} left), "
            f"split {split:.1f} s, statistics {counted:.1f} s, sum {clock[-1] - clock[0]:.1f} s, peak {memory:.2f} GiB"
        )


if __name__ == "__main__":
    main()
