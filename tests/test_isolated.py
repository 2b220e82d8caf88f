"""Force fields in environments of their own; the interpreter of the tests plays the other environment."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import TextIO

import numpy as np
import pytest
from ase import Atoms
from ase.build import graphene
from typer.testing import CliRunner

from flatforce.cli import app
from flatforce.core.errors import ModelError
from flatforce.core.execution.locks import hold_lock
from flatforce.core.hashing import hash_file, hash_files
from flatforce.core.trust import trust
from flatforce.models import load
from flatforce.models.isolated import build, environments
from flatforce.models.isolated.client import IsolatedBackend
from flatforce.structures.strain import rattle_positions
from flatforce.studies.session import hash_model

MODULE = """
import os
import time
from ase.calculators.emt import EMT


class Talkative(EMT):
    def calculate(self, *args, **kwargs):
        print("a package that writes to standard output")
        super().calculate(*args, **kwargs)


class Mortal(EMT):
    def calculate(self, atoms=None, *args, **kwargs):
        if len(atoms) > 10:
            print("out of memory", flush=True)
            os._exit(9)
        super().calculate(atoms, *args, **kwargs)


class Picky(EMT):
    def calculate(self, atoms=None, *args, **kwargs):
        raise ZeroDivisionError("no such thing")


class Slow(EMT):
    def calculate(self, *args, **kwargs):
        time.sleep(60)
