"""Stackings of two sheets."""

from __future__ import annotations

import numpy as np
import pytest
import spglib
from ase import Atoms

import flatforce as ff
from flatforce.core.errors import GeometryError
from flatforce.structures.bilayers import Stacking
from flatforce.structures.sheet import thickness


def space_group(atoms: Atoms) -> int:
    found = spglib.get_symmetry_dataset((atoms.cell[:], atoms.get_scaled_positions(), atoms.numbers))
    assert found is not None
    return int(found.number)


def column(atoms: Atoms, index: int) -> str:
    """Symbols of the atoms that lie above or below one, upwards."""
    vectors = atoms.get_distances(index, range(len(atoms)), mic=True, vector=True)
    members = np.flatnonzero(np.linalg.norm(vectors[:, :2], axis=1) < 1e-6)
    return str(atoms[members[np.argsort(atoms.positions[members, 2])]].symbols)


@pytest.mark.parametrize(
    ("formula", "stacking", "group", "over_first"),
    [
        ("WSe2", "AA'", 164, "WSe2"),
        ("WSe2", "AB", 156, "W"),
        ("WSe2", "AA", 187, "W2"),
        ("BN", "AA'", 164, "BN"),
        ("BN", "AA", 187, "B2"),
        ("graphene", "AB", 164, "C"),
    ],
)
def test_stackings_have_their_symmetry(formula: str, stacking: Stacking, group: int, over_first: str) -> None:
    sheet = ff.monolayer(formula)
    pair = ff.bilayer(sheet, distance=6.4, stacking=stacking)
    n = len(sheet)
    assert space_group(pair) == group
    assert column(pair, 0) == over_first
    for layer in (pair[:n], pair[n:]):
        np.testing.assert_allclose(
            np.sort(layer.get_all_distances(mic=True), axis=None),
            np.sort(sheet.get_all_distances(mic=True), axis=None),
            atol=1e-9,
        )
    heights = pair.positions[:, 2]
    assert heights[n:].mean() - heights[:n].mean() == pytest.approx(6.4)
    np.testing.assert_allclose(pair.cell[:2], sheet.cell[:2])


def test_metals_lie_above_the_outer_species_of_the_other_layer() -> None:
    turned, shifted = (
        ff.bilayer(ff.monolayer("WSe2"), distance=6.5, stacking=stacking) for stacking in ("AA'", "AB")
    )
    assert (column(turned, 0), column(turned, 3)) == ("WSe2", "Se2W")
    assert (column(shifted, 0), column(shifted, 3)) == ("W", "Se2W")


@pytest.mark.parametrize("distance", [4.0, 15.0, 40.0])
def test_layers_far_apart_stay_apart(distance: float) -> None:
    pair = ff.bilayer(ff.monolayer("BN"), distance=distance)
    assert np.ptp(pair.positions[:, 2]) == pytest.approx(distance)
    assert thickness(pair) == pytest.approx(distance)  # the vacuum is the wider gap


def test_impossible_bilayers_are_refused() -> None:
    sheet = ff.monolayer("WSe2")
    for distance in (3.0, -6.5, float("nan")):
        with pytest.raises(GeometryError, match="cannot be stacked"):
            ff.bilayer(sheet, distance=distance)
    with pytest.raises(GeometryError, match="unknown"):
        ff.bilayer(sheet, distance=6.5, stacking="2H")  # type: ignore[arg-type]
    chain = Atoms("Cu", cell=[3, 3, 15], pbc=True)
    with pytest.raises(GeometryError, match="above one another"):
        ff.bilayer(chain, distance=5.0)
    assert len(ff.bilayer(chain, distance=2.5, stacking="AA")) == 2
