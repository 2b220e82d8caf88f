"""Formation energies and energies above the convex hull, by hand and against pymatgen."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms

from flatforce.properties.screening.hull import (
    compositions_of,
    energies_above_hull,
    energies_from_ends,
    formation_energies,
    line_coordinates,
)

EXACT = 1e-9
"""eV/atom, error of a linear program whose result is made exact."""


def of_formulas(*formulas: str) -> tuple[np.ndarray, list[str]]:
    structures = [Atoms(formula) for formula in formulas]
    elements = sorted({symbol for atoms in structures for symbol in atoms.symbols})
    return compositions_of(structures, elements), elements


def test_a_binary_by_hand() -> None:
    compositions, elements = of_formulas("W", "Se", "WSe2", "WSe", "WSe2", "W3Se")
    assert elements == ["Se", "W"]
    energies = np.array([-8.0, -3.0, -5.0, -5.3, -4.9, -7.0])
    formation = formation_energies(compositions, energies, np.array([-3.0, -8.0]))
    # WSe2: −5 − (−8 − 6)/3; WSe: −5.3 − (−11)/2; W3Se: −7 − (−24 − 3)/4
    expected = [0, 0, -1 / 3, 0.2, -4.9 + 14 / 3, -0.25]
    assert formation == pytest.approx(expected, abs=EXACT)
    above = energies_above_hull(compositions, energies, count=6)
    # hull: Se, WSe2 (x_W = 1/3, −1/3), W3Se (3/4, −0.25), W; at x_W = 1/2 it is −1/3 + (1/6)/(5/12)/12 = −0.3
    assert above == pytest.approx([0, 0, 0, 0.5, 0.1, 0], abs=EXACT)


def test_a_ternary_by_hand() -> None:
    compositions, _ = of_formulas("Mo", "W", "Se", "MoSe2", "WSe2", "MoWSe4", "MoWSe2")
    zero = [0.0, 0.0, 0.0]
    energies = np.array([*zero, -0.6, -0.9, -0.74, -0.2])
    above = energies_above_hull(compositions, energies, count=7)
    # MoWSe4 is MoSe2 + WSe2: −0.75; MoWSe2 is (W + Mo + 2 Se)/4 → 3/4 WSe2 + 1/4 Mo: −0.675
    assert above == pytest.approx([0, 0, 0, 0, 0, 0.01, 0.475], abs=EXACT)


def test_without_elements_polymorphs_and_mixtures_compete_and_the_rest_has_no_hull() -> None:
    compositions, _ = of_formulas("MoSe2", "WSe2", "MoWSe4", "WSe2", "WSe3")
    energies = np.array([-5.0, -6.0, -5.4, -5.9, -4.0])
    above = energies_above_hull(compositions, energies, count=5)
    assert above[2:4] == pytest.approx([0.1, 0.1], abs=EXACT)
    assert above[1] == 0
    assert above[0] == 0  # nothing else is made of Mo and Se alone, but the alloy competes with it
    assert np.isnan(above[4])  # nothing else has as much Se


def test_a_phase_that_is_not_asked_for_competes() -> None:
    compositions, _ = of_formulas("WSe2", "WSe2")
    assert energies_above_hull(compositions, np.array([-5.0, -5.2]), count=1) == pytest.approx([0.2])


def test_it_agrees_with_phase_diagrams_of_pymatgen() -> None:
    diagrams = pytest.importorskip("pymatgen.analysis.phase_diagram")
    from pymatgen.core import Composition

    rng = np.random.default_rng(20261128)
    formulas = ["Mo", "W", "Se", "S"]
    for _ in range(60):
        counts = rng.integers(0, 4, size=4)
        counts[rng.integers(0, 4)] += 1
        formulas.append("".join(f"{s}{n}" for s, n in zip(("Mo", "W", "Se", "S"), counts, strict=True) if n))
    compositions, elements = of_formulas(*formulas)
    energies = rng.normal(scale=0.3, size=len(formulas)) - 6.0
    entries = [
        diagrams.PDEntry(Composition(formula), energy * Composition(formula).num_atoms)
        for formula, energy in zip(formulas, energies, strict=True)
    ]
    diagram = diagrams.PhaseDiagram(entries)
    expected = [diagram.get_e_above_hull(entry) for entry in entries]
    assert sum(value > 0.01 for value in expected) > 30
    assert energies_above_hull(compositions, energies, count=len(formulas)) == pytest.approx(
        expected, abs=1e-7
    )
    elemental = np.array([energies[formulas.index(element)] for element in elements])
    formation = [diagram.get_form_energy_per_atom(entry) for entry in entries]
    # pymatgen takes the lowest entry of an element
    for k, element in enumerate(elements):
        elemental[k] = energies[compositions[:, k] == 1].min()
        assert element in formulas
    assert formation_energies(compositions, energies, elemental) == pytest.approx(formation, abs=1e-9)


def test_compositions_on_a_line() -> None:
    compositions, _ = of_formulas("MoSe2", "MoWSe4", "WSe2", "Mo3WSe8")
    coordinates = line_coordinates(compositions)
    assert coordinates is not None
    ends = sorted(coordinates[[0, 2]])
    assert ends == pytest.approx([0, 1])
    assert abs(coordinates[1] - coordinates[0]) == pytest.approx(0.5)
    assert abs(coordinates[3] - coordinates[0]) == pytest.approx(0.25)
    mixing = energies_from_ends(coordinates, np.array([-5.0, -5.6, -6.0, -5.2]))
    assert mixing == pytest.approx([0, -0.1, 0, 0.05])
    assert line_coordinates(of_formulas("MoSe2", "WSe2", "WS2")[0]) is None
    assert line_coordinates(of_formulas("WSe2", "WSe2")[0]) is None
