"""Molecular dynamics of a vacancy cell with compiled kernels, against `MACECalculator` and ASE with the same model.

    OMP_NUM_THREADS=1 python benchmarks/dynamics.py [MODEL] [--size 12] [--steps 20] [--ase-steps 3] [--large 60]

MODEL is a MACE model. ASE: `MACECalculator` and its Langevin dynamics with the same time step and friction. A sheet of `--large` ×
`--large` cells with a vacancy is moved by our dynamics alone; 0 leaves it out.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

import flatforce as ff
from flatforce.models.backends.mace_files import import_mace
from flatforce.models.slab import pad_vacuum
from flatforce.models.spec import model_path
from flatforce.properties.dynamics.config import MdConfig
from flatforce.properties.dynamics.run import run_dynamics
from flatforce.structures.defects import build_defect

FRICTION = 0.01
"""1/fs."""


def vacancy(primitive: Atoms, size: int) -> Atoms:
    return pad_vacuum(build_defect(primitive, (size, size), "v_Se:top").atoms, 6.0)


def seconds_per_step(spec: str, cell: Atoms, steps: int) -> float:
    """Time of our steps; the first forces are not counted, since kernels may be compiled for them."""
    potential = ff.load(spec)
    potential.evaluate(cell)
    with tempfile.TemporaryDirectory() as folder:
        run = run_dynamics(
            potential,
            cell,
            MdConfig(steps=steps, equilibration=0, sampling_interval=10, friction=FRICTION),
            scratch=Path(folder),
        )
    return 86400.0 * 1e-6 / run.ns_per_day  # a step is 1 fs


def seconds_per_ase_step(model: str, cell: Atoms, steps: int) -> float:
    import_mace()
    from mace.calculators import MACECalculator

    atoms = cell.copy()
    atoms.calc = MACECalculator(model_paths=str(model_path(model)), device="cpu", default_dtype="float64")
    rng = np.random.default_rng(0)
    MaxwellBoltzmannDistribution(atoms, temperature_K=300, rng=rng)
    dynamics = Langevin(atoms, units.fs, temperature_K=300, friction=FRICTION / units.fs, rng=rng)
    atoms.get_forces()
    start = time.perf_counter()
    dynamics.run(steps)
    return (time.perf_counter() - start) / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="wse2-pbe")
    parser.add_argument("--size", type=int, default=12)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--ase-steps", type=int, default=3)
    parser.add_argument("--large", type=int, default=60)
    options = parser.parse_args()
    primitive = ff.relax(f"mace:{options.model}", ff.monolayer("WSe2"), keep_symmetry=True).atoms
    cell = vacancy(primitive, options.size)
    theirs = seconds_per_ase_step(options.model, cell, options.ase_steps)
    ours = seconds_per_step(f"symmetrix:{options.model}", cell, options.steps)
    torch = seconds_per_step(f"mace:{options.model}", cell, max(2, options.ase_steps))
    print(f"{len(cell)} atoms: ASE {theirs:.3f} s/step, symmetrix {ours:.4f} s/step, mace {torch:.3f} s/step")
    print(f"ratio of symmetrix to ASE: {theirs / ours:.1f}, {86400e-6 / ours:.3f} ns/day at 1 fs")
    if options.large:
        large = vacancy(primitive, options.large)
        step = seconds_per_step(f"symmetrix:{options.model}", large, 3)
        print(f"{len(large)} atoms: {step:.2f} s/step, {1e6 * step / len(large):.0f} µs per atom")


if __name__ == "__main__":
    main()
