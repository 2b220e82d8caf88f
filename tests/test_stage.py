"""Stages: a finished folder is asked before anything is loaded, and nothing else is taken for it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from ase import Atoms

from flatforce.core.claims import claim
from flatforce.core.config import Config
from flatforce.core.errors import ConfigError, DataError, ResultError
from flatforce.core.identity import Identity
from flatforce.core.outcome import Outcome
from flatforce.core.results import read_arrays
from flatforce.studies.checks import collected, raise_together
from flatforce.studies.comparison import ComparisonStage
from flatforce.studies.session import Session
from flatforce.studies.stage import Context, Source, Stage


class Inner(Config):
    width: float = 1.0
    """A width."""


class Before(Config):
    steps: int = 5
    """A number of steps."""
    inner: Inner = Inner()
    """Nested settings."""


class InnerAfter(Inner):
    height: float = 2.0
    """A setting that did not exist before."""


class After(Config):
    steps: int = 5
    """A number of steps."""
    inner: InnerAfter = InnerAfter()
    """Nested settings."""
    workers: int = 1
    """Another setting that did not exist before."""


@dataclass(frozen=True, repr=False)
class Sum(Outcome):
    kind: ClassVar[str] = "sum"
    units = {"total": "eV"}

    total: float
    broken: bool = False

    @property
    def metrics(self) -> dict[str, float]:
        return {"total": self.total}

    @property
    def problems(self) -> list[str]:
        return ["the sum is broken"] if self.broken else []

    @property
    def notes(self) -> list[str]:
        return ["a note"]

    def arrays(self) -> dict[str, Any]:
        return {"total": np.array([self.total])}

    def files(self, folder: Path) -> None:
        (folder / "sum.txt").write_text(str(self.total))


@dataclass(frozen=True)
class SumStage(Stage):
    kind: ClassVar[str] = "sum"
    files: ClassVar[tuple[str, ...]] = ("sum.txt",)
    needs_model: ClassVar[bool] = False

    numbers: Path
    config: Before | After
    broken: bool = False

    def inputs(self) -> dict[str, Source | str | None]:
        return {"numbers": self.numbers}

    def compute(self, context: Context) -> Sum:
        context.progress(1, 1, "added")
        return Sum(sum(json.loads(self.numbers.read_text())) * getattr(self.config, "steps", 1), self.broken)


@dataclass(frozen=True)
class NewerSum(SumStage):
    revision: ClassVar[int] = 2


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    path = tmp_path / "numbers.json"
    path.write_text("[1, 2]")
    return path


def test_a_stage_leaves_everything_the_outcome_holds(numbers: Path, tmp_path: Path) -> None:
    record = SumStage(numbers, Before()).run(Session(), tmp_path / "out")
    assert record["metrics"] == {"total": 15.0}
    assert record["units"] == {"total": "eV"}
    assert record["converged"] is True
    assert record["warnings"] == ["a note"]
    assert record["config"] == {"steps": 5, "inner": {"width": 1.0}, "broken": False}
    assert (tmp_path / "out" / "sum.txt").read_text() == "15"
    assert read_arrays(tmp_path / "out")["total"] == [15]
    broken = SumStage(numbers, Before(), broken=True).run(Session(), tmp_path / "broken")
    assert broken["converged"] is False
    assert broken["warnings"] == ["the sum is broken", "a note"]


def test_a_new_setting_at_its_default_leaves_old_folders_valid(numbers: Path, tmp_path: Path) -> None:
    first = SumStage(numbers, Before()).run(Session(), tmp_path / "out")
    (tmp_path / "out" / "sum.txt").write_text("edited")
    again = SumStage(numbers, After()).run(Session(), tmp_path / "out")
    assert again == first
    assert (tmp_path / "out" / "sum.txt").read_text() == "edited"  # it was read, not computed
    for changed in (After(workers=2), After(inner=InnerAfter(height=3.0)), After(steps=6)):
        with pytest.raises(ResultError, match="holds another result"):
            SumStage(numbers, changed).run(Session(), tmp_path / "out")


def test_a_changed_default_is_noticed(numbers: Path, tmp_path: Path) -> None:
    class Changed(Config):
        steps: int = 7
        """Another default."""
        inner: Inner = Inner()
        """Nested settings."""

    SumStage(numbers, Before()).run(Session(), tmp_path / "out")
    with pytest.raises(ResultError, match="steps: 5 there, 7 now"):
        SumStage(numbers, Changed()).run(Session(), tmp_path / "out")  # type: ignore[arg-type]  # a class of its own


def test_a_raised_revision_asks_for_another_folder(numbers: Path, tmp_path: Path) -> None:
    SumStage(numbers, Before()).run(Session(), tmp_path / "out")
    with pytest.raises(ResultError, match="computed by an older method") as caught:
        NewerSum(numbers, Before()).run(Session(), tmp_path / "out")
    assert "-o" in caught.value.fix
    assert NewerSum(numbers, Before()).run(Session(), tmp_path / "new")["revision"] == 2


def test_differences_name_settings_and_inputs(numbers: Path, tmp_path: Path) -> None:
    SumStage(numbers, Before()).run(Session(), tmp_path / "out")
    numbers.write_text("[1, 2, 3]")
    with pytest.raises(ResultError) as caught:
        SumStage(numbers, Before(steps=2)).run(Session(), tmp_path / "out")
    assert "steps: 5 there, 2 now" in caught.value.why
    assert "input numbers" in caught.value.why


def test_excluded_settings_do_not_count() -> None:
    one, two = (
        Identity.of("sum", After(workers=n), {}, excluded=("workers", "inner.height")) for n in (1, 2)
    )
    assert one.key == two.key
    assert "workers" not in one.settings
    assert one.key != Identity.of("sum", After(steps=1), {}).key


@dataclass(frozen=True)
class Comparison(ComparisonStage):
    kind: ClassVar[str] = "sum"
    files: ClassVar[tuple[str, ...]] = ("sum.txt",)
    needs_model: ClassVar[bool] = False

    name: str
    keys: dict[str, str]

    def inputs(self) -> dict[str, Source | str | None]:
        return {**self.keys}

    def settings(self) -> dict[str, Any]:
        return {"name": self.name}

    def compute(self, context: Context) -> Sum:
        del context
        return Sum(float(len(self.keys)))


def test_a_comparison_is_made_again_for_other_results_but_not_for_other_settings(tmp_path: Path) -> None:
    folder = tmp_path / "comparison"
    for keys in ({"4x4": "a", "5x5": "b"}, {"4x4": "a", "5x5": "b", "6x6": "c"}, {"4x4": "a"}):
        record = Comparison("v_Se", keys).run(Session(), folder)
        assert record["metrics"]["total"] == len(keys)
        assert record["inputs"] == keys
    with pytest.raises(ResultError, match="name"):
        Comparison("v_W", {"4x4": "a"}).run(Session(), folder)
    path = folder / "result.json"
    path.write_text(path.read_text().replace('"kind": "sum"', '"kind": "difference"'))
    with pytest.raises(ResultError, match="kind"):
        Comparison("v_Se", {}).run(Session(), folder)


def test_a_finished_stage_loads_no_model(
    sheet: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice the same relaxation: the second answers although the force field cannot be loaded."""
    from flatforce.properties.relax_config import RelaxConfig
    from flatforce.studies.relax import RelaxStage

    spec = "ase:ase.calculators.lj:LennardJones?sigma=2.0&epsilon=0.1&rc=5.0"
    stage = RelaxStage(sheet, RelaxConfig(relax_cell=False, max_steps=3, max_force=50.0))
    first = stage.run(Session(spec), tmp_path / "relax")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr("flatforce.models.load", refuse)
    assert stage.run(Session(spec), tmp_path / "relax") == first


