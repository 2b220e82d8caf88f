"""EMT that counts its evaluations and takes a moment for each, as a force field whose work is worth keeping."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from ase.calculators.calculator import all_changes
from ase.calculators.emt import EMT

from flatforce.core import checkpoint

COUNT, DELAY = "COUNTED_EMT_FILE", "COUNTED_EMT_DELAY"
"""Environment variables: file that grows by one byte with each evaluation; s that each one takes."""

if DELAY in os.environ:  # a process that will be killed keeps its state after each evaluation
    checkpoint.MIN_INTERVAL, checkpoint.MAX_COST = 0.0, float("inf")  # type: ignore[misc]  # final for the package


class Counted(EMT):  # type: ignore[misc]  # ase is untyped
    def calculate(self, atoms: Any = None, properties: Any = ("energy",), *_: Any) -> None:
        with Path(os.environ[COUNT]).open("a") as stream:
            stream.write("x")
        time.sleep(float(os.environ.get(DELAY, "0")))
        # neighbours are listed anew: the order of those of earlier positions would change the last digits
        super().calculate(atoms, properties, all_changes)
