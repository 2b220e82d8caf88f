"""Tasks handed to a queue as one job array, with no driver left behind."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flatforce.core.errors import ConfigError
from flatforce.core.execution.config import hours
from flatforce.core.files import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flatforce.core.execution.config import Executor


@dataclass(frozen=True)
class Queue:
    """How a queue is spoken to."""

    submit: str
    """Program that takes a job script and prints the number of the job."""
    ask: tuple[str, ...]
    """Words that list a job; nothing, or an error, for one that is over."""
    index: str
    """Variable with the number of an element of the array."""


QUEUES = {
    "slurm": Queue("sbatch", ("squeue", "--noheader", "--jobs"), "SLURM_ARRAY_TASK_ID"),
    "pbs": Queue("qsub", ("qstat",), "PBS_ARRAY_INDEX"),
}


def submit_array(tasks: Sequence[Path], command: Sequence[str], executor: Executor, *, folder: Path) -> str:
    """Submit one job array with a task an element.

    Parameters
    ----------
    tasks
        Files of tasks; a list of them is written beside the script.
    command
        Words before the name of a task.
    executor
        The queue and what to ask of it; `blocks` elements run at the same time.
    folder
        For the script and the jobs' output.

    Returns
    -------
    Number of the job.

    Raises
    ------
    ConfigError
        If the executor is no queue, or the queue does not take the job.
    """
    queue = _queue(executor)
    folder.mkdir(parents=True, exist_ok=True)
    number = len(list(folder.glob("array-*.sh")))
    script, names = folder / f"array-{number}.sh", folder / f"array-{number}.txt"
    write_text(names, "".join(f"{task}\n" for task in tasks))
    write_text(script, _script(len(tasks), names, command, executor, folder=folder))
    try:
        done = subprocess.run(
            [queue.submit, str(script)], capture_output=True, text=True, check=True, cwd=folder
        )
    except subprocess.CalledProcessError as error:
        raise ConfigError(
            f"{queue.submit} did not take {script}.", why=error.stderr.strip(), fix="mend `executors`"
        ) from error
    found = re.search(r"\d+(\[\])?[\w.-]*", done.stdout)
    if found is None:
        raise ConfigError(f"{queue.submit} named no job.", why=done.stdout.strip() or "it printed nothing")
    return found.group()


def is_queued(job: str, executor: Executor) -> bool:
    """Ask the queue whether a job is waiting or running.

    Parameters
    ----------
    job
        Its number.
    executor
        The queue.

    Returns
    -------
    False once it is over or unknown.
    """
    answer = subprocess.run([*_queue(executor).ask, job], capture_output=True, text=True, check=False)
    return answer.returncode == 0 and bool(answer.stdout.strip())


def _queue(executor: Executor) -> Queue:
    if executor.kind not in QUEUES:
        raise ConfigError(
            "A job array needs a queue.",
            why=f"the executor is `{executor.kind}`",
            fix="give `executors` one of kind slurm or pbs",
        )
    queue = QUEUES[executor.kind]
    if shutil.which(queue.submit) is None:
        raise ConfigError(
            f"There is no program {queue.submit} here.", fix="submit from a node that knows the queue"
        )
    return queue


def _script(count: int, names: Path, command: Sequence[str], executor: Executor, *, folder: Path) -> str:
    lines = _slurm(count, executor, folder) if executor.kind == "slurm" else _pbs(count, executor, folder)
    index = QUEUES[executor.kind].index
    return "\n".join(
        [
            "#!/bin/bash",
            *lines,
            *executor.options.splitlines(),
            *executor.setup.splitlines(),
            f'task=$(sed -n "$((${{{index}:-0}} + 1))p" {shlex.quote(str(names))})',
            f'exec {shlex.join(command)} "$task"',
            "",
        ]
    )


def _slurm(count: int, executor: Executor, folder: Path) -> list[str]:
    asked = {
        "job-name": "flatforce",
        "array": f"0-{count - 1}%{executor.blocks}",
        "output": f"{folder}/%A-%a.out",
        "nodes": executor.nodes,
        "time": hours(executor.walltime),
        "ntasks-per-node": executor.cores_per_node,
        "gpus-per-node": executor.gpus_per_node or None,
        "partition": executor.queue,
        "account": executor.account,
    }
    return [f"#SBATCH --{name}={value}" for name, value in asked.items() if value is not None]


def _pbs(count: int, executor: Executor, folder: Path) -> list[str]:
    cores = executor.cores_per_node or 1
    select = f"select={executor.nodes}:ncpus={cores}:mpiprocs={cores}"
    if executor.gpus_per_node:
        select += f":ngpus={executor.gpus_per_node}"
    lines = [
        "-N flatforce",
        "-j oe",
        f"-o {folder}/",
        f"-l {select}",
        f"-l walltime={hours(executor.walltime)}",
    ]
    if count > 1:  # PBS refuses an array of one
        lines.append(f"-J 0-{count - 1}%{executor.blocks}")
    if executor.queue:
        lines.append(f"-q {executor.queue}")
    if executor.account:
        lines.append(f"-A {executor.account}")
    return [f"#PBS {line}" for line in lines]
