"""A mock of a Slurm or PBS queue, which cannot be had here: jobs wait until the test runs them."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SUBMIT = """#!/bin/sh
job=$(($(cat {folder}/count 2>/dev/null || echo 100) + 1))
echo $job > {folder}/count
cp "$1" {folder}/$job.job
echo "{answer}$job"
"""
RUN = """#!/bin/sh
job=$(($(cat {folder}/count 2>/dev/null || echo 100) + 1))
echo $job > {folder}/count
setsid bash "$1" > {folder}/$job.out 2>&1 &
echo $! > {folder}/$job.pid
echo "{answer}$job"
"""
LIST = """#!/bin/sh
for file in {folder}/*.pid; do
    job=$(basename $file .pid)
    kill -0 $(cat $file) 2>/dev/null && echo "$job R" || echo "$job CD"
done
"""
CANCEL = """#!/bin/sh
for job in "$@"; do kill -9 -$(cat {folder}/$job.pid); done
"""
ASK = """#!/bin/sh
for job in "$@"; do :; done
[ -f {folder}/$job.job ] && echo "$job waits"
"""


@dataclass(frozen=True)
class MockQueue:
    folder: Path
    index: str

    def run(self) -> None:
        """Run every element of every waiting job, one after the other."""
        for job in sorted(self.folder.glob("*.job")):
            last = re.search(r"(?:--array=|-J )0-(\d+)", job.read_text())
            for k in range(int(last.group(1)) + 1 if last else 1):
                subprocess.run(["/bin/bash", str(job)], env=os.environ | {self.index: str(k)}, check=True)
            job.unlink()


def mock_slurm_that_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a mock of Slurm first on the path that runs each job at once, for what waits for its jobs."""
    jobs = folder / "mock_slurm"
    jobs.mkdir()
    for name, text in {
        "sbatch": RUN,
        "squeue": LIST,
        "scancel": CANCEL,
        "sacct": "#!/bin/sh\nexit 1\n",
    }.items():
        (jobs / name).write_text(
            text.replace("{folder}", str(jobs)).replace("{answer}", "Submitted batch job ")
        )
        (jobs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{jobs}:{os.environ['PATH']}")
    return jobs


def mock_queue(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> MockQueue:
    """Put the programs of a queue first on the path."""
    jobs = folder / "mock_queue"
    jobs.mkdir()
    slurm = kind == "slurm"
    submit, ask = ("sbatch", "squeue") if slurm else ("qsub", "qstat")
    for name, text in ((submit, SUBMIT), (ask, ASK)):
        (jobs / name).write_text(text.format(folder=jobs, answer="Submitted batch job " if slurm else ""))
        (jobs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{jobs}:{os.environ['PATH']}")
    return MockQueue(jobs, "SLURM_ARRAY_TASK_ID" if slurm else "PBS_ARRAY_INDEX")
