"""Error bars: modes followed by their vectors, not by their order."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import write
from typer.testing import CliRunner

from flatforce.cli import app
from flatforce.core.arrays import FloatArray
from flatforce.core.errors import DataError
from flatforce.core.hashing import hash_structure
from flatforce.core.results import read_arrays, read_record
from flatforce.core.trust import trust
from flatforce.models.spec import model_path
from flatforce.models.training.config import TrainConfig
from flatforce.models.training.data import load_data
from flatforce.models.training.member_data import write_split
from flatforce.properties.phonons.defects.committee_uncertainty import (
    compare_members,
    force_calibration_factor,
)
from flatforce.properties.phonons.defects.member_spectra import MemberSpectra
from flatforce.properties.phonons.defects.strain_series import compare_strains
from flatforce.studies.splits import without_training_frames

GRID = np.arange(0.0, 12.0, 0.02)
"""THz."""


def member(squares: FloatArray, vectors: FloatArray, sets: list[list[int]]) -> MemberSpectra:
    frequencies = np.sqrt(squares)
    dos = np.exp(-0.5 * ((GRID[:, None] - frequencies) / 0.1) ** 2).sum(axis=1) / (0.1 * np.sqrt(2 * np.pi))
    pair = np.array([dos, dos])
    return MemberSpectra(
        GRID,
        pair,
        pair,
        frequencies[None],
        np.array([frequencies[group].mean() for group in sets]),
        [vectors[:, group].T for group in sets],
    )


def test_modes_are_followed_where_they_cross(rng: np.random.Generator) -> None:
    """A degenerate pair and two singles that change places, the pair turned in its plane."""
    vectors = np.linalg.qr(rng.normal(size=(12, 4)))[0]
    shifts = np.array([[0.0, 0.0, 0.0, 0.0], [0.1, 0.1, 0.5, -0.5], [-0.1, -0.1, 0.1, 0.3]])
    members = []
    for shift in shifts:
        rotation = np.linalg.qr(rng.normal(size=(2, 2)))[0]
        rotated = np.concatenate([vectors[:, :2] @ rotation, vectors[:, 2:]], axis=1)
        frequencies = np.array([3.0, 3.0, 7.0, 7.4]) + shift
        order = np.argsort(frequencies[[0, 2, 3]])
        sets = [[[0, 1], [2], [3]][k] for k in order]
        members.append(member(frequencies**2, rotated, sets))
    assert members[1].set_frequency.tolist() == pytest.approx([3.1, 6.9, 7.5])
    spectra = compare_members(members, calibration_factor=2.0)
    deviations = [np.std(part, ddof=1) for part in ([3.0, 3.1, 2.9], [7.0, 7.5, 7.1], [7.4, 6.9, 7.7])]
    assert [mode.uncertainty for mode in spectra.modes] == pytest.approx(
        [2 * deviation for deviation in deviations]
    )
    assert [mode.n_members for mode in spectra.modes] == [3, 3, 3]
    assert spectra.metrics["ldos_uncertainty"] > 0
    np.testing.assert_allclose(spectra.bands[1, 0, :2], 2 * deviations[0])


def test_a_mode_of_one_member_has_no_uncertainty(rng: np.random.Generator) -> None:
    vectors = np.linalg.qr(rng.normal(size=(12, 4)))[0]
    squares = np.array([9.0, 16.0, 25.0, 36.0])
    first = member(squares, vectors, [[0], [1]])
    second = member(squares, vectors, [[2], [1]])
    spectra = compare_members([first, second])
    assert [mode.n_members for mode in spectra.modes] == [1, 2]
    assert np.isnan(spectra.modes[0].uncertainty)
    assert spectra.modes[1].uncertainty == 0


def test_calibration_factor_is_error_over_deviation(rng: np.random.Generator) -> None:
    deviations = rng.uniform(0.5, 2.0, size=20000)
    errors = 3.0 * deviations * rng.normal(size=20000)
    assert force_calibration_factor(errors, deviations) == pytest.approx(3.0, rel=0.05)


def test_calibration_excludes_training_frames(frames: list[Atoms], tmp_path: Path) -> None:
    """By the splits that training leaves, and by that of the bundled model."""
    write(tmp_path / "data.extxyz", frames[:12], format="extxyz")
    config = TrainConfig(data=[str(tmp_path / "data.extxyz")], test_fraction=0.3)
    data = load_data(config)
    (tmp_path / "my.model").touch()
    write_split(tmp_path, config, data)
    test_hashes = {hash_structure(frame) for frame in data.test}
    bundled = json.loads(model_path("wse2-pbe").with_suffix(".split.json").read_text())
    assert len(bundled["train"]) + len(bundled["valid"]) + len(bundled["test"]) == len(frames)
    committee = f"committee:{tmp_path / 'my.model'},mace:wse2-pbe"
    remaining = {hash_structure(frame) for frame in without_training_frames(committee, frames)}
    known = {hash_structure(frame) for frame in data.train_valid}
    assert remaining == set(bundled["test"]) - known
    assert 0 < len(test_hashes) < 12
    with pytest.raises(DataError, match="Every frame"):
        without_training_frames(committee, data.train_valid)
    own = json.loads((tmp_path / "split.json").read_text())
    single = f"mace:{tmp_path / 'my.model'}"
    for n_models, n_validated in ((1, len(own["valid"])), (2, 0)):  # a second member may be trained on them
        write_split(tmp_path, config.model_copy(update={"n_models": n_models}), data)
        kept = without_training_frames(single, frames[:12], or_validated=False)
        assert len(kept) == len(test_hashes) + n_validated


def test_strain_follows_modes_from_the_least_strained(rng: np.random.Generator) -> None:
    vectors = np.linalg.qr(rng.normal(size=(12, 3)))[0]
    strains = np.array([-0.02, 0.0, 0.01])
    members = []
    for strain in strains:
        frequencies = np.array([4.0, 6.0, 6.3]) + strain * np.array([-10.0, 40.0, -10.0])
        order = np.argsort(frequencies)
        members.append(member(frequencies**2, vectors, [[int(k)] for k in order]))
    series = compare_strains(strains, members)
    assert series.reference == 1
    assert series.slopes == pytest.approx([-0.1, 0.4, -0.1])
    assert series.metrics["max_ldos_difference"] > 0.1
    np.testing.assert_allclose(series.overlap, 1)


@pytest.mark.slow
def test_strain_series_from_the_command_line(model_file: Path, unit: Atoms, tmp_path: Path) -> None:
    write(tmp_path / "unit.extxyz", unit, format="extxyz")
    (tmp_path / "c.yaml").write_text(
        "relaxation: {relax_cell: false, max_steps: 1}\nmesh: 4\npoints_per_segment: 2\nshells: [3.0]\n"
    )
    command = ["defect", "strain", str(model_file), str(tmp_path / "unit.extxyz"), "v_Se:top", "-s", "4", "4"]
    command += ["--strain", "0.0", "0.02", "--kind", "x", "-c", str(tmp_path / "c.yaml")]
    CliRunner().invoke(app, [*command, "-o", str(tmp_path / "out")], catch_exceptions=False)
    record, arrays = read_record(tmp_path / "out" / "strain"), read_arrays(tmp_path / "out" / "strain")
    names = [name for name in record["inputs"] if name.endswith("/defect")]
    cells = [read_arrays(tmp_path / "out" / name)["lattice"] for name in names]
    np.testing.assert_allclose(cells[1][:, 0], 1.02 * cells[0][:, 0], atol=1e-9)
    np.testing.assert_allclose(cells[1][:, 1], cells[0][:, 1], atol=1e-9)
    assert arrays["strain"].tolist() == [0.0, 0.02]
    assert record["metrics"]["max_ldos_difference"] > 0.01
    page = CliRunner().invoke(app, ["report", str(tmp_path / "out")], catch_exceptions=False)
    assert page.exit_code == 0
    assert any("strain-series" in path.name for path in (tmp_path / "out").rglob("*.png"))
    wider = unit.copy()
    wider.set_cell(wider.cell.array * [[1.01], [1.01], [1.0]], scale_atoms=True)
    write(tmp_path / "unit.extxyz", wider, format="extxyz")
    conflict = CliRunner().invoke(app, [*command, "-o", str(tmp_path / "out")])
    assert "input structure: another" in str(conflict.exception)
    refused = CliRunner().invoke(app, [*command, "--kind", "xz", "-o", str(tmp_path / "bad")])
    assert "no strain" in str(refused.exception)


@pytest.mark.slow
def test_from_the_command_line(model_file: Path, unit: Atoms, tmp_path: Path) -> None:
    import torch

    second_model = torch.load(model_file, weights_only=False)
    second_model.scale_shift.scale *= 1.05
    torch.save(second_model, tmp_path / "other.model")
    trust(tmp_path / "other.model")
    write(tmp_path / "unit.extxyz", unit, format="extxyz")
    (tmp_path / "c.yaml").write_text(
        "relaxation: {relax_cell: false, max_steps: 1}\nmesh: 4\npoints_per_segment: 2\nshells: [3.0]\n"
    )
    command = ["defect", "phonons", f"committee:{model_file},{tmp_path / 'other.model'}"]
    command += [str(tmp_path / "unit.extxyz"), "v_Se:top", "--sizes", "4", "5", "--committee"]
    command += ["-c", str(tmp_path / "c.yaml"), "-o", str(tmp_path / "out")]
    CliRunner().invoke(app, command, catch_exceptions=False)
    modes = read_record(tmp_path / "out" / "finite_size")["details"]["modes"]
    assert {len(mode["participation_number"]) for mode in modes} == {2}
    record, arrays = read_record(tmp_path / "out" / "committee"), read_arrays(tmp_path / "out" / "committee")
    singles = [read_arrays(tmp_path / "out" / f"member_{k}" / "4x4") for k in (0, 1)]
    bands = np.array([arrays_of_member["bands"] for arrays_of_member in singles])
    np.testing.assert_allclose(arrays["bands"][1], bands.std(axis=0, ddof=1), atol=1e-12)
    assert bands.std(axis=0).max() > 0.01
    assert record["metrics"]["n_members"] == 2
    assert len(record["details"]["modes"]) == len(singles[0]["mode_frequencies"])
    page = CliRunner().invoke(app, ["report", str(tmp_path / "out")], catch_exceptions=False)
    assert page.exit_code == 0
    assert any("committee" in path.name for path in (tmp_path / "out").rglob("*.png"))
