"""The model that ships: PBE's lattice and phonons of WSe2, and the held-out errors that its card promises."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from flatforce.core.hashing import hash_structure
from flatforce.models import load
from flatforce.models.errors import compare, error_metrics
from flatforce.models.spec import model_path
from flatforce.properties.phonons.config import PhononConfig
from flatforce.properties.phonons.pristine import pristine_phonons
from flatforce.properties.relax import relax
from flatforce.properties.relax_config import RelaxConfig

PBE_LATTICE = 3.317
"""Å. Plane waves 450 eV, 12×12 k points, no spin–orbit coupling."""

PBE_GAMMA = (168.7, 168.7, 239.6, 239.6, 242.2, 300.1)
"""cm⁻¹, E″, E′, A1′, A2″ by finite displacements with the same settings; good to 1–2 cm⁻¹."""

LARGEST = {"vSe_3x3_small": 8.0}
"""meV/Å, of held-out forces that decide phonons; 20 of others."""


def test_lattice_and_phonons(unit: Atoms, tmp_path: Path) -> None:
    potential = load("mace:wse2-pbe")
    relaxed = relax(potential, unit, RelaxConfig(keep_symmetry=True))
    assert relaxed.converged
    assert relaxed.atoms.cell.lengths()[0] == pytest.approx(PBE_LATTICE, rel=3e-3)
    found = pristine_phonons(potential, relaxed.atoms, PhononConfig(mesh=12), scratch=tmp_path)
    gamma = [found.metrics[f"gamma_{k}"] for k in range(4, 10)]
    np.testing.assert_allclose(gamma, PBE_GAMMA, atol=4.0)
    assert found.min_frequency > -0.05
    assert found.za_exponent == pytest.approx(2, abs=0.02)


def test_card_says_what_the_held_out_frames_say(frames: list[Atoms]) -> None:
    path = model_path("wse2-pbe")
    card = json.loads(path.with_suffix(".card.json").read_text())
    split = json.loads(path.with_suffix(".split.json").read_text())
    held_out = [frame for frame in frames if hash_structure(frame) in split["test"]]
    assert len(held_out) == len(split["test"]) == card["n_test"] > 10
    potential = load("mace:wse2-pbe")
    errors = compare(held_out, potential.evaluate(held_out))
    for group, promised in card["test"]["config_type"].items():
        found = error_metrics(errors, group=group)
        assert found["force_mae"] == pytest.approx(promised["force_mae"], rel=1e-2)
        assert found["energy_mae"] < 2
        assert found["force_mae"] < LARGEST.get(group, 20.0)
    assert path.stat().st_size < 5e6
