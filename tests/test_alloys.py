"""Alloys: orderings, formation energies, cluster expansions, and the traps that are silent elsewhere."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from ase import Atoms
from ase.io import read, write
from scipy.optimize import linprog

from flatforce.core.errors import DataError, GeometryError
from flatforce.data.frames import Labels, attach_labels
from flatforce.models import load
from flatforce.properties.alloys.cluster_expansion import select_and_fit
from flatforce.properties.alloys.config import AlloyEnergyConfig, ClusterExpansionConfig
from flatforce.properties.alloys.design import make_designs
from flatforce.properties.alloys.energies import DftLabels, energies_by_labels, energies_by_model, slab
from flatforce.properties.alloys.formation import make_table
from flatforce.properties.alloys.labelled import energies_from_frames
from flatforce.properties.alloys.mapping import map_to_lattice, ordering_groups
from flatforce.properties.alloys.regression import fit_parameters
from flatforce.properties.alloys.scores import lower_hull
from flatforce.properties.alloys.table import OrderingEnergy
from flatforce.reference.config import AseSettings, LabelConfig, LabelRelaxation
from flatforce.reference.keys import label_key
from flatforce.reference.relaxation import RelaxationStart, relax_by_labels
from flatforce.structures.alloy_config import AlloyConfig
from flatforce.structures.alloys import AlloyLattice, alloy_lattice
from flatforce.structures.orderings import enumerate_orderings, make_sqs, random_orderings
from flatforce.structures.strain import rattle_positions

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.properties.alloys.table import AlloyTable

pytest.importorskip("icet")

EMT = "ase:ase.calculators.emt:EMT"


@pytest.fixture(scope="module")
def disulfide() -> AlloyLattice:
    return alloy_lattice(
        AlloyConfig.parse(
            {
                "name": "MoWS2",
                "species": ["Mo", "W"],
                "prototype": "2H",
                "symbols": ["Mo", "S"],
                "a": 3.184,
                "thickness": 3.13,
                "site": "Mo",
            }
        )
    )


@pytest.fixture(scope="module")
def metals(tmp_path_factory: pytest.TempPathFactory) -> AlloyLattice:
    """One layer of copper and gold, which EMT knows; their lattices differ by nine per cent."""
    path = tmp_path_factory.mktemp("parent") / "layer.extxyz"
    a = 2.6
    cell = [[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, 15]]
    write(path, Atoms("Cu", positions=[[0, 0, 7.5]], cell=cell, pbc=True))
    return alloy_lattice(
        AlloyConfig.parse({"name": "CuAu", "species": ["Cu", "Au"], "file": str(path), "site": "Cu"})
    )


@pytest.fixture(scope="module")
def table(metals: AlloyLattice) -> AlloyTable:
    orderings = enumerate_orderings(metals, max_cells=4)
    solved = energies_by_model(metals, orderings, load(EMT), AlloyEnergyConfig())
    return make_table(metals, solved, AlloyEnergyConfig(max_distance=0.6, max_mismatch=0.005))


def distinct(n_cells: int, turns: list[np.ndarray]) -> int:
    """Count decorations of all cells of a triangular lattice with n sites, by brute force over classes.

    Two decorations are the same if a translation or one of the operations carries one onto the other;
    superperiodic ones belong to smaller cells. Written without icet.
    """
    decorations: set[tuple[Any, ...]] = set()
    for first in (d for d in range(1, n_cells + 1) if n_cells % d == 0):
        second = n_cells // first
        for shift in range(first):
            cell = np.array([[first, 0], [shift, second]])  # rows: Hermite normal form, transposed
            for colours in product((0, 1), repeat=n_cells):
                if not _superperiodic(cell, colours, n_cells):
                    decorations.add(_canonical(cell, colours, turns, n_cells))
    return len(decorations)


def _lattice_point_group() -> list[np.ndarray]:
    """The twelve operations of a triangular lattice with γ = 120°, in lattice coordinates."""
    sixth, mirror = np.array([[1, -1], [1, 0]]), np.array([[0, 1], [1, 0]])
    turns = [np.linalg.matrix_power(sixth, k) for k in range(6)]
    return turns + [turn @ mirror for turn in turns]


def _reduced(cell: np.ndarray) -> np.ndarray:
    """Hermite normal form of a lattice of rows."""
    rows = [list(map(int, row)) for row in cell]
    while rows[0][1] != 0:  # make the first row lie along the first axis
        if rows[1][1] == 0 or abs(rows[0][1]) >= abs(rows[1][1]) != 0:
            if rows[1][1] == 0:
                rows.reverse()
                continue
            factor = rows[0][1] // rows[1][1]
            rows[0] = [x - factor * y for x, y in zip(rows[0], rows[1], strict=True)]
        else:
            rows.reverse()
    rows[0] = [abs(rows[0][0]), 0]
    if rows[1][1] < 0:
        rows[1] = [-x for x in rows[1]]
    rows[1][0] %= rows[0][0]
    return np.array(rows)


def _place(point: np.ndarray, cell: np.ndarray) -> int:
    """Number of a lattice point folded into a cell in Hermite normal form."""
    (first, _), (shift, second) = cell
    wraps = point[1] // second
    x, y = point[0] - wraps * shift, point[1] - wraps * second
    return int(y * first + x % first)


def _superperiodic(cell: np.ndarray, colours: tuple[int, ...], n: int) -> bool:
    points = _points(cell)
    return (
        any(all(colours[_place(p + t, cell)] == colours[_place(p, cell)] for p in points) for t in points[1:])
        and n > 1
    )


def _points(cell: np.ndarray) -> list[np.ndarray]:
    (first, _), (_, second) = cell
    return [np.array([x, y]) for y in range(second) for x in range(first)]


def _canonical(
    cell: np.ndarray, colours: tuple[int, ...], turns: list[np.ndarray], n: int
) -> tuple[Any, ...]:
    best: tuple[Any, ...] | None = None
    for turn in turns:
        turned = _reduced(cell @ turn.T)
        back = np.round(np.linalg.inv(turn)).astype(int)
        for shift in _points(turned):
            laid = tuple(colours[_place(back @ (p + shift), cell)] for p in _points(turned))
            key = (*turned.ravel().tolist(), *laid)
            best = key if best is None or key < best else best
    assert best is not None
    assert len(best) == n + 4
    return best


def test_orderings_are_as_many_as_an_independent_count_finds(disulfide: AlloyLattice) -> None:
    """Of the twelve operations of the metals' lattice a 2H sheet keeps those that carry chalcogens onto chalcogens."""
    sulfur = np.array([1, 2])  # thirds of the lattice vectors
    operations = [turn for turn in _lattice_point_group() if ((turn @ sulfur - sulfur) % 3 == 0).all()]
    assert len(operations) == 6
    orderings = enumerate_orderings(disulfide, max_cells=6)
    sizes = [disulfide.n_sites(ordering) for ordering in orderings]
    assert [sizes.count(n) for n in range(1, 7)] == [distinct(n, operations) for n in range(1, 7)]
    assert len(orderings) == 53
    assert sum(n <= 4 for n in sizes) == 15
    assert len(set(ordering_groups(disulfide, orderings))) == 53


