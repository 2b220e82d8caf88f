"""Distances in the bundled frames relative to the sum of covalent radii, and gaps along the normal: sources of the limits in
structures/contacts and structures/orientation.

    python validation/structure_thresholds.py
"""

from __future__ import annotations

import numpy as np
from ase.data import covalent_radii
from ase.neighborlist import neighbor_list

from flatforce.data.bundled import BUNDLED, dataset_path
from flatforce.data.frame_files import read_frames
from flatforce.structures.isolated_sheet import gap_along_normal
from flatforce.structures.sheet import as_slab

if __name__ == "__main__":
    for name in BUNDLED:
        frames = read_frames(dataset_path(name))
        nearest = []
        for frame in frames:
            slab = as_slab(frame, gap=20.0)
            radii = covalent_radii[slab.numbers]
            first, second, distances = neighbor_list("ijd", slab, 2 * radii)
            nearest.append(float((distances / (radii[first] + radii[second])).min()))
        gap = min(map(gap_along_normal, frames))
        print(
            f"{name}: nearest atoms of a frame at {min(nearest):.3f} to {np.max(nearest):.3f} of the sum of radii, gaps from {gap:.1f} Å"
        )
