"""Parsl pools and job arrays: workers and drivers die, no frame is lost or computed twice."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from ase.io import write

from flatforce.core.errors import ConfigError
from flatforce.core.execution.array_jobs import submit_array
from flatforce.core.execution.config import Executor, walltime_seconds
from flatforce.core.execution.pools import high_throughput
from flatforce.data.frame_files import read_frames
from flatforce.reference.config import LabelConfig
from flatforce.reference.submit import submit_labels
from flatforce.reference.tasks import run_task, write_task
from mock_queue import mock_queue, mock_slurm_that_runs
from test_label import copper_sheets

if TYPE_CHECKING:
    from collections.abc import Callable

COUNTING = """
settings: {{engine: ase, calculator: "ase.calculators.emt:EMT"}}
launcher: [sh, -c, '"$@" && basename "$4" >> {folder}/completed', counting]
executors:
  dft: {{kind: local, blocks: 2, workers: 1, heartbeat: 8}}
"""
"""The launcher, put before `python -m flatforce.reference.worker TASK`, writes down each computation that ends."""


def wait_for(condition: Callable[[], object], seconds: float = 120.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def processes(word: str) -> list[int]:
    identifiers = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and word in (entry / "cmdline").read_bytes().decode().replace("\0", " "):
                identifiers.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return identifiers


def parent(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.findall(r"PPid:\s+(\d+)", status)[0])


@pytest.mark.slow
def test_death_of_a_parsl_worker_and_of_the_driver(tmp_path: Path) -> None:
    pytest.importorskip("parsl")
    write(tmp_path / "in.extxyz", copper_sheets(8), format="extxyz")
    (tmp_path / "c.yaml").write_text(COUNTING.format(folder=tmp_path))
    command = [sys.executable, "-m", "flatforce", "label", "in.extxyz", "-c", "c.yaml", "-o", "out.extxyz"]
    cache = tmp_path / "out.labels"
    driver = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def launchers() -> list[int]:
        return [p for p in processes(f"{cache}/tasks/") if _word(p) == "sh"]

    assert wait_for(launchers), "no frame was started"
    worker = parent(launchers()[0])
    assert "spawn_main" in Path(f"/proc/{worker}/cmdline").read_text()  # a worker process of Parsl
    os.kill(worker, signal.SIGKILL)
    assert wait_for(lambda: len(list(cache.glob("*.json"))) >= 2)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    n_done = len(list(cache.glob("*.json")))
    assert 2 <= n_done < 8
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stdout + again.stderr
    assert len(read_frames(tmp_path / "out.extxyz")) == 8
    completed = Counter((tmp_path / "completed").read_text().split())
    assert sorted(completed.values()) == [1] * 8
    assert wait_for(lambda: not processes(str(cache))), "something is left running"


def _word(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")[0].decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_job_array_is_submitted_once_and_collected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = mock_queue("slurm", tmp_path, monkeypatch)
    sheets = copper_sheets(3)
    config = LabelConfig.parse(
        {
            "settings": {"engine": "ase", "calculator": "ase.calculators.emt:EMT"},
            "executors": {
                "dft": {"kind": "slurm", "queue": "short", "account": "me", "walltime": "01:00:00"}
            },
        }
    )
    first = submit_labels(sheets, config, cache=tmp_path / "labels")
    assert (first.n_submitted, first.n_pending, len(first.result.frames)) == (3, 0, 0)
    second = submit_labels(sheets, config, cache=tmp_path / "labels")
    assert (second.job, second.n_submitted, second.n_pending) == (None, 0, 3)
    jobs.run()
    last = submit_labels([*sheets, copper_sheets(4)[3]], config, cache=tmp_path / "labels")
    assert (last.n_submitted, last.n_pending, len(last.result.frames)) == (1, 0, 3)
    script = (tmp_path / "labels" / "jobs" / "array-0.sh").read_text()
    for line in ("--array=0-2%1", "--partition=short", "--account=me", "--time=01:00:00"):
        assert f"#SBATCH {line}\n" in script


@pytest.mark.slow
def test_labels_through_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsl submits a block to the mock, its workers label, the block is cancelled at the end."""
    pytest.importorskip("parsl")
    jobs = mock_slurm_that_runs(tmp_path, monkeypatch)
    pool = {"kind": "slurm", "queue": "short", "address": "127.0.0.1", "workers": 2, "walltime": "00:30:00"}
    write(tmp_path / "in.extxyz", copper_sheets(3), format="extxyz")
    settings = {"engine": "ase", "calculator": "ase.calculators.emt:EMT"}
    (tmp_path / "c.yaml").write_text(json.dumps({"settings": settings, "executors": {"dft": pool}}))
    command = [sys.executable, "-m", "flatforce", "label", "in.extxyz", "-c", "c.yaml", "-o", "out.extxyz"]
    command_result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert command_result.returncode == 0, command_result.stdout + command_result.stderr
    assert len(read_frames(tmp_path / "out.extxyz")) == 3
    scripts = (tmp_path / "out.labels" / "parsl").rglob("parsl.dft.block-0.*")
    (script,) = [text for path in scripts if "#SBATCH" in (text := path.read_text())]
    assert "--partition=short" in script
    assert "--time=30\n" in script  # minutes
    (started,) = jobs.glob("*.pid")
    process = Path("/proc") / started.read_text().strip()
    assert wait_for(lambda: not process.exists() or "Z" in (process / "stat").read_text().split()[2])