def test_an_ordering_in_a_larger_cell_is_the_same_ordering(disulfide: AlloyLattice) -> None:
    row = enumerate_orderings(disulfide, max_cells=2)[2]
    doubled = row.repeat((1, 2, 1))
    assert len(doubled) == 2 * len(row)
    assert ordering_groups(disulfide, [row, doubled]) == [0, 0]


def test_random_orderings_keep_their_concentrations(disulfide: AlloyLattice) -> None:
    first, second = random_orderings(
        disulfide, supercell=(3, 3), concentrations={"Mo": 1 / 3, "W": 2 / 3}, count=2, seed=0
    )
    assert disulfide.composition(first) == {"Mo": pytest.approx(1 / 3), "W": pytest.approx(2 / 3)}
    assert first.get_chemical_symbols() != second.get_chemical_symbols()
    with pytest.raises(GeometryError, match="does not fit 4 sites"):
        random_orderings(
            disulfide, supercell=(2, 2), concentrations={"Mo": 1 / 3, "W": 2 / 3}, count=1, seed=0
        )


def test_a_quasirandom_sheet_is_no_needle_and_looks_random(disulfide: AlloyLattice) -> None:
    concentrations = {"Mo": 0.5, "W": 0.5}
    sqs = make_sqs(
        disulfide, supercell=(6, 6), concentrations=concentrations, cutoffs=[6.5], steps=3000, seed=1
    )
    lengths = sqs.cell.lengths()[:2]
    assert lengths.max() / lengths.min() < 1.5
    assert disulfide.composition(sqs) == concentrations
    config = ClusterExpansionConfig(cutoffs=[[6.5]], pin_end_members=False)
    row = enumerate_orderings(disulfide, max_cells=2)[2]
    (design,) = make_designs(disulfide, [sqs, row], config)
    pairs = design.vectors[:, 2:]
    assert np.abs(pairs[0]).max() < 0.1  # the random alloy has 0 at x = 1/2
    assert np.abs(pairs[1]).max() > 0.3  # an ordered one has not


