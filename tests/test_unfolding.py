"""Unfolded bands: those of the pristine sheet without a defect, and a sum rule for a vacancy."""

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
    embedded = embedded_springs(unit, 6, defect)
    config = UnfoldConfig(broadening=BROADENING, points=40)
    return unfold_bands(embedded, config)


def test_unfolding_a_pristine_supercell_gives_its_bands(unit: Atoms) -> None:
    unfolded = along_path(unit, "Se@Se:top")
    assert unfolded.labels == ["Γ", "M", "K", "Γ"]
    assert len(unfolded.points) == 3 + 1 + 2 + 1  # Γ–M in thirds, M–K at once, K–Γ in halves, Γ again
    corners = np.array([[0, 0], [0.5, 0], [1 / 3, 1 / 3], [0, 0]])
    assert unfolded.points[[0, 3, 4, 6]] == pytest.approx(corners)
    for weight, bands in zip(unfolded.weight, unfolded.bands, strict=True):
        expected = gaussian_dos(bands[None], np.ones((1, 9)), unfolded.frequency, BROADENING)
        assert np.abs(weight - expected).sum() / expected.sum() < 1e-6


def test_a_vacancy_reduces_the_weight_at_every_k(unit: Atoms) -> None:
    embedded = embedded_springs(unit, 6, "v_Se:top")
    unfolded = along_path(unit, "v_Se:top")
    step = unfolded.frequency[1] - unfolded.frequency[0]
    np.testing.assert_allclose(unfolded.weight.sum(axis=1) * step, 9 * 107 / 108, rtol=1e-6)
    squares, vectors = np.linalg.eigh(embedded.force_constants.dynamical_matrix().toarray())
    frequencies = np.sqrt(np.abs(squares)) * FREQUENCY_FACTOR
    sites = embedded.cell.site_of
    phases = np.exp(2j * np.pi * (unfolded.points[1] @ [sites // 3 // 6, sites // 3 % 6])) / 6
    overlap = np.zeros(len(frequencies))
    for kind in range(3):
        sublattice = sites % 3 == kind
        projection = np.einsum(
            "i,iaj->aj", phases[sublattice].conj(), vectors.reshape(107, 3, -1)[sublattice]
        )
        overlap += (np.abs(projection) ** 2).sum(axis=0)
    expected = gaussian_dos(frequencies[None], overlap[None], unfolded.frequency, BROADENING)
    assert np.abs(unfolded.weight[1] - expected).sum() / expected.sum() < 1e-3


def test_from_the_command_line(unit: Atoms, tmp_path: Path) -> None:
    from flatforce.properties.phonons.config import DiluteConfig
    from flatforce.studies.embedded import DiluteStage
    from flatforce.studies.session import Session

    embedded = embedded_springs(unit, 7, "v_Se:top")
    folder = saved_embedding(embedded, 7, tmp_path / "embedded_7x7")
    command = ["defect", "unfold", str(folder), "-o", str(tmp_path / "unfolded")]
    assert CliRunner().invoke(app, command, catch_exceptions=False).exit_code == 0
    metrics = read_record(tmp_path / "unfolded")["metrics"]
    assert metrics["min_weight"] == pytest.approx(9 * 146 / 147, rel=1e-3)
    config = DiluteConfig(mesh=7)
    record = DiluteStage.of(folder, config).run(Session(), tmp_path / "dilute")
    assert record["converged"]
    direct = dilute_limit(embedded, config, radii=[4.0, 6.0], broadening=0.3)
    np.testing.assert_allclose(read_arrays(tmp_path / "dilute")["shell_ldos"], direct.shell_ldos, atol=1e-9)
    page = CliRunner().invoke(app, ["report", str(tmp_path)], catch_exceptions=False)
    assert page.exit_code == 0
    for figure in ("dilute-limit", "unfolded-bands"):
        assert any(figure in path.name for path in tmp_path.rglob("*.png"))
