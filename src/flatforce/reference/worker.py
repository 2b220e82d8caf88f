"""The process that labels one frame: `python -m flatforce.reference.worker TASK.json`.

A process of its own for each frame survives a crash of the code, works under `mpirun`,
and leaves the driver with nothing but files.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from ase.io.jsonio import decode
from pydantic import TypeAdapter

from flatforce.core.errors import ConfigError, MissingDependencyError, ResultError
from flatforce.core.files import write_text
from flatforce.core.results import versions
from flatforce.reference.config import Machine, Settings
from flatforce.reference.engines import compute

OF_THE_MACHINE = (OSError, ImportError, MemoryError, ConfigError, MissingDependencyError)
"""Errors that the frame is not to blame for: it is tried again by the next run."""

UNWRITTEN = os.EX_IOERR
"""Status of a worker on a full disk."""

RANKS = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID")
"""Variables that tell a process under a launcher its number."""


def main(task_file: str) -> int:
    """Label the frame of a task file and write the outcome beside it.

    Parameters
    ----------
    task_file
        JSON with `structure`, `settings`, `outcome` (path) and `log` (path).

    Returns
    -------
    0; a failure of the calculation is an outcome too. `UNWRITTEN` if the outcome could not be written.
    """
    _die_with_parent()
    task = json.loads(Path(task_file).read_text(encoding="utf-8"))
    settings = TypeAdapter(Settings).validate_python(task["settings"])
    atoms = decode(json.dumps(task["structure"]))
    start = time.perf_counter()
    outcome: dict[str, Any]
    try:
        done = compute(atoms, settings, log=task["log"], machine=Machine.parse(task["machine"]))
    except Exception as error:  # noqa: BLE001  # whatever the code raises is the reason recorded
        reason = f"{type(error).__name__}: {error}".strip()
        outcome = {"status": "failed", "reason": reason, "lasting": not isinstance(error, OF_THE_MACHINE)}
    else:
        stress = done.labels.stress
        outcome = {
            "status": "done",
            "energy": done.labels.energy,
            "forces": done.labels.forces.tolist(),
            "stress": None if stress is None else stress.tolist(),
            "pulay_stress": done.pulay_stress,
        }
    outcome |= {"wall_time": time.perf_counter() - start, "versions": versions()}
    if _is_first_rank():
        try:
            write_text(Path(task["outcome"]), json.dumps(outcome))
        except ResultError:
            return UNWRITTEN
    return 0


def _is_first_rank() -> bool:
    return all(os.environ.get(name, "0") == "0" for name in RANKS)


def _die_with_parent() -> None:
    """Leave when the driver is gone: its end of standard input closes with it."""
    if not _is_first_rank():
        return

    def watch() -> None:
        while os.read(0, 4096):  # not sys.stdin: its lock, held at the end, would abort the interpreter
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
