"""Notation of defects: what cannot be misread, and what symmetry leaves open and is therefore refused."""

from __future__ import annotations

from itertools import combinations
from typing import Any, get_args

import numpy as np
import pytest
from ase import Atoms
from ase.geometry import get_distances
from hypothesis import given, settings
from hypothesis import strategies as st

from flatforce.core.errors import GeometryError
from flatforce.structures.defect_notation import (
    PointDefect,
    Side,
    canonical_name,
    check_transferable,
    folder_name,
    parse_defect,
)
from flatforce.structures.defect_sites import numbered_sites
from flatforce.structures.defects import build_defect, place_defect
from flatforce.structures.prototypes import monolayer
from flatforce.studies.session import Session

ELEMENTS = st.sampled_from(["V", "S", "Se", "W", "Mo", "N", "C", "Co", "O", "I", "Ac", "Sc"])
SIDES = st.sampled_from([None, *get_args(Side)])
PLACES: st.SearchStrategy[dict[str, int]] = st.one_of(
    st.just({}),
    st.integers(0, 500).map(lambda number: {"index": number}),
    st.integers(1, 9).map(lambda number: {"shell": number}),
)
VACANCIES = ["v_Se", "vac_Se", "V_Se", "VSe", "vSe", "Vac(Se)", "Vac_Se", "VAC_Se", "v(Se)"]


@st.composite
def point_defects(draw: st.DrawFn) -> PointDefect:
    kind = draw(st.sampled_from(["vacancy", "substitution", "adatom"]))
    site = draw(ELEMENTS)
    symbol = None if kind == "vacancy" else draw(ELEMENTS.filter(lambda symbol: symbol != site))
    return PointDefect(kind, site, symbol, draw(SIDES), **draw(PLACES))  # type: ignore[arg-type]


@pytest.fixture
def wse2() -> Atoms:
    return monolayer(("W", "Se"), prototype="2H", a=3.32, thickness=3.36)


@pytest.fixture
def janus() -> Atoms:
    sheet = monolayer(("W", "Se"), prototype="2H", a=3.25, thickness=3.25)
    sheet.symbols[2] = "S"
    return sheet


@given(st.lists(point_defects(), min_size=1, max_size=3))
def test_the_canonical_notation_is_read_back(parts: list[PointDefect]) -> None:
    notation = "+".join(map(str, parts))
    species = {part.site_symbol for part in parts}
    assert (
        parse_defect(notation, species=species) == parts
    )  # vanadium or not: the canonical form has one reading
    assert canonical_name(notation) == notation


@given(st.lists(point_defects(), min_size=1, max_size=2), st.lists(point_defects(), min_size=1, max_size=2))
def test_distinct_defects_have_distinct_folders(one: list[PointDefect], other: list[PointDefect]) -> None:
    first, second = ("+".join(map(str, parts)) for parts in (one, other))
    assert (folder_name(first).lower() == folder_name(second).lower()) == (first == second)
    assert folder_name(first).replace("_", "").isalnum()


def test_folders_of_spellings_that_look_alike() -> None:
    assert folder_name("V_Se:top") == folder_name("v_Se:top") == "v_Se_top"
    assert folder_name("V@Se:top") == "V_on_Se_top"


@pytest.mark.parametrize("notation", VACANCIES)
def test_every_spelling_of_a_vacancy_makes_the_same_structure(wse2: Atoms, notation: str) -> None:
    made, reference = (build_defect(wse2, (3, 3), name) for name in (notation, "v_Se"))
    assert made.name == "v_Se"
    assert made.atoms.info == reference.atoms.info
    assert made.atoms == reference.atoms
    assert made.atoms.get_chemical_formula() == "Se17W9"


@pytest.mark.parametrize("notation", ["V@Se", "V@Se:top", "V@Se#1"])
def test_vanadium_has_to_be_meant(wse2: Atoms, notation: str) -> None:
    assert build_defect(wse2, (3, 3), notation).atoms.get_chemical_formula() == "Se17VW9"


