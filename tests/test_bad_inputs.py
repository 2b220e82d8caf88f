"""Bad inputs to every command: status 2, one message that says how to go on, no traceback, no file touched."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import yaml
from ase import Atoms
from ase.io import write

from commands import run
from flatforce.structures.prototypes import monolayer

MODEL = "mace:wse2-pbe"

INPUTS = {
    "empty": "",
    "binary": "\x00\x01\x7f\x02" * 40,
    "empty.yaml": "",
    "list.yaml": "- 1\n- 2\n",
    "broken.yaml": "a: [1, 2\nb: }",
    "unknown.yaml": "no_such_key: 1\n",
    "twice.yaml": "seed: 1\nseed: 2\n",
    "anchor.yaml": "&a [*a, *a]\n",
    "wrong.xyz": '3\nLattice="1 0 0"\nW 0 0\n',
    "empty.extxyz": "",
    "cut.extxyz": "3\nProperties=species:S:1:pos:R:3\nW 0 0 0\nSe 0 0 1\n",
    "nan.extxyz": '2\nLattice="3 0 0 0 3 0 0 0 20" Properties=species:S:1:pos:R:3\nW nan 0 0\nSe 0 0 1\n',
    "notes.json": '{"kind": 3, "schema": "x"}',
    "notes.txt": "my notes\n",
}
"""Name → content of a file that is no valid input; `notes.txt` must survive, too."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bad and good inputs, which no command below may touch."""
    folder = tmp_path_factory.mktemp("bad")
    for name, content in INPUTS.items():
        (folder / name).write_text(content)
    unit = monolayer(("W", "Se"), prototype="2H", a=3.3166, thickness=3.3597)
    write(folder / "sheet.extxyz", unit)
    write(folder / "two.extxyz", [unit, unit])
    flat = unit.copy()
    flat.cell[1] = 2 * flat.cell[0]
    write(folder / "singular.extxyz", flat)
    write(folder / "molecule.xyz", Atoms("OH", positions=[[0, 0, 0], [0, 0, 1]]))
    write(folder / "lead.extxyz", monolayer(("Pb", "Pb"), prototype="honeycomb", a=4.0))
    (folder / "dir").mkdir()
    (folder / "results").mkdir()
    (folder / "results" / "result.json").write_text("{")
    (folder / "bad.model").write_bytes(b"PK\x03\x04")
    for name, settings in SETTINGS.items():
        (folder / name).write_text(yaml.safe_dump(settings))
    return folder


SETTINGS: dict[str, dict[str, object]] = {
    "epochs.yaml": {"data": ["wse2-pbe"], "epochs": True},
    "seed.yaml": {"data": ["wse2-pbe"], "seed": -1},
    "huge-seed.yaml": {"data": ["wse2-pbe"], "seed": 2**70},
    "irreps.yaml": {"data": ["wse2-pbe"], "model": {"kind": "mace", "hidden_irreps": "4x5o"}},
    "device.yaml": {"data": ["wse2-pbe"], "device": "tpu"},
    "no-data.yaml": {"data": ["nowhere.extxyz"], "epochs": 1},
    "empty-data.yaml": {"data": ["empty.extxyz"], "epochs": 1},
    "e0s.yaml": {"data": ["wse2-pbe"], "e0s": {"Xx": 1.0}},
    "vary.yaml": {"train": {"data": ["wse2-pbe"]}, "vary": {"no_such": [1, 2]}},
    "engine.yaml": {"settings": {"engine": "ase", "calculator": "os:system"}},
    "study.yaml": {"model": MODEL, "structure": "WSe2", "defects": [{"defect": "v_Q", "sizes": [3]}]},
    "alloy.yaml": {"alloy": {"name": "x", "species": ["Mo"], "site": "Mo"}},
    "range.yaml": {"supercell": [1, 1], "mesh": -3},
}
"""Name → settings that cannot be."""

