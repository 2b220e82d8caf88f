"""The process that labels one frame: `python -m flatforce.reference.worker TASK.json`.

With a process for each frame, a crash of the code does not affect the driver, and the process can run under `mpirun`.
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

MACHINE_ERRORS = (OSError, ImportError, MemoryError, ConfigError, MissingDependencyError)
"""Errors that the frame does not cause: the next run computes it again."""

WRITE_FAILED = os.EX_IOERR
"""Exit status of a worker that could not write its result."""

RANK_VARIABLES = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID")
"""Environment variables that hold the rank of a process under a launcher."""


def main(task_file: str) -> int:
    """Label the frame of a task file, and write the result.

    Parameters
    ----------
    task_file
        JSON with `structure`, `settings`, `machine`, `result` (path) and `log` (path).

    Returns
    -------
    Exit status: 0, also if the calculation failed; `WRITE_FAILED` if the result could not be written.
    """
    _exit_with_parent()
    task = json.loads(Path(task_file).read_text(encoding="utf-8"))
    settings = TypeAdapter(Settings).validate_python(task["settings"])
    atoms = decode(json.dumps(task["structure"]))
    start = time.perf_counter()
    result: dict[str, Any]
    try:
        calculation = compute(atoms, settings, log=task["log"], machine=Machine.parse(task["machine"]))
    except Exception as error:  # noqa: BLE001  # any exception of the code is recorded as the reason
        reason = f"{type(error).__name__}: {error}".strip()
        result = {
            "status": "failed",
            "reason": reason,
            "permanent": not isinstance(error, MACHINE_ERRORS),
        }
    else:
        stress = calculation.labels.stress
        result = {
            "status": "done",
            "energy": calculation.labels.energy,
            "forces": calculation.labels.forces.tolist(),
            "stress": None if stress is None else stress.tolist(),
            "pulay_stress": calculation.pulay_stress,
        }
    result |= {"wall_time": time.perf_counter() - start, "versions": versions()}
    if _is_first_rank():
        try:
            write_text(Path(task["result"]), json.dumps(result), durable=True)
        except ResultError:
            return WRITE_FAILED
    return 0


def _is_first_rank() -> bool:
    return all(os.environ.get(name, "0") == "0" for name in RANK_VARIABLES)


def _exit_with_parent() -> None:
    """Exit when the driver ends: its end of the standard input closes then."""
    if not _is_first_rank():
        return

    def watch() -> None:
        while os.read(0, 4096):  # not sys.stdin, whose lock would abort the interpreter at its end
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
