"""Structures that users give: crystals, overlapping atoms and wrong units are refused by every command, true sheets are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk as bulk_crystal
from ase.io import write
from ase.units import Bohr
from typer.testing import CliRunner

import flatforce as ff
from flatforce.cli import app
from flatforce.core.errors import GeometryError
from flatforce.data.audit.sheets import check_before_labels, crystal_notes, sheet_notes
from flatforce.data.bundled import BUNDLED, dataset_path
from flatforce.data.frame_files import read_frames
from flatforce.structures.contacts import MIN_CONTACT, closest_contact
from flatforce.structures.isolated_sheet import check_isolated_sheet, gap_along_normal
from flatforce.structures.prototypes import monolayer
from flatforce.structures.sheet import unwrapped_heights

LJ = "ase:ase.calculators.lj:LennardJones?sigma=2.2&epsilon=0.5&rc=5.0&cutoff=5.0&elements=W,Se"

Change = Callable[[Atoms], Atoms]


def scaled(factor: float) -> Change:
    def change(sheet: Atoms) -> Atoms:
        copy = sheet.copy()
        copy.set_cell(sheet.cell.array * factor, scale_atoms=True)
        return copy

    return change


def with_height(sheet: Atoms, height: float) -> Atoms:
    copy = sheet.copy()
    copy.set_cell([*sheet.cell.array[:2], [0.0, 0.0, height]])
    copy.pbc = True
    return copy


def bilayer(sheet: Atoms) -> Atoms:
    upper = sheet.copy()
    upper.positions[:, 2] += 6.49
    return with_height(sheet + upper, 30.0)


def bulk(sheet: Atoms) -> Atoms:
    return with_height(bilayer(sheet), 12.98)  # c of 2H-WSe2


def low(sheet: Atoms) -> Atoms:
    return with_height(sheet, 4.0)


def doubled(sheet: Atoms) -> Atoms:
    return sheet + sheet[:1]


def overlapping(sheet: Atoms) -> Atoms:
    copy = sheet.copy()
    copy.append("W")
    copy.positions[-1] = sheet.positions[0] + [0.3, 0.0, 0.0] + sheet.cell[0]  # across the boundary
    return copy


def molecule(sheet: Atoms) -> Atoms:
    copy = sheet.copy()
    copy.set_cell(sheet.cell.array * [[1e6], [1e6], [1.0]])
    return copy


def ribbon(sheet: Atoms) -> Atoms:
    copy = sheet.repeat((1, 3, 1))
    copy.set_cell(copy.cell.array * [[1.0], [2.0], [1.0]])
    return copy


def thick(sheet: Atoms) -> Atoms:
    return with_height(bulk(sheet).repeat((1, 1, 3)), 55.0)


def not_periodic(sheet: Atoms) -> Atoms:
    copy = low(sheet)
    copy.pbc = (True, True, False)
    return copy


def cut(sheet: Atoms) -> Atoms:
    copy = sheet.copy()
    copy.positions[:, 2] -= copy.positions[0, 2]
    copy.wrap()
    return copy


REFUSED = [
    (bulk, "a crystal"),
    (low, "a crystal"),
    (doubled, "are 0.000 Å apart"),
    (overlapping, "are 0.300 Å apart"),
    (molecule, "a molecule"),
    (scaled(1e6), "near enough to be bound"),
    (scaled(1 / Bohr), "near enough to be bound"),  # lengths in bohr, read as Å
    (scaled(0.1), "a crystal"),  # nm
    (scaled(1e-5), "area"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED)
def test_what_is_no_isolated_sheet_is_refused(unit: Atoms, change: Change, message: str) -> None:
    check_isolated_sheet(unit)
    with pytest.raises(GeometryError, match=message) as error:
        check_isolated_sheet(change(unit))
    assert error.value.fix


@pytest.mark.parametrize("change", [bilayer, thick, ribbon, not_periodic, cut])
def test_true_sheets_pass(unit: Atoms, change: Change) -> None:
    changed = change(unit)
    assert (
        len(changed) > len(unit) or np.abs(changed.positions - unit.positions).max() > 1 or not changed.pbc[2]
    )
    check_isolated_sheet(changed)


@pytest.mark.parametrize("name", BUNDLED)
def test_every_bundled_frame_is_a_sheet(name: str) -> None:
    frames = read_frames(dataset_path(name))[::10]
    assert len(frames) > 5
    assert sheet_notes(frames) == []


def test_the_closest_contact_does_not_depend_on_the_search(unit: Atoms) -> None:
    large = unit.repeat((11, 11, 1))
    assert len(large) > 300  # a neighbour list is used
    assert closest_contact(large, limit=MIN_CONTACT) is None
    large.positions[5] = large.positions[200] + [0.2, 0.1, 0.0]
    small = large[[5, 200, *range(20, 200)]]
    contacts = [closest_contact(cell, limit=MIN_CONTACT) for cell in (large, small)]
    assert all(
        contact is not None and contact.distance == pytest.approx(np.hypot(0.2, 0.1)) for contact in contacts
    )
    skewed = large.copy()
    skewed.set_cell(large.cell.array + np.outer([0, 3, 0], large.cell.array[0]))
    contact = closest_contact(skewed, limit=MIN_CONTACT)
    assert contact is not None
    assert (contact.first, contact.second) == (5, 200)


COMMANDS = [
    ["relax", LJ, "{file}", "-o", "out"],
    ["phonons", LJ, "{file}", "-s", "4", "4", "-o", "out"],
    ["defect", "sites", "{file}"],
    ["defect", "build", "{file}", "v_Se:top", "-s", "4", "4", "-o", "out.extxyz"],
    ["defect", "phonons", LJ, "{file}", "v_Se:top", "-s", "4", "4", "-o", "out"],
    ["defect", "strain", LJ, "{file}", "v_Se:top", "--strain", "0", "0.01", "-s", "4", "4", "-o", "out"],
    ["defect", "optimum", LJ, "{file}", "v_Se:top", "-s", "4", "4", "-o", "out"],
    ["alloy", "enumerate", "-c", "alloy.yaml", "-o", "out"],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: " ".join(arguments[:2]))
@pytest.mark.parametrize("change", [bulk, overlapping])
def test_every_command_refuses_before_it_writes(
    unit: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], change: Change
) -> None:
    monkeypatch.chdir(tmp_path)
    write("given.xyz", change(unit), format="extxyz")
    Path("alloy.yaml").write_text(
        "alloy: {name: MoWSe2, file: given.xyz, site: W, species: [Mo, W]}\n", encoding="utf-8"
    )
    before = sorted(tmp_path.iterdir())
    result = CliRunner().invoke(app, [argument.format(file="given.xyz") for argument in arguments])
    assert isinstance(result.exception, GeometryError)
    assert "crystal" in str(result.exception) or "0.300 Å" in str(result.exception)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("change", [bulk, doubled])
def test_python_refuses_as_the_command_line_does(unit: Atoms, change: Change) -> None:
    for call in (
        lambda sheet: ff.relax(LJ, sheet),
        lambda sheet: ff.phonons(LJ, sheet, supercell=(4, 4)),
        lambda sheet: ff.build_defect(sheet, "v_Se:top", (3, 3)),
        lambda sheet: ff.defect_phonons(LJ, sheet, "v_Se:top", supercell=(4, 4)),
    ):
        with pytest.raises(GeometryError):
            call(change(unit))


def test_labelled_frames_that_are_no_sheets_are_named(frames: list[Atoms]) -> None:
    labelled = [frame.copy() for frame in frames if len(frame) == 3][:4]
    assert sheet_notes(labelled) == []
    labelled[1] = with_height(labelled[1], 7.5)
    labelled[3].positions[1] = labelled[3].positions[2]
    vacuum, overlap = sheet_notes(labelled)
    assert gap_along_normal(labelled[1]) < 5
    assert "#1" in vacuum
    assert "#3" in overlap
    assert "0.000 Å" in overlap


def test_evaluate_says_what_it_assumes_of_frames_without_vacuum(frames: list[Atoms], tmp_path: Path) -> None:
    labelled = [frame.copy() for frame in frames if len(frame) == 3][:2]
    labelled[1] = with_height(labelled[1], 7.5)
    write(tmp_path / "frames.extxyz", labelled, format="extxyz")
    result = ff.evaluate(LJ, tmp_path / "frames.extxyz")
    assert any("vacuum" in text and "#1" in text for text in result.warnings)


def test_labels_are_computed_of_crystals_and_atoms_but_not_of_overlapping_atoms(unit: Atoms) -> None:
    isolated = Atoms("W", cell=[12.0, 12.0, 12.0], pbc=True)
    tilted = bulk(unit)
    tilted.set_cell(tilted.cell.array + np.outer([0, 0, 1], tilted.cell.array[0]))
    check_before_labels([unit, bulk(unit), isolated, tilted])
    assert crystal_notes([unit, isolated]) == []
    assert "#1" in crystal_notes([unit, bulk(unit), isolated])[0]
    with pytest.raises(GeometryError, match="#1: Atoms"):
        check_before_labels([unit, doubled(unit)])
    with pytest.raises(GeometryError, match="#0: no two atoms"):
        check_before_labels([scaled(1e6)(unit)])


def test_label_refuses_before_any_calculation(unit: Atoms, tmp_path: Path) -> None:
    write(tmp_path / "given.xyz", doubled(unit), format="extxyz")
    output = tmp_path / "labels.extxyz"
    result = CliRunner().invoke(app, ["label", str(tmp_path / "given.xyz"), "-o", str(output)])
    assert isinstance(result.exception, GeometryError)
    assert not output.with_suffix(".labels").exists()


def test_a_third_vector_that_points_down_changes_nothing() -> None:
    up = monolayer(("W", "Se"), prototype="2H", a=3.3166, thickness=3.3597)
    up.positions[:, 2] += 7.0  # the boundary cuts the sheet
    up.wrap()
    down = up.copy()
    down.set_cell(up.cell.array * [[1], [1], [-1]], scale_atoms=False)
    assert down.cell[2, 2] < 0 < up.cell[2, 2]
    np.testing.assert_allclose(unwrapped_heights(down), unwrapped_heights(up), atol=1e-9)
    assert gap_along_normal(down) == pytest.approx(gap_along_normal(up))
    bulk = up.copy()
    bulk.set_cell([*up.cell.array[:2], [0, 0, -6.5]], scale_atoms=False)
    with pytest.raises(GeometryError):
        check_isolated_sheet(bulk)


@pytest.mark.parametrize("material", ["Cu", "Si", "NaCl"])
def test_a_crystal_in_a_primitive_cell_is_named_as_one(material: str) -> None:
    structure = {"crystalstructure": "rocksalt", "a": 5.6} if material == "NaCl" else {}
    crystal = bulk_crystal(material, **structure)
    with pytest.raises(GeometryError, match="is a crystal"):
        check_isolated_sheet(crystal)


def test_how_to_turn_a_cell_is_said_so_that_it_works(unit: Atoms) -> None:
    tilted = unit.copy()
    tilted.cell[2] += [2.0, 1.0, 0.0]
    with pytest.raises(GeometryError) as only_vacuum:
        check_isolated_sheet(tilted)
    code = only_vacuum.value.fix.partition("in ASE: ")[2]
    exec(code, {"atoms": tilted})  # noqa: S102  # what the message says
    check_isolated_sheet(tilted)
    turned = unit.copy()
    turned.rotate(30, "x", rotate_cell=True)
    with pytest.raises(GeometryError) as all_vectors:
        check_isolated_sheet(turned)
    code = all_vectors.value.fix.partition("in ASE: ")[2].partition("; frames with")[0]
    exec(code, {"atoms": turned})  # noqa: S102
    check_isolated_sheet(turned)


def test_atoms_of_no_element(unit: Atoms) -> None:
    unit.symbols[0] = "X"
    with pytest.raises(GeometryError, match="no element"):
        check_isolated_sheet(unit)
