"""Relaxation of a chunk of sheets: a task that this process, or any worker on a shared file system, carries out."""

from __future__ import annotations

import json
import os
from contextlib import chdir
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from ase.io.jsonio import decode, encode

from flatforce.core.execution.locks import hold_lock
from flatforce.core.files import write_text
from flatforce.core.hashing import hash_structure, hash_value
from flatforce.core.progress import Progress, silent
from flatforce.properties.relax import relax_many
from flatforce.properties.relax_config import RelaxConfig
from flatforce.properties.relaxation import FailedRelaxation, Relaxation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.models.loading import Precision
    from flatforce.models.potential import Potential

Status = Literal["converged", "not converged", "failed"]

THREADS: Final = "OMP_NUM_THREADS"


@dataclass(frozen=True)
class Verdict:
    """How the relaxation of a sheet ended."""

    status: Status
    """Whether it converged."""
    reason: str = ""
    """Why it did not."""
    atoms: Atoms | None = None
    """The sheet at the end; None if the relaxation failed."""
    energy: float = float("nan")
    """eV, of the cell."""
    max_force: float = float("nan")
    """eV/Å, largest force left."""
    n_steps: int = 0
    """Number of optimiser steps."""

    @classmethod
    def of(cls, result: Relaxation | FailedRelaxation) -> Verdict:
        """Judge a relaxation.

        Parameters
        ----------
        result
            What `relax_many` returns for a sheet.

        Returns
        -------
        How the relaxation ended, with the relaxed sheet and its energy but without the trajectory.
        """
        if isinstance(result, FailedRelaxation):
            text = result.error.what.rstrip(".") + (f" ({result.error.why})" if result.error.why else "")
            return cls("failed", text)
        reason = "" if result.converged else f"not converged after {result.n_steps} steps"
        status: Status = "converged" if result.converged else "not converged"
        return cls(status, reason, result.atoms, result.energy, result.max_force, result.n_steps)


@dataclass(frozen=True)
class Chunk:
    """Sheets that one task relaxes."""

    sheets: Sequence[Atoms]
    """The sheets, without labels."""
    config: RelaxConfig
    """Settings of each relaxation."""
    folder: Path
    """Folder of the files of all tasks."""

    @property
    def key(self) -> str:
        """Hash of sheets and settings, which names the files of the task."""
        structures = [hash_structure(sheet) for sheet in self.sheets]
        return hash_value([structures, self.config.model_dump(mode="json")])

    @property
    def result(self) -> Path:
        """File of the verdicts; it exists once all sheets are relaxed."""
        return self.folder / f"{self.key}.json"

    def write_task(self, potential: Potential, *, threads: int | None) -> Path:
        """Write the file from which a worker relaxes the sheets.

        Parameters
        ----------
        potential
            The force field, which the worker loads by its name.
        threads
            Number of threads of the worker; None to leave it to the machine.

        Returns
        -------
        Path of the task file, which `run_task` takes.
        """
        content = {
            "model": [potential.spec, potential.device, potential.dtype],
            "directory": str(Path.cwd()),
            "threads": threads,
            "config": self.config.model_dump(mode="json"),
            "sheets": json.loads(encode(list(self.sheets))),
        }
        path = self.folder / f"{self.key}.task"
        write_text(path, json.dumps(content))
        return path

    def relax(self, potential: Potential, *, progress: Progress = silent) -> None:
        """Relax the sheets and write the verdicts, unless that has been done.

        A lock prevents that two workers relax the same sheets, and a checkpoint that a worker repeats what one that was killed had done.

        Parameters
        ----------
        potential
            The force field.
        progress
            Called after each sheet.
        """
        with hold_lock(self.folder / f"{self.key}.lock"):
            if self.read() is not None:
                return
            checkpoint = self.folder / f"{self.key}.checkpoint"
            results = relax_many(
                potential, self.sheets, self.config, checkpoint=checkpoint, progress=progress
            )
            rows = [vars(Verdict.of(result)) for result in results]
            write_text(self.result, encode(rows), durable=True)
            checkpoint.unlink(missing_ok=True)

    def read(self) -> list[Verdict] | None:
        """Read the verdicts.

        Returns
        -------
        One verdict for each sheet; None if the task is not finished, or its file is damaged.
        """
        if not self.result.is_file():
            return None
        try:
            rows: list[dict[str, Any]] = decode(self.result.read_text(encoding="utf-8"))
        except ValueError:
            return None
        return [Verdict(**row) for row in rows]


def run_task(path: str) -> None:
    """Relax the sheets of a task file.

    Parameters
    ----------
    path
        The file; the verdicts are written beside it.
    """
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    if content["threads"] is not None:
        os.environ.setdefault(THREADS, str(content["threads"]))  # torch is not imported yet
    sheets = decode(json.dumps(content["sheets"]))
    chunk = Chunk(sheets, RelaxConfig.parse(content["config"]), Path(path).parent)
    spec, device, dtype = content["model"]
    chunk.relax(_load(spec, device, dtype, content["directory"]))


@lru_cache(maxsize=1)
def _load(spec: str, device: str, dtype: str, directory: str) -> Potential:
    """Load a force field once in a worker; its name may hold a path that is relative to the folder of the driver."""
    from flatforce.models import load

    with chdir(directory):
        return load(spec, device=device, dtype=cast("Precision", dtype))