def test_images_across_the_vacuum_never_count(disulfide: AlloyLattice) -> None:
    config = ClusterExpansionConfig(cutoffs=[[12.0]], pin_end_members=False)
    (design,) = make_designs(disulfide, [], config)
    flat = disulfide.parent.copy()
    pairs = design.vectors.shape
    assert pairs[0] == 0
    assert len(design.space) == 2 + _shells_within(flat, 12.0)


def _shells_within(parent: Atoms, cutoff: float) -> int:
    """Shells of a triangular lattice up to a distance, each one orbit of pairs of a 2H sheet's metal sites."""
    a = parent.cell.lengths()[0]
    squares = {i * i + i * j + j * j for i in range(9) for j in range(9)} - {0}
    within = [n for n in squares if a * np.sqrt(n) < cutoff]
    return len(within)


def test_formation_energies_are_measured_from_end_members_in_their_own_cells(table: AlloyTable) -> None:
    ends = [row for row in table.rows if row.end_member]
    assert [row.formation_energy for row in ends] == [pytest.approx(0.0, abs=1e-9)] * 2
    assert [row.concentrations for row in ends] == [(1.0, 0.0), (0.0, 1.0)]
    assert max(row.max_strain for row in ends) > 0.03  # copper and gold do differ from the common parent
    assert np.ptp(table.formation_energies) > 10.0  # meV per site: the others are not trivial
    row = table.rows[table.mixed_rows[0]]
    energy = load(EMT).evaluate([table.relaxed[table.mixed_rows[0]]])[0].energy / row.n_sites
    assert row.energy == pytest.approx(energy, abs=1e-6)


def test_a_common_lattice_is_refused_where_end_members_differ(
    metals: AlloyLattice, table: AlloyTable
) -> None:
    orderings = enumerate_orderings(metals, max_cells=4)
    solved = energies_by_model(metals, orderings, load(EMT), AlloyEnergyConfig(relax="positions"))
    assert {result.relaxation for result in solved} == {"cell", "positions"}
    with pytest.raises(DataError, match=r"differ by .* % in their lattice"):
        make_table(metals, solved, AlloyEnergyConfig(max_distance=0.6, max_mismatch=0.005))
    allowed = make_table(metals, solved, AlloyEnergyConfig(max_distance=0.6, max_mismatch=0.2))
    right = {row.name: row.formation_energy for row in table.rows}
    wrong = [row.formation_energy - right[row.name] for row in allowed.rows if not row.end_member]
    assert max(wrong) > 0.3 * np.ptp(table.formation_energies)  # why it is refused


def test_unlike_relaxations_are_not_mixed(metals: AlloyLattice) -> None:
    orderings = enumerate_orderings(metals, max_cells=3)
    potential = load(EMT)
    solved = energies_by_model(metals, orderings, potential, AlloyEnergyConfig())
    loose = energies_by_model(metals, orderings[3:4], potential, AlloyEnergyConfig(relax="none"))
    with pytest.raises(DataError, match="not relaxed alike"):
        make_table(metals, [*solved[:3], *loose], AlloyEnergyConfig(max_distance=0.6, max_mismatch=1.0))