"""


@pytest.fixture
def sheet(rng: np.random.Generator) -> Atoms:
    made = graphene(vacuum=10.0)
    made.pbc = True
    return rattle_positions(made, amplitude=0.05, rng=rng)


@pytest.fixture
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type:
    """Makes backends of the classes above; their module is found through the working directory."""
    (tmp_path / "moods.py").write_text(MODULE)
    trust(tmp_path / "moods.py")
    monkeypatch.chdir(tmp_path)

    class Made(IsolatedBackend):
        def __init__(self, name: str) -> None:
            super().__init__(Path(sys.executable), f"ase:moods:{name}", device="cpu", dtype="float64")

    return Made


def test_numbers_are_those_of_the_same_process(isolated: type, sheet: Atoms) -> None:
    frames = [sheet, sheet.repeat((2, 2, 1))]
    here = load("ase:ase.calculators.emt:EMT").backend.predict(frames, stress=False)
    there = isolated("Talkative").predict(frames, stress=False)
    for one, other in zip(here, there, strict=True):
        assert one.energy == other.energy
        np.testing.assert_array_equal(one.forces, other.forces)
        assert other.forces.dtype == np.float64


def test_a_worker_that_dies_is_replaced(isolated: type, sheet: Atoms) -> None:
    backend = isolated("Mortal")
    first = backend.worker.pid
    before = backend.predict([sheet], stress=False)[0].energy
    backend.worker.kill()
    backend.worker.wait()
    assert backend.predict([sheet], stress=False)[0].energy == before
    assert backend.worker.pid != first
    with pytest.raises(ModelError, match="died with status 9") as caught:
        backend.predict([sheet.repeat((3, 3, 1))], stress=False)
    assert "out of memory" in caught.value.why
    assert backend.predict([sheet], stress=False)[0].energy == before


def test_errors_come_back_readable(isolated: type, sheet: Atoms) -> None:
    backend = isolated("Picky")
    with pytest.raises(ModelError, match="ZeroDivisionError: no such thing"):
        backend.predict([sheet], stress=False)
    assert backend.worker.poll() is None
    with pytest.raises(ModelError, match="could not be created"):
        isolated("Nobody")


def test_an_answer_that_nobody_read_is_not_taken_for_the_next(
    isolated: type, sheet: Atoms, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, other = (
        isolated("Talkative"),
        rattle_positions(sheet, amplitude=0.2, rng=np.random.default_rng(1)),
    )
    expected = backend.predict([other], stress=False)[0].energy

    def interrupted() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(backend, "_receive", interrupted)
        with pytest.raises(KeyboardInterrupt):
            backend.predict([sheet], stress=False)
    assert backend.predict([other], stress=False)[0].energy == expected


def test_none_is_left_behind(isolated: type) -> None:
    backend = isolated("Talkative")
    worker = backend.worker
    del backend
    assert worker.poll() is not None
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from ase.build import graphene\n"
        "from flatforce.models.isolated.client import IsolatedBackend\n"
        "b = IsolatedBackend(Path(sys.executable), 'ase:moods:Slow', device='cpu', dtype='float64')\n"
        "print(b.worker.pid, flush=True)\n"
        "b.predict([graphene(vacuum=10)], stress=False)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert _lives(pid)
        time.sleep(1.0)  # now it is asleep over its frame
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        for _ in range(100):
            if not _lives(pid):
                return
            time.sleep(0.1)
    pytest.fail("the worker outlived its parent")


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]
    except FileNotFoundError:
        return False
    return state != "Z" and os.getpgid(pid) >= 0


@pytest.mark.parametrize(
    ("said", "fits"),
    [("warning: invariance: mirror z: failed", True), ("Traceback\nRuntimeError: no", False)],
)
def test_a_self_test_that_crashed_is_no_judgement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, *, fits: bool
) -> None:
    """The steps are played; what they say is judged."""

    def played(command: list[str], *, stdout: TextIO, **_: object) -> int:
        is_test = "doctor" in command
        stdout.write(said if is_test else json.dumps({"flatforce": metadata.version("flatforce")}))
        return int(is_test)

    monkeypatch.setenv("FLATFORCE_ENVS", str(tmp_path))
    python = tmp_path / "sevennet" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    monkeypatch.setattr(subprocess, "call", played)
    if fits:
        found = build.create("sevennet")
        assert found.complete
        assert found.failed == [said]
        python.rename(python.with_name("gone"))
        assert not environments.list_environments()[0].complete
        python.with_name("gone").rename(python)
        with monkeypatch.context() as patch:
            patch.setattr(environments, "hash_code", lambda: "of another day")
            assert not environments.list_environments()[0].complete
        marker = tmp_path / "sevennet" / environments.MARKER
        marker.write_text(marker.read_text().replace(metadata.version("flatforce"), "0.0.1"))
        assert not environments.list_environments()[0].complete  # of another version
    else:
        with pytest.raises(ModelError, match="self-test failed"):
            build.create("sevennet")
        assert not environments.list_environments()[0].complete


def test_force_fields_without_a_file_are_told_apart(tmp_path: Path) -> None:
    member, checkpoint = "mace:wse2-pbe", tmp_path / "my.pth"
    alone, mixed = (hash_model(spec) for spec in (member, f"committee:{member},sevennet:7net-0"))
    other = hash_model(f"committee:{member},chgnet:0.3.0")
    assert len({alone, mixed, other}) == 3
    keys = set()
    for content in (b"first", b"second"):
        checkpoint.write_bytes(content)
        keys.add(hash_model(f"sevennet:{checkpoint}"))
    assert len(keys) == 2


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    files = [tmp_path / name / "f.extxyz" for name in "abc"]
    for path in files:
        path.parent.mkdir()
        path.write_text(path.parent.name)
    assert len(hash_files(*files)) == 3
    assert hash_files(*files[:2]) != hash_files(files[2], files[1])
    assert hash_files(*files[:2]) != hash_files(*files[1::-1])


def test_a_missing_environment_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATFORCE_ENVS", str(tmp_path / "envs"))
    (tmp_path / "envs").mkdir()
    (tmp_path / "sevenn").mkdir()  # a folder of that name is no package
    monkeypatch.syspath_prepend(tmp_path)
    tmp_path /= "envs"
    with pytest.raises(ModelError, match="not installed") as caught:
        load("sevennet:7net-0")
    assert caught.value.fix == "flatforce env create sevennet"
    (tmp_path / "sevennet").mkdir()
    listed = CliRunner().invoke(app, ["env", "list"], catch_exceptions=False)
    assert "sevennet: incomplete" in listed.stdout
    environments.remove("sevennet")
    assert not list(tmp_path.iterdir())
    with pytest.raises(ModelError, match="no environment"):
        environments.remove("sevennet")
    with pytest.raises(ModelError, match="no environment"):
        build.create("gaussian")


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of environments, with two whole ones."""
    monkeypatch.setenv("FLATFORCE_ENVS", str(tmp_path))
    for name in ("sevennet", "nequip"):
        python = tmp_path / name / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.touch()
        content = {
            "pins": hash_file(environments.pins_file(name)),
            "code": environments.hash_code(),
            "versions": {"flatforce": metadata.version("flatforce")},
            "failed": [],
        }
        (tmp_path / name / environments.MARKER).write_text(json.dumps(content))
    assert all(environment.complete for environment in environments.list_environments())
    return tmp_path


