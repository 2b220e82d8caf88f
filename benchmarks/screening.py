"""Small sheets screened, against ASE one by one with the same model and the same criteria, on one thread.

    OMP_NUM_THREADS=1 python benchmarks/screening.py [--sheets 150] [--ase-sheets 30] [--model wse2-pbe] [--kind mace]

Screening: `properties.screening.run.screen`, that is everything that `flatforce screen` does but for writing files. ASE: `MACECalculator`,
FIRE and `UnitCellFilter` masked to the plane; only the first `--ase-sheets` are relaxed, and their mean time counts for all. The
energies of these are compared.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.filters import UnitCellFilter
from ase.optimize import FIRE
from relaxation import make_sheets

from flatforce.core.trust import pickles_allowed
from flatforce.core.units import EV_PER_A2_IN_N_PER_M
from flatforce.models import load
from flatforce.models.backends.mace_files import import_mace
from flatforce.models.slab import pad_vacuum
from flatforce.models.spec import model_path
from flatforce.properties.screening.candidates import Candidate
from flatforce.properties.screening.config import ScreenConfig
from flatforce.properties.screening.run import screen
from flatforce.structures.sheet import IN_PLANE


def relax_with_ase(sheet: Atoms, calculator: object, config: ScreenConfig) -> tuple[float, int]:
    sheet.calc = calculator
    optimizer = FIRE(UnitCellFilter(sheet, mask=list(IN_PLANE)), logfile=None)
    for _ in optimizer.irun(fmax=0.0, steps=1000):
        force = np.linalg.norm(sheet.get_forces(), axis=1).max()
        stress = np.abs(sheet.get_stress(voigt=False)[:2, :2]).max() * sheet.cell[2, 2] * EV_PER_A2_IN_N_PER_M
        if force < config.relax.max_force and stress < config.relax.max_stress:
            break
    return float(sheet.get_potential_energy()), int(optimizer.nsteps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="wse2-pbe")
    parser.add_argument("--kind", default="mace", choices=["mace", "symmetrix"])
    parser.add_argument("--sheets", type=int, default=150)
    parser.add_argument("--ase-sheets", type=int, default=30)
    options = parser.parse_args()
    torch = import_mace()
    from mace.calculators import MACECalculator

    sheets = make_sheets(options.sheets)
    potential = load(f"{options.kind}:{options.model}", device="cpu")
    with pickles_allowed(True):
        calculator = MACECalculator(
            model_paths=str(model_path(options.model)), device="cpu", default_dtype="float64"
        )
    config = ScreenConfig()
    potential.evaluate(sheets[:2])
    warm_up = pad_vacuum(sheets[0], potential.cutoff)
    warm_up.calc = calculator
    warm_up.get_stress()
    candidates = [Candidate(str(k), "benchmark", sheet) for k, sheet in enumerate(sheets)]
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        screening = screen(potential, candidates, config, folder=Path(folder))
        ours = time.perf_counter() - start
    start = time.perf_counter()
    results = [
        relax_with_ase(pad_vacuum(sheet, potential.cutoff), calculator, config)
        for sheet in sheets[: options.ase_sheets]
    ]
    theirs = (time.perf_counter() - start) * len(sheets) / len(results)
    energies = {sheet.name: sheet.energy for sheet in screening.relaxed}
    worst = max(abs(energies[str(k)] - energy / len(sheets[k])) for k, (energy, _) in enumerate(results))
    print(
        f"{len(sheets)} sheets of 3 and 6 atoms, {options.kind}, {torch.get_num_threads()} thread(s): {ours:.1f} s screened with "
        f"{screening.metrics['mean_steps']:.1f} steps each, {theirs:.1f} s one by one with "
        f"{np.mean([n for _, n in results]):.1f} steps each, ratio {theirs / ours:.1f}; "
        f"{screening.metrics['n_relaxed']:.0f} converged, energies within {1e3 * worst:.3f} meV/atom"
    )


if __name__ == "__main__":
    main()