@pytest.mark.parametrize("suffix", ["", ":top", "#1"])
@pytest.mark.parametrize("spelling", ["V_Se", "VSe", "V(Se)"])
def test_in_a_sheet_with_vanadium_both_readings_are_offered(spelling: str, suffix: str) -> None:
    vse2 = monolayer(("V", "Se"), prototype="1T", a=3.33, thickness=3.15)
    with pytest.raises(GeometryError, match="two readings") as error:
        build_defect(vse2, (3, 3), spelling + suffix)
    assert f"v_Se{suffix} for a Se vacancy" in error.value.fix
    assert f"V@Se{suffix} for vanadium" in error.value.fix
    formulas = {
        name: build_defect(vse2, (3, 3), name + suffix).atoms.get_chemical_formula()
        for name in ("v_Se", "vac_Se", "Vac(Se)", "V@Se")
    }
    assert formulas == {"v_Se": "Se17V9", "vac_Se": "Se17V9", "Vac(Se)": "Se17V9", "V@Se": "Se17V10"}


def test_vanadium_in_the_defect_makes_a_capital_v_ambiguous(wse2: Atoms) -> None:
    with pytest.raises(GeometryError, match="two readings"):
        build_defect(wse2, (4, 4), "V@W+V_Se~1")
    assert build_defect(wse2, (4, 4), "V@W+v_Se~1").atoms.get_chemical_formula() == "Se31VW15"


@pytest.mark.parametrize(
    ("notation", "suggestions"),
    [
        ("v_se", ["v_Se"]),
        ("Vs", ["v_S"]),
        ("V_{Se}:top", ["v_Se:top"]),
        ("SSe#3", ["S@Se#3"]),
        ("mo_w", ["Mo@W"]),
        ("v_CO", ["v_Co"]),
        ("ad_se@w", ["ad_Se@W"]),
        ("i_Se", ["ad_Se@W", "I@Se"]),
        ("Int(Se)", ["ad_Se@W"]),
        ("Se_i", ["ad_Se@W", "Se@I"]),
        ("v_Se+", ["v_Se"]),
        ("v_Se:left", ["v_Se:top"]),
        ("v_Se:up#3", ["v_Se:top#3"]),
        ("v_Se~0", ["~1"]),
        ("v_Se#1~2", ["~1"]),
        ("V_Se+2", ["V_Se"]),
        ("v_Xx", ["v_Se"]),
        ("", ["v_Se"]),
    ],
)
def test_what_cannot_be_read_is_answered_with_what_can(notation: str, suggestions: list[str]) -> None:
    with pytest.raises(GeometryError) as error:
        parse_defect(notation)
    for suggestion in suggestions:
        assert suggestion in error.value.fix


@pytest.mark.parametrize(
    ("notation", "reading"),
    [
        ("V_Se^0", "v_Se"),
        ("V_Se^{-1}", "v_Se"),
        ("V_Se-", "v_Se"),
        ("$V_\\mathrm{Se}$", "v_Se"),
        ("v-Se", "v_Se"),
        ("Va_Se", "v_Se"),
        ("selenium vacancy", "v_Se"),
        ("Se_v", "v_Se"),
        ("V_Se_top", "v_Se:top"),
        ("2V_Se", "v_Se+v_Se"),
        ("V_Se2", "v_Se+v_Se"),
        ("VSe2", "v_Se+v_Se"),
        ("V_SeV_W", "v_Se+v_W"),
        ("V_W,Mo_W", "v_W+Mo@W"),
        ("V_WSe3", "v_W+v_Se+v_Se+v_Se"),
        ("V_SeS_Se", "v_Se+S@Se"),
        ("VSeSSe", "v_Se+S@Se"),
        ("Mo on a W site", "Mo@W"),
        ("ad_Se", "ad_Se@W"),
        ("adSe@W", "ad_Se@W"),
        ("Se_ad", "ad_Se@W"),
    ],
)
def test_spellings_of_papers_are_answered_with_a_notation_that_builds_or_lists(
    wse2: Atoms, notation: str, reading: str
) -> None:
    with pytest.raises(GeometryError) as error:
        build_defect(wse2, (4, 4), notation)
    offered = error.value.fix.removeprefix("write ").split(" or ")
    assert reading in offered
    for name in offered:
        if "+" not in name:
            assert build_defect(wse2, (4, 4), name).name == name
            continue
        with pytest.raises(GeometryError, match="not determined"):
            build_defect(wse2, (4, 4), name)