def test_pbs_array_of_one_is_a_plain_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mock_queue("pbs", tmp_path, monkeypatch)
    executor = Executor(kind="pbs", cores_per_node=36, gpus_per_node=2, queue="normal", blocks=5)
    for count in (1, 4):
        submit_array([tmp_path / "t.json"] * count, ["true"], executor, folder=tmp_path / "jobs")
    single, array = ((tmp_path / "jobs" / f"array-{k}.sh").read_text() for k in range(2))
    assert "-J" not in single
    assert "#PBS -J 0-3%5" in array
    assert "#PBS -l select=1:ncpus=36:mpiprocs=36:ngpus=2" in single


@pytest.mark.parametrize(
    "name", ["short\n#SBATCH --wrap=evil", "a b", "q'", "$(id)", "", "a;b"], ids=["lines", *"abcde"]
)
@pytest.mark.parametrize("key", ["queue", "account"])
def test_names_of_queues_cannot_add_lines(key: str, name: str) -> None:
    with pytest.raises(ConfigError, match=key):
        Executor.parse({"kind": "slurm", key: name})
    assert Executor.parse({"kind": "slurm", key: "gpu-a100,short_2"})


@pytest.mark.parametrize("kind", ["slurm", "pbs"])
def test_the_folder_of_a_job_array_may_have_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    mock_queue(kind, tmp_path, monkeypatch)
    folder = tmp_path / "my jobs' 100%A"
    submit_array([tmp_path / "t.json"], ["true"], Executor.parse({"kind": kind}), folder=folder)
    (line,) = (
        line
        for line in (folder / "array-0.sh").read_text().splitlines()
        if line.startswith(("#SBATCH --output=", "#PBS -o "))
    )
    (*_, value) = shlex.split(line.replace("--output=", "--output "), comments=False)
    expected = f"{folder}/%A-%a.out".replace("100%A", "100%%A") if kind == "slurm" else f"{folder}/"
    assert value == expected
    with pytest.raises(ConfigError, match="cannot stand in a job script"):
        submit_array(
            [tmp_path / "t.json"], ["true"], Executor.parse({"kind": kind}), folder=tmp_path / "two\nlines"
        )


def test_two_workers_compute_a_frame_once(tmp_path: Path) -> None:
    config = LabelConfig.model_validate(yaml.safe_load(COUNTING.format(folder=tmp_path)))
    (tmp_path / "tasks").mkdir()
    task = write_task("one", copper_sheets(1)[0], config, cache=tmp_path)
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(run_task, [str(task)] * 2)) == [task.name] * 2
    assert (tmp_path / "completed").read_text().split() == [task.name]
    assert not list((tmp_path / "tasks").iterdir())


def test_job_array_needs_a_queue(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no executor `dft`"):
        submit_labels(copper_sheets(1), LabelConfig(), cache=tmp_path)
    with pytest.raises(ConfigError, match="job array needs a queue"):
        submit_array([], [], Executor(kind="local"), folder=tmp_path)


@pytest.mark.parametrize(("kind", "name"), [("slurm", "SlurmProvider"), ("pbs", "PBSProProvider")])
def test_parsl_gets_what_the_settings_say(kind: str, name: str, tmp_path: Path) -> None:
    pytest.importorskip("parsl")
    settings = {
        "kind": kind,
        "address": "10.0.0.1",
        "walltime": "1-02:00:00",
        "drain": 90,
        "gpus_per_node": 4,
        "workers": 4,
    }
    pool = high_throughput("dft", Executor.parse(settings), folder=tmp_path)
    assert type(pool.provider).__name__ == name
    assert pool.drain_period == walltime_seconds("26:00:00") - 90 * 60
    assert str(pool.provider.walltime) == "26:00:00"
    assert len(pool.available_accelerators) == 4
    assert pool.max_workers_per_node == 4


@pytest.mark.parametrize("name", ["laptop", "slurm", "pbs"])
def test_templates_are_valid_settings(name: str) -> None:
    from importlib.resources import files

    path = Path(str(files("flatforce.core.execution").joinpath("templates", f"{name}.yaml")))
    assert set(LabelConfig.from_yaml(path).executors) == {"dft", "gpu"}
