"""Result folders and single files: nothing that flatforce did not write is replaced, and a killed run leaves no litter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.io import read, write

import flatforce as ff
from commands import run
from flatforce.core import files
from flatforce.core.claims import CLAIM, SCRATCH, announce_files, claim
from flatforce.core.config import Config
from flatforce.core.errors import ResultError
from flatforce.core.files import part_prefix, remove_abandoned_parts, write_atomically, write_text
from flatforce.core.identity import Identity
from flatforce.core.outcome import Outcome
from flatforce.core.written import WrittenFiles
from flatforce.data.config import CurationConfig
from flatforce.studies.session import Session
from flatforce.studies.stage import Context, Source, Stage

LJ = "ase:ase.calculators.lj:LennardJones?sigma=2.0&epsilon=0.1&rc=5.0"


class Settings(Config):
    steps: int = 5
    """A number of steps."""


@dataclass(frozen=True, repr=False)
class Listing(Outcome):
    kind: ClassVar[str] = "listing"
    units = {"total": ""}

    total: float

    @property
    def metrics(self) -> dict[str, float]:
        return {"total": self.total}

    def files(self, folder: Path) -> None:
        write_text(folder / "list.txt", str(self.total))


class Killed(BaseException):
    pass


@dataclass(frozen=True)
class ListStage(Stage):
    kind: ClassVar[str] = "listing"
    needs_model: ClassVar[bool] = False
    files: ClassVar[tuple[str, ...]] = ("list.txt",)

    config: Settings
    killed: ClassVar[bool] = False

    def inputs(self) -> dict[str, Source | str | None]:
        return {}

    def compute(self, context: Context) -> Listing:
        context.scratch.mkdir(parents=True, exist_ok=True)
        parts = list(context.scratch.iterdir())
        (context.scratch / "part").write_text("1")
        if self.killed:
            raise Killed
        return Listing(float(len(parts)))


class KilledStage(ListStage):
    killed: ClassVar[bool] = True


@dataclass(frozen=True)
class OtherStage(ListStage):
    kind: ClassVar[str] = "other"


@pytest.mark.parametrize("name", ["list.txt", "arrays.npz", "result.json", "run.json"])
def test_files_of_other_origin_are_named_and_stay(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    (tmp_path / "notes.txt").write_text("mine too")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ResultError) as caught:
        ListStage(Settings()).run(Session(), tmp_path)
    assert name in str(caught.value)
    assert "-o" in caught.value.fix
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    (tmp_path / name).unlink()
    assert ListStage(Settings()).run(Session(), tmp_path)["metrics"] == {"total": 0.0}
    assert (tmp_path / "notes.txt").read_text() == "mine too"


def test_an_interrupted_run_of_the_same_stage_goes_on(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        KilledStage(Settings()).run(Session(), tmp_path)
    (tmp_path / "list.txt").write_text("mine")
    with pytest.raises(ResultError, match=r"would be replaced: list\.txt"):
        ListStage(Settings()).run(Session(), tmp_path)
    announce_files(tmp_path)  # as if it had been killed while it wrote
    with pytest.raises(Killed):  # and once more before it wrote again
        KilledStage(Settings()).run(Session(), tmp_path)
    assert ListStage(Settings()).run(Session(), tmp_path)["metrics"] == {"total": 1.0}  # the part was found
    assert {path.name for path in tmp_path.iterdir()} == {CLAIM, "list.txt", "result.json"}


def test_other_settings_start_anew_and_other_stages_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from flatforce.core.progress import show_progress

    with pytest.raises(Killed):
        KilledStage(Settings()).run(Session(), tmp_path)
    with pytest.raises(ResultError, match="unfinished run of another kind"):
        OtherStage(Settings()).run(Session(), tmp_path)
    record = ListStage(Settings(steps=6)).run(Session(report=show_progress), tmp_path)
    assert record["metrics"] == {"total": 0.0}
    assert "steps: 5 there, 6 now" in capsys.readouterr().err
    assert not (tmp_path / SCRATCH).exists()


def test_a_run_that_failed_before_it_computed_leaves_the_folder_free(tmp_path: Path) -> None:
    identity = Identity("listing", {}, {})
    with pytest.raises(Killed), claim(tmp_path, identity):
        raise Killed
    assert list(tmp_path.iterdir()) == []
    with claim(tmp_path, replace(identity, kind="other")) as claimed:
        assert not claimed.finished


def test_runs_that_may_not_restart_are_refused(tmp_path: Path) -> None:
    identity = Identity("listing", {"steps": 5}, {}, non_default={"steps": 5})
    other = replace(identity, settings={"steps": 6}, non_default={"steps": 6})
    with claim(tmp_path, identity):  # as one that was killed: there is no result
        (tmp_path / "list.txt").write_text("half")
    with (
        pytest.raises(ResultError, match="other settings") as caught,
        claim(tmp_path, other, may_restart=False),
    ):
        raise AssertionError("the folder was claimed")
    assert "steps: 5 there, 6 now" in caught.value.why
    with claim(tmp_path, identity, may_restart=False) as claimed:
        assert not claimed.restarted


def test_a_relaxation_does_not_replace_its_own_input(tmp_path: Path, sheet: Atoms) -> None:
    write(tmp_path / "relaxed.extxyz", sheet, format="extxyz")
    content = (tmp_path / "relaxed.extxyz").read_bytes()
    command = run(tmp_path, "relax", LJ, "relaxed.extxyz", "-o", ".")
    assert command.returncode == 2
    assert "relaxed.extxyz" in command.stderr
    assert (tmp_path / "relaxed.extxyz").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["relaxed.extxyz"]


@pytest.mark.parametrize("name", ["model.model", "split.json", "run.json", "metrics.csv"])
def test_a_training_replaces_no_file(tmp_path: Path, few_frames: Path, name: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("mine")
    settings = {"data": [str(few_frames)], "epochs": 1, "model": {"hidden_irreps": "4x0e", "r_max": 4.0}}
    (tmp_path / "t.yaml").write_text(yaml.safe_dump(settings))
    command = run(tmp_path, "train", "-c", "t.yaml", "-o", "out")
    assert command.returncode == 2
    assert name in command.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {name}
    assert (tmp_path / "out" / name).read_text() == "mine"


def test_two_trainings_do_not_share_a_folder(tmp_path: Path, few_frames: Path) -> None:
    (tmp_path / "out").mkdir()
    hold = (
        "import sys, time; from pathlib import Path; from flatforce.core.execution.locks import exclusive\n"
        "with exclusive(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path / "out")], stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(ResultError, match="Another process computes in"):
            ff.train(str(few_frames), folder=tmp_path / "out", epochs=1)
        assert list((tmp_path / "out").iterdir()) == []
        other.kill()


def test_the_door_writes_frames_over_no_others(tmp_path: Path, sheet: Atoms) -> None:
    write(tmp_path / "frames.extxyz", sheet, format="extxyz")
    content = (tmp_path / "frames.extxyz").read_bytes()
    labelled = [frame for frame in ff.read("wse2-pbe") if len(frame) == 3][:2]
    for call in (
        lambda: ff.evaluate(LJ, labelled, folder=tmp_path),
        lambda: ff.train(labelled, folder=tmp_path),
    ):
        with pytest.raises(ResultError, match=r"frames\.extxyz"):
            call()
    assert (tmp_path / "frames.extxyz").read_bytes() == content
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "arrays.npz").write_text("mine")
    with pytest.raises(ResultError, match=r"arrays\.npz"):
        ff.evaluate(LJ, labelled, folder=tmp_path / "other")
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["arrays.npz"]


# Single files


def test_a_file_is_replaced_only_while_it_is_what_was_written(tmp_path: Path) -> None:
    path, written = tmp_path / "out.txt", WrittenFiles(tmp_path / "record")
    path.write_text("mine")
    with pytest.raises(ResultError, match="exists"):
        written.write(path, lambda part: _write(part, "first"))
    assert path.read_text() == "mine"
    path.unlink()
    for text in ("first", "second"):
        WrittenFiles(tmp_path / "record").write(path, partial(_write, text=text))
        assert path.read_text() == text
    path.write_text("changed by hand")
    assert not WrittenFiles(tmp_path / "record").is_own(path)
    with pytest.raises(ResultError, match=r"out\.txt exists"):
        WrittenFiles(tmp_path / "record").check([path, tmp_path / "absent"])


def test_a_run_killed_between_the_record_and_the_file_may_write_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, record = tmp_path / "out.txt", tmp_path / "record"
    WrittenFiles(record).write(path, lambda part: _write(part, "first"))

    original = Path.replace

    def killed(part: Path, target: Path) -> Path:
        if target == path:
            raise Killed
        return original(part, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(Killed):
            WrittenFiles(record).write(path, lambda part: _write(part, "second"))
    assert path.read_text() == "first"
    WrittenFiles(record).write(path, lambda part: _write(part, "third"))
    assert path.read_text() == "third"


def _write(path: Path, text: str) -> None:
    path.write_text(text)


def test_a_page_and_figures_of_other_origin_stay(tmp_path: Path, sheet: Atoms) -> None:
    write(tmp_path / "sheet.extxyz", sheet, format="extxyz")
    (tmp_path / "r.yaml").write_text("{relax_cell: false, max_steps: 3, max_force: 1.0e-6}")
    assert run(tmp_path, "relax", LJ, "sheet.extxyz", "-c", "r.yaml", "-o", "out").returncode == 1
    page, figures = tmp_path / "page" / "index.html", tmp_path / "page" / "figures"
    page.parent.mkdir()
    page.write_text("mine")
    assert run(tmp_path, "report", "out", "-o", "page").returncode == 2
    assert page.read_text() == "mine"
    assert not figures.exists()
    page.unlink()
    for _ in range(2):
        assert run(tmp_path, "report", "out", "-o", "page").returncode == 0
    figure = next(figures.glob("*.png"))
    figure.write_text("mine")
    command = run(tmp_path, "report", "out", "-o", "page")
    assert command.returncode == 2
    assert figure.name in command.stderr
    assert figure.read_text() == "mine"


def test_statistics_leave_a_page_of_other_origin(tmp_path: Path, few_frames: Path) -> None:
    page = tmp_path / "out" / "report" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text("mine")
    command = run(tmp_path, "data", "stats", str(few_frames), "-o", "out", "--no-map")
    assert command.returncode == 2
    assert "index.html" in command.stderr
    assert page.read_text() == "mine"


def test_labels_that_were_edited_by_hand_are_not_replaced(tmp_path: Path) -> None:
    sheets = [Atoms("Cu", positions=[[0, 0, 7.5]], cell=[2.6 + k / 20, 2.6, 15], pbc=True) for k in range(2)]
    for name, sheet in zip(("a", "b"), sheets, strict=True):
        write(tmp_path / f"{name}.extxyz", sheet, format="extxyz")
    (tmp_path / "c.yaml").write_text("settings: {engine: ase, calculator: 'ase.calculators.emt:EMT'}\n")
    for names in (["a.extxyz"], ["a.extxyz", "b.extxyz"]):  # a set that grows keeps its name
        assert run(tmp_path, "label", *names, "-c", "c.yaml", "-o", "out.extxyz").returncode == 0
    labelled = tmp_path / "out.extxyz"
    assert len(read(labelled, ":")) == 2
    edited = labelled.read_text().replace("REF_energy", "REF_energy_of_mine")
    assert edited != labelled.read_text()
    labelled.write_text(edited)
    assert run(tmp_path, "label", "b.extxyz", "-c", "c.yaml", "-o", "out.extxyz").returncode == 2
    assert labelled.read_text() == edited


def test_the_same_call_on_data_is_answered_and_another_is_refused(
    tmp_path: Path, frames: list[Atoms]
) -> None:
    small = [frame for frame in frames if len(frame) == 3]
    (tmp_path / "in").mkdir()
    for name, part in (("a", small[:6]), ("b", small[6:12])):
        write(tmp_path / "in" / f"{name}.extxyz", part, format="extxyz")
    calls = {
        "in/all.extxyz": ["data", "import", "in"],  # the output lies in the folder that is searched
        "some.extxyz": ["data", "curate", "in/a.extxyz"],
        "split.json": ["data", "split", "in/a.extxyz", "--seed", "1"],
    }
    for output, words in calls.items():
        first = run(tmp_path, *words, "-o", output)
        assert first.returncode == 0, first.stderr
        content, time = (tmp_path / output).read_bytes(), (tmp_path / output).stat().st_mtime_ns
        again = run(tmp_path, *words, "-o", output)
        assert again.returncode == 0, again.stderr
        assert "up to date" in again.stdout
        assert (tmp_path / output).stat().st_mtime_ns == time
        assert all(line in again.stdout for line in first.stdout.splitlines() if "n_frames" in line)
        changed = {"in": "in/a.extxyz", "in/a.extxyz": "in/b.extxyz"}
        other = [changed.get(word, word) for word in words]
        assert other != words
        refused = run(tmp_path, *other, "-o", output)
        assert refused.returncode == 2, refused.stdout
        assert (tmp_path / output).read_bytes() == content
        (tmp_path / output).write_bytes(content + b"\n")
        assert run(tmp_path, *words, "-o", output).returncode == 2  # changed by hand
        assert (tmp_path / output).read_bytes() == content + b"\n"
    assert CurationConfig().duplicates is not None


# What killed processes leave


def test_temporary_files_of_dead_processes_are_removed_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    own = part_prefix()
    abandoned = own.replace(f"-{os.getpid()}-", f"-{dead.pid}-")
    assert abandoned != own
    recent, old = tmp_path / ".part-elsewhere-1-recent", tmp_path / "below" / ".part-elsewhere-1-old"
    old.parent.mkdir()
    for path in (tmp_path / f"{own}x", tmp_path / f"{abandoned}x.npz", recent, old):
        path.write_text("half")
    os.utime(old, (0, 0))
    (tmp_path / f"{abandoned}folder").mkdir()
    remove_abandoned_parts(tmp_path)
    assert {path.name for path in tmp_path.rglob("*")} == {f"{own}x", recent.name, "below"}


def test_a_finished_run_removes_what_killed_ones_left(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / part_prefix().replace(f"-{os.getpid()}-", f"-{dead.pid}-")).write_text("half")
    ListStage(Settings()).run(Session(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {CLAIM, "list.txt", "result.json"}


def test_records_of_finished_work_are_on_the_disk_before_they_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is flushed before it gets its name, and the folder afterwards; the files of the stage before the record."""
    events: list[str] = []
    original = files.flush_to_disk

    def flush(path: Path) -> None:
        events.append("folder" if path.is_dir() else "part" if path.name.startswith(".part") else path.name)
        original(path)

    monkeypatch.setattr(files, "flush_to_disk", flush)
    monkeypatch.setattr("flatforce.core.recording.flush_to_disk", flush)
    path = tmp_path / "a"
    write_atomically(path, lambda part: _write(part, "x"), durable=True)
    assert events == ["part", "folder"]
    events.clear()
    ListStage(Settings()).run(Session(), tmp_path / "out")
    assert events[-2:] == ["part", "folder"]
    assert "list.txt" in events[:-2]