def test_only_sites_of_the_sheet_are_offered() -> None:
    sheet = monolayer(("B", "N"), prototype="honeycomb", a=2.5)
    for notation in ("junk", "i_B", "ad_C", "V_B:left", "VNCB", ""):
        with pytest.raises(GeometryError) as error:
            build_defect(sheet, (3, 3), notation)
        assert "W" not in error.value.fix
        assert "Se" not in error.value.fix
        if notation == "VNCB":
            assert error.value.fix == "write v_N+C@B"


@pytest.mark.parametrize("notation", ["Se@Se", "W_W:middle", "Se_Se#1", "X@Se", "v_X", "I_Se", "I_Se:top"])
def test_what_changes_nothing_or_may_be_an_interstitial_is_not_built(wse2: Atoms, notation: str) -> None:
    with pytest.raises(GeometryError, match=r"changes nothing|no chemical element|two readings"):
        canonical_name(notation, species={"W", "Se"})
    assert build_defect(wse2, (3, 3), "I@Se").atoms.get_chemical_formula() == "ISe17W9"


@pytest.mark.parametrize("supercell", [(0, 4), (4, -1), (4,), (4, 4, 1), "44", 4, (4.5, 4), ("4", "4")])
def test_a_supercell_is_two_positive_numbers(wse2: Atoms, supercell: Any) -> None:
    with pytest.raises(GeometryError, match="impossible"):
        build_defect(wse2, supercell, "v_Se")


def test_a_defect_cell_describes_itself_in_one_line(wse2: Atoms) -> None:
    text = repr(build_defect(wse2, (3, 3), "v_Se:top"))
    assert text.startswith("<DefectCell v_Se:top: Se vacancy at site #")
    assert "Se17W9, 26 atoms" in text
    assert "\n" not in text


def test_vanadium_is_spelled_out_where_a_defect_is_described(wse2: Atoms) -> None:
    assert build_defect(wse2, (3, 3), "V@Se").description.startswith("vanadium on a Se site")


def test_a_large_number_of_an_arrangement_is_refused_at_once(wse2: Atoms) -> None:
    with pytest.raises(GeometryError, match="too small"):
        build_defect(wse2, (4, 4), "v_Se+v_Se~99999999")  # counting up to it would take days
    assert len(build_defect(wse2, (12, 12), "v_Se+v_Se~40").vacant) == 2


def test_a_later_part_that_fits_nowhere_is_named_before_choices_are_offered(wse2: Atoms) -> None:
    for notation, message in (
        ("v_Se+v_Se+v_Te", "No site"),
        ("v_W+v_Se+v_Se:middle~1", "No site"),
        ("v_Se#1+v_Se+v_Se#999", "no site #999"),
    ):
        with pytest.raises(GeometryError, match=message):
            build_defect(wse2, (4, 4), notation)


def choices(error: GeometryError) -> list[str]:
    lines = [line.split()[0] for line in error.fix.splitlines()[1:] if line.startswith("         ")]
    return [line for line in lines if line != "…"]


def fingerprint(atoms: Atoms) -> np.ndarray:
    """Sorted distances from each atom, weighted by the species of both; two triangles differ only atom by atom."""
    weighted = atoms.get_all_distances(mic=True) * np.outer(atoms.numbers, atoms.numbers)
    rows = np.sort(weighted, axis=1).round(3)
    return rows[np.lexsort(rows.T)]


