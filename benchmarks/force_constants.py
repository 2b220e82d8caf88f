"""Force constants of a defect cell: this package against a loop over displacements with phonopy and MACE's own calculator.

    python benchmarks/force_constants.py wse2-pbe --size 6
    python benchmarks/force_constants.py wse2-pbe --size 6 --engine displacements
    python benchmarks/force_constants.py wse2-pbe --size 12 --calls 20
    python benchmarks/force_constants.py wse2-pbe --size 12 --calls 20 --kind symmetrix

The compiled kernels of symmetrix are built before the clock starts; this takes minutes once, and they are cached.

The script prints the times, their ratio and the largest difference of the force constants. It is below 1e-5 eV/Å² for the same
displacements, and the truncation error of the displacements for analytic rows. With `--calls` the loop makes only that number of
evenly spaced force calls, and its time is scaled to all of them.
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
"""Å, length of the displacements."""

CHECKED = 4
"""Number of displacements of a sampled loop that are compared."""


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
    potential = load(f"{options.kind}:{options.model}")  # neither time includes imports or reading the model
    from mace.calculators import MACECalculator

    calculator = MACECalculator(
        model_paths=str(model_path(options.model)), device="cpu", default_dtype="float64"
    )
    for _ in range(2):  # the first calls compile
        potential.evaluate([cell], stress=False)
        _forces(cell.copy(), calculator)

    start = time.perf_counter()
    ours = make_phonopy(cell, (1, 1))
    with tempfile.TemporaryDirectory() as scratch:
        result = fill_force_constants(
            ours, potential, engine=options.engine, displacement=DISPLACEMENT, scratch=Path(scratch)
        )
    elapsed = time.perf_counter() - start

    start = time.perf_counter()
    theirs = make_phonopy(cell, (1, 1))
    theirs.generate_displacements(distance=DISPLACEMENT)
    rest = _forces(to_ase(theirs.supercell), calculator)
    displaced = [
        supercell for supercell in theirs.supercells_with_displacements or [] if supercell is not None
    ]
    set_up = time.perf_counter() - start
    step = max(1, len(displaced) // options.calls) if options.calls else 1
    start = time.perf_counter()
    forces = [_forces(to_ase(supercell), calculator) - rest for supercell in displaced[::step]]
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
    sampling = f", {len(forces)} of them made" if step > 1 else ""
    print(f"{len(cell)} atoms; {result.engine}; the loop: {len(displaced)} displacements{sampling}")
    print(f"flatforce {elapsed:.1f} s, loop {looped:.1f} s, ratio {looped / elapsed:.2f}")
    print(f"largest difference {difference:.1e} eV/Å²")


def _against_central(
    ours: Phonopy, displacements: list[Any], forces: list[np.ndarray], calculator: object
) -> float:
    """Compute the largest deviation from central differences, for which the opposite displacements are computed as well, untimed."""
    differences = []
    for displacement, plus in zip(displacements, forces, strict=False):
        opposite = to_ase(ours.supercell)
        rest = _forces(opposite.copy(), calculator)
        opposite.positions[displacement["number"]] -= displacement["displacement"]
        minus = _forces(opposite, calculator) - rest
        force_constants = np.asarray(ours.force_constants)[displacement["number"]]
        expected = np.einsum("iab,a->ib", force_constants, displacement["displacement"])
        differences.append(np.abs(expected + (plus - minus) / 2).max() / DISPLACEMENT)
    return float(max(differences))


def _forces(atoms: object, calculator: object) -> np.ndarray:
    atoms.calc = calculator  # type: ignore[attr-defined]
    return np.asarray(atoms.get_forces())  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
