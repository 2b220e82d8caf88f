"""Tasks submitted to a queue as one job array, without a driver that waits for them."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flatforce.core.errors import ConfigError
from flatforce.core.execution.config import format_walltime
from flatforce.core.files import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flatforce.core.execution.config import Executor


@dataclass(frozen=True)
class Queue:
    """Commands of a queue."""

    submit: str
    """Program that submits a job script and prints the number of the job."""
    list_job: tuple[str, ...]
    """Command that lists a job; it prints nothing, or fails, for a job that has ended."""
    index: str
    """Environment variable with the number of an element of the array."""


QUEUES = {
    "slurm": Queue("sbatch", ("squeue", "--noheader", "--jobs"), "SLURM_ARRAY_TASK_ID"),
    "pbs": Queue("qsub", ("qstat",), "PBS_ARRAY_INDEX"),
}


def submit_array(tasks: Sequence[Path], command: Sequence[str], executor: Executor, *, folder: Path) -> str:
    """Submit one job array with one task in each element.

    Parameters
    ----------
    tasks
        Files of the tasks; a list of them is written next to the script.
    command
        Command that runs a task; the file of the task is its last argument.
    executor
        Queue and resources; `blocks` elements run at the same time.
    folder
        Folder of the script and of the output of the jobs.

    Returns
    -------
    Number of the job array in the queue, as its command reports it.

    Raises
    ------
    ConfigError
        If the executor is not a queue, or the queue refuses the job.
    """
    queue = _queue(executor)
    folder.mkdir(parents=True, exist_ok=True)
    number = len(list(folder.glob("array-*.sh")))
    script, names = folder / f"array-{number}.sh", folder / f"array-{number}.txt"
    write_text(names, "".join(f"{task}\n" for task in tasks))
    write_text(script, _script(len(tasks), names, command, executor, folder=folder))
    try:
        process = subprocess.run(
            [queue.submit, str(script)], capture_output=True, text=True, check=True, cwd=folder
        )
    except subprocess.CalledProcessError as error:
        raise ConfigError(
            f"{queue.submit} refused {script}.",
            why=error.stderr.strip(),
            fix="correct `executors` in the settings: `flatforce settings label` lists its keys",
        ) from error
    job_number = re.search(r"\d+(\[\])?[\w.-]*", process.stdout)
    if job_number is None:
        raise ConfigError(
            f"{queue.submit} printed no job number.", why=process.stdout.strip() or "it printed nothing"
        )
    return job_number.group()


def is_queued(job: str, executor: Executor) -> bool:
    """Ask the queue whether a job is waiting or running.

    Parameters
    ----------
    job
        Number of the job.
    executor
        Settings of the queue.

    Returns
    -------
    False once the job has ended or is unknown.
    """
    process = subprocess.run([*_queue(executor).list_job, job], capture_output=True, text=True, check=False)
    return process.returncode == 0 and bool(process.stdout.strip())


def _queue(executor: Executor) -> Queue:
    if executor.kind not in QUEUES:
        raise ConfigError(
            "A job array needs a queue.",
            why=f"the executor is `{executor.kind}`",
            fix="set executors: {dft: {kind: slurm}} or {kind: pbs}",
        )
    queue = QUEUES[executor.kind]
    if shutil.which(queue.submit) is None:
        raise ConfigError(
            f"There is no program {queue.submit} here.",
            fix="run the same command on a login node of the cluster",
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
    options = {
        "job-name": "flatforce",
        "array": f"0-{count - 1}%{executor.blocks}",
        "output": shlex.quote(f"{_one_line(folder).replace('%', '%%')}/%A-%a.out"),
        "nodes": executor.nodes,
        "time": format_walltime(executor.walltime),
        "ntasks-per-node": executor.cores_per_node,
        "gpus-per-node": executor.gpus_per_node or None,
        "partition": executor.queue,
        "account": executor.account,
    }
    return [f"#SBATCH --{name}={value}" for name, value in options.items() if value is not None]


def _one_line(folder: Path) -> str:
    if not str(folder).isprintable():
        raise ConfigError(
            f"The folder {str(folder)!r} cannot stand in a job script.",
            why="its name holds a line break or another control character",
            fix="choose another folder with -o",
        )
    return str(folder)


def _pbs(count: int, executor: Executor, folder: Path) -> list[str]:
    cores = executor.cores_per_node or 1
    select = f"select={executor.nodes}:ncpus={cores}:mpiprocs={cores}"
    if executor.gpus_per_node:
        select += f":ngpus={executor.gpus_per_node}"
    lines = [
        "-N flatforce",
        "-j oe",
        f"-o {shlex.quote(f'{_one_line(folder)}/')}",
        f"-l {select}",
        f"-l walltime={format_walltime(executor.walltime)}",
    ]
    if count > 1:  # PBS refuses an array of one element
        lines.append(f"-J 0-{count - 1}%{executor.blocks}")
    if executor.queue:
        lines.append(f"-q {executor.queue}")
    if executor.account:
        lines.append(f"-A {executor.account}")
    return [f"#PBS {line}" for line in lines]