def test_a_missing_end_member_is_named(metals: AlloyLattice) -> None:
    orderings = enumerate_orderings(metals, max_cells=2)[1:]
    solved = energies_by_model(metals, orderings, load(EMT), AlloyEnergyConfig())
    with pytest.raises(DataError, match="no end member of pure Cu"):
        make_table(metals, solved, AlloyEnergyConfig(max_distance=0.6, max_mismatch=1.0))


def test_what_left_the_lattice_is_dropped_and_counted(disulfide: AlloyLattice) -> None:
    orderings = enumerate_orderings(disulfide, max_cells=2)
    solved = [
        OrderingEnergy(ordering, slab(ordering), -20.0 * disulfide.n_sites(ordering), "cell")
        for ordering in orderings
    ]
    complete = make_table(disulfide, solved, AlloyEnergyConfig(max_distance=0.3, max_mismatch=0.005))
    assert complete.dropped == ()
    turned = slab(orderings[2])
    upper = [k for k, s in enumerate(turned.symbols) if s == "S" and turned.positions[k, 2] > 7.5]
    turned.positions[upper] += (disulfide.parent.cell[0] - disulfide.parent.cell[1]) / 3  # 2H → 1T
    solved[2] = OrderingEnergy(orderings[2], turned, -40.0, "cell")
    table_ = make_table(disulfide, solved, AlloyEnergyConfig(max_distance=0.3, max_mismatch=0.005))
    assert [name for name, _ in table_.dropped] == ["MoWS2-002"]
    assert "left its lattice" in table_.dropped[0][1]
    assert len(table_.rows) == 2


def test_twins_count_once(disulfide: AlloyLattice) -> None:
    orderings = enumerate_orderings(disulfide, max_cells=2)
    twin = orderings[2].repeat((1, 2, 1))
    twin.info = orderings[2].info | {"ordering": "twin"}
    solved = [
        OrderingEnergy(ordering, slab(ordering), -20.0 * disulfide.n_sites(ordering) + extra, "cell")
        for ordering, extra in zip([*orderings, twin], (0.0, 0.0, 0.0, -0.1), strict=True)
    ]
    table_ = make_table(disulfide, solved, AlloyEnergyConfig(max_distance=0.3, max_mismatch=0.005))
    assert table_.dropped == (("MoWS2-002", "is the same ordering as twin"),)


def test_energies_per_atom_are_a_third_of_those_per_site_in_a_disulfide(disulfide: AlloyLattice) -> None:
    orderings = enumerate_orderings(disulfide, max_cells=2)
    energies = (-20.0, -22.0, -42.02)
    solved = [OrderingEnergy(o, slab(o), e, "cell") for o, e in zip(orderings, energies, strict=True)]
    table_ = make_table(disulfide, solved, AlloyEnergyConfig(max_distance=0.3, max_mismatch=0.005))
    (row,) = [table_.rows[k] for k in table_.mixed_rows]
    assert row.formation_energy == pytest.approx(-10.0)  # meV per metal
    assert row.formation_energy_per_atom == pytest.approx(-10.0 / 3)


def test_mapping_ignores_vacuum_and_orientation(disulfide: AlloyLattice) -> None:
    ordering = enumerate_orderings(disulfide, max_cells=3)[5]
    rotated = ordering.copy()
    rotated.rotate(37.0, "z", rotate_cell=True)
    rotated.cell[2, 2] = 31.0
    rotated.positions[:, 2] += 9.0
    mapped = map_to_lattice(disulfide, rotated)
    assert mapped.max_distance < 1e-6
    assert mapped.max_strain < 1e-6
    assert ordering_groups(disulfide, [ordering, mapped.ideal]) == [0, 0]
    alien = ordering.copy()
    alien.symbols[0] = "Nb"
    with pytest.raises(DataError, match="no ordering of MoWS2"):
        map_to_lattice(disulfide, alien)


