"""Polar sheets: the slope of the longitudinal optical branch, and nothing else near Γ."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import Atoms

from flatforce.core.arrays import FloatArray
from flatforce.core.errors import ConfigError
from flatforce.core.units import FREQUENCY_FACTOR
from flatforce.models import Potential
from flatforce.properties.phonons.config import PhononConfig, PolarConfig
from flatforce.properties.phonons.force_constants.finite_displacements import make_phonopy
from flatforce.properties.phonons.force_constants.polar import COULOMB, born_charges, polar_term
from flatforce.properties.phonons.phonopy_files import write_phonopy_files
from flatforce.properties.phonons.pristine import _polar_bands, pristine_phonons
from springs import springs

BORN = [np.diag([-1.2, -1.2, -0.2]), np.diag([0.6, 0.6, 0.1]), np.diag([0.6, 0.6, 0.1])]
"""e, of W and twice Se; the in-plane ones of WSe2 have this sign and size."""

R_EFF = 45.0
"""Å."""


def config() -> PolarConfig:
    return PolarConfig(born=[tensor.tolist() for tensor in BORN], screening_length=R_EFF)


def bands(unit: Atoms, q: FloatArray) -> FloatArray:
    """As `flatforce phonons` has them, of springs that are taken to hold the term at their supercell's wave vectors."""
    phonon = make_phonopy(unit, (5, 5))
    phonon.force_constants = springs(unit.repeat((5, 5, 1))).dense()[np.ix_(*[order(phonon, unit)] * 2)]
    frequencies = _polar_bands(phonon, q, config())
    return frequencies * np.abs(frequencies) / FREQUENCY_FACTOR**2


def squares(unit: Atoms, q: FloatArray, *, polar: bool) -> FloatArray:
    phonon = make_phonopy(unit, (5, 5))
    phonon.force_constants = springs(unit.repeat((5, 5, 1))).dense()[np.ix_(*[order(phonon, unit)] * 2)]
    matrices = np.asarray(phonon.run_qpoints(q, with_dynamical_matrices=True).dynamical_matrices)
    if polar:
        matrices = matrices + polar_term(q, unit, born_charges(config(), 3), R_EFF)
    return np.linalg.eigvalsh(matrices)


def order(phonon: object, unit: Atoms) -> list[int]:
    """Atoms of ASE's supercell in phonopy's order."""
    phonopy_positions = phonon.supercell.scaled_positions  # type: ignore[attr-defined]
    ase_positions = unit.repeat((5, 5, 1)).get_scaled_positions()
    offset = phonopy_positions[:, None] - ase_positions[None]
    offset -= np.round(offset)
    indices: list[int] = np.linalg.norm(offset, axis=-1).argmin(axis=1).tolist()
    assert len(set(indices)) == len(indices)
    return indices


def test_slope_of_the_longitudinal_branch(unit: Atoms) -> None:
    """ω² rises by S |q|, S = 2π e²/A (Σ Z²/m-weighted)² of the E′ mode; its partner and the others stay."""
    q = np.array([[1e-3, 0.0, 0.0], [2e-3, 0.0, 0.0]])
    length = 2 * np.pi * np.linalg.norm(q @ np.linalg.inv(unit.cell.array).T, axis=1)
    change = squares(unit, q, polar=True) - squares(unit, q, polar=False)
    raised = change.argmax(axis=1)
    masses = unit.get_masses()
    charge = np.array([tensor[0, 0] for tensor in BORN])
    # the E' mode: W against both Se, mass-weighted and normalised
    shape = np.array([-2 * masses[1] / masses[0], 1, 1]) * np.sqrt(masses)
    shape /= np.linalg.norm(shape)
    area = np.linalg.norm(np.cross(unit.cell[0], unit.cell[1]))
    expected = 2 * np.pi * COULOMB / area * (shape @ (charge / np.sqrt(masses))) ** 2
    slopes = change[[0, 1], raised] / length * (1 + R_EFF * length)
    assert slopes == pytest.approx([expected, expected], rel=2e-3)
    others = np.delete(change, int(raised[0]), axis=1)
    assert np.abs(others).max() < 1e-3 * change.max()
    assert np.abs(polar_term(np.zeros((1, 3)), unit, born_charges(config(), 3), R_EFF)).max() < 1e-6


def test_nothing_is_counted_twice(unit: Atoms) -> None:
    """At the supercell's wave vectors bands are those of its force constants; close to Γ the slope is the whole term's."""
    commensurate = np.array([[0.0, 0, 0], [0.2, 0, 0], [0.4, -0.2, 0], [0.6, 0.2, 0]])
    np.testing.assert_allclose(bands(unit, commensurate), squares(unit, commensurate, polar=False), atol=1e-9)
    near = np.array([[1e-4, 0.0, 0.0]])
    without = squares(unit, near, polar=False)
    rise, with_term = bands(unit, near) - without, squares(unit, near, polar=True) - without
    assert rise.max() == pytest.approx(with_term.max(), rel=2e-3)
    between = np.array([[0.1, 0.0, 0.0]])
    without = squares(unit, between, polar=False)
    assert (
        0
        < (bands(unit, between) - without).max()
        < 0.9 * (squares(unit, between, polar=True) - without).max()
    )


def test_it_is_periodic_and_hermitian(unit: Atoms) -> None:
    q = np.array([[0.3, 0.15, 0.0]])
    first_zone, next_zone = squares(unit, q, polar=True), squares(unit, q - [1, 0, 0], polar=True)
    np.testing.assert_allclose(first_zone, next_zone, rtol=1e-4)
    assert np.abs(first_zone - squares(unit, q, polar=False)).max() > 1e-4 * first_zone.max()
    term = polar_term(q, unit, born_charges(config(), 3), R_EFF)[0]
    np.testing.assert_allclose(term, term.conj().T, atol=1e-15)


def test_pristine_bands_include_the_dipole_term(potential: Potential, unit: Atoms, tmp_path: Path) -> None:
    bands = []
    for polar in (None, config()):
        settings = PhononConfig(supercell=(4, 4), mesh=4, points_per_segment=11, polar=polar)
        bands.append(pristine_phonons(potential, unit, settings, scratch=tmp_path).bands)
    np.testing.assert_allclose(bands[1][0], bands[0][0], atol=1e-4)  # Γ
    change = bands[1] ** 2 - bands[0] ** 2
    assert change[1:5].max() > 1e-3


def test_band_yaml_holds_the_bands_of_the_arrays(potential: Potential, unit: Atoms, tmp_path: Path) -> None:
    settings = PhononConfig(supercell=(4, 4), mesh=4, points_per_segment=11, polar=config())
    phonons = pristine_phonons(potential, unit, settings, scratch=tmp_path)
    write_phonopy_files(phonons.phonon, tmp_path / "out")
    content = yaml.safe_load((tmp_path / "out" / "band.yaml").read_text())
    written = np.array([[band["frequency"] for band in point["band"]] for point in content["phonon"]])
    np.testing.assert_allclose(written, phonons.bands, atol=1e-8)


def test_charges_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match="2 Born charges for 3"):
        born_charges(PolarConfig(born=config().born[:2], screening_length=1.0), 3)
    with pytest.raises(ConfigError, match="add up to"):
        born_charges(PolarConfig(born=[config().born[0]] * 3, screening_length=1.0), 3)
