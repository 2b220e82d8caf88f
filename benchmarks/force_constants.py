"""Force constants of a defect cell: this package against phonopy with MACE's own calculator, one by one.

    python benchmarks/force_constants.py wse2-pbe --size 6

Both routes displace the same atoms by the same amount in the same run; printed are the times, their ratio and
the largest difference of the force constants (to be below 1e-5 eV/Å²).
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from flatforce.models import load
from flatforce.models.spec import model_path
from flatforce.properties.phonons.supercell import fill_force_constants, make_phonopy, to_ase
from flatforce.structures.defects import build_defect
from flatforce.structures.prototypes import monolayer

DISPLACEMENT = 0.005
"""Å."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--size", type=int, default=6)
    options = parser.parse_args()
    unit = monolayer(("W", "Se"), prototype="2H", a=3.3166, thickness=3.3597)
    cell = build_defect(unit, (options.size, options.size), "v_Se").atoms

    warnings.simplefilter("ignore")
    potential = load(f"mace:{options.model}")  # neither clock counts imports or the reading of the model
    from mace.calculators import MACECalculator

    calculator = MACECalculator(
        model_paths=str(model_path(options.model)), device="cpu", default_dtype="float64"
    )
    for _ in range(2):  # the first calls of each compile
        potential.evaluate([cell], stress=False)
        _forces(cell.copy(), calculator)

    start = time.perf_counter()
    ours = make_phonopy(cell, (1, 1), primitive="P")
    with tempfile.TemporaryDirectory() as scratch:
        fill_force_constants(ours, potential, displacement=DISPLACEMENT, scratch=Path(scratch))
    batched = time.perf_counter() - start

    start = time.perf_counter()
    theirs = make_phonopy(cell, (1, 1), primitive="P")
    theirs.generate_displacements(distance=DISPLACEMENT)
    rest = _forces(to_ase(theirs.supercell), calculator)
    displaced = [one for one in theirs.supercells_with_displacements or [] if one is not None]
    theirs.forces = np.array([_forces(to_ase(one), calculator) - rest for one in displaced])
    theirs.produce_force_constants(show_drift=False)
    looped = time.perf_counter() - start

    difference = np.abs(np.asarray(ours.force_constants) - np.asarray(theirs.force_constants)).max()
    print(f"{len(cell)} atoms, {len(displaced)} displacements")
    print(f"flatforce {batched:.1f} s, loop {looped:.1f} s, ratio {looped / batched:.2f}")
    print(f"largest difference {difference:.1e} eV/Å²")


def _forces(atoms: object, calculator: object) -> np.ndarray:
    atoms.calc = calculator  # type: ignore[attr-defined]
    return np.asarray(atoms.get_forces())  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
