"""VASP and Quantum ESPRESSO: inputs against their manuals, failures corrected or reported, labels in order."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import read

import mock_programs
from flatforce.core.errors import ConfigError
from flatforce.data.frames import get_labels
from flatforce.reference.config import EspressoSettings, LabelConfig, Machine, VaspSettings
from flatforce.reference.espresso import write_input as write_espresso
from flatforce.reference.keys import label_key
from flatforce.reference.label import label
from flatforce.reference.vasp import incar
from flatforce.structures.prototypes import monolayer
from flatforce.structures.strain import rattle_positions

MOCK = str(Path(mock_programs.__file__).resolve())


@pytest.fixture
def sheet() -> Atoms:
    """Species interleaved, so that VASP's order differs from the frame's."""
    unit = monolayer(("W", "Se"), prototype="2H", a=3.3, thickness=3.3).repeat((2, 1, 1))
    return rattle_positions(unit, amplitude=0.1, rng=np.random.default_rng(3))


@pytest.fixture
def potcars(tmp_path: Path) -> str:
    for name in ("W_sv", "Se"):
        (tmp_path / "potcars" / name).mkdir(parents=True)
        (tmp_path / "potcars" / name / "POTCAR").write_text(f"PAW_PBE {name}\n")
    return str(tmp_path / "potcars")


def vasp(potcars: str, *plan: str) -> LabelConfig:
    machine = Machine(vasp=[sys.executable, MOCK, "vasp", *plan], potcars=potcars)
    return LabelConfig(settings=VaspSettings(engine="vasp", setups={"W": "W_sv"}), machine=machine, workers=1)


def test_vasp_labels_keep_the_order_of_the_frame(sheet: Atoms, potcars: str, tmp_path: Path) -> None:
    result = label([sheet], vasp(potcars, "fine"), cache=tmp_path / "c")
    assert not result.failures
    labels, expected = get_labels(result.frames[0]), mock_programs.labels_of(sheet)
    np.testing.assert_allclose(labels.forces, expected.forces, atol=1e-6)
    assert sheet.get_chemical_symbols() != sorted(sheet.get_chemical_symbols())
    (folder,) = [path for path in (tmp_path / "c" / "logs").iterdir() if path.is_dir()]
    assert (folder / "POTCAR").read_text() == "PAW_PBE Se\nPAW_PBE W_sv\n"
    poscar = read(folder / "POSCAR")
    assert isinstance(poscar, Atoms)
    assert poscar.get_chemical_symbols() == ["Se"] * 4 + ["W"] * 2
    assert (folder / "KPOINTS").read_text().split("\n")[2:4] == ["Gamma", "6 12 1"]


@pytest.mark.parametrize("failure", ["unconverged", "crash"])
def test_a_known_failure_is_corrected(sheet: Atoms, potcars: str, tmp_path: Path, failure: str) -> None:
    result = label([sheet], vasp(potcars, failure, "fine"), cache=tmp_path / "c")
    assert not result.failures
    (folder,) = [path for path in (tmp_path / "c" / "logs").iterdir() if path.is_dir()]
    assert (folder / "calls.txt").read_text() == f"{failure} fine"
    assert "ALGO = All" in (folder / "INCAR").read_text()


def test_a_persistent_failure_is_reported_and_gives_no_label(
    sheet: Atoms, potcars: str, tmp_path: Path
) -> None:
    result = label([sheet], vasp(potcars, "unconverged"), cache=tmp_path / "c")
    assert not result.frames
    ((_, reason),) = result.failures
    assert "electronic steps not converged" in reason
    assert "'ALGO': 'All'" in reason


def test_settings_become_tags() -> None:
    settings = VaspSettings(engine="vasp", dispersion="D3(BJ)", spin=True, tags={"LMAXMIX": 4})
    tags = incar(settings)
    assert {"IVDW": 12, "ISPIN": 2, "LMAXMIX": 4, "NSW": 0}.items() <= tags.items()


def test_potentials_of_a_cache_stay_the_same(sheet: Atoms, potcars: str, tmp_path: Path) -> None:
    assert not label([sheet], vasp(potcars, "fine"), cache=tmp_path / "c").failures
    (Path(potcars) / "Se" / "POTCAR").write_text("PAW_LDA Se\n")
    with pytest.raises(ConfigError, match="POTCAR Se is not the file that labels in"):
        label([sheet], vasp(potcars, "fine"), cache=tmp_path / "c")
    assert label([sheet], vasp(potcars, "fine"), cache=tmp_path / "other").frames


def test_program_ends_with_its_worker(sheet: Atoms, potcars: str, tmp_path: Path) -> None:
    config = vasp(potcars, "sleep").model_copy(update={"timeout": 15.0})
    ((_, reason),) = label([sheet], config, cache=tmp_path / "c").failures
    assert "no result after" in reason
    (number,) = (path.read_text() for path in (tmp_path / "c" / "logs").rglob("process.txt"))
    deadline = time.monotonic() + 5
    while alive(number) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(number)


def alive(number: str) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_moments_of_a_frame_decide_its_label(sheet: Atoms, potcars: str, tmp_path: Path) -> None:
    moments = sheet.copy()
    moments.set_initial_magnetic_moments([2.0 if symbol == "W" else 0.0 for symbol in sheet.symbols])
    plain = VaspSettings(engine="vasp", setups={"W": "W_sv"})
    spin = plain.model_copy(update={"spin": True})
    assert label_key(sheet, plain) == label_key(moments, plain)
    assert label_key(sheet, spin) != label_key(moments, spin)
    config = vasp(potcars, "fine").model_copy(update={"settings": spin})
    label([moments], config, cache=tmp_path / "c")
    (path,) = (tmp_path / "c" / "logs").rglob("INCAR")
    assert "MAGMOM = 0 0 0 0 2 2\n" in path.read_text()  # in the order of POSCAR


def test_missing_programs_and_potentials_are_named(sheet: Atoms, potcars: str, tmp_path: Path) -> None:
    gone = LabelConfig(
        settings=VaspSettings(engine="vasp"), machine=Machine(vasp=["no_such_vasp"], potcars=potcars)
    )
    ((_, reason),) = label([sheet], gone, cache=tmp_path / "a").failures
    assert "no program no_such_vasp" in reason
    unnamed = vasp(potcars, "fine").model_copy(update={"settings": VaspSettings(engine="vasp")})
    ((_, reason),) = label([sheet], unnamed, cache=tmp_path / "b").failures
    assert "W/POTCAR" in reason


def test_espresso_input(sheet: Atoms, tmp_path: Path) -> None:
    for name in ("W.upf", "Se.upf"):
        (tmp_path / name).write_text("")
    settings = EspressoSettings(
        engine="espresso",
        pseudopotentials={"W": "W.upf", "Se": "Se.upf"},
        namelists={"system": {"vdw_corr": "grimme-d3"}},
    )
    machine = Machine(pseudopotentials=str(tmp_path))
    write_espresso(sheet, settings, machine, tmp_path, {"electrons": {"mixing_beta": 0.2}})
    text = (tmp_path / "pw.in").read_text()
    for line in ("ecutwfc", "tstress", "vdw_corr", "mixing_beta", "6 12 1"):
        assert line in text
    back = read(tmp_path / "pw.in", format="espresso-in")
    assert isinstance(back, Atoms)
    np.testing.assert_allclose(back.positions, sheet.positions, atol=1e-6)
    assert "starting_magnetization" not in text
    spin = settings.model_copy(update={"spin": True})
    write_espresso(sheet, spin, machine, tmp_path, {})
    initial = re.findall(r"starting_magnetization\(\d\)\s*=\s*(\S+)", (tmp_path / "pw.in").read_text())
    assert initial == ["0.5", "0.5"]
    (tmp_path / "W.upf").unlink()
    with pytest.raises(ConfigError, match="no pseudopotential of W"):
        write_espresso(sheet, settings, machine, tmp_path, {})
