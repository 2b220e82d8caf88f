"""Relaxations in worker processes or threads, run as a script: a fork of the process that runs the tests would copy its threads."""

from __future__ import annotations

import json
import multiprocessing
import sys
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import flatforce as ff

MODEL = "ase:ase.calculators.lj:LennardJones?rc=5.0&sigma=2.2&epsilon=0.5&cutoff=5.0&elements=W,Se"
LATTICE_CONSTANTS = (3.2, 3.3, 3.4, 3.5)


def relax(a: float, model: Any = MODEL) -> tuple[str, float]:
    relaxed = ff.relax(model, ff.monolayer("WSe2", a=a), max_steps=1, relax_cell=False)
    return str(relaxed.folder), relaxed.energy


def main(method: str) -> None:
    alone = [relax(a) for a in LATTICE_CONSTANTS]  # the parent of the scratch folders exists before a fork
    workers: Executor = ThreadPoolExecutor(4)
    if method != "thread":
        workers = ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method))
    with workers:
        together = list(workers.map(relax, LATTICE_CONSTANTS))
        given = workers.submit(relax, LATTICE_CONSTANTS[0], ff.load(MODEL)).result()
    print(json.dumps({"alone": alone, "together": together, "given": given}))  # noqa: T201  # read by the test


if __name__ == "__main__":
    main(sys.argv[1])