@pytest.mark.parametrize(
    "notation",
    ["v_Se+v_Se", "v_Se:top+v_Se:bottom", "Mo@W+v_Se:top", "v_Se+v_Se~1+v_Se", "v_Se:top+S@Se:top"],
)
def test_a_pair_is_not_picked_quietly(wse2: Atoms, notation: str) -> None:
    with pytest.raises(GeometryError, match="not determined") as error:
        build_defect(wse2, (6, 6), notation)
    names = choices(error.value)
    assert len(names) > 2
    cells = [build_defect(wse2, (6, 6), name) for name in names]  # each choice can be typed
    assert [cell.name for cell in cells] == names
    environments = [fingerprint(cell.atoms) for cell in cells]
    for one, other in combinations(environments, 2):
        assert np.abs(one - other).max() > 1e-3  # and all are distinct
    distances = [cell.pristine.get_distance(cell.sites[0], cell.sites[-1], mic=True) for cell in cells]
    assert distances == sorted(distances)


@pytest.mark.parametrize(
    "notation", ["v_Se:top+v_Se:top~2", "Mo@W+v_Se~3", "v_Se+v_Se~1+v_Se~3", "ad_W@Se+v_Se~4"]
)
def test_an_arrangement_is_the_same_in_every_supercell(wse2: Atoms, notation: str) -> None:
    check_transferable(notation)
    patterns = []
    for repeats in ((6, 6), (7, 6), (8, 9)):
        cell = build_defect(wse2, repeats, notation)
        patterns.append(cell.pristine[list(cell.sites)].get_all_distances(mic=True))
    np.testing.assert_allclose(patterns, [patterns[0]] * 3, atol=1e-9)
    assert patterns[0][0, 1] > 1.0


def test_an_arrangement_does_not_depend_on_how_the_file_is_wrapped(wse2: Atoms) -> None:
    notation = "Mo@W+v_Se:top~2"
    reference = build_defect(wse2, (6, 6), notation)
    moved = wse2.copy()
    moved.positions[1] += 3 * moved.cell[0] - 2 * moved.cell[1]
    cell = build_defect(moved, (6, 6), notation)
    distances = [made.pristine.get_distance(*made.sites, mic=True) for made in (reference, cell)]
    assert distances[0] == pytest.approx(distances[1])


def test_an_arrangement_needs_room(wse2: Atoms) -> None:
    with pytest.raises(GeometryError, match="too small"):
        build_defect(wse2, (3, 3), "v_Se:top+v_Se:top~5")
    cell = build_defect(wse2, (1, 1), "v_Se:top+v_Se:bottom")  # one site is left: nothing to choose
    assert cell.atoms.get_chemical_formula() == "W"


def test_an_arrangement_may_fit_only_farther_from_the_first_part() -> None:
    graphene = monolayer(("C", "C"), prototype="honeycomb", a=2.47)
    with pytest.raises(GeometryError, match="too small"):
        build_defect(graphene, (1, 3), "v_C+v_C~2+v_C~1+v_C~2")
    for repeats in ((1, 3), (6, 6)):
        with pytest.raises(GeometryError, match="not determined") as error:
            build_defect(graphene, repeats, "v_C+v_C~2+v_C~1+v_C")
        assert choices(error.value)
        for name in choices(error.value):
            assert build_defect(graphene, repeats, name).name == name


def test_site_numbers_belong_to_one_supercell(wse2: Atoms) -> None:
    cell = build_defect(wse2, (4, 4), "v_Se#1+v_Se#4")
    assert cell.sites == (1, 4)
    assert set(cell.vacant) == {1, 4}
    with pytest.raises(GeometryError, match="belong to one supercell"):
        check_transferable("v_Se#1+v_Se#4")
    check_transferable("v_Se#1")
    for notation, message in (
        ("v_Se+v_Se#4", "the first part"),
        ("v_Se#1+S@Se#1", "Two parts"),
        ("v_Se#0", "is W"),
        ("v_Se#99", "no site #99"),
        ("v_Se~1", "no part before"),
    ):
        with pytest.raises(GeometryError, match=message):
            build_defect(wse2, (4, 4), notation)