def test_labels_and_a_guide_end_where_the_force_field_relaxes(
    metals: AlloyLattice, table: AlloyTable, tmp_path: Path
) -> None:
    orderings = enumerate_orderings(metals, max_cells=2)
    labels = LabelConfig(settings=AseSettings(engine="ase", calculator="ase.calculators.emt:EMT"), workers=2)
    config = AlloyEnergyConfig()
    solved, frames = energies_by_labels(metals, orderings, DftLabels(labels, tmp_path, load(EMT)), config)
    labelled = make_table(metals, solved, AlloyEnergyConfig(max_distance=0.6, max_mismatch=0.005))
    own = {row.name: row.formation_energy for row in table.rows}
    for row in labelled.rows:
        assert row.formation_energy == pytest.approx(own[row.name], abs=1.0)
    again, same = energies_by_labels(metals, orderings, DftLabels(labels, tmp_path, load(EMT)), config)
    assert [result.energy for result in again] == [result.energy for result in solved]
    assert len(same) == len(frames)
    reread = make_table(
        metals,
        energies_from_frames(metals, frames, config),
        AlloyEnergyConfig(max_distance=0.6, max_mismatch=0.005),
    )
    assert reread.formation_energies == pytest.approx(labelled.formation_energies, abs=1e-9)


def test_a_poor_guess_of_the_stiffness_costs_steps_and_nothing_else(
    metals: AlloyLattice, tmp_path: Path
) -> None:
    labels = LabelConfig(settings=AseSettings(engine="ase", calculator="ase.calculators.emt:EMT"), workers=2)
    start = rattle_positions(
        slab(enumerate_orderings(metals, max_cells=2)[2]), amplitude=0.1, rng=np.random.default_rng(0)
    )
    free = 3 * len(start) + 9
    target = LabelRelaxation(max_force=0.01, max_stress=0.05, max_steps=40)
    (path,) = relax_by_labels(
        [RelaxationStart(start, labels.settings, 8.0 * np.eye(free))], labels, target, cache=tmp_path
    )
    assert path.relaxed
    assert len(list(tmp_path.glob("*.json"))) == len(path.frames)  # each step is followed from the same guess
    assert len(path.frames) > 3


@pytest.mark.parametrize("permanent", [True, False])
def test_a_label_that_the_machine_failed_at_is_tried_again(
    metals: AlloyLattice, tmp_path: Path, permanent: bool
) -> None:
    """A failure of the code ends a relaxation that is resumed; one of the machine does not."""
    labels = LabelConfig(settings=AseSettings(engine="ase", calculator="ase.calculators.emt:EMT"), workers=1)
    start = slab(enumerate_orderings(metals, max_cells=2)[0])
    target = LabelRelaxation(max_force=10.0, relax_cell=False)
    failure = {
        "status": "failed",
        "reason": "the disk was full",
        "permanent": permanent,
        "timeout": labels.timeout,
    }
    key = label_key(start, labels.settings)
    (tmp_path / f"{key}.json").write_text(json.dumps(failure))
    (path,) = relax_by_labels([RelaxationStart(start, labels.settings)], labels, target, cache=tmp_path)
    assert path.relaxed is not permanent
    assert path.reason == ("the disk was full" if permanent else "")


def test_frames_that_are_not_relaxed_are_dropped(metals: AlloyLattice) -> None:
    orderings = enumerate_orderings(metals, max_cells=2)
    frames = []
    for number, ordering in enumerate(orderings):
        force = np.zeros((len(ordering), 3))
        force[0, 0] = 0.5 if number == 2 else 0.001
        frames.append(attach_labels(slab(ordering), Labels(-3.0 * len(ordering), force, np.zeros((3, 3)))))
    results = energies_from_frames(metals, frames, AlloyEnergyConfig())
    assert [bool(ordering.failure) for ordering in results] == [False, False, True]
    assert "force of 0.5 eV/Å" in results[2].failure


