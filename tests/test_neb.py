"""Paths of minimum energy against analytic saddle points, their own reversal, and what a training set knows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from ase import Atoms
from ase.optimize import LBFGS
from typer.testing import CliRunner, Result

import flatforce as ff
from flatforce.core.errors import GeometryError
from flatforce.core.units import BOLTZMANN, FREQUENCY_FACTOR
from flatforce.data.frame_files import write_frames
from flatforce.data.training_range import TrainingRange, closest_pairs, measure_range
from flatforce.models.model_card import outside_notes, training_range
from flatforce.models.potential import Potential
from flatforce.models.prediction import Prediction
from flatforce.models.protocols import RawPrediction
from flatforce.properties.barriers.band import Band, set_prediction
from flatforce.properties.barriers.config import HopsConfig, NebConfig
from flatforce.properties.barriers.hops import find_hops
from flatforce.properties.barriers.judgement import judge
from flatforce.properties.barriers.matching import are_equivalent, match_ends
from flatforce.properties.barriers.result import MinimumEnergyPath
from flatforce.properties.barriers.run import minimum_energy_path
from flatforce.properties.relax import relax
from flatforce.properties.relax_config import RelaxConfig

SIGMA, EPSILON, RANGE = 2.5, 0.4, 4.0
LENNARD_JONES = "ase:ase.calculators.lj:LennardJones?sigma=2.5&epsilon=0.4&rc=4.0&cutoff=4.0&elements=Cu"
HEIGHT: Final = 10.0
"""Å, plane of the layer."""

STIFFNESS: Final = 4.0
"""eV/Å², with which atoms are held in the plane: a layer of pairs alone has no bending rigidity."""

TIGHT = NebConfig(images=5, max_force=0.01, end_max_force=0.001)


class FlatPairs:
    """Lennard-Jones pairs, shifted and cut, in a plane."""

    elements = frozenset({"Cu"})
    cutoff, layers, local, dtype, device, batch_atoms = RANGE, 1, True, "float64", "cpu", 10_000

    def __init__(self) -> None:
        self.calls = 0

    def predict(self, frames: Sequence[Atoms], *, stress: bool) -> list[RawPrediction]:
        del stress
        self.calls += 1
        return [self._predict(frame) for frame in frames]

    @staticmethod
    def _predict(frame: Atoms) -> RawPrediction:
        fractional = frame.get_scaled_positions(wrap=False)
        steps = fractional[None] - fractional[:, None]
        vectors = (
            steps - np.round(steps)
        ) @ frame.cell.array  # exact within the range in all cells of these tests
        lengths = np.linalg.norm(vectors, axis=2)
        first, second = np.nonzero((lengths > 0) & (lengths < RANGE))
        distance, vector = lengths[first, second], vectors[first, second]
        ratio, edge = (SIGMA / distance) ** 6, (SIGMA / RANGE) ** 6
        height = frame.positions[:, 2] - HEIGHT
        energy = 2 * EPSILON * (ratio**2 - ratio - edge**2 + edge).sum()
        pull = 24 * EPSILON * (2 * ratio**2 - ratio) / distance**2
        forces = np.zeros_like(frame.positions)
        np.add.at(forces, first, -pull[:, None] * vector)
        forces[:, 2] -= STIFFNESS * height
        return RawPrediction(float(energy + STIFFNESS * (height**2).sum() / 2), forces, np.zeros((3, 3)))


class DoubleWell:
    """One atom between two minima, and others on springs: harmonic at the minima and at the saddle point."""

    elements = frozenset({"Cu"})
    cutoff, layers, local, dtype, device, batch_atoms = 3.0, 1, False, "float64", "cpu", 10_000
    height, half, springs = 0.7, 0.8, (2.0, 5.0)

    def __init__(self, rest: np.ndarray[Any, Any]) -> None:
        self.rest = rest

    def predict(self, frames: Sequence[Atoms], *, stress: bool) -> list[RawPrediction]:
        del stress
        return [self._predict(frame.positions - self.rest) for frame in frames]

    def _predict(self, steps: np.ndarray[Any, Any]) -> RawPrediction:
        x, others = steps[0, 0] / self.half, steps.copy()
        others[0, 0] = 0.0
        stiffness = np.full_like(steps, 3.0)
        stiffness[0, 1:] = self.springs
        energy = self.height * (1 - x**2) ** 2 + (stiffness * others**2).sum() / 2
        forces = -stiffness * others
        forces[0, 0] = 4 * self.height * x * (1 - x**2) / self.half
        return RawPrediction(float(energy), forces, np.zeros((3, 3)))


@pytest.fixture(scope="module")
def pairs() -> Potential:
    return Potential("flat pairs", FlatPairs())


def layer(n: int) -> Atoms:
    a = 2 ** (1 / 6) * SIGMA
    cell = [[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, 20]]
    return Atoms("Cu", positions=[[0, 0, HEIGHT]], cell=cell, pbc=True).repeat((n, n, 1))


def vacancy_ends(n: int = 4) -> tuple[Atoms, Atoms]:
    """A vacancy at two neighbouring sites, with the atoms in the order of the sites."""
    sheet = layer(n)
    distances = sheet.get_distances(0, range(1, len(sheet)), mic=True)
    neighbour = 1 + int(distances.argmin())
    keep = [i for i in range(len(sheet)) if i not in {0, neighbour}]
    return sheet[[neighbour, *keep]], sheet[[0, *keep]]


@pytest.fixture(scope="module")
def hop(pairs: Potential, tmp_path_factory: pytest.TempPathFactory) -> MinimumEnergyPath:
    return minimum_energy_path(pairs, *vacancy_ends(), TIGHT, scratch=tmp_path_factory.mktemp("hop"))


def test_barrier_is_that_of_the_symmetric_midpoint(hop: MinimumEnergyPath, pairs: Potential) -> None:
    """The atom half-way lies on two mirror lines: relaxed from there without a path, it stays."""
    start, end = vacancy_ends()
    midpoint = start.copy()
    midpoint.positions[0] += (match_ends(start, end, keep_order=True).positions[0] - start.positions[0]) / 2
    midpoint.calc = pairs.calculator()
    LBFGS(midpoint, logfile=None).run(fmax=1e-4, steps=200)
    relaxed = relax(pairs, start, RelaxConfig(relax_cell=False, max_force=1e-4))
    barrier = midpoint.get_potential_energy() - relaxed.energy
    assert 0.3 < barrier < 3
    assert hop.problems == []
    assert hop.barrier == pytest.approx(barrier, abs=2e-4)
    assert hop.saddle == 3  # of five images


def test_symmetric_hop_has_one_barrier_both_ways(hop: MinimumEnergyPath) -> None:
    assert hop.is_symmetric
    assert "symmetry makes start and end equal" in hop.notes
    assert hop.barrier == pytest.approx(hop.barrier_reverse, abs=1e-4)
    assert hop.metrics["n_imaginary"] == 1
    assert hop.metrics["imaginary_frequency"] > 0.5
    assert hop.metrics["attempt_frequency"] == pytest.approx(
        hop.metrics["attempt_frequency_reverse"], rel=1e-3
    )
    mode = np.linalg.norm(hop.arrays()["imaginary_mode"], axis=1)
    assert mode.argmax() == hop.moving_atom  # the atom that hops


def test_reversed_path_has_the_barriers_swapped(pairs: Potential, tmp_path: Path) -> None:
    """A vacancy leaves another one, which was beside it."""
    sheet = layer(5)
    to_start = sheet.get_distances(0, range(25), mic=True)
    neighbour = 1 + int(to_start[1:].argmin())
    to_end = sheet.get_distances(neighbour, range(25), mic=True)
    vacant = int(np.flatnonzero((to_start < 3) & (to_end > 5))[0])
    keep = [i for i in range(25) if i not in {0, neighbour, vacant}]
    start, end = sheet[[neighbour, *keep]], sheet[[0, *keep]]
    settings = TIGHT.model_copy(update={"frequencies": False, "max_force": 0.02})
    there = minimum_energy_path(pairs, start, end, settings, scratch=tmp_path / "there")
    back = minimum_energy_path(pairs, end, start, settings, scratch=tmp_path / "back")
    assert abs(there.metrics["energy_difference"]) > 0.05
    assert not there.is_symmetric
    assert there.barrier == pytest.approx(back.barrier_reverse, abs=1e-3)
    assert there.barrier_reverse == pytest.approx(back.barrier, abs=1e-3)


def well() -> tuple[Potential, Atoms, Atoms]:
    rest = layer(2)
    start, end = rest.copy(), rest.copy()
    start.positions[0, 0] -= 0.75  # not quite in the minima, which are 0.8 Å away
    end.positions[0, 0] += 0.75
    return Potential("well", DoubleWell(rest.positions)), start, end


def test_rate_of_a_double_well_is_that_of_vineyard(tmp_path: Path) -> None:
    potential, start, end = well()
    config = NebConfig(max_force=1e-3, end_max_force=1e-4, vibration_radius=1.0, temperatures=[500.0])
    path = minimum_energy_path(potential, start, end, config, scratch=tmp_path)
    assert path.problems == []
    assert path.barrier == pytest.approx(DoubleWell.height, abs=1e-4)
    mass = start.get_masses()[0]
    curvature = 4 * DoubleWell.height / DoubleWell.half**2
    imaginary, real = np.sqrt(np.array([1, 2]) * curvature / mass) * FREQUENCY_FACTOR
    assert path.metrics["imaginary_frequency"] == pytest.approx(imaginary, rel=1e-3)
    # the springs of the other directions cancel
    assert path.metrics["attempt_frequency"] == pytest.approx(real, rel=2e-3)
    expected = 1e12 * real * np.exp(-DoubleWell.height / (BOLTZMANN * 500))
    assert path.metrics["rate_500K"] == pytest.approx(expected, rel=0.01)


def test_dimer_refines_a_path_that_stopped_early(
    pairs: Potential, hop: MinimumEnergyPath, tmp_path: Path
) -> None:
    rough = NebConfig(images=4, max_force=0.3, end_max_force=0.002, dimer=True, frequencies=False)
    path = minimum_energy_path(pairs, *vacancy_ends(), rough, scratch=tmp_path)
    assert path.converged
    assert path.max_force < 0.002
    assert path.barrier == pytest.approx(hop.barrier, abs=1e-3)


def test_a_collapse_ends_the_path_where_its_forces_were_smallest() -> None:
    start, end = vacancy_ends()
    band = Band(start, match_ends(start, end, keep_order=False), NebConfig(images=3))
    for image in (band.images[0], band.images[-1]):
        set_prediction(image, prediction_of(start, 0.0))
    assert not band.advance([prediction_of(start, 2.0)] * 3)
    positions = band.images[2].positions.copy()
    assert not band.advance([prediction_of(start, 1.0)] * 3)  # the smallest
    assert not band.advance([prediction_of(start, 5.0)] * 3)
    assert not np.allclose(band.images[2].positions, positions)
    assert band.advance([prediction_of(start, 500.0)] * 3)
    assert band.collapsed_at == 3
    assert not band.converged
    np.testing.assert_array_equal(band.images[2].positions, positions)


def prediction_of(atoms: Atoms, force: float) -> Prediction:
    """Forces on the first two atoms, across any path in the plane."""
    forces = np.zeros((len(atoms), 3))
    forces[:2, 2] = force, -force
    return Prediction(0.0, forces, None, None, None, None)


def test_relaxations_and_trajectories_say_where_they_leave_the_training_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sheet = layer(4)
    silent = ff.relax(LENNARD_JONES, sheet, relax_cell=False)
    known = TrainingRange({"Cu-Cu": 3.0}, {"Cu": (6, 6)})  # the bonds have 2.81 Å
    monkeypatch.setattr("flatforce.models.model_card.training_range", lambda _: known)
    relaxed = ff.relax(LENNARD_JONES, sheet, relax_cell=False)
    moved = ff.md(LENNARD_JONES, sheet, steps=20, equilibration=0, temperatures=[50])
    assert not any("trained on" in text for text in silent.warnings)
    assert any("the closest Cu-Cu pair of the training set is 3.00 Å" in text for text in relaxed.warnings)
    assert any(
        "trajectory 50K_1 leaves what the force field was trained on" in text for text in moved.warnings
    )
    assert relaxed.converged


class KilledError(Exception):
    """Stands for a kill."""


def test_killed_path_continues_with_the_same_steps(
    hop: MinimumEnergyPath, pairs: Potential, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flatforce.core.checkpoint.MIN_INTERVAL", 0.0)
    monkeypatch.setattr("flatforce.core.checkpoint.MAX_COST", 1e9)

    def kill(completed: int, total: int, text: str, /) -> None:
        del text
        if total == TIGHT.max_steps and completed == 12:
            raise KilledError

    assert hop.n_steps > 20
    with pytest.raises(KilledError):
        minimum_energy_path(pairs, *vacancy_ends(), TIGHT, scratch=tmp_path, progress=kill)
    steps: list[int] = []

    def record(completed: int, total: int, text: str, /) -> None:
        del text
        if total == TIGHT.max_steps:
            steps.append(completed)

    resumed = minimum_energy_path(pairs, *vacancy_ends(), TIGHT, scratch=tmp_path, progress=record)
    assert steps[0] == 12
    np.testing.assert_array_equal(resumed.energies, hop.energies)
    assert resumed.metrics == hop.metrics


def test_atoms_in_any_order_and_at_any_image_are_matched(rng: np.random.Generator) -> None:
    start, end = vacancy_ends()
    order = rng.permutation(len(end))
    shuffled = end[order]
    shuffled.positions += [*(3 * shuffled.cell.array[0, :2]), 0.0]
    shuffled.wrap()
    matched = match_ends(start, shuffled, keep_order=False)
    moves = np.linalg.norm(matched.positions - start.positions, axis=1)
    assert moves[0] == pytest.approx(2 ** (1 / 6) * SIGMA)
    np.testing.assert_allclose(moves[1:], 0.0, atol=1e-9)
    assert (order != np.arange(len(end))).any()


def test_ends_without_a_mapping_are_refused() -> None:
    start, end = vacancy_ends()
    with pytest.raises(GeometryError, match="No atom of the end can be assigned"):
        match_ends(start, end[1:], keep_order=False)
    stretched = end.copy()
    stretched.set_cell(stretched.cell.array * [[1.01], [1], [1]])
    with pytest.raises(GeometryError, match=r"cells of start and end differ by 0\.1"):
        match_ends(start, stretched, keep_order=False)


def test_ends_in_one_basin_are_refused(pairs: Potential, tmp_path: Path) -> None:
    start, _ = vacancy_ends()
    with pytest.raises(GeometryError, match="relax to the same structure"):
        minimum_energy_path(pairs, start, start, TIGHT, scratch=tmp_path)


def test_mirror_images_are_equivalent_and_strained_ones_are_not(sheet: Atoms) -> None:
    mirrored = sheet.copy()
    mirrored.positions[:, 2] = sheet.cell[2, 2] - mirrored.positions[:, 2]
    assert are_equivalent(sheet, mirrored[::-1])
    pushed = sheet.copy()
    pushed.positions[0, 0] += 0.1
    assert not are_equivalent(sheet, pushed)


def test_selenium_vacancy_has_two_distinct_first_hops(unit: Atoms) -> None:
    first, second = find_hops(unit, "v_Se:top", HopsConfig(supercell=(4, 4)))
    assert (first.multiplicity, second.multiplicity) == (6, 1)
    assert first.distance == pytest.approx(3.3166)  # the lattice constant
    assert second.distance == pytest.approx(3.3597)  # the thickness: from the other side of the sheet
    assert "bottom" in second.description
    wider = find_hops(unit, "v_Se:top", HopsConfig(supercell=(4, 4), distance=5.0))
    assert [hop.multiplicity for hop in wider] == [6, 1, 6]
    (adatom,) = find_hops(unit, "ad_Se@W:top", HopsConfig(supercell=(4, 4)))
    assert adatom.multiplicity == 6
    for found in (first, second, *wider, adatom):
        moved = np.linalg.norm(found.end.positions - found.start.positions, axis=1)
        assert np.count_nonzero(moved) == 1
        assert moved[found.atom] == pytest.approx(found.distance)
    with pytest.raises(GeometryError, match="no first hop"):
        find_hops(unit, "Se@W", HopsConfig())


def test_card_of_the_bundled_model_states_the_range_of_its_training_set(frames: list[Atoms]) -> None:
    import flatforce.models
    from flatforce.core.hashing import hash_structure

    split = Path(flatforce.models.__file__).parent / "bundled/wse2-pbe.split.json"
    train = set(json.loads(split.read_text(encoding="utf-8"))["train"])
    measured = measure_range([frame for frame in frames if hash_structure(frame) in train])
    stored = training_range("symmetrix:wse2-pbe")
    assert stored is not None
    assert stored == TrainingRange.from_values(measured.as_values())
    assert stored.shortest["Se-Se"] == pytest.approx(2.29, abs=0.01)
    assert training_range("ase:ase.calculators.emt:EMT") is None


def test_no_training_frame_is_outside_its_own_range(frames: list[Atoms]) -> None:
    known = TrainingRange.from_values(measure_range(frames[:20]).as_values())
    assert [known.too_close(frame) for frame in frames[:20]] == [{}] * 20
    assert [known.unusual_neighbours(frame) for frame in frames[:20]] == [{}] * 20
    pair = closest_pairs(frames[0])["Se-W"]
    pressed = frames[0].copy()
    pressed.set_distance(pair.first, pair.second, known.shortest["Se-W"] - 0.1, fix=0, mic=True)
    assert "Se-W pair of the training set" in known.too_close(pressed)["Se-W"]


def test_ranges_of_two_training_sets() -> None:
    one = TrainingRange({"A-A": 2.0, "A-B": 1.5}, {"A": (2, 3), "B": (1, 4)})
    two = TrainingRange({"A-A": 1.8}, {"A": (3, 5)})
    assert one.united(two) == TrainingRange({"A-A": 1.8, "A-B": 1.5}, {"A": (2, 5), "B": (1, 4)})
    assert one.common(two) == TrainingRange({"A-A": 2.0}, {"A": (3, 3)})


def pressed_pair(sheet: Atoms, distance: float) -> Atoms:
    """Two Se of one side at a distance."""
    pressed = sheet.copy()
    selenium = [i for i in range(len(sheet)) if sheet.symbols[i] == "Se"]
    pressed.set_distance(selenium[0], selenium[2], distance, fix=0.5, mic=True)
    return pressed


def test_false_minimum_is_outside_the_training_set(unit: Atoms) -> None:
    """The image that DFT puts 6.65 eV higher: two Se 1.96 Å apart."""
    model = ff.load("mace:wse2-pbe")
    sheet = unit.repeat((2, 2, 1))
    images = [sheet, pressed_pair(sheet, 1.96), pressed_pair(sheet, 2.6)]
    judgement = judge(model, images, model.evaluate(images), NebConfig())
    assert judgement.outside.tolist() == [False, True, False]
    assert judgement.distance_ratio == pytest.approx(1.96 / 2.2906, abs=1e-3)
    (text,) = judgement.problems
    assert "in image 1" in text
    assert "1.96 Å apart, and the closest Se-Se pair of the training set is 2.29 Å" in text
    (note,) = outside_notes(model.spec, images, subject="the path")
    assert "1.96 Å" in note


def test_committee_gives_error_bars_and_distrusts_what_its_members_disagree_on(tmp_path: Path) -> None:
    members = [
        f"ase:ase.calculators.lj:LennardJones?sigma=2.5&epsilon={e}&rc=4.0&cutoff=4.0&elements=Cu"
        for e in (0.36, 0.4, 0.44)
    ]
    committee = ff.load(f"committee:{','.join(members)}")
    settings = NebConfig(images=3, max_force=0.1, frequencies=False, uncertainty_threshold=0.0)
    path = minimum_energy_path(committee, *vacancy_ends(), settings, scratch=tmp_path)
    # energies are proportional to epsilon, and so is the barrier
    assert path.metrics["barrier_std"] == pytest.approx(0.1 * path.barrier, rel=1e-3)
    assert path.metrics["force_std"] > 0
    assert any("committee is not sure" in text for text in path.problems)
    assert path.judgement.outside.any()


def run_cli(*arguments: object) -> Result:
    from flatforce.cli import app

    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.slow
def test_command_writes_a_path_that_labels_verify(tmp_path: Path) -> None:
    """The labels are those of pairs that are a tenth stronger: so is their barrier."""
    for name, atoms in zip(("start", "end"), vacancy_ends(), strict=True):
        write_frames(tmp_path / f"{name}.extxyz", [atoms])
    parameters = "{sigma: 2.5, epsilon: 0.44, rc: 4.0}"
    (tmp_path / "label.yaml").write_text(
        "workers: 1\nsettings: {engine: ase, calculator: 'ase.calculators.lj:LennardJones', "
        f"parameters: {parameters}}}\n"
    )
    (tmp_path / "neb.yaml").write_text("images: 3\nmax_force: 0.1\nfrequencies: false\n")
    options = ["-c", tmp_path / "neb.yaml", "--verify", tmp_path / "label.yaml", "-o", tmp_path / "hop"]
    ends = [tmp_path / "start.extxyz", tmp_path / "end.extxyz"]
    result = run_cli("neb", LENNARD_JONES, *ends, *options)
    assert result.exit_code == 1, result.output  # the labels differ by more than verify_tolerance
    path: Any = ff.open(tmp_path / "hop")
    assert len(path.images) == 5
    assert path.metrics["label_barrier"] == pytest.approx(1.1 * path.barrier, rel=1e-4)
    assert path.metrics["label_barrier_error"] == pytest.approx(-0.1 * path.barrier, rel=1e-3)
    assert any("verified.extxyz" in text for text in path.warnings)
    assert (tmp_path / "hop" / "verified.extxyz").is_file()
    assert path.saddle.get_chemical_formula() == "Cu15"
    assert path.energies.max() == path.barrier
    assert len(path.plot().axes) == 2


def test_hops_of_a_vacancy_are_a_series_with_a_table(tmp_path: Path) -> None:
    write_frames(tmp_path / "layer.extxyz", [layer(1)])
    (tmp_path / "hops.yaml").write_text("path: {images: 3, max_force: 0.1, frequencies: false}\n")
    options = ["-s", "4", "4", "-c", tmp_path / "hops.yaml", "-o", tmp_path / "hops"]
    result = run_cli("defect", "hops", LENNARD_JONES, tmp_path / "layer.extxyz", "v_Cu", *options)
    assert result.exit_code == 0, result.output
    assert "hop_1" in result.output
    tree: Any = ff.open(tmp_path / "hops")
    (row,) = tree["hops"].table
    assert row["multiplicity"] == 6
    assert row["barrier"] == pytest.approx(tree["hop_1"].barrier)
    assert tree["hops"].metrics["lowest_barrier"] == row["barrier"]
    assert "hop_1,Cu (middle) into the vacancy (middle)" in (tmp_path / "hops/hops/hops.csv").read_text(
        encoding="utf-8"
    )