def test_one_session_loads_one_model(sheet: Atoms, monkeypatch: pytest.MonkeyPatch) -> None:
    from flatforce import models

    loaded: list[str] = []
    original = models.load

    def count(spec: str, **more: Any) -> Any:
        loaded.append(spec)
        return original(spec, **more)

    monkeypatch.setattr("flatforce.models.load", count)
    session = Session("ase:ase.calculators.lj:LennardJones?rc=5.0")
    session.potential.evaluate([sheet])
    session.potential.evaluate([sheet])
    assert len(loaded) == 1


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / ("x" * 300)):
        with pytest.raises(ResultError, match="-o"), claim(folder, Identity("sum", {}, {})):
            raise AssertionError("the folder was claimed")


def test_all_problems_are_told_at_once() -> None:
    def fail(error: Exception) -> None:
        raise error

    errors = collected(
        lambda: fail(DataError("first", fix="do this")),
        lambda: None,
        lambda: fail(DataError("first", fix="do this")),
        lambda: fail(ConfigError("second")),
    )
    with pytest.raises(ConfigError, match="2 problems") as caught:
        raise_together(errors, subject="The study")
    assert "first" in caught.value.why
    assert "do this" in caught.value.why
    assert "second" in caught.value.why
    with pytest.raises(DataError, match="first"):
        raise_together(errors[:1], subject="The study")
    raise_together([], subject="The study")


def test_the_page_is_written_again_only_if_a_result_changed(
    sheet: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flatforce.properties.relax_config import RelaxConfig
    from flatforce.report import page
    from flatforce.report.update import update_report
    from flatforce.studies.relax import RelaxStage

    written: list[Path] = []
    original = page.write_report

    def count(root: Path, target: Path) -> Path:
        written.append(root)
        return original(root, target)

    monkeypatch.setattr("flatforce.report.page.write_report", count)
    session = Session("ase:ase.calculators.lj:LennardJones?sigma=2.0&epsilon=0.1&rc=5.0")
    root, target = tmp_path / "results", tmp_path / "results" / "report"
    for number, expected in ((1, 1), (1, 1), (2, 2), (2, 2)):
        config = RelaxConfig(relax_cell=False, max_steps=3, max_force=50.0 + number)
        RelaxStage(sheet, config).run(session, root / f"relax-{number}")
        assert update_report(root, target).is_file()
        assert len(written) == expected
    (target / "index.html").unlink()
    assert update_report(root, target).is_file()
    assert len(written) == 3


def test_two_processes_do_not_compute_in_one_folder(numbers: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    hold = (
        "import sys, time; from pathlib import Path; from flatforce.core.execution.locks import exclusive\n"
        "with exclusive(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", hold, str(folder)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(ResultError, match="Another process computes in"):
            SumStage(numbers, Before()).run(Session(), folder)
        assert list(folder.iterdir()) == []
        other.kill()  # the lock ends with the process, however it ends
    assert SumStage(numbers, Before()).run(Session(), folder)["metrics"]["total"] == 15
    assert {path.name for path in folder.iterdir()} == {
        "result.json",
        "run.json",
        "arrays.npz",
        "sum.txt",
    }