def test_cells_that_are_not_relaxed_are_dropped(metals: AlloyLattice) -> None:
    """Forces vanish by symmetry; the membrane stress does not."""
    orderings = enumerate_orderings(metals, max_cells=2)
    potential = load(EMT)
    frames = []
    for ordering in orderings:
        prediction = potential.evaluate([slab(ordering)])[0]
        frames.append(
            attach_labels(slab(ordering), Labels(prediction.energy, prediction.forces, prediction.stress))
        )
    assert max(np.abs(frame.arrays["REF_forces"]).max() for frame in frames) < 0.01
    results = energies_from_frames(metals, frames, AlloyEnergyConfig())
    assert all("residual membrane stress" in ordering.failure for ordering in results)
    bare = [attach_labels(slab(o), Labels(-1.0, np.zeros((len(o), 3)), None)) for o in orderings]
    assert all(
        "neither a stress nor info" in ordering.failure
        for ordering in energies_from_frames(metals, bare, AlloyEnergyConfig())
    )


def test_a_parent_of_the_wrong_size_is_refused(tmp_path: Path) -> None:
    """Silver and gold differ little, but a parent that is strained relative to both shifts the energies of all orderings that keep its cell."""
    for a, fits in ((2.76, True), (2.88, False)):
        cell = [[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, 15]]
        write(tmp_path / "layer.extxyz", Atoms("Ag", positions=[[0, 0, 7.5]], cell=cell, pbc=True))
        values = {"name": "m", "species": ["Ag", "Au"], "file": str(tmp_path / "layer.extxyz"), "site": "Ag"}
        lattice = alloy_lattice(AlloyConfig.parse(values))
        solved = energies_by_model(
            lattice,
            enumerate_orderings(lattice, max_cells=2),
            load(EMT),
            AlloyEnergyConfig(relax="positions"),
        )
        if fits:
            assert (
                len(
                    make_table(
                        lattice, solved, AlloyEnergyConfig(max_distance=0.6, max_mismatch=0.03)
                    ).mixed_rows
                )
                == 1
            )
        else:
            with pytest.raises(DataError, match="Vegard"):
                make_table(lattice, solved, AlloyEnergyConfig(max_distance=0.6, max_mismatch=0.03))


def test_a_worker_that_cannot_start_ends_the_relaxation(metals: AlloyLattice, tmp_path: Path) -> None:
    labels = LabelConfig(
        settings=AseSettings(engine="ase", calculator="ase.calculators.emt:EMT"),
        workers=1,
        launcher=["a-launcher-that-is-not-here"],
    )
    orderings = enumerate_orderings(metals, max_cells=1)
    solved, frames = energies_by_labels(metals, orderings, DftLabels(labels, tmp_path), AlloyEnergyConfig())
    assert frames == []
    assert all("a-launcher-that-is-not-here" in result.failure for result in solved)


def test_a_sheet_whose_mean_height_is_not_its_middle(tmp_path: Path) -> None:
    a = 3.25
    cell = [[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, 15]]
    third = np.array(cell[0]) / 3 + 2 * np.array(cell[1]) / 3
    heights = [(0, 0, 7.5), (third[0], third[1], 7.5 - 1.53), (third[0], third[1], 7.5 + 1.70)]
    write(tmp_path / "janus.extxyz", Atoms("MoSSe", positions=heights, cell=cell, pbc=True))
    values = {"name": "j", "species": ["Mo", "W"], "file": str(tmp_path / "janus.extxyz"), "site": "Mo"}
    lattice = alloy_lattice(AlloyConfig.parse(values))
    orderings = enumerate_orderings(lattice, max_cells=3)
    assert ordering_groups(lattice, orderings) == list(range(7))
    assert map_to_lattice(lattice, orderings[4]).max_distance < 1e-6


@pytest.mark.slow
def test_orderings_of_eight_sites_that_small_clusters_confuse_stay_apart(disulfide: AlloyLattice) -> None:
    orderings = enumerate_orderings(disulfide, max_cells=8, min_cells=8)
    assert len(set(ordering_groups(disulfide, orderings))) == len(orderings) > 100


def test_no_energy_at_all_is_fitted_by_no_interaction(metals: AlloyLattice, table: AlloyTable) -> None:
    config = ClusterExpansionConfig(cutoffs=[[2.7]], methods=["ridge"])
    (design,) = make_designs(metals, table.orderings, config)
    rows = np.arange(len(table.rows))
    expansion = select_and_fit([design], rows, np.zeros(len(rows)), config)
    assert expansion.parameters == pytest.approx(0.0, abs=1e-12)