def test_tasks_and_locks_of_killed_labelling_runs_are_removed(tmp_path: Path) -> None:
    from flatforce.reference.config import LabelConfig
    from flatforce.reference.label import label

    config = LabelConfig.parse({"settings": {"engine": "ase", "calculator": "ase.calculators.emt:EMT"}})
    sheet = Atoms("Cu", positions=[[0, 0, 7.5]], cell=[2.6, 2.6, 15], pbc=True)
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    for name in ("dead.json", "dead.lock", "queued.json", "orphan.lock"):
        (tasks / name).write_text("{}")
    (tmp_path / "queued.json").write_text(json.dumps({"queued": "17"}))  # a job array will run it
    with (tasks / "orphan.lock").open() as stream:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX)  # a worker that outlived its run
        assert len(label([sheet], config, cache=tmp_path).frames) == 1
        assert {path.name for path in tasks.iterdir()} == {"queued.json", "orphan.lock"}
    assert label([sheet], config, cache=tmp_path).n_computed == 0
    assert {path.name for path in tasks.iterdir()} == {"queued.json"}
    assert np.isfinite(label([sheet], config, cache=tmp_path).frames[0].info["REF_energy"])


def test_a_run_leaves_the_tasks_of_another(tmp_path: Path) -> None:
    from flatforce.reference.leftovers import share_tasks

    with share_tasks(tmp_path):
        (tmp_path / "tasks" / "waiting.json").write_text("{}")
        with share_tasks(tmp_path):
            pass
        assert (tmp_path / "tasks" / "waiting.json").is_file()
    assert not (tmp_path / "tasks" / "waiting.json").exists()


def test_a_finished_folder_without_one_of_its_files_is_not_taken_for_finished(tmp_path: Path) -> None:
    stage, session = ListStage(Settings()), Session()
    stage.run(session, tmp_path)
    assert stage.run(session, tmp_path)["metrics"] == {"total": 0.0}
    (tmp_path / "list.txt").unlink()
    with pytest.raises(ResultError, match=r"incomplete: list\.txt is missing"):
        stage.run(session, tmp_path)
