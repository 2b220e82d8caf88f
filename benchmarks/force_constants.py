"""Force constants of a defect cell: this package against phonopy with MACE's own calculator, one by one.

    python benchmarks/force_constants.py wse2-pbe --size 6
    python benchmarks/force_constants.py wse2-pbe --size 6 --engine displacements
    python benchmarks/force_constants.py wse2-pbe --size 12 --calls 20
    python benchmarks/force_constants.py wse2-pbe --size 12 --calls 20 --kind symmetrix

The compiled kernels of symmetrix are built before the clock starts; that takes minutes once and is kept.

Printed are the times, their ratio and the largest difference of the force constants: below 1e-5 eV/Å² for the same
displacements, the truncation of those for analytic rows. With `--calls` the loop makes only so many of its force calls,
evenly spread, and its time is scaled to all of them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.models import load
from flatforce.models.spec import model_path
from flatforce.properties.phonons.force_constants.engines import fill_force_constants
from flatforce.properties.phonons.force_constants.finite_displacements import make_phonopy, to_ase
from flatforce.structures.defects import build_defect
from flatforce.structures.prototypes import monolayer

if TYPE_CHECKING:
    from phonopy import Phonopy

DISPLACEMENT = 0.005
"""Å."""

CHECKED = 4
"""Displacements of a sampled loop that are compared."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--size", type=int, default=6)
    parser.add_argument("--engine", choices=("rows", "displacements"), default="rows")
    parser.add_argument("--kind", choices=("mace", "symmetrix"), default="mace")
    parser.add_argument("--calls", type=int, default=0)
    options = parser.parse_args()
    unit = monolayer(("W", "Se"), prototype="2H", a=3.3166, thickness=3.3597)
    cell = build_defect(unit, (options.size, options.size), "v_Se").atoms

    warnings.simplefilter("ignore")
    potential = load(
        f"{options.kind}:{options.model}"
    )  # neither clock counts imports or the reading of the model
    from mace.calculators import MACECalculator

    calculator = MACECalculator(
        model_paths=str(model_path(options.model)), device="cpu", default_dtype="float64"
    )
    for _ in range(2):  # the first calls of each compile
        potential.evaluate([cell], stress=False)
        _forces(cell.copy(), calculator)

    start = time.perf_counter()
    ours = make_phonopy(cell, (1, 1))
    with tempfile.TemporaryDirectory() as scratch:
        done = fill_force_constants(
            ours, potential, engine=options.engine, displacement=DISPLACEMENT, scratch=Path(scratch)
        )
    taken = time.perf_counter() - start

    start = time.perf_counter()
    theirs = make_phonopy(cell, (1, 1))
    theirs.generate_displacements(distance=DISPLACEMENT)
    rest = _forces(to_ase(theirs.supercell), calculator)
    displaced = [one for one in theirs.supercells_with_displacements or [] if one is not None]
    set_up = time.perf_counter() - start
    step = max(1, len(displaced) // options.calls) if options.calls else 1
    start = time.perf_counter()
    forces = [_forces(to_ase(one), calculator) - rest for one in displaced[::step]]
    calls = (time.perf_counter() - start) * len(displaced) / len(forces)
    start = time.perf_counter()
    producing = 0.0
    if step == 1:
        theirs.forces = np.array(forces)
        theirs.produce_force_constants(show_drift=False)
        producing = time.perf_counter() - start
        difference = np.abs(np.asarray(ours.force_constants) - np.asarray(theirs.force_constants)).max()
    else:
        difference = _against_central(
            ours, theirs.dataset["first_atoms"][::step][:CHECKED], forces, calculator
        )
    looped = set_up + calls + producing
    said = f", {len(forces)} of them made" if step > 1 else ""
    print(f"{len(cell)} atoms; {done.engine}; the loop: {len(displaced)} displacements{said}")
    print(f"flatforce {taken:.1f} s, loop {looped:.1f} s, ratio {looped / taken:.2f}")
    print(f"largest difference {difference:.1e} eV/Å²")


def _against_central(ours: Phonopy, moves: list[Any], forces: list[np.ndarray], calculator: object) -> float:
    """Largest difference from central differences: the opposite of each displacement is made as well, untimed."""
    found = []
    for one, plus in zip(moves, forces, strict=False):
        opposite = to_ase(ours.supercell)
        rest = _forces(opposite.copy(), calculator)
        opposite.positions[one["number"]] -= one["displacement"]
        minus = _forces(opposite, calculator) - rest
        force_constants = np.asarray(ours.force_constants)[one["number"]]
        wanted = np.einsum("iab,a->ib", force_constants, one["displacement"])
        found.append(np.abs(wanted + (plus - minus) / 2).max() / DISPLACEMENT)
    return float(max(found))


def _forces(atoms: object, calculator: object) -> np.ndarray:
    atoms.calc = calculator  # type: ignore[attr-defined]
    return np.asarray(atoms.get_forces())  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
