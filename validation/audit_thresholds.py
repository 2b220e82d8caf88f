"""Figures behind the thresholds of the import audit: how well frames of real calculations obey what the audit tests.

    python validation/audit_thresholds.py                    bundled datasets
    python validation/audit_thresholds.py PATH [PATH ...]    files or folders that `flatforce data import` reads

Prints, for each: the largest deviation of σ_xz, σ_yz, σ_zz from the slab virial identity (less the Pulay stress, the median of
the last; `data/audit/stress.py`), the largest net force and the same over the square root of the number of atoms
(`data/audit/net_force.py`), the largest deviation of an energy from the fit by composition (`data/audit/energies.py`), and the
ratio of the smallest to the largest singular value of the compositions (`models/training/reference_energies.py`).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from ase import Atoms

from flatforce.data.audit.energies import energy_deviations
from flatforce.data.bundled import dataset_path
from flatforce.data.config import ImportConfig
from flatforce.data.frame_files import read_labelled
from flatforce.data.frames import FORCES, get_labels
from flatforce.data.importing import import_frames
from flatforce.models.atomic_energies import compositions
from flatforce.structures.sheet import slab_virial_stress

DATASETS = ("wse2-pbe", "2d-pbe-mini", "tmd-alloys-pbe")


def describe(name: str, frames: list[Atoms]) -> None:
    residuals = []
    for frame in frames:
        labels = get_labels(frame, need_forces=False)
        if labels.stress is not None:
            residuals.append(labels.stress[:, 2] - slab_virial_stress(frame, forces=labels.forces))
    stress = np.array(residuals).reshape(-1, 3)
    if len(stress):
        stress[:, 2] -= np.median(stress[:, 2])
        print(f"{name}: {len(frames)} frames; σ_αz off by at most", np.abs(stress).max(axis=0), "eV/Å³")
    net = np.array([np.linalg.norm(frame.arrays[FORCES].sum(axis=0)) for frame in frames])
    sizes = np.sqrt([len(frame) for frame in frames])
    print(f"  net force at most {net.max():.4f} eV/Å, {(net / sizes).max():.4f} over √N")
    print(
        f"  energy at most {np.abs(energy_deviations(frames)).max():.3f} eV/atom from the fit by composition"
    )
    species = sorted({symbol for frame in frames for symbol in frame.get_chemical_symbols()})
    singular = np.linalg.svd(compositions(frames, species), compute_uv=False)
    print(f"  singular values of the compositions: smallest {singular[-1] / singular[0]:.4f} of the largest")


def main() -> None:
    for argument in sys.argv[1:]:
        describe(argument, import_frames([Path(argument)], ImportConfig(bulk=False)).frames)
    for name in DATASETS if len(sys.argv) == 1 else ():
        describe(name, read_labelled(dataset_path(name), need_forces=False))


main()
