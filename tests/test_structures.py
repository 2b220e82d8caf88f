"""Sheets, strain, symmetry, defects."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from ase import Atoms

from flatforce.core.errors import GeometryError
from flatforce.structures.defect_notation import parse_defect
from flatforce.structures.defect_sites import distinct_sites
from flatforce.structures.defects import build_defect
from flatforce.structures.prototypes import monolayer
from flatforce.structures.sheet import as_slab, membrane_stress, slab_virial_residual, unwrapped_heights
from flatforce.structures.strain import apply_strain, rattle_positions
from flatforce.structures.symmetry import (
    RELAXED_SYMPREC,
    centre_on_symmetric_site,
    find_symmetry,
    symmetrise,
    symmetry_dataset,
)


def test_sheet_cut_by_the_boundary_is_made_whole(unit: Atoms) -> None:
    cut = unit.copy()
    cut.positions[:, 2] -= 7.0
    cut.wrap()
    assert np.ptp(cut.positions[:, 2]) > 10
    assert np.ptp(unwrapped_heights(cut)) == pytest.approx(3.3597)
    slab = as_slab(cut, gap=12.0)
    assert slab.cell[2, 2] == pytest.approx(15.3597)
    np.testing.assert_allclose(slab.get_all_distances(mic=True), unit.get_all_distances(mic=True), atol=1e-9)


@pytest.mark.parametrize("change", ["tilted", "flat", "nan", "empty"])
def test_a_structure_that_is_not_a_sheet_is_refused(unit: Atoms, change: str) -> None:
    bad = unit.copy()
    if change == "tilted":
        bad.cell[2, 0] = 0.5
    elif change == "flat":
        bad.cell[1] = bad.cell[0]
    elif change == "nan":
        bad.positions[0, 0] = np.nan
    else:
        bad = bad[:0]
    with pytest.raises(GeometryError):
        as_slab(bad, gap=10.0)


def test_membrane_stress_does_not_depend_on_the_vacuum() -> None:
    stress = np.diag([0.02, 0.01, 0.5])
    short = membrane_stress(stress, height=10.0)
    tall = membrane_stress(stress / 2, height=20.0)
    np.testing.assert_allclose(short, tall)
    assert short[0, 0] == pytest.approx(0.2 * 16.0218, rel=1e-5)


def test_every_bundled_label_obeys_the_slab_virial_identity(frames: list[Atoms]) -> None:
    """The Pulay stress was removed with this identity; a wrong sign or unit would violate it."""
    for frame in frames:
        stress = np.asarray(frame.info["REF_stress"]).reshape(3, 3)
        forces = frame.arrays["REF_forces"]
        residual = slab_virial_residual(frame, forces=forces, stress=stress)
        # only a net force times the height of the origin may remain; 1e-7 for the digits of the file
        net = abs(forces[:, 2].sum() * frame.positions[:, 2].mean()) / frame.get_volume()
        assert abs(residual) < net + 1e-7
    assert max(abs(np.asarray(f.info["REF_stress"])[8]) for f in frames) > 2e-3


def test_symmetry_of_wse2_and_of_a_vacancy(unit: Atoms) -> None:
    assert find_symmetry(unit).international == "P-6m2"
    cell = build_defect(unit, (3, 3), "v_Se").atoms
    assert find_symmetry(cell).point_group == "3m"


def test_symmetrising_undoes_a_small_rattle(unit: Atoms, rng: np.random.Generator) -> None:
    cell = build_defect(unit, (3, 3), "v_Se").atoms
    shaken = apply_strain(rattle_positions(cell, amplitude=0.003, rng=rng), xx=1e-4)
    assert len(find_symmetry(shaken).rotations) == 1
    symmetrised = symmetrise(shaken, find_symmetry(shaken, symprec=RELAXED_SYMPREC))
    assert len(find_symmetry(symmetrised, symprec=1e-6).rotations) == 6
    assert np.abs(symmetrised.positions - shaken.positions).max() < 0.02
    lengths = symmetrised.cell.lengths()
    assert lengths[0] == pytest.approx(lengths[1], abs=1e-10)


def test_distinct_sites_of_wse2(unit: Atoms) -> None:
    sites = [(site.symbol, site.side, site.multiplicity) for site in distinct_sites(unit)]
    assert sites == [("W", "middle", 1), ("Se", "top", 2)]


@pytest.mark.parametrize(
    ("defect", "formula", "vacant"),
    [
        ("v_Se", "Se17W9", 1),
        ("v_Se:top+v_Se:bottom~1", "Se16W9", 2),
        ("v_W", "Se18W8", 1),
        ("W@Se", "Se17W10", 0),
        ("S@Se:bottom+Mo@W~1", "MoSSe17W8", 0),
        ("ad_Se@W:top", "Se19W9", 0),
        ("v_Se#4", "Se17W9", 1),
    ],
)
def test_defects(unit: Atoms, defect: str, formula: str, vacant: int) -> None:
    made = build_defect(unit, (3, 3), defect)
    assert made.atoms.get_chemical_formula() == formula
    assert len(made.vacant) == vacant
    matched = made.site_of >= 0
    same_place = made.pristine.positions[made.site_of[matched]]
    np.testing.assert_allclose(made.atoms.positions[matched], same_place)
    distances = made.atoms.get_all_distances(mic=True)[np.triu_indices(len(made.atoms), 1)]
    assert distances.min() > 1.9


def test_a_column_vacancy_takes_both_atoms_of_one_column(unit: Atoms) -> None:
    made = build_defect(unit, (4, 4), "v_Se:top+v_Se:bottom~1")
    gone = made.pristine.positions[made.vacant]
    np.testing.assert_allclose(gone[0, :2], gone[1, :2])


@pytest.mark.parametrize("text", ["SeW", "v_Xx", "v_Mo", "v_Se#0", "ad_Se", "v_Se:left"])
def test_impossible_defects_are_refused(unit: Atoms, text: str) -> None:
    with pytest.raises(GeometryError):
        build_defect(unit, (3, 3), text)
    assert len(parse_defect("v_Se+v_Se")) == 2
    for name in ("v_Se", "S@Se#12", "v_Se:top#3", "ad_Se@W:top"):
        assert str(parse_defect(name)[0]) == name


def test_prototypes_are_hexagonal() -> None:
    for name in ("2H", "1T", "honeycomb"):
        sheet = monolayer(("Mo", "S"), prototype=name, a=3.2, thickness=3.1)
        assert sheet.cell.angles()[2] == pytest.approx(120)
    with pytest.raises(GeometryError, match="is unknown"):
        monolayer(("Mo", "S"), prototype="3R", a=3.2)


def test_strain_changes_the_area_by_its_amount(unit: Atoms) -> None:
    areas = [np.linalg.det(apply_strain(unit, xx=e, yy=e).cell.array[:2, :2]) for e in (0.0, 0.01, 0.02)]
    for e, (small, large) in zip((0.0, 0.01), pairwise(areas), strict=True):
        assert large / small == pytest.approx(((1.01 + e) / (1 + e)) ** 2)


def test_symmetry_operations_of_a_centred_sheet_fix_its_origin(unit: Atoms) -> None:
    cell = unit.repeat((3, 3, 1))
    del cell[4 * 3 + 1]  # a Se atom away from the origin; its mirror image across the plane stays
    assert not (find_symmetry(cell).translations == 0).all()
    centred = centre_on_symmetric_site(cell)
    assert np.abs(find_symmetry(centred).translations).max() < 1e-6
    assert np.allclose(centred.get_all_distances(mic=True), cell.get_all_distances(mic=True))


def test_intended_strain_breaks_the_symmetry(unit: Atoms) -> None:
    stretched = apply_strain(unit, xx=0.004)
    assert len(find_symmetry(stretched, symprec=RELAXED_SYMPREC).rotations) < len(
        find_symmetry(unit).rotations
    )
    noisy = apply_strain(unit, xx=1e-4)
    assert len(find_symmetry(noisy, symprec=RELAXED_SYMPREC).rotations) == len(find_symmetry(unit).rotations)


def test_substitution_brings_its_own_mass(unit: Atoms) -> None:
    unit.set_masses([200.0, 80.0, 80.0])
    made = build_defect(unit, (2, 2), "Se@W+ad_W@Se:top~1")
    masses = dict(zip(made.site_of.tolist(), made.atoms.get_masses(), strict=True))
    changed = [
        i for i in masses if i >= 0 and made.pristine.symbols[i] != made.atoms[list(masses).index(i)].symbol
    ]
    assert [masses[i] for i in changed] == pytest.approx([78.971])
    assert made.atoms.get_masses()[-1] == pytest.approx(183.84)


def test_coincident_atoms_have_no_symmetry_whatever_was_imported_before() -> None:
    """spglib returns None or raises, by a switch that phonopy sets for the whole process."""
    atoms = Atoms("Se2", positions=[[0, 0, 7], [0, 0, 7]], cell=[3, 3, 14], pbc=True)
    assert symmetry_dataset(atoms) is None
    with pytest.raises(GeometryError, match="no symmetry"):
        find_symmetry(atoms)


def test_a_species_too_large_for_its_site_is_refused_as_every_calculation_would() -> None:
    sheet = monolayer(("C", "C"), prototype="honeycomb", a=2.46)
    build_defect(sheet, (4, 4), "K_C")
    with pytest.raises(GeometryError, match="Cs"):
        build_defect(sheet, (4, 4), "Cs_C")
