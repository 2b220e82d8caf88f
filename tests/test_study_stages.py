"""Hops, a screening and exports as parts of a study: the same results as those of the commands, all problems before the first stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ase import Atoms
from ase.io import write

from flatforce.core.results import read_record
from flatforce.studies.config import StudyConfig
from flatforce.studies.preflight import study_problems
from flatforce.studies.run import run_study

PAIRS = "ase:ase.calculators.lj:LennardJones?sigma=2.5&epsilon=0.4&rc=4.0&cutoff=4.0&elements=Cu"
SHEET = {"prototype": "2H", "elements": ["W", "Se"], "a": 3.32, "thickness": 3.36}


def layer() -> Atoms:
    return Atoms("Cu", positions=[[0, 0, 10]], cell=[[2.806, 0, 0], [-1.403, 2.430, 0], [0, 0, 20]], pbc=True)


def test_a_study_finds_hops_and_screens(tmp_path: Path) -> None:
    write(tmp_path / "layer.extxyz", layer())
    strained = layer()
    strained.set_cell(strained.cell * [1.03, 1.03, 1.0], scale_atoms=True)
    write(tmp_path / "strained.extxyz", strained)
    config = StudyConfig.parse(
        {
            "structure": str(tmp_path / "layer.extxyz"),
            "model": PAIRS,
            "defects": [
                {
                    "defect": "v_Cu",
                    "sizes": [4],
                    "hops": {
                        "supercell": [4, 4],
                        "path": {"images": 3, "frequencies": False, "max_force": 0.1},
                    },
                }
            ],
            "screen": {"structures": str(tmp_path / "strained.extxyz")},
        }
    )
    records = run_study(config, tmp_path / "study")
    hop = records["defects/v_Cu/hop_1"]["metrics"]
    assert hop["barrier"] > 0
    assert abs(hop["barrier"] - hop["barrier_reverse"]) < 0.01
    assert (tmp_path / "study" / "defects" / "v_Cu" / "hops" / "hops.csv").is_file()
    assert records["screen"]["metrics"]["n_relaxed"] == 1
    page = (tmp_path / "study" / "report" / "index.html").read_text()
    assert "hop_1" in page
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "study").rglob("result.json")}
    assert run_study(config, tmp_path / "study") == records
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "study").rglob("result.json")} == written


def test_a_study_exports_its_force_field(tmp_path: Path) -> None:
    config = StudyConfig.parse(
        {"structure": SHEET, "model": "mace:wse2-pbe", "relax": {"max_force": 0.5, "max_stress": 5.0}}
        | {"export": {"to": ["ase"]}}
    )
    records = run_study(config, tmp_path / "study")
    assert records["export_ase"]["converged"]
    assert (tmp_path / "study" / "export_ase" / "calculator.py").is_file()
    assert read_record(tmp_path / "study" / "export_ase") == records["export_ase"]


def test_what_cannot_hop_or_be_exported_is_known_before_the_first_stage(tmp_path: Path) -> None:
    study: dict[str, Any] = {
        "structure": SHEET,
        "model": "committee:mace:wse2-pbe,mace:wse2-pbe",
        "defects": [{"defect": "Se@W", "sizes": [6], "hops": {}}],
        "screen": {"structures": str(tmp_path / "none.extxyz")},
        "export": {"to": ["lammps"]},
    }
    text = "\n".join(map(str, study_problems(StudyConfig.parse(study), tmp_path / "out")))
    for part in ("Se@W", "none.extxyz", "A committee cannot be exported."):
        assert part in text
    assert not (tmp_path / "out").exists()


def test_a_committee_that_the_study_trains_cannot_be_exported(tmp_path: Path) -> None:
    study = {"structure": SHEET, "train": {"data": ["wse2-pbe"], "n_models": 2}, "export": {"to": ["ase"]}}
    text = "\n".join(map(str, study_problems(StudyConfig.parse(study), tmp_path / "out")))
    assert "A committee cannot be exported." in text


def test_what_a_study_with_a_training_lacks_is_known_before_the_training(tmp_path: Path) -> None:
    study: dict[str, Any] = {
        "structure": SHEET,
        "train": {"data": ["wse2-pbe"], "start_from": "chgnet:0.3.0"},
        "screen": {"structures": str(tmp_path / "none.extxyz"), "references": str(tmp_path / "no.extxyz")},
        "defects": [{"defect": "v_Se:top", "sizes": [6]}],
        "defect_energies": {
            "references": {"W": -11.5631, "Se": -3.4783},
            "verify": {"settings": {"engine": "vasp"}, "machine": {"vasp": ["no-such-vasp"]}},
        },
        "export": {"to": ["ase"]},
    }
    text = "\n".join(map(str, study_problems(StudyConfig.parse(study), tmp_path / "out")))
    for part in ("none.extxyz", "no.extxyz", "no-such-vasp", "chgnet models cannot be exported"):
        assert part in text
