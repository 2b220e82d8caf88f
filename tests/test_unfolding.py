"""Unfolded bands: the pristine ones where nothing is missing, and a sum rule where something is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from typer.testing import CliRunner

from flatforce.cli import app
from flatforce.core.results import read_arrays, read_record
from flatforce.core.units import FREQUENCY_FACTOR
from flatforce.properties.phonons.config import UnfoldConfig
from flatforce.properties.phonons.defects.dilute_limit import dilute_limit
from flatforce.properties.phonons.spectra.modes import gaussian_dos
from flatforce.properties.phonons.spectra.unfolding import UnfoldedBands, unfold_bands
from springs import embedded_springs, saved_embedding

BROADENING = 0.2
"""THz."""


def along_path(unit: Atoms, defect: str) -> UnfoldedBands:
    made = embedded_springs(unit, 6, defect)
    config = UnfoldConfig(broadening=BROADENING, points=40)
    return unfold_bands(made.force_constants, made.cell, made.host, config)


def test_of_a_pristine_supercell_it_is_the_bands(unit: Atoms) -> None:
    found = along_path(unit, "Se@Se:top")
    assert found.labels == ["Γ", "M", "K", "Γ"]
    assert len(found.points) == 3 + 1 + 2 + 1  # Γ–M in thirds, M–K at once, K–Γ in halves, Γ again
    corners = np.array([[0, 0], [0.5, 0], [1 / 3, 1 / 3], [0, 0]])
    assert found.points[[0, 3, 4, 6]] == pytest.approx(corners)
    for weight, bands in zip(found.weight, found.bands, strict=True):
        wanted = gaussian_dos(bands[None], np.ones((1, 9)), found.frequency, BROADENING)
        assert np.abs(weight - wanted).sum() / wanted.sum() < 1e-6


def test_a_vacancy_takes_its_share_at_every_k(unit: Atoms) -> None:
    made = embedded_springs(unit, 6, "v_Se:top")
    found = along_path(unit, "v_Se:top")
    step = found.frequency[1] - found.frequency[0]
    np.testing.assert_allclose(found.weight.sum(axis=1) * step, 9 * 107 / 108, rtol=1e-6)
    squares, vectors = np.linalg.eigh(made.force_constants.dynamical_matrix().toarray())
    frequencies = np.sqrt(np.abs(squares)) * FREQUENCY_FACTOR
    sites = made.cell.site_of
    phases = np.exp(2j * np.pi * (found.points[1] @ [sites // 3 // 6, sites // 3 % 6])) / 6
    overlap = np.zeros(len(frequencies))
    for kind in range(3):
        here = sites % 3 == kind
        part = np.einsum("i,iaj->aj", phases[here].conj(), vectors.reshape(107, 3, -1)[here])
        overlap += (np.abs(part) ** 2).sum(axis=0)
    wanted = gaussian_dos(frequencies[None], overlap[None], found.frequency, BROADENING)
    assert np.abs(found.weight[1] - wanted).sum() / wanted.sum() < 1e-3


def test_from_the_command_line(unit: Atoms, tmp_path: Path) -> None:
    from flatforce.properties.phonons.config import DiluteConfig
    from flatforce.studies.embedded_stages import dilute

    made = embedded_springs(unit, 7, "v_Se:top")
    folder = saved_embedding(made, 7, tmp_path / "embedded_7x7")
    words = ["defect", "unfold", str(folder), "-o", str(tmp_path / "unfolded")]
    assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0
    metrics = read_record(tmp_path / "unfolded")["metrics"]
    assert metrics["min_weight"] == pytest.approx(9 * 146 / 147, rel=1e-3)
    config = DiluteConfig(mesh=7)
    record = dilute(folder, config, tmp_path / "dilute")
    assert record["converged"]
    direct = dilute_limit(
        made.force_constants, made.cell, made.host, config, radii=[4.0, 6.0], broadening=0.3
    )
    np.testing.assert_allclose(read_arrays(tmp_path / "dilute")["shell_ldos"], direct.shell_ldos, atol=1e-9)
    page = CliRunner().invoke(app, ["report", str(tmp_path)], catch_exceptions=False)
    assert page.exit_code == 0
    for figure in ("dilute-limit", "unfolded-bands"):
        assert any(figure in path.name for path in tmp_path.rglob("*.png"))