def test_inequivalent_sites_and_sides_are_offered(janus: Atoms) -> None:
    assert build_defect(janus, (3, 3), "v_Se").atoms.get_chemical_formula() == "S9Se8W9"
    with pytest.raises(GeometryError, match="not determined") as error:
        build_defect(janus, (3, 3), "ad_O@W")
    assert choices(error.value) == ["ad_O@W:top", "ad_O@W:bottom"]
    heights = [build_defect(janus, (3, 3), name).atoms.positions[-1, 2] for name in choices(error.value)]
    assert heights[0] > janus.positions[:, 2].max() > janus.positions[:, 2].min() > heights[1]
    alloy = janus.repeat((3, 1, 1))
    alloy.symbols[0] = "Mo"
    with pytest.raises(GeometryError, match="3 kinds of sites") as error:
        build_defect(alloy, (1, 3), "v_Se")
    for name in choices(error.value):
        assert build_defect(alloy, (1, 3), name).atoms.get_chemical_formula() == "Mo3S9Se8W6"


def test_two_adatoms_do_not_share_a_place(wse2: Atoms) -> None:
    cell = build_defect(wse2, (4, 4), "ad_Se@W:top+ad_Se@W:top~1")
    assert cell.atoms.get_distance(-1, -2, mic=True) == pytest.approx(3.32)


@pytest.fixture
def bilayer() -> Atoms:
    layer = monolayer(("C", "C"), prototype="honeycomb", a=2.46)
    above = layer.copy()
    above.positions[:, 2] += 3.36
    return layer + above


@pytest.mark.parametrize("notation", ["v_C+v_C", "v_C:top+v_C", "ad_H@C+ad_H@C", "ad_O@C:top+v_C"])
def test_arrangements_are_ordered_by_the_distance_in_space(bilayer: Atoms, notation: str) -> None:
    with pytest.raises(GeometryError, match="not determined") as error:
        build_defect(bilayer, (4, 4), notation)
    distances, lateral = [], []
    for name in choices(error.value):
        cell = build_defect(bilayer, (4, 4), name)
        adatoms = iter(cell.atoms.positions[cell.site_of < 0])
        parts = [
            next(adatoms) if part.kind == "adatom" else cell.pristine.positions[site]
            for part, site in zip(parse_defect(name), cell.sites, strict=True)
        ]
        _, distance = get_distances(parts[:1], parts[1:], cell=cell.pristine.cell, pbc=(True, True, False))
        distances.append(float(distance[0, 0]))
        lateral.append(cell.pristine.get_distance(*cell.sites, mic=True, vector=True)[:2])
        assert f"{distances[-1]:.2f} Å from the first" in cell.description
        assert f"{name} " in error.value.fix
        assert f" {distances[-1]:.2f} Å: " in error.value.fix
    assert distances == sorted(distances)
    assert distances[0] == pytest.approx(1.42, abs=0.01)
    in_plane = [float(np.linalg.norm(vector).round(6)) for vector in lateral]
    assert notation.startswith("ad_") or in_plane != sorted(in_plane)  # projection would order them otherwise


def test_an_adatom_on_the_other_side_of_the_sheet_is_farther_than_a_neighbour(wse2: Atoms) -> None:
    first, second = (build_defect(wse2, (4, 4), f"ad_Se@W:top+ad_Se@W~{n}") for n in (1, 2))
    assert first.atoms.get_distance(-1, -2, mic=True) == pytest.approx(3.32)  # above the next W
    assert second.atoms.get_distance(-1, -2, mic=True) > 3.32 + 1


