"""What can be known before a run is known before its first stage: all problems at once, and nothing computed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ase import Atoms
from ase.io import write

from commands import run
from flatforce import models
from flatforce.active.config import LearnConfig
from flatforce.core.errors import ConfigError, FlatforceError, ResultError
from flatforce.core.results import Record, write_record
from flatforce.models.training.config import TrainConfig
from flatforce.models.training.sweep_config import SweepConfig
from flatforce.properties.phonons.config import DefectPhononConfig, EmbedConfig
from flatforce.properties.relax_config import RelaxConfig
from flatforce.reference.config import LabelConfig
from flatforce.studies.config import StudyConfig
from flatforce.studies.defect_series import DefectSeries
from flatforce.studies.learn.checks import label_problems
from flatforce.studies.learn.rounds import learn
from flatforce.studies.preflight import study_problems
from flatforce.studies.relax import RelaxStage
from flatforce.studies.run import run_study
from flatforce.studies.session import Session
from flatforce.studies.strain import StrainSeriesRun
from flatforce.studies.training_checks import sweep_problems, training_problems

LENNARD_JONES = "ase:ase.calculators.lj:LennardJones?rc=5.0&cutoff=5.0&elements=W,Se"
SHEET = {"prototype": "2H", "elements": ["W", "Se"], "a": 3.32, "thickness": 3.36}


def problems_of(tmp_path: Path, **study: Any) -> str:
    config = StudyConfig.parse({"structure": SHEET} | study)
    text = "\n".join(map(str, study_problems(config, tmp_path / "out")))
    assert not (tmp_path / "out").exists()
    return text


def test_a_study_lists_every_problem_at_once(tmp_path: Path) -> None:
    text = problems_of(
        tmp_path,
        model=LENNARD_JONES,
        evaluate={"frames": "tmd-alloys-pbe"},
        phonons={"supercell": [1, 1]},
        defects=[
            {"defect": "junk", "sizes": [4]},
            {"defect": "v_Te", "sizes": [4]},
            {"defect": "S@Se", "sizes": [4]},
            {"defect": "v_W", "sizes": [2]},
            {"defect": "v_Se#1+v_Se#4", "sizes": [4, 5]},
            {"defect": "v_Se", "sizes": [4]},
            {"defect": "V_Se", "sizes": [5], "embed": {"supercell": [5, 5]}},
        ],
    )
    for problem in (
        "'junk' cannot be read",
        "No site of Se2W fits v_Te",
        "S@Se holds S",
        "supercell of 1 × 1 is too small",
        "supercell of 2 × 2 is too small",
        "belong to one supercell",
        "v_Se is listed 2 times",
        "tmd-alloys-pbe holds Mo",
        "not larger than the relaxed supercell",
    ):
        assert problem in text
    assert "supercell of 4 × 4" not in text  # large enough, and not reported


def test_what_cannot_be_found_is_listed_together(tmp_path: Path) -> None:
    text = problems_of(
        tmp_path,
        structure="nofile.cif",
        model="mace:nope",
        evaluate={"frames": "none.extxyz"},
        defects=[{"defect": "v_Xx"}],
    )
    for problem in ("nofile.cif", "no model nope", "none.extxyz", "Xx in 'v_Xx'"):
        assert problem in text


def test_an_embedding_needs_an_interaction_range(tmp_path: Path) -> None:
    unknown = "ase:ase.calculators.lj:LennardJones?rc=5.0"
    defects = [{"defect": "v_Se", "sizes": [7], "embed": {"supercell": [12, 12]}}]
    assert "interaction range" in problems_of(tmp_path, model=unknown, defects=defects)
    assert problems_of(tmp_path, model=LENNARD_JONES, defects=defects) == ""


def test_a_training_names_files_and_the_model_it_starts_from(tmp_path: Path) -> None:
    config = TrainConfig(
        data=["none.extxyz"],
        valid_file="absent.extxyz",
        split="missing.json",
        start_from="mace:nope",
        replay={"data": ["gone.extxyz"]},  # type: ignore[arg-type]  # pydantic reads it
    )
    text = "\n".join(map(str, training_problems(config)))
    for problem in ("none.extxyz", "absent.extxyz", "missing.json", "gone.extxyz", "no model nope"):
        assert problem in text
    assert training_problems(TrainConfig(data=["wse2-pbe"])) == []
    command = run(tmp_path, "finetune", "mace:nope", "-o", "out")
    assert command.returncode == 2
    assert "No training data" in command.stderr
    assert "no model nope" in command.stderr
    assert not (tmp_path / "out").exists()


def test_an_evaluation_that_the_training_leaves_nothing_for_is_noticed_before_it(tmp_path: Path) -> None:
    training = {"data": ["wse2-pbe"], "epochs": 1}
    held_out = {"frames": "tmd-alloys-pbe"}
    assert "will be in the test set" in problems_of(tmp_path, train=training, evaluate=held_out)
    assert problems_of(tmp_path, train=training, evaluate={"frames": "wse2-pbe"}) == ""
    everything = {"frames": "tmd-alloys-pbe", "held_out": False}
    assert "which the training set does not" in problems_of(tmp_path, train=training, evaluate=everything)


def test_a_study_without_sizes_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1 item"):
        StudyConfig.parse({"structure": SHEET, "model": "m", "defects": [{"defect": "v_Se", "sizes": []}]})


def test_a_long_wrong_value_is_shortened() -> None:
    with pytest.raises(ConfigError) as error:
        StudyConfig.parse({"structure": SHEET, "defects": [{"defect": f"v_Se#{n}"} for n in range(99)]})
    assert "either `train` or `model`" in error.value.why
    assert len(error.value.why) < 300


def test_a_series_names_small_supercells_and_a_small_embedding_together(unit: Atoms, tmp_path: Path) -> None:
    configs = [DefectPhononConfig(supercell=(n, n)) for n in (2, 4)]
    series = DefectSeries(unit, "v_Se", configs, EmbedConfig(supercell=(4, 4)))
    text = "\n".join(map(str, series.problems(Session(LENNARD_JONES), tmp_path)))
    assert "supercell of 2 × 2 is too small" in text
    assert "not larger than the relaxed one" in text


@pytest.mark.parametrize(
    "name",
    ["4x4/phonopy.yaml", "5x5/arrays.npz", "embedded_12x12/primitive.extxyz", "finite_size/arrays.npz"],
)
def test_a_series_refuses_a_file_of_the_user_in_any_of_its_folders_before_it_starts(
    unit: Atoms, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_text("mine")
    configs = [DefectPhononConfig(supercell=(n, n)) for n in (4, 5)]
    series = DefectSeries(unit, "v_Se", configs, EmbedConfig(supercell=(12, 12)))
    with pytest.raises(ResultError, match=f"would be replaced: {Path(name).name}"):
        series.run(Session(LENNARD_JONES), tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [Path(name).name]


@pytest.mark.parametrize("strains", [(-1.0, 0.0, 1.0), (0.0, 0.9)])
def test_strains_in_per_cent_are_refused(strains: tuple[float, ...], sheet: Atoms, tmp_path: Path) -> None:
    series = StrainSeriesRun(sheet, "v_Se", DefectPhononConfig(), strains)
    with pytest.raises(FlatforceError, match="no sheet holds") as error:
        series.run(Session(LENNARD_JONES), tmp_path / "out")
    assert "0.01 for one per cent" in error.value.fix
    assert not (tmp_path / "out").exists()


def test_the_command_prints_all_problems_and_writes_nothing(tmp_path: Path, unit: Atoms) -> None:
    write(tmp_path / "unit.extxyz", unit, format="extxyz")
    study = {"structure": "unit.extxyz", "model": "mace:nope", "defects": [{"defect": "v_Te"}]}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    command = run(tmp_path, "run", "study.yaml", "-o", "out")
    assert command.returncode == 2
    assert "no model nope" in command.stderr
    assert "v_Te" in command.stderr
    assert not (tmp_path / "out").exists()


def test_active_learning_names_files_programs_and_defects_before_its_first_training(tmp_path: Path) -> None:
    config = LearnConfig.parse(
        {
            "initial": ["none.extxyz"],
            "test": "absent.extxyz",
            "structures": ["nosheet.cif"],
            "label": {"settings": {"engine": "vasp"}, "machine": {"vasp": ["novasp"], "potcars": "/nowhere"}},
            "train": {"n_models": 2, "start_from": "mace:nope"},
            "sampling": {"defects": {"primitive": "noprimitive.cif", "defects": ["junk"]}},
        }
    )
    with pytest.raises(ConfigError, match="8 problems") as error:
        learn(config, tmp_path / "out")
    for problem in (
        "none.extxyz",
        "absent.extxyz",
        "nosheet.cif",
        "noprimitive.cif",
        "no program novasp",
        "/nowhere",
        "no model nope",
        "'junk' cannot be read",
    ):
        assert problem in error.value.why
    assert not (tmp_path / "out").exists()


def test_programs_of_another_machine_are_not_looked_for_here() -> None:
    espresso = {"engine": "espresso", "pseudopotentials": {"W": "W.upf"}}
    here = LabelConfig.parse({"settings": espresso, "machine": {"espresso": ["nopw.x"]}})
    assert "no program nopw.x" in "".join(map(str, label_problems(here)))
    assert "no folder of pseudopotentials" in "".join(map(str, label_problems(here)))
    elsewhere = here.model_copy(update={"executors": {"dft": None}})
    assert label_problems(elsewhere) == []
    unknown = LabelConfig.parse({"settings": {"engine": "ase", "calculator": "ase.none:None"}})
    assert "no calculator" in "".join(map(str, label_problems(unknown)))
    emt = LabelConfig.parse({"settings": {"engine": "ase", "calculator": "ase.calculators.emt:EMT"}})
    assert label_problems(emt) == []


def test_a_sweep_checks_every_value_of_its_grid() -> None:
    sweep = SweepConfig.parse(
        {"train": {"data": ["wse2-pbe"]}, "vary": {"learning_rate": [0.1, -1.0], "batch_size": [2, 0]}}
    )
    text = "\n".join(map(str, sweep_problems(sweep)))
    assert "learning_rate: Input should be greater than 0" in text
    assert "batch_size: Input should be greater than 0" in text
    absent = {"train": {"data": ["none.extxyz"], "start_from": "mace:nope"}, "vary": {"seed": [1, 2]}}
    text = "\n".join(map(str, sweep_problems(SweepConfig.parse(absent))))
    assert "none.extxyz" in text
    assert "no model nope" in text


@pytest.mark.parametrize(
    ("command", "problems"),
    [
        ("relax mace:nope none.cif", ["no model nope", "none.cif"]),
        ("evaluate mace:nope none.extxyz", ["no model nope", "none.extxyz"]),
        (
            "benchmark relax mace:nope none.extxyz --align absent.extxyz --split missing.json",
            ["no model nope", "none.extxyz", "absent.extxyz", "missing.json"],
        ),
        ("defect phonons mace:nope none.cif junk -s 4 4", ["no model nope", "none.cif"]),
        ("defect phonons mace:nope unit.extxyz junk -s 4 4", ["no model nope", "'junk' cannot be read"]),
    ],
)
def test_a_missing_file_does_not_hide_a_missing_model(
    command: str, problems: list[str], tmp_path: Path, unit: Atoms
) -> None:
    write(tmp_path / "unit.extxyz", unit, format="extxyz")
    result = run(tmp_path, *command.split(), "-o", "out")
    assert result.returncode == 2
    for problem in problems:
        assert result.stderr.count(problem) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("model", "calibrate", "problem"),
    [
        ("committee:{m},{m}", "none.extxyz", "no frames none.extxyz"),
        ("committee:{m},{m}", "tmd-alloys-pbe", "does not know"),
        ("committee:{m},absent.model", "none.extxyz", "no model absent.model"),
        ("{m}", "none.extxyz", "is not a committee"),
    ],
)
def test_error_bars_are_checked_before_the_phonons(
    model: str, calibrate: str, problem: str, tmp_path: Path, model_file: Path, unit: Atoms
) -> None:
    write(tmp_path / "unit.extxyz", unit, format="extxyz")
    options = ["-s", "4", "4", "--committee", "--calibrate", calibrate, "-o", "out"]
    spec = model.format(m=model_file)
    result = run(tmp_path, "defect", "phonons", spec, "unit.extxyz", "v_Se", *options)
    assert result.returncode == 2
    assert problem in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_result_folder_is_not_the_parent_of_others(tmp_path: Path, unit: Atoms) -> None:
    relax = RelaxStage(unit, RelaxConfig(max_steps=1, relax_cell=False))
    relax.run(Session(LENNARD_JONES), tmp_path)
    before = sorted(tmp_path.iterdir())
    runs: list[Callable[[], object]] = [
        lambda: DefectSeries(unit, "v_Se", [DefectPhononConfig()]).run(Session(LENNARD_JONES), tmp_path),
        lambda: StrainSeriesRun(unit, "v_Se", DefectPhononConfig(), (0.0, 0.01)).run(
            Session(LENNARD_JONES), tmp_path
        ),
        lambda: learn(LearnConfig(initial=["wse2-pbe"], pool=["wse2-pbe"]), tmp_path),
        lambda: run_study(StudyConfig.parse({"structure": SHEET, "model": LENNARD_JONES}), tmp_path),
    ]
    for start in runs:
        with pytest.raises(ResultError, match="holds another result"):
            start()
    assert sorted(tmp_path.iterdir()) == before


def test_a_study_loads_its_model_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    original = models.load

    def count(spec: str, **more: Any) -> Any:
        loaded.append(spec)
        return original(spec, **more)

    monkeypatch.setattr("flatforce.models.load", count)
    study = {"structure": SHEET, "model": LENNARD_JONES, "relax": {"max_steps": 1, "relax_cell": False}}
    for _ in range(2):  # the second time everything is finished
        run_study(StudyConfig.parse(study), tmp_path / "out")
        assert loaded == [LENNARD_JONES]


def test_an_embedding_of_another_cell_is_noticed_before_a_larger_cell_is_computed(
    tmp_path: Path, unit: Atoms
) -> None:
    (tmp_path / "embedded_12x12").mkdir()
    write_record(tmp_path / "embedded_12x12", Record("line shape", {}, {}, {}))
    configs = [DefectPhononConfig(supercell=(n, n)) for n in (4, 7)]
    series = DefectSeries(unit, "v_Se", configs, EmbedConfig(supercell=(12, 12)))
    with pytest.raises(ResultError, match="holds another result") as error:
        series.run(Session(LENNARD_JONES), tmp_path)
    assert "7x7" in error.value.why
    assert not (tmp_path / "4x4").exists()
