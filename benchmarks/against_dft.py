"""CPU time of a force call by DFT and by the force field, against the number of atoms.

    OMP_NUM_THREADS=1 python benchmarks/against_dft.py [--model symmetrix:wse2-pbe] [--sizes 1 2 3] [-o times.json]

GPAW with the settings of the bundled labels (plane waves of 400 eV, k points of the same density), n × n cells of WSe2 that are rattled. Times
are those of the process (`time.process_time`), so that other work on the machine matters little; finished sizes are read from the file again.
Powers t = c N^p are fitted to both, and the largest size is extrapolated, which the output says.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from ase import Atoms

import flatforce as ff
from flatforce.models.potential import Potential
from flatforce.models.slab import pad_vacuum
from flatforce.reference.config import GpawSettings, Machine
from flatforce.reference.engines import compute
from flatforce.structures.strain import rattle_positions

REPEATS = 5
"""Force calls of the model, of which the fastest counts."""

EXTRAPOLATED = 431
"""Atoms of a 12 × 12 cell with a vacancy."""


def cell_of(size: int) -> Atoms:
    sheet = pad_vacuum(ff.monolayer("WSe2").repeat((size, size, 1)), 10.0)
    return rattle_positions(sheet, amplitude=0.03, rng=np.random.default_rng(size))


def dft_seconds(atoms: Atoms) -> float:
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        compute(atoms, GpawSettings(), log=f"{folder}/gpaw.txt", machine=Machine())
    return time.process_time() - start


def model_seconds(model: Potential, atoms: Atoms) -> float:
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        model.evaluate(atoms)
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="symmetrix:wse2-pbe")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("-o", "--output", type=Path, default=Path("times.json"))
    options = parser.parse_args()
    times = json.loads(options.output.read_text()) if options.output.is_file() else {}
    model = ff.load(options.model)
    for size in options.sizes:
        atoms = cell_of(size)
        known = times.setdefault(str(len(atoms)), {})
        known[options.model] = model_seconds(model, atoms)
        if "gpaw" not in known:
            known["gpaw"] = dft_seconds(atoms)
        options.output.write_text(json.dumps(times, indent=1))
        print(f"{len(atoms)} atoms: {known['gpaw']:.1f} s by GPAW, {known[options.model]:.4f} s by the model")
    counts = np.array([int(n) for n in times])
    for name in ("gpaw", options.model):
        power, factor = np.polyfit(np.log(counts), np.log([times[str(n)][name] for n in counts]), 1)
        value = np.exp(factor) * EXTRAPOLATED**power
        print(f"{name}: t ~ N^{power:.2f}; extrapolated to {EXTRAPOLATED} atoms: {value:.3g} s")


if __name__ == "__main__":
    main()