def test_a_known_hamiltonian_is_recovered(disulfide: AlloyLattice) -> None:
    orderings = enumerate_orderings(disulfide, max_cells=6)
    config = ClusterExpansionConfig(cutoffs=[[6.5, 5.6]], methods=["least-squares"])
    (design,) = make_designs(disulfide, orderings, config)
    rng = np.random.default_rng(3)
    parameters = design.basis @ rng.normal(size=design.basis.shape[1])
    truth = design.vectors @ parameters
    assert np.ptp(truth) > 0.5
    train = np.sort(rng.permutation(len(orderings))[:30])
    expansion = select_and_fit([design], train, truth[train], config)
    assert expansion.predict(design.vectors) == pytest.approx(truth, abs=1e-6)
    assert expansion.parameters == pytest.approx(parameters, abs=1e-6)
    assert truth[:2] == pytest.approx(0.0, abs=1e-9)  # the end members


@pytest.mark.parametrize("method", ["rfe", "least-squares", "ardr", "ridge"])
def test_clusters_that_small_cells_cannot_tell_apart_stay_small(disulfide: AlloyLattice, method: str) -> None:
    """Three- and four-site cells alias far pairs; their difference must not run off where a large cell sees it."""
    small = enumerate_orderings(disulfide, max_cells=4)
    large = random_orderings(
        disulfide, supercell=(9, 9), concentrations={"Mo": 2 / 3, "W": 1 / 3}, count=2, seed=5
    )
    config = ClusterExpansionConfig.parse(
        {"cutoffs": [[12.0]], "methods": [method], "max_parameter_ratio": 1.0}
    )
    (design,) = make_designs(disulfide, [*small, *large], config)
    rows = np.arange(len(small))
    assert np.linalg.matrix_rank(design.reduced[rows]) < design.basis.shape[1]  # aliased indeed
    nearest = design.vectors[rows, 2] - design.vectors[rows, 1] ** 0  # a pure nearest-neighbour interaction
    noise = np.random.default_rng(1).normal(scale=0.01, size=len(rows))
    targets = np.where(np.arange(len(rows)) < 2, 0.0, 10 * nearest + noise)
    expansion = select_and_fit([design], rows, targets, config)
    assert np.abs(expansion.parameters).max() < 100.0
    assert np.abs(expansion.predict(design.vectors[len(small) :])).max() < 30.0


def test_pinned_end_members_are_exact_and_free_ones_are_not(metals: AlloyLattice, table: AlloyTable) -> None:
    rows = np.array(table.mixed_rows)
    missed = {}
    for pinned in (True, False):
        config = ClusterExpansionConfig(cutoffs=[[2.6 * 2.01]], methods=["ridge"], pin_end_members=pinned)
        (design,) = make_designs(metals, table.orderings, config)
        expansion = select_and_fit([design], rows, table.formation_energies[rows], config)
        ends = np.setdiff1d(np.arange(len(table.rows)), rows)
        missed[pinned] = np.abs(expansion.predict(design.vectors[ends])).max()
    assert missed[True] < 1e-8
    assert missed[False] > 0.1


def test_feature_elimination_draws_alike_and_leaves_the_generator_alone() -> None:
    rng = np.random.default_rng(3)
    matrix, fits = rng.normal(size=(20, 12)), []
    targets = matrix[:, :4] @ np.array([3.0, -2.0, 0.5, 0.2]) + rng.normal(scale=0.4, size=20)
    for seed in range(6):
        np.random.seed(seed)  # noqa: NPY002
        following = np.random.rand()  # noqa: NPY002
        np.random.seed(seed)  # noqa: NPY002
        fits.append(fit_parameters(matrix, targets, "rfe"))
        assert np.random.rand() == following  # noqa: NPY002
    assert np.ptp(fits, axis=0) == pytest.approx(0.0, abs=1e-12)


def test_too_few_orderings_for_an_expansion_are_refused(table: AlloyTable, metals: AlloyLattice) -> None:
    config = ClusterExpansionConfig()
    designs = make_designs(metals, table.orderings, config)
    with pytest.raises(DataError, match="too few"):
        select_and_fit(designs, np.array([0, 1]), table.formation_energies[[0, 1]], config)


