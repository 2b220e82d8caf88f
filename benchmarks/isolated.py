"""Overhead of a separate worker process: time of a call minus the time in which its force field computes.

    python benchmarks/isolated.py mace:wse2-pbe --frames 4

Each call evaluates one batch of frames of 107 atoms. All processes use the same clock, so that packing, pipes, unpacking and waiting
are measured apart from the force field, whose time fluctuates more than they take.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from flatforce.models.isolated import worker
from flatforce.models.isolated.client import IsolatedBackend
from flatforce.models.loading import load_in_process
from flatforce.models.protocols import Backend, RawPrediction
from flatforce.models.slab import pad_vacuum
from flatforce.structures.defects import build_defect
from flatforce.structures.prototypes import monolayer

CALLS = 12
TIMES = "FLATFORCE_BENCHMARK_TIMES"
SERVE = "--serve"


class Timed:
    """A force field that records how long it computes."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def predict(self, frames: Sequence[Atoms], *, stress: bool) -> list[RawPrediction]:
        start = time.perf_counter()
        predictions = self.backend.predict(frames, stress=stress)
        with Path(os.environ[TIMES]).open("a", encoding="utf-8") as file:
            file.write(f"{time.perf_counter() - start}\n")
        return predictions


class Isolated(IsolatedBackend):
    """The usual worker, with a timed force field."""

    def _start(self) -> dict[str, Any]:
        self.command[1:3] = [__file__, SERVE]
        return super()._start()


def serve() -> None:
    sys.argv.remove(SERVE)
    worker.load_in_process = lambda *args, **options: Timed(load_in_process(*args, **options))  # type: ignore[assignment]
    worker.main()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--frames", type=int, default=4)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.NamedTemporaryFile() as times:
        os.environ[TIMES] = times.name
        backend = Isolated(Path(sys.executable), options.model, device="cpu", dtype="float64")
        unit = monolayer(("W", "Se"), prototype="2H", a=3.3166, thickness=3.3597)
        cell = pad_vacuum(build_defect(unit, (6, 6), "v_Se").atoms, backend.cutoff)
        calls = []
        for _ in range(CALLS + 1):
            start = time.perf_counter()
            backend.predict([cell] * options.frames, stress=True)
            calls.append(time.perf_counter() - start)
        computed = np.loadtxt(times.name)[1:]
    added = np.array(calls[1:]) - computed
    overhead = added / computed
    print(f"{CALLS} calls of {options.frames} frames of {len(cell)} atoms: {computed.mean():.3f} s computing")
    print(f"added by the worker: {added.mean() * 1e3:.2f} ms (at most {added.max() * 1e3:.2f})")
    print(f"overhead {overhead.mean():.2%}, at most {overhead.max():.2%}")


if __name__ == "__main__":
    serve() if SERVE in sys.argv else main()
