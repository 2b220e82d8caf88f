"""Time of a row of force constants against the size of the supercell: constant, because a row extends only over the interaction range.

python benchmarks/local_rows.py wse2-pbe --sizes 12 24 48
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np

from flatforce.models import load
from flatforce.models.slab import pad_vacuum
from flatforce.structures.defects import build_defect
from flatforce.structures.prototypes import monolayer

ROWS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--sizes", type=int, nargs="+", default=[12, 24, 48])
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    potential = load(f"mace:{options.model}")
    unit = pad_vacuum(monolayer(("W", "Se"), prototype="2H", a=3.3166, thickness=3.3597), potential.cutoff)
    prepared = []
    for size in options.sizes:
        cell = build_defect(unit, (size, size), "v_Se").atoms
        start = time.perf_counter()
        hessian = potential.hessian(cell)
        if hessian is None:
            raise SystemExit("this model has no analytic rows")
        prepared.append((size, cell, hessian, time.perf_counter() - start))
    for _, _, hessian, _ in prepared:
        hessian.rows(0)  # the first calls compile
    times: dict[int, list[float]] = {size: [] for size in options.sizes}
    # alternate between sizes, so that other load on the machine affects all of them equally
    for k in range(ROWS):
        for size, cell, hessian, _ in prepared:
            centre = int(k * len(cell) / ROWS)
            start = time.perf_counter()
            hessian.rows(centre)
            times[size].append(time.perf_counter() - start)
    for size, cell, hessian, set_up in prepared:
        row = float(np.median(times[size]))
        print(
            f"{size}×{size}: {len(cell)} atoms, row of {hessian.count_row_atoms(0)} atoms, set-up {set_up:.2f} s, row {row:.3f} s"
        )


if __name__ == "__main__":
    main()