CASES = [
    "data import nowhere -o out.extxyz",
    "data import empty -o out.extxyz",
    "data import binary -o out.extxyz",
    "data import dir -o out.extxyz",
    "data import cut.extxyz wrong.xyz -o out.extxyz",
    "data import sheet.extxyz -o out.extxyz",
    "data import sheet.extxyz -c unknown.yaml -o out.extxyz",
    "data import sheet.extxyz -o notes.txt/out.extxyz",
    "data audit nowhere",
    "data audit nan.extxyz",
    "data audit molecule.xyz",
    "data curate empty.extxyz -o out.extxyz",
    "data curate wse2-pbe -o notes.txt",
    "data curate wse2-pbe -o out.extxyz --keep -4",
    "data curate wse2-pbe -c broken.yaml -o out.extxyz",
    "data split wse2-pbe -o out.json --folds 1",
    "data split wse2-pbe -o out.json --leave-out Xx",
    "data split wse2-pbe -o notes.json",
    "data split nowhere -o out.json",
    "data stats cut.extxyz -o out",
    "data stats wse2-pbe -o notes.txt",
    "label empty.extxyz -o out.extxyz",
    "label sheet.extxyz -c engine.yaml -o out.extxyz",
    "label nowhere.cif -c engine.yaml -o out.extxyz",
    "label sheet.extxyz -c list.yaml -o out.extxyz",
    "label --template abacus",
    "train -o out",
    "train -c empty.yaml -o out",
    "train -c twice.yaml -o out",
    "train -c anchor.yaml -o out",
    "train -c epochs.yaml -o out",
    "train -c seed.yaml -o out",
    "train -c huge-seed.yaml -o out",
    "train -c irreps.yaml -o out",
    "train -c device.yaml -o out",
    "train -c no-data.yaml -o out",
    "train -c empty-data.yaml -o out",
    "train -c e0s.yaml -o out",
    "train -c nowhere.yaml -o out",
    "train -c binary -o out",
    "finetune bad.model -c epochs.yaml -o out",
    f"finetune {MODEL} -c nowhere.yaml -o out",
    "finetune ase:ase.calculators.emt:EMT -o out",
    "sweep vary.yaml -o out",
    "sweep nowhere.yaml -o out",
    "evaluate nope:x wse2-pbe -o out",
    f"evaluate {MODEL} empty.extxyz -o out",
    f"evaluate {MODEL} sheet.extxyz -o out",
    f"evaluate {MODEL} wse2-pbe --split notes.json -o out",
    f"evaluate {MODEL} wse2-pbe --device tpu -o out",
    f"evaluate {MODEL} wse2-pbe -o notes.txt",
    "evaluate committee: wse2-pbe -o out",
    "evaluate bad.model wse2-pbe -o out --trust",
    "doctor nope",
    "doctor ase:os:system?command=ls",
    f"relax {MODEL} nowhere.cif -o out",
    f"relax {MODEL} binary -o out",
    f"relax {MODEL} nan.extxyz -o out",
    f"relax {MODEL} singular.extxyz -o out",
    f"relax {MODEL} molecule.xyz -o out",
    f"relax {MODEL} lead.extxyz -o out",
    f"relax {MODEL} two.extxyz -o out",
    f"relax {MODEL} sheet.extxyz -o notes.txt",
    f"relax {MODEL} sheet.extxyz -o notes.txt/out",
    f"relax {MODEL} sheet.extxyz -o {'x' * 300}",
    f"relax {MODEL} sheet.extxyz -o out --max-force -1",
    f"relax {MODEL} sheet.extxyz -o results",
    f"phonons {MODEL} sheet.extxyz -s 0 3 -o out",
    f"phonons {MODEL} sheet.extxyz -c range.yaml -o out",
    f"phonons {MODEL} lead.extxyz -s 3 3 -o out",
    "report nowhere",
    "report dir",
    "report results",
    "report notes.txt",
    "settings no such",
    "defect sites nan.extxyz",
    "defect sites dir",
    "defect build sheet.extxyz v_Q -s 3 3 -o out.extxyz",
    "defect build sheet.extxyz v_Se -s 3 3 -o notes.txt",
    "defect build sheet.extxyz v_Se -s -3 3 -o out.extxyz",
    "defect build sheet.extxyz Se@Se -s 3 3 -o out.extxyz",
    "defect build nowhere v_Se -s 3 3 -o out.extxyz",
    f"defect phonons {MODEL} sheet.extxyz Xx@Se -s 3 3 -o out",
    f"defect phonons {MODEL} sheet.extxyz v_Se:top --sizes 0 -o out",
    f"defect phonons {MODEL} sheet.extxyz v_Se:top --sizes 3 --embed 2 -o out",
    f"defect phonons {MODEL} sheet.extxyz v_Se:top -s 3 3 --committee -o out",
    f"defect strain {MODEL} sheet.extxyz v_Se:top -s 3 3 --strain 7 -o out",
    f"defect strain {MODEL} sheet.extxyz v_Se:top -s 3 3 --strain 0.01 --kind xz -o out",
    f"defect optimum {MODEL} sheet.extxyz v_Se:top -s 3 3 --objective best -o out",
    "defect lineshape nowhere notes.txt -o out",
    "defect lineshape results notes.txt -o out",
    "defect unfold nowhere -o out",
    "defect unfold results -o out",
    f"benchmark relax {MODEL} empty.extxyz -o out",
    "benchmark relax nope:x 2d-pbe-mini -o out",
    "benchmark compare nowhere dir",
    "learn unknown.yaml -o out",
    "learn -c nowhere.yaml -o out",
    "alloy enumerate -c alloy.yaml -o out",
    "alloy energies -c nowhere.yaml -o out",
    "alloy fit -c alloy.yaml -t dir -o out",
    "alloy hull -c alloy.yaml -f dir -o out",
    "alloy mc -c list.yaml -f dir -o out",
    "alloy sqs -c alloy.yaml -o out",
    "env create pandas",
    "env remove ../..",
    "run nowhere.yaml -o out",
    "run study.yaml -o out",
    "run unknown.yaml -o out",
    "demo -o notes.txt",
    "no-such-command",
]


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
    }


def test_every_command_has_bad_inputs() -> None:
    assert len(CASES) == len(set(CASES)) > 60


@pytest.mark.parametrize("case", CASES)
def test_bad_input(folder: Path, case: str) -> None:
    before = contents(folder)
    result = run(folder, *case.split())
    text = result.stdout + result.stderr
    assert result.returncode == 2, text
    assert "Traceback" not in text
    assert result.stderr.count("flatforce: ") + result.stderr.count("Usage: ") == 1, text
    assert "fix:" in text or "Usage:" in text, text
    assert contents(folder) == before
