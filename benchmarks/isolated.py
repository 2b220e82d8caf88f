"""What a worker of its own costs: the same model in this process and behind a worker.

    python benchmarks/isolated.py mace:wse2-pbe --frames 4

Frames of 107 atoms, one batch a call; the two take turns, and the fastest call of each counts.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from flatforce.models.isolated.client import IsolatedBackend
from flatforce.models.potential import padded
from flatforce.models.protocols import Backend
from flatforce.models.spec import load_backend
from flatforce.structures.defects import build_defect
from flatforce.structures.prototypes import monolayer

TURNS = 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--frames", type=int, default=4)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    here: Backend = load_backend(options.model, device="cpu", dtype="float64")
    there = IsolatedBackend(Path(sys.executable), options.model, device="cpu", dtype="float64")
    unit = monolayer(("W", "Se"), prototype="2H", a=3.3166, thickness=3.3597)
    cell = padded(build_defect(unit, (6, 6), "v_Se").atoms, here.cutoff)
    batch = [cell] * options.frames
    taken: dict[str, list[float]] = {"here": [], "there": []}
    for _ in range(TURNS):
        for name, backend in (("here", here), ("there", there)):
            start = time.perf_counter()
            found = backend.predict(batch, stress=True)
            taken[name].append(time.perf_counter() - start)
            energy = found[0].energy
    own, other = min(taken["here"][1:]), min(taken["there"][1:])
    print(f"{options.frames} frames of {len(cell)} atoms, {energy:.6f} eV")
    print(f"in this process {own:.3f} s, behind a worker {other:.3f} s: {other / own - 1:+.1%}")
    print(f"calls: {np.round(taken['here'], 3)} {np.round(taken['there'], 3)}")


if __name__ == "__main__":
    main()
