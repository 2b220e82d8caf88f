"""Two hundred small sheets relaxed in parallel, against ASE one by one with the same model.

    python benchmarks/relaxation.py [MODEL] [--sheets 200] [--ase-sheets 40] [--dtype float64]

MODEL is a MACE model. ASE: `MACECalculator`, FIRE, `FrechetCellFilter` masked to the plane, the same criteria; only the
first `--ase-sheets` are relaxed one by one, and their time is scaled by the number of steps.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from ase import Atoms
from ase.filters import FrechetCellFilter
from ase.optimize import FIRE

from flatforce.core.units import EV_PER_A2_IN_N_PER_M
from flatforce.models import load
from flatforce.models.backends.mace_files import import_mace
from flatforce.models.slab import pad_vacuum
from flatforce.models.spec import model_path
from flatforce.properties.relax import relax_many
from flatforce.properties.relax_config import RelaxConfig
from flatforce.properties.relaxation import FailedRelaxation
from flatforce.structures.prototypes import monolayer
from flatforce.structures.sheet import IN_PLANE
from flatforce.structures.strain import apply_strain, rattle_positions

CONFIG = RelaxConfig(max_force=0.02, max_stress=0.1)


def make_sheets(count: int) -> list[Atoms]:
    rng = np.random.default_rng(20261121)
    unit = monolayer(("W", "Se"), prototype="2H", a=3.3166, thickness=3.3597)
    sheets = []
    for k in range(count):
        cell = unit.repeat((2, 1, 1)) if k % 4 == 0 else unit
        xx, yy = rng.uniform(-0.03, 0.03, size=2)
        sheets.append(rattle_positions(apply_strain(cell, xx=xx, yy=yy), amplitude=0.05, rng=rng))
    return sheets


def relax_with_ase(sheet: Atoms, calculator: object) -> tuple[float, int]:
    sheet.calc = calculator
    optimizer = FIRE(FrechetCellFilter(sheet, mask=list(IN_PLANE)), logfile=None)
    for _ in optimizer.irun(fmax=0.0, steps=CONFIG.max_steps):
        force = np.linalg.norm(sheet.get_forces(), axis=1).max()
        stress = np.abs(sheet.get_stress(voigt=False)[:2, :2]).max() * sheet.cell[2, 2] * EV_PER_A2_IN_N_PER_M
        if force < CONFIG.max_force and stress < CONFIG.max_stress:
            break
    return float(sheet.get_potential_energy()), int(optimizer.nsteps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="wse2-pbe")
    parser.add_argument("--sheets", type=int, default=200)
    parser.add_argument("--ase-sheets", type=int, default=40)
    parser.add_argument("--dtype", default="float64", choices=["float64", "float32"])
    options = parser.parse_args()
    torch = import_mace()
    from mace.calculators import MACECalculator

    sheets = make_sheets(options.sheets)
    potential = load(f"mace:{options.model}", dtype=options.dtype)
    calculator = MACECalculator(
        model_paths=str(model_path(options.model)), device=potential.device, default_dtype="float64"
    )
    potential.evaluate(sheets[:2])
    relax_with_ase(pad_vacuum(sheets[0], potential.cutoff), calculator)  # warm up both
    start = time.perf_counter()
    relaxations = relax_many(potential, sheets, CONFIG)
    ours = time.perf_counter() - start
    start = time.perf_counter()
    ase_results = [
        relax_with_ase(pad_vacuum(sheet, potential.cutoff), calculator)
        for sheet in sheets[: options.ase_sheets]
    ]
    theirs = time.perf_counter() - start
    assert not any(isinstance(relaxation, FailedRelaxation) for relaxation in relaxations)
    steps = sum(
        relaxation.n_steps for relaxation in relaxations if not isinstance(relaxation, FailedRelaxation)
    )
    theirs *= steps / sum(n for _, n in ase_results)
    worst = max(
        abs(relaxation.energy - energy) / len(sheet)
        for relaxation, (energy, _), sheet in zip(relaxations, ase_results, sheets, strict=False)
        if not isinstance(relaxation, FailedRelaxation)
    )
    print(
        f"{options.sheets} sheets of 3 and 6 atoms, {steps} steps, {torch.get_num_threads()} threads, {potential.device}: "
        f"{ours:.1f} s in parallel ({options.dtype}), {theirs:.1f} s one by one (float64), ratio {theirs / ours:.1f}, "
        f"energies within {1e3 * worst:.3f} meV/atom"
    )


if __name__ == "__main__":
    main()
