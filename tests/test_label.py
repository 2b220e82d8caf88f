"""Labelling: cached, resumable, failures reported."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from ase.io import write

from commands import run
from flatforce.core.trust import trust
from flatforce.data.frames import get_labels
from flatforce.reference.config import AseSettings, GpawSettings, LabelConfig
from flatforce.reference.keys import label_key
from flatforce.reference.label import label
from flatforce.structures.prototypes import monolayer
from flatforce.structures.strain import rattle_positions

EMT_SETTINGS = LabelConfig(
    settings=AseSettings(engine="ase", calculator="ase.calculators.emt:EMT"), workers=2
)


def copper_sheets(count: int) -> list[Atoms]:
    rng = np.random.default_rng(0)
    sheet = monolayer(("Cu", "Cu"), prototype="honeycomb", a=4.4)
    return [rattle_positions(sheet, amplitude=0.1, rng=rng) for _ in range(count)]


def test_labels_are_the_calculators_and_computed_once(tmp_path: Path) -> None:
    sheets = copper_sheets(3)
    first = label(sheets, EMT_SETTINGS, cache=tmp_path)
    assert first.n_computed == 3
    assert not first.failures
    for sheet, frame in zip(sheets, first.frames, strict=True):
        sheet.calc = EMT()
        np.testing.assert_allclose(get_labels(frame).forces, sheet.get_forces(), atol=1e-12)
        assert get_labels(frame).energy == pytest.approx(sheet.get_potential_energy())
    assert label(copper_sheets(4), EMT_SETTINGS, cache=tmp_path).n_computed == 1


def test_failure_is_recorded_and_never_a_label(tmp_path: Path) -> None:
    sheets = [*copper_sheets(1), monolayer(("W", "Se"), prototype="2H", a=3.3, thickness=3.3)]
    result = label(sheets, EMT_SETTINGS, cache=tmp_path)
    assert len(result.frames) == 1
    ((name, reason),) = result.failures
    assert "Se2W" in name
    assert "No EMT-potential for" in reason
    assert label(sheets, EMT_SETTINGS, cache=tmp_path).n_computed == 0
    assert label(sheets, EMT_SETTINGS, cache=tmp_path, retry_failed=True).n_computed == 1


def test_dead_worker_is_a_failure_with_a_reason(tmp_path: Path) -> None:
    config = LabelConfig(settings=EMT_SETTINGS.settings, launcher=["false"])
    result = label(copper_sheets(1), config, cache=tmp_path)
    assert "status 1" in result.failures[0][1]


def test_damaged_cache_file_is_computed_again(tmp_path: Path) -> None:
    label(copper_sheets(1), EMT_SETTINGS, cache=tmp_path)
    (file,) = tmp_path.glob("*.json")
    file.write_text(file.read_text()[:50])
    assert label(copper_sheets(1), EMT_SETTINGS, cache=tmp_path).n_computed == 1


NO_MORE_FILES = "__import__('resource').setrlimit(1, (0, 0))  # RLIMIT_FSIZE: as on a full disk"


@pytest.mark.parametrize(
    "fails", ["raise OSError(28, 'No space left on device')", "raise MemoryError()", NO_MORE_FILES]
)
def test_failures_of_the_machine_are_retried(tmp_path: Path, fails: str) -> None:
    module = tmp_path / "full_disk.py"
    module.write_text(
        "from pathlib import Path\nfrom ase.calculators.emt import EMT\n"
        "class Full(EMT):\n"
        "    def calculate(self, *args, **more):\n"
        f"        if Path({str(tmp_path / 'full')!r}).exists():\n            {fails}\n"
        "        super().calculate(*args, **more)\n"
    )
    trust(module)
    config = LabelConfig(settings=AseSettings(engine="ase", calculator="full_disk:Full"))
    (tmp_path / "full").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
        first = label(copper_sheets(2), config, cache=tmp_path / "c")
        assert (len(first.failures), first.n_transient, first.n_computed) == (2, 2, 2)
        (tmp_path / "full").unlink()
        again = label(copper_sheets(2), config, cache=tmp_path / "c")
    assert (len(again.frames), again.n_transient, again.n_computed) == (2, 0, 2)


def test_killed_worker_is_retried_and_a_timeout_when_there_is_more_time(tmp_path: Path) -> None:
    sheets = copper_sheets(1)
    for status in ("-KILL $$", "-TERM $$"):
        killed = LabelConfig(settings=EMT_SETTINGS.settings, launcher=["sh", "-c", f"kill {status}"])
        assert label(sheets, killed, cache=tmp_path).n_transient == 1
    slow = LabelConfig(settings=EMT_SETTINGS.settings, launcher=["sh", "-c", "sleep 30"], timeout=0.2)
    assert "no result after" in label(sheets, slow, cache=tmp_path).failures[0][1]
    assert label(sheets, slow, cache=tmp_path).n_computed == 0
    result = label(sheets, EMT_SETTINGS, cache=tmp_path)
    assert (result.n_computed, len(result.frames)) == (1, 1)


def test_rank_of_another_program_is_not_the_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_PROCID", "1")  # as on the second node of a Parsl block
    assert len(label(copper_sheets(1), EMT_SETTINGS, cache=tmp_path).frames) == 1


def test_command_writes_over_nothing_that_it_did_not_write(tmp_path: Path) -> None:
    write(tmp_path / "in.extxyz", copper_sheets(2), format="extxyz")
    write(tmp_path / "other.extxyz", copper_sheets(1), format="extxyz")
    broken = copper_sheets(1)[0]
    broken.positions[0, 0] = np.nan
    write(tmp_path / "nan.extxyz", broken, format="extxyz")
    (tmp_path / "c.yaml").write_text("settings: {engine: ase, calculator: 'ase.calculators.emt:EMT'}\n")
    contents = {path.name: path.read_bytes() for path in tmp_path.glob("*.extxyz")}
    for structures, output, message in (
        ("in.extxyz", "in.extxyz", "is also the file of the structures"),
        ("in.extxyz", "other.extxyz", "other.extxyz exists"),
        ("nan.extxyz", "out.extxyz", "not finite numbers"),
    ):
        command = run(tmp_path, "label", structures, "-c", "c.yaml", "-o", output)
        assert command.returncode == 2
        assert message in " ".join(command.stderr.split())
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.extxyz")} == contents
    for _ in range(2):  # the command may overwrite its own output
        assert run(tmp_path, "label", "in.extxyz", "-c", "c.yaml", "-o", "out.extxyz").returncode == 0


def test_key_follows_structure_and_settings() -> None:
    sheet, other = copper_sheets(2)
    assert label_key(sheet, GpawSettings()) == label_key(sheet.copy(), GpawSettings())
    assert label_key(sheet, GpawSettings()) != label_key(other, GpawSettings())
    assert label_key(sheet, GpawSettings()) != label_key(sheet, GpawSettings(cutoff=500))


def test_killed_run_continues(tmp_path: Path) -> None:
    write(tmp_path / "in.extxyz", copper_sheets(6), format="extxyz")
    (tmp_path / "c.yaml").write_text(
        "settings: {engine: ase, calculator: 'ase.calculators.emt:EMT'}\nworkers: 1\n"
    )
    command = [sys.executable, "-m", "flatforce", "label", "in.extxyz", "-c", "c.yaml", "-o", "out.extxyz"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    cache = tmp_path / "out.labels"
    deadline = time.monotonic() + 120
    while len(list(cache.glob("*.json"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    n_done = len(list(cache.glob("*.json")))
    assert 2 <= n_done < 6
    assert not (tmp_path / "out.extxyz").exists()
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "n_labelled" in again.stdout
    result = label(copper_sheets(6), EMT_SETTINGS, cache=cache)
    assert result.n_computed == 0
    assert len(result.frames) == 6


@pytest.mark.parametrize(
    "launcher",
    [
        pytest.param([], id="alone"),
        pytest.param(["mpirun", "--oversubscribe", "-np", "2"], id="mpirun", marks=pytest.mark.slow),
    ],
)
def test_gpaw_reproduces_a_bundled_frame(
    frames: list[Atoms], tmp_path: Path, launcher: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gpaw")
    if launcher and shutil.which("mpirun") is None:
        pytest.skip("no mpirun")
    for name in ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"):  # containers run as root
        monkeypatch.setenv(name, "1")
    (frame,) = [f for f in frames if f.info["name"] == "prim-00"]
    result = label([frame], LabelConfig(workers=1, launcher=launcher), cache=tmp_path)
    assert not result.failures
    (log,) = (tmp_path / "logs").glob("*.txt")
    assert f"cores:  {2 if launcher else 1}" in log.read_text()
    assert "Fatal" not in log.with_suffix(".err").read_text()
    old, new = get_labels(frame), get_labels(result.frames[0])
    assert new.energy == pytest.approx(old.energy, abs=1e-3 * len(frame))  # 1 meV/atom
    np.testing.assert_allclose(new.forces, old.forces, atol=5e-3)  # 5 meV/Å
    assert np.abs(old.forces).max() > 0.1
    assert old.stress is not None
    assert new.stress is not None
    np.testing.assert_allclose(new.stress, old.stress, atol=1e-5)
