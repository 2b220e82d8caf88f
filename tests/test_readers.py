"""Quantum ESPRESSO, ASE databases and trajectories, CASM: the numbers of the file, or the reason of the refusal."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from ase.db import connect
from ase.io import Trajectory

from flatforce.data.config import ImportConfig
from flatforce.data.frames import get_labels
from flatforce.data.import_result import Import
from flatforce.data.importing import import_frames
from flatforce.data.readers.ase_files import read_ase
from flatforce.data.readers.casm import read_casm
from flatforce.data.readers.content import NO_FORCES, TRUNCATED, UNCONVERGED, FileContent
from flatforce.data.readers.espresso import read_espresso
from flatforce.structures.sheet import slab_virial_residual

PWO = Path(__file__).parent / "files" / "iron_sheet.pwo"
"""Two iron atoms as a square sheet, PBE at 90 Ry, run with pw.x 6.7 for this test."""

RYDBERG, BOHR = 13.605693122994, 0.529177210903
"""eV, Å; CODATA 2018."""

PULAY = 1e-3
"""eV/Å³. What a finite cutoff may leave of the identity; a wrong sign or unit would leave 0.1 or more."""


def imported(path: Path) -> Import:
    return import_frames([path], ImportConfig(bulk=True))


def reasons(content: FileContent) -> list[str]:
    return [refusal.reason for refusal in content.refused]


def numbers(pattern: str, text: str) -> np.ndarray[Any, Any]:
    return np.array([[float(number) for number in match.groups()] for match in re.finditer(pattern, text)])


def test_quantum_espresso() -> None:
    text = PWO.read_text()
    (frame,) = imported(PWO).frames
    labels = get_labels(frame)
    ((energy,),) = numbers(r"!\s+total energy\s+=\s+(-[\d.]+) Ry", text)
    forces = numbers(r"atom +\d+ type +1   force =\s+(\S+)\s+(\S+)\s+(\S+)", text)
    assert labels.energy == pytest.approx(energy * RYDBERG, rel=2e-7)  # ASE has the Ry of CODATA 2006
    np.testing.assert_allclose(labels.forces, forces * RYDBERG / BOHR, atol=1e-5)
    assert np.abs(forces).max() > 0.05
    assert labels.stress is not None
    ((p,),) = numbers(r"P=\s+([\d.]+)", text)
    assert np.trace(labels.stress) / 3 == pytest.approx(-p / 1602.1766, abs=1e-5)  # tension positive
    assert abs(slab_virial_residual(frame, forces=labels.forces, stress=labels.stress)) < PULAY
    assert abs(labels.stress[2, 2]) > 20 * PULAY
    assert frame.info["dft_cutoff"] == pytest.approx(90 * RYDBERG)
    assert frame.info["dft_xc"] == "PBE"


def test_quantum_espresso_cut_or_unconverged(tmp_path: Path) -> None:
    text = PWO.read_text()
    cut = tmp_path / "cut.pwo"
    cut.write_text(text[: text.index("Computing stress")])
    assert any(TRUNCATED in reason for reason in reasons(read_espresso(cut)))
    loose = tmp_path / "loose.pwo"
    loose.write_text(text.replace("convergence has been achieved in", "convergence NOT achieved after"))
    assert reasons(read_espresso(loose)) == [UNCONVERGED]


def with_results(frame: Atoms, **results: Any) -> Atoms:
    atoms = Atoms(frame.numbers, positions=frame.positions, cell=frame.cell, pbc=True)
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


@pytest.mark.parametrize("kind", ["frames.db", "frames.traj"])
def test_ase_files(tmp_path: Path, frames: list[Atoms], kind: str) -> None:
    expected = [frame for frame in frames if len(frame) == 3][:3]
    labels = [get_labels(frame) for frame in expected]
    whole = [
        with_results(f, energy=x.energy, forces=x.forces, stress=x.stress)
        for f, x in zip(expected, labels, strict=True)
    ]
    bare = with_results(expected[0], energy=-1.0)
    pinned = with_results(expected[1], energy=-1.0, forces=np.array([[0.0, 0, 0], [0, 0, 1], [0, 0, -1]]))
    pinned.set_constraint(FixAtoms([0]))
    path = tmp_path / kind
    if kind.endswith("db"):
        with connect(path) as database:
            for atoms in (*whole, bare, pinned):
                database.write(atoms)
    else:
        with Trajectory(path, "w") as trajectory:
            for atoms in (*whole, bare, pinned):
                trajectory.write(atoms)
    result = imported(path)
    assert len(result.frames) == 3
    for frame, label in zip(result.frames, labels, strict=True):
        read = get_labels(frame)
        assert read.energy == pytest.approx(label.energy)
        np.testing.assert_allclose(read.forces, label.forces, atol=1e-9)
        assert read.stress is not None
        assert label.stress is not None
        np.testing.assert_allclose(read.stress, label.stress, atol=1e-9)
    refusals = reasons(read_ase(path))
    assert refusals[0] == NO_FORCES
    assert "constraints" in refusals[1]


@pytest.mark.parametrize("layout", ["0.2", "1.0"])
def test_casm(tmp_path: Path, frames: list[Atoms], layout: str) -> None:
    frame = next(f for f in frames if len(f) == 3)
    labels = get_labels(frame)
    lattice = frame.cell.array.tolist()
    old = {
        "atom_type": ["W", "Se"],
        "atoms_per_type": [1, 2],
        "coord_mode": "direct",
        "relaxed_lattice": lattice,
        "relaxed_basis": frame.get_scaled_positions().tolist(),
        "relaxed_energy": labels.energy,
        "relaxed_forces": labels.forces.tolist(),
    }
    new = {
        "atom_type": ["W", "Se", "Se"],
        "coordinate_mode": "Cartesian",
        "lattice_vectors": lattice,
        "atom_coords": frame.positions.tolist(),
        "global_properties": {"energy": {"value": labels.energy}},
        "atom_properties": {"force": {"value": labels.forces.tolist()}},
    }
    assert frame.get_chemical_symbols() == ["W", "Se", "Se"]
    path = tmp_path / "properties.calc.json"
    content: dict[str, Any] = old if layout == "0.2" else new
    path.write_text(json.dumps(content))
    (read,) = imported(tmp_path).frames
    assert get_labels(read).energy == pytest.approx(labels.energy)
    np.testing.assert_allclose(get_labels(read).forces, labels.forces, atol=1e-9)
    np.testing.assert_allclose(read.get_all_distances(mic=True), frame.get_all_distances(mic=True), atol=1e-6)
    content.pop("relaxed_forces", None)
    content.pop("atom_properties", None)
    path.write_text(json.dumps(content))
    assert reasons(read_casm(path)) == [NO_FORCES]
    path.write_text(json.dumps(content)[:40])
    assert "not a CASM calculation" in reasons(read_casm(path))[0]


@pytest.mark.slow
def test_gpw(tmp_path: Path) -> None:
    """A file that GPAW itself wrote, against what GPAW said."""
    gpaw = pytest.importorskip("gpaw")
    from flatforce.structures.prototypes import monolayer

    sheet = monolayer(("C", "C"), prototype="honeycomb", a=2.46)
    sheet.positions[0, 0] += 0.05
    sheet.set_cell([*sheet.cell.array[:2], [0, 0, 7]])
    sheet.calc = gpaw.GPAW(mode=gpaw.PW(200), kpts=(2, 2, 1), txt=None, symmetry="off")
    energy, forces = sheet.get_potential_energy(force_consistent=True), sheet.get_forces()
    sheet.calc.write(str(tmp_path / "c.gpw"))
    (frame,) = imported(tmp_path / "c.gpw").frames
    assert get_labels(frame).energy == pytest.approx(energy, abs=1e-6)
    np.testing.assert_allclose(get_labels(frame).forces, forces, atol=1e-6)
    assert np.abs(forces).max() > 0.5
    assert frame.info["dft_code"] == "gpaw"


def old_gpaw_log(frames: list[Atoms], *, converged: list[bool]) -> str:
    """The layout of GPAW 21, as ASE's own test of its reader has it."""
    text = "\n  ___ ___ ___ _ _ _\n |   |   |_  | | | |\n | | | | | . | | | |\n |__ |  _|___|_____|  21.1.0\n |___|_|\n\n"
    text += "XC parameters: PBE with 2 nearest neighbor stencil\nPlane-wave cutoff: 400.000 eV\n"
    for frame, is_converged in zip(frames, converged, strict=True):
        labels = get_labels(frame)
        assert labels.stress is not None
        text += "\nReference energy: -26313.685229\n\nPositions:\n"
        for k, (symbol, (x, y, z)) in enumerate(
            zip(frame.get_chemical_symbols(), frame.positions, strict=True)
        ):
            text += f"{k:4d} {symbol:2s} {x:12.6f} {y:12.6f} {z:12.6f}    ( 0.0000,  0.0000,  0.0000)\n"
        text += "\nUnit cell:\n           periodic     x           y           z      points  spacing\n"
        for k, row in enumerate(frame.cell.array):
            text += f"  {k + 1}. axis:    yes {' '.join(f'{x:11.6f}' for x in row)}    21     0.1929\n"
        text += "\nConverged after 14 iterations.\n" if is_converged else "\nDid not converge!\n"
        text += "\nEnergy contributions relative to reference atoms: (reference = -26313.685229)\n\n"
        text += (
            f"Kinetic:        +23.028630\nEntropy (-ST):   -0.381921\nFree energy:  {labels.energy:12.6f}\n"
        )
        text += f"Extrapolated: {labels.energy + 0.19:12.6f}\n\nForces in eV/Ang:\n"
        for k, (symbol, (x, y, z)) in enumerate(
            zip(frame.get_chemical_symbols(), labels.forces, strict=True)
        ):
            text += f"{k:4d} {symbol:2s} {x:10.5f} {y:10.5f} {z:10.5f}\n"
        text += "\nStress tensor:\n"
        text += "".join(" ".join(f"{x:13.6f}" for x in row) + "\n" for row in labels.stress) + "\n"
    return text


def test_gpaw_before_version_25(tmp_path: Path, frames: list[Atoms]) -> None:
    written = [frame for frame in frames if len(frame) == 3][:4]
    path = tmp_path / "relax.txt"
    path.write_text(old_gpaw_log(written, converged=[True, True, False, True]))
    result = imported(path)
    assert [refusal.reason for refusal in result.refused] == [UNCONVERGED]
    assert result.frames[0].info["dft_xc"] == "PBE"
    assert result.frames[0].info["dft_cutoff"] == pytest.approx(400)
    for frame, original in zip(result.frames, [written[0], written[1], written[3]], strict=True):
        labels, expected = get_labels(frame), get_labels(original)
        assert labels.energy == pytest.approx(expected.energy, abs=1e-6)  # the free energy
        np.testing.assert_allclose(labels.forces, expected.forces, atol=1e-5)
        assert labels.stress is not None
        assert expected.stress is not None
        np.testing.assert_allclose(labels.stress, expected.stress, atol=2e-6)