def test_an_adatom_at_the_border_of_the_cell_is_built_like_any_other(wse2: Atoms) -> None:
    heights = [
        build_defect(wse2, (3, 3), f"ad_O@W:top#{index}").atoms.positions[-1, 2] for index in range(0, 27, 3)
    ]
    np.testing.assert_allclose(heights, heights[0])
    assert heights[0] > wse2.positions[:, 2].max() + 2


@pytest.mark.parametrize(
    ("notation", "supercell", "distance"),
    [
        ("ad_Cs@C:top+ad_Cs@C:top~1", (4, 4), "1.420"),  # two adatoms
        ("ad_Cs@C:top", (1, 1), "2.460"),  # its own image
        ("ad_Cs@C:top#2+ad_Cs@C:top#49", (4, 4), "1.420"),  # across the border of the cell
    ],
)
def test_atoms_on_top_of_one_another_are_refused_with_their_distance(
    bilayer: Atoms, notation: str, supercell: tuple[int, int], distance: str
) -> None:
    with pytest.raises(GeometryError, match=f"are {distance} Å apart"):
        build_defect(bilayer, supercell, notation)


def test_crowded_arrangements_keep_their_number_and_are_not_offered(bilayer: Atoms) -> None:
    with pytest.raises(GeometryError, match="not determined") as error:
        build_defect(bilayer, (4, 4), "ad_Cs@C:top+ad_Cs@C:top")
    names = choices(error.value)
    assert names[0] == "ad_Cs@C:top+ad_Cs@C:top~4"
    for name in names:
        assert len(build_defect(bilayer, (4, 4), name).atoms) == 66


def test_a_sheet_that_the_cell_cuts_holds_two_adatoms() -> None:
    cut = Atoms("MoSSe", cell=[[3.25, 0, 0], [-1.625, 2.8146, 0], [0, 0, 20]], pbc=True)
    cut.positions = [[0, 1.8764, 19.0], [1.625, 0.9382, 0.53], [1.625, 0.9382, 17.3]]
    assert np.ptp(cut.positions[:, 2]) > 15
    cell = build_defect(cut, (4, 4), "ad_O@S:top+ad_O@S:top~1")
    assert cell.atoms.get_distance(-1, -2, mic=True) == pytest.approx(3.25, abs=1e-3)
    with pytest.raises(GeometryError, match="No free site"):
        build_defect(cut, (1, 1), "ad_O@S:top+ad_O@S:top")


def test_numbered_sites_say_which_the_plain_notation_takes(wse2: Atoms) -> None:
    sites = numbered_sites(wse2, (3, 4))
    pristine = wse2.repeat((3, 4, 1))
    assert [site.index for site in sites] == list(range(36))
    assert "".join(site.symbol for site in sites) == "".join(pristine.symbols)
    defaults = {name: site for site in sites for name in site.default_for}
    assert set(defaults) == {"v_W", "v_W:middle", "v_Se", "v_Se:top", "v_Se:bottom"}
    for notation, site in defaults.items():
        assert build_defect(wse2, (3, 4), notation).sites == (site.index,)
    assert {site.site_class for site in sites} == {0, 1}


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31))
def test_a_complex_placed_at_random_stays_together(seed: int) -> None:
    wse2 = monolayer(("W", "Se"), prototype="2H", a=3.32, thickness=3.36)
    rng = np.random.default_rng(seed)
    first = place_defect(wse2, (4, 4), "Mo@W", occupied=[], rng=rng)
    second = place_defect(wse2, (4, 4), "v_Se:top+v_Se:bottom~1", occupied=[first], rng=rng)
    cell = build_defect(wse2, (4, 4), f"{first}+{second}")
    assert cell.pristine.get_distance(cell.sites[1], cell.sites[2], mic=True) == pytest.approx(3.36)


def test_a_session_names_the_species_of_the_sheet_in_its_message() -> None:
    sheet = monolayer(("B", "N"), prototype="honeycomb", a=2.5)
    with pytest.raises(GeometryError, match="v_B"):
        Session().defect_name(sheet, "junk")
    assert Session().defect_name(sheet, "V_B") == "v_B"