def test_parents_that_make_no_sense_are_refused() -> None:
    base = {"name": "x", "prototype": "2H", "symbols": ["Mo", "S"], "a": 3.2, "thickness": 3.1}
    with pytest.raises(GeometryError, match="no site Nb"):
        alloy_lattice(AlloyConfig.parse(base | {"species": ["Mo", "W"], "site": "Nb"}))
    with pytest.raises(GeometryError, match="does not mix as well"):
        alloy_lattice(AlloyConfig.parse(base | {"species": ["Mo", "S"], "site": "Mo"}))


def test_both_chalcogen_sites_of_a_sheet_mix(tmp_path: Path) -> None:
    lattice = alloy_lattice(
        AlloyConfig.parse(
            {
                "name": "MoSSe",
                "species": ["S", "Se"],
                "prototype": "2H",
                "symbols": ["Mo", "S"],
                "a": 3.2,
                "thickness": 3.2,
                "site": "S",
            }
        )
    )
    orderings = enumerate_orderings(lattice, max_cells=1)
    assert [lattice.composition(ordering)["Se"] for ordering in orderings] == [
        0.0,
        0.5,
        1.0,
    ]  # the Janus sheet once
    assert lattice.n_sites(orderings[1]) == 2
    write(tmp_path / "o.extxyz", orderings)
    assert len(read(tmp_path / "o.extxyz", ":")) == 3


def test_the_hull_is_the_lowest_mixture() -> None:
    """Against a linear programme: the least energy of any mixture of the points and the end members."""
    rng = np.random.default_rng(0)
    for species in (2, 3):
        concentrations = rng.dirichlet(np.ones(species), size=20)
        energies = rng.normal(size=20)
        points = np.vstack([np.eye(species), concentrations])
        heights = np.concatenate([np.zeros(species), energies])
        expected = [
            energy - linprog(heights, A_eq=points.T, b_eq=at, bounds=(0, None)).fun
            for at, energy in zip(concentrations, energies, strict=True)
        ]
        above = lower_hull(concentrations, energies)
        assert above == pytest.approx(expected, abs=1e-9)
        assert (above < 1e-9).any()
        assert (above > 0.1).any()
        assert lower_hull(concentrations, np.zeros(20)) == pytest.approx(0.0, abs=1e-12)


def test_three_species_mix_and_all_three_end_members_are_pinned(tmp_path: Path) -> None:
    a = 2.6
    cell = [[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, 15]]
    write(tmp_path / "layer.extxyz", Atoms("Cu", positions=[[0, 0, 7.5]], cell=cell, pbc=True))
    values = {
        "name": "m",
        "species": ["Cu", "Ag", "Au"],
        "file": str(tmp_path / "layer.extxyz"),
        "site": "Cu",
    }
    lattice = alloy_lattice(AlloyConfig.parse(values))
    orderings = enumerate_orderings(lattice, max_cells=3)
    small = [ordering for ordering in orderings if len(ordering) < 3]
    assert len(small) == 3 + 3  # pure sheets, and one row for each pair
    solved = energies_by_model(lattice, orderings, load(EMT), AlloyEnergyConfig())
    table_ = make_table(lattice, solved, AlloyEnergyConfig(max_distance=0.6, max_mismatch=0.005))
    assert table_.concentrations.shape == (len(orderings), 3)
    config = ClusterExpansionConfig(cutoffs=[[2.7]], methods=["ridge"])
    (design,) = make_designs(lattice, table_.orderings, config)
    rows = np.arange(len(table_.rows))
    expansion = select_and_fit([design], rows, table_.formation_energies, config)
    predicted = expansion.predict(design.vectors)
    ends = [k for k in rows if table_.rows[k].end_member]
    assert len(ends) == 3
    assert predicted[ends] == pytest.approx(0.0, abs=1e-9)
    assert np.corrcoef(predicted[table_.mixed_rows], table_.formation_energies[table_.mixed_rows])[0, 1] > 0.9