def play(monkeypatch: pytest.MonkeyPatch, *, fails_at: str = "") -> list[str]:
    """Let the steps of a build do nothing but speak; return the list to which their commands are added."""
    commands: list[str] = []

    def played(command: list[str], *, stdout: TextIO, **_: object) -> int:
        commands.append(" ".join(command))
        stdout.write(json.dumps({"flatforce": metadata.version("flatforce")}))
        return 1 if fails_at and fails_at in commands[-1] else 0

    monkeypatch.setattr(subprocess, "call", played)
    return commands


@pytest.mark.parametrize("content", ['{"pins": "abc", "versi', "[1, 2]", '{"versions": 3}', "\x00\xff"])
def test_a_damaged_environment_is_named_and_repaired(
    built: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    marker = built / "sevennet" / environments.MARKER
    marker.write_bytes(content.encode("latin-1"))
    damaged, other = sorted(environments.list_environments(), key=lambda environment: environment.complete)
    assert (damaged.name, damaged.damaged, other.complete) == ("sevennet", True, True)
    assert "sevennet: damaged" in CliRunner().invoke(app, ["env", "list"], catch_exceptions=False).stdout
    with monkeypatch.context() as patch:
        patch.setitem(environments.PACKAGES, "sevennet", "no_such_package")
        with pytest.raises(ModelError, match="damaged") as caught:
            environments.environment_for("sevennet")
    assert str(marker) in caught.value.why
    assert caught.value.fix == "flatforce env create sevennet"
    assert play(monkeypatch) is not None
    assert build.create("sevennet").complete


def test_an_environment_that_is_half_made_is_not_complete(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old description goes before the first step: a build that is cut off leaves none that fits another version."""
    marker = built / "sevennet" / environments.MARKER
    marker.write_text(marker.read_text().replace(metadata.version("flatforce"), "0.0.1"))
    play(monkeypatch, fails_at=" -r ")
    with pytest.raises(ModelError, match="sevennet and its dependencies failed") as caught:
        build.create("sevennet")
    assert not marker.exists()
    log = built / "sevennet.log"
    assert str(log) in caught.value.fix
    assert " -r " in log.read_text()
    play(monkeypatch)
    assert build.create("sevennet").complete


def test_the_log_of_a_killed_step_is_kept(tmp_path: Path) -> None:
    step = "import os, signal; print('said before the end', flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    with (tmp_path / "lock").open("w") as lock, pytest.raises(ModelError, match="status -9") as caught:
        build._run([sys.executable, "-c", step], "a step", log=tmp_path / "log", lock=lock.fileno())
    assert "said before the end" in caught.value.why
    assert "said before the end" in (tmp_path / "log").read_text()


def test_two_builds_wait_for_each_other(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one finds the environment complete and builds nothing; a removal meanwhile is refused."""
    marker = built / "sevennet" / environments.MARKER
    content = marker.read_text()
    marker.unlink()
    commands, messages = play(monkeypatch), list[str]()
    with hold_lock(built / "sevennet.lock") as lock:
        assert lock is not None
        with pytest.raises(ModelError, match="Another process builds"):
            environments.remove("sevennet")

        def finish_the_other(*message: object) -> None:
            messages.append(str(message[-1]))
            marker.write_text(content)
            fcntl.flock(lock, fcntl.LOCK_UN)

        assert build.create("sevennet", progress=finish_the_other).complete
    assert "another process builds" in messages[0]
    assert not commands


def test_the_installer_holds_the_lock_of_a_killed_build(tmp_path: Path) -> None:
    """Its parent is gone, but it still writes into the environment."""
    build_step = (
        "import sys; from pathlib import Path; from flatforce.core.execution.locks import hold_lock\n"
        "from flatforce.models.isolated.build import _run\n"
        "with hold_lock(Path('lock')) as lock:\n"
        "    _run([sys.executable, '-c', 'import time; print(1, flush=True); time.sleep(60)'], 's', log=Path('log'), lock=lock)\n"
    )
    with subprocess.Popen([sys.executable, "-c", build_step], cwd=tmp_path, start_new_session=True) as parent:
        for _ in range(600):
            if (tmp_path / "log").is_file() and (tmp_path / "log").read_text().endswith("1\n"):
                break
            time.sleep(0.05)
        parent.kill()
        parent.wait()
        with hold_lock(tmp_path / "lock", wait=False) as lock:
            assert lock is None
        os.killpg(parent.pid, signal.SIGKILL)
    with hold_lock(tmp_path / "lock") as lock:
        assert lock is not None
