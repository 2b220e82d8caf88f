"""Active learning: calibrated doubt, choices, and the dynamics that proposes frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from ase import Atoms, units
from scipy.stats import t, ttest_1samp

from flatforce.active.assess import assess, few_to_calibrate
from flatforce.active.calibration import LEVELS, atom_errors, calibrate, coverage, level_margins
from flatforce.active.cross_conformal import Fold, Model
from flatforce.active.dynamics import Dynamics, run_dynamics
from flatforce.active.selection import Pool, select
from flatforce.active.surrogate import Surrogate
from flatforce.active.uncertainty import DescriptorDistance, atom_spread, committee_spread
from flatforce.core.arrays import FloatArray
from flatforce.core.errors import DataError, ModelError
from flatforce.data.curation.diversity import descriptor_gradients
from flatforce.data.frames import Labels, attach_labels
from flatforce.models import load
from flatforce.models.errors import compare, error_metrics
from flatforce.models.potential import Potential
from flatforce.models.prediction import Prediction
from flatforce.models.protocols import RawPrediction
from flatforce.structures.strain import rattle_positions

EMT = "ase:ase.calculators.emt:EMT"


def layer(element: str, a: float, repeats: int) -> Atoms:
    cell = [[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, 15]]
    return Atoms(element, positions=[[0, 0, 7.5]], cell=cell, pbc=True).repeat((repeats, repeats, 1))


class Einstein:
    """Every atom on a spring of its own, at any vacuum: positions are Gaussian."""

    elements = frozenset({"Cu"})
    cutoff, layers, local, dtype, device, batch_atoms = 3.0, 1, True, "float64", "cpu", 10_000

    def __init__(self, home: Atoms, stiffness: float) -> None:
        self.home, self.stiffness = home, stiffness

    def predict(self, frames: Sequence[Atoms], *, stress: bool) -> list[RawPrediction]:
        del stress
        found = []
        for frame in frames:
            moved = frame.positions - self.home.positions
            moved -= moved.mean(axis=0)
            forces = -self.stiffness * moved
            found.append(
                RawPrediction(float(0.5 * self.stiffness * (moved**2).sum()), forces, np.zeros((3, 3)))
            )
        return found

    def hessian(self, slab: Atoms) -> None:
        del slab


def spread_and_errors(seed: int, count: int) -> tuple[FloatArray, FloatArray]:
    """Heavy tails, and a spread that is five times too small: what committees are like."""
    rng = np.random.default_rng(seed)
    spread = rng.lognormal(mean=-4.0, sigma=0.8, size=count)
    return spread, 5 * spread * np.abs(rng.standard_t(3, size=count))


def test_calibrated_intervals_hold_on_other_atoms() -> None:
    spread, errors = spread_and_errors(0, 1500)
    found = calibrate(errors, spread)
    other_spread, other_errors = spread_and_errors(1, 4000)
    covered = coverage(found, other_errors, other_spread)
    assert covered == pytest.approx(found.levels, abs=0.03)
    raw = (other_errors <= other_spread).mean()
    assert raw < 0.3  # uncalibrated, "one standard deviation" holds a fifth of them
    gaussian = np.sqrt((errors**2).mean() / (spread**2).mean())
    one_sigma = (other_errors <= gaussian * other_spread).mean()
    assert one_sigma > 0.68 + 0.05  # one Gaussian factor for all levels would not do
    assert found.interval(np.array([0.01]), 0.95) > found.interval(np.array([0.01]), 0.68)


def clustered(rng: np.random.Generator, sizes: Sequence[int]) -> tuple[list[FloatArray], list[FloatArray]]:
    """Errors and spread of frames whose atoms err together."""
    spread = [rng.lognormal(sigma=0.5, size=n) for n in sizes]
    return [one * rng.lognormal(sigma=0.4) * np.abs(rng.normal(size=len(one))) for one in spread], spread


def test_frames_and_not_atoms_fix_a_level() -> None:
    """The margin that a few frames tell is that of coverage over many draws of them."""
    rng, level = np.random.default_rng(0), LEVELS.index(0.68)
    many = [np.concatenate(one) for one in clustered(rng, [50] * 3000)]
    held, told = [], []
    for _ in range(300):
        errors, spread = clustered(rng, [50] * 12)
        found = calibrate(np.concatenate(errors), np.concatenate(spread))
        held.append(coverage(found, *many)[level])
        told.append(level_margins(found, errors, spread)[level])
    assert np.mean(np.abs(np.array(held) - 0.68) <= told) == pytest.approx(0.95, abs=0.03)
    by_atoms = 2 * np.sqrt(0.68 * 0.32 / (12 * 50))
    assert np.mean(told) > 2 * by_atoms
    few = [coverage(found, one, its)[level] for one, its in zip(errors[:3], spread[:3], strict=True)]
    ends = ttest_1samp(few, 0.5).confidence_interval(0.95)
    assert level_margins(found, errors[:3], spread[:3])[level] == pytest.approx((ends.high - ends.low) / 2)
    assert np.isnan(level_margins(found, errors[:1], spread[:1])).all()


def test_large_frames_weigh_more_in_a_margin() -> None:
    """Against the jackknife over frames."""
    errors, spread = clustered(np.random.default_rng(0), [20, 400] * 30)
    found = calibrate(np.concatenate(errors), np.concatenate(spread))
    without = [
        coverage(found, *(np.concatenate([*of[:k], *of[k + 1 :]]) for of in (errors, spread)))
        for k in range(60)
    ]
    jackknife = np.sqrt(59 / 60 * ((np.array(without) - np.mean(without, axis=0)) ** 2).sum(axis=0))
    assert level_margins(found, errors, spread) == pytest.approx(t.ppf(0.975, 59) * jackknife, rel=0.05)


class Members:
    """Of a committee whose true forces are zero: each has an error of its own beside one that all share.

    How far off they are differs from atom to atom. `which` are the members asked, of twelve.
    """

    def __init__(self, which: slice, shared: float) -> None:
        self.which, self.shared = which, shared

    def evaluate(self, frames: Sequence[Atoms], *, stress: bool) -> list[Prediction]:
        del stress
        return [self._said(frame) for frame in frames]

    def _said(self, frame: Atoms) -> Prediction:
        rng, n = np.random.default_rng(frame.info["number"]), len(frame)
        size = rng.lognormal(sigma=0.5, size=(n, 1))
        forces = self.shared * rng.normal(size=(n, 3)) + rng.normal(size=(12, n, 3))[self.which]
        return Prediction(0.0, size * forces.mean(axis=0), None, None, 0.0, size * forces.std(axis=0, ddof=1))


def numbered(count: int, begin: int = 0) -> list[Atoms]:
    frames = []
    for number in range(begin, begin + count):
        frame = layer("Cu", 2.49, 5)
        frame.info["number"] = number
        frames.append(attach_labels(frame, Labels(0.0, np.zeros((25, 3)), None)))
    return frames


def committee_of(which: slice, shared: float) -> Model:
    return Model(cast("Potential", Members(which, shared)), committee_spread)


def test_folds_calibrate_the_doubt_of_the_whole() -> None:
    """Four parts of three members, against the errors of all twelve, which are less and better known."""
    test = numbered(200, begin=1000)
    for shared in (4.0, 1.5):  # what the members err together, beside 1 of their own
        parts = [committee_of(slice(3 * k, 3 * k + 3), shared) for k in range(4)]
        folds = [Fold(one.potential, one.spread, numbered(30, begin=30 * k)) for k, one in enumerate(parts)]
        found = assess(committee_of(slice(12), shared), folds, test, seed=0)
        assert found.n_calibrating == 120
        assert found.covered == pytest.approx(found.calibration.levels, abs=0.045)
        scores = [atom_errors(one.held_out, one.evaluate(one.held_out)[0]) for one in folds]
        plain = calibrate(
            np.concatenate(scores),
            np.concatenate([doubt for one in folds for doubt in one.evaluate(one.held_out)[1]]),
        )
        said, doubted = committee_of(slice(12), shared).evaluate(test)
        held = coverage(plain, atom_errors(test, said), np.concatenate(doubted))
        assert held[LEVELS.index(0.68)] > 0.74  # what scores of the parts would make of it as they are


def test_a_round_tells_how_far_its_levels_are_fixed() -> None:
    model, test = committee_of(slice(3), 2.0), numbered(12, begin=100)
    alone = assess(model, [Fold(model.potential, model.spread, test)], test[:3], seed=0)
    assert alone.calibration.factors == pytest.approx(
        calibrate(atom_errors(test, model.evaluate(test)[0]), np.concatenate(model.evaluate(test)[1])).factors
    )
    assert few_to_calibrate(replace(alone, margins=np.full(5, 0.04)), folds=1) == []
    (warning,) = few_to_calibrate(replace(alone, margins=np.full(5, 0.08)), folds=1)
    assert warning.startswith("12 frames calibrate the doubt, which fixes its level of 68 % to ± 8 points")
    (warning,) = few_to_calibrate(replace(alone, n_calibrating=1, margins=np.full(5, np.nan)), folds=4)
    assert warning.startswith(
        "1 frame calibrates the doubt, which fixes its level of 68 % to an unknown number"
    )
    for frame in test:
        frame.info["path"] = "one"
    one = assess(model, [Fold(model.potential, model.spread, test)], test[:3], seed=0)
    assert np.isnan(one.margins).all()
    cut = assess(model, [Fold(model.potential, model.spread, test, test[:1])], test[:3], seed=0)
    assert cut.margins == pytest.approx(alone.margins)


def test_too_few_atoms_and_single_models_are_refused() -> None:
    with pytest.raises(DataError, match="too few"):
        calibrate(np.ones(10), np.ones(10))
    with pytest.raises(ModelError, match="no spread"):
        atom_spread(Prediction(0.0, np.zeros((2, 3)), None, None, None, None))


def test_a_distance_tells_what_was_learnt_from_what_was_not() -> None:
    """One layer of copper and gold, gold nowhere beside gold: a pair of gold atoms is strange."""
    pytest.importorskip("dscribe")
    rng = np.random.default_rng(0)
    sheet = layer("Cu", 2.6, 3)
    sheet.symbols[::3] = "Au"
    learnt = [rattle_positions(sheet, amplitude=0.03, rng=rng) for _ in range(6)]
    distance = DescriptorDistance(learnt)
    assert distance(learnt[:1], [])[0] == pytest.approx(np.zeros(9), abs=1e-7)
    turned = learnt[0].copy()
    turned.rotate(40, "z", rotate_cell=True)
    assert distance([turned], [])[0] == pytest.approx(np.zeros(9), abs=1e-5)
    near, far = (rattle_positions(sheet, amplitude=amplitude, rng=rng) for amplitude in (0.03, 0.2))
    pair = learnt[0].copy()
    pair.symbols[1] = "Au"
    means = [one.mean() for one in distance([near, far], [])]
    assert 2 * means[0] < means[1]
    (usual,), (strange,) = distance([near], []), distance([pair], [])
    assert strange[[0, 1]].min() > 2 * usual.max()


def pool(seed: int = 0) -> Pool:
    rng = np.random.default_rng(seed)
    points = np.concatenate([rng.normal(size=(30, 2)) * 0.1, [[5.0, 0.0], [5.05, 0.0], [0.0, 5.0]]])
    doubt = np.concatenate([rng.uniform(0.0, 0.1, size=30), [0.5, 0.49, 0.3]])
    return Pool(doubt, points, np.zeros((1, 2)), [], None)


def test_each_strategy_does_what_its_name_says() -> None:
    rng = np.random.default_rng(0)
    assert select(pool(), 2, "uncertainty", rng=rng).places == [30, 31]  # both of one place
    assert set(select(pool(), 2, "diversity", rng=rng).places) == {31, 32}
    combined = select(pool(), 2, "combined", rng=rng)
    assert set(combined.places) == {31, 32}
    assert "may be off by" in combined.reasons[0]
    many = [tuple(select(pool(), 2, "random", rng=rng).places) for _ in range(20)]
    assert len(set(many)) > 10
    assert len(select(pool(), 100, "combined", rng=rng).places) == 33
    with pytest.raises(DataError, match="No property"):
        select(pool(), 2, "property", rng=rng)


def test_the_choice_for_a_property_is_that_of_exact_bayesian_regression() -> None:
    """Weights w ~ N(0, 1), forces F w, property a·w: posterior variances are known in closed form."""
    rng = np.random.default_rng(3)
    unknowns = 90
    target = rng.normal(size=(unknowns, 2))
    designs = [scale * rng.normal(size=(12, unknowns)) for scale in rng.uniform(0.02, 0.2, size=20)]
    candidates = Pool(np.zeros(20), np.zeros((20, 1)), np.zeros((1, 1)), designs, target)

    def left(chosen: list[int]) -> float:
        precision = np.eye(unknowns) + sum(designs[k].T @ designs[k] for k in chosen)
        return float(np.trace(target.T @ np.linalg.solve(precision, target)))

    wanted: list[int] = []
    for _ in range(4):
        rest = [k for k in range(20) if k not in wanted]
        wanted.append(min(rest, key=lambda k: left([*wanted, k])))
    found = select(candidates, 4, "property", rng=rng)
    assert found.places == wanted
    for count in range(1, 5):
        told = float(found.reasons[count - 1].split("away ")[1].split(" %")[0]) / 100
        assert told == pytest.approx(1 - left(wanted[:count]) / left([]), abs=0.006)
    assert left(wanted) > 0.2 * left([])  # many unknowns: four labels do not seem to tell all


def test_a_linear_model_knows_what_it_does_not_know() -> None:
    """Labels made by a linear model with noise: the noise is found, and errors elsewhere are as large as they are said to be."""
    pytest.importorskip("dscribe")
    rng = np.random.default_rng(1)
    sheet = layer("Cu", 2.6, 3)
    sheet.symbols[::3] = "Au"
    frames = [rattle_positions(sheet, amplitude=0.15, rng=rng) for _ in range(16)]
    designs = [descriptor_gradients(frame, ["Au", "Cu"]) for frame in frames]
    weights = rng.normal(size=designs[0].shape[1])
    scale = 1 / np.std(designs[0] @ weights)
    labels = [scale * one @ weights + 0.05 * rng.normal(size=len(one)) for one in designs]
    known = [
        attach_labels(frame, Labels(0.0, -one.reshape(-1, 3), None))
        for frame, one in zip(frames, labels, strict=True)
    ]
    found = Surrogate(known[:10])
    assert found.noise == pytest.approx(0.05, rel=0.25)
    up, down = frames[0].copy(), frames[0].copy()
    up.positions[4, 1] += 1e-3
    down.positions[4, 1] -= 1e-3
    slope = (found.energy(down) - found.energy(up)) / 2e-3
    np.testing.assert_allclose(found.forces(frames[0])[13], slope, atol=1e-4 * np.abs(slope).max())
    design = np.concatenate(designs[:10])
    best = found.directions @ found.directions.T @ design.T @ np.concatenate(labels[:10]) / found.noise**2
    for frame, one in zip(frames[10:], designs[10:], strict=True):
        off = scale * one @ weights - one @ best
        said = np.sqrt((found.forces(frame) ** 2).sum(axis=1))
        assert 0.5 < np.sqrt((off**2).mean() / (said**2).mean()) < 2.0
    constants = found.force_constants(sheet)
    np.testing.assert_allclose(constants, constants.transpose(0, 2, 1))
    shifted = constants.reshape(len(constants), 27, 9, 3).sum(
        axis=2
    )  # a sheet that moves as a whole feels nothing
    assert np.abs(shifted).max() < 2e-3 * np.abs(constants).max()  # but for the finite step


def test_positions_of_springs_are_distributed_as_boltzmann_says() -> None:
    """At ω dt = 0.6 velocity Verlet alone would be off by ten per cent; BAOAB is exact here."""
    home = layer("Cu", 2.6, 3)
    mass = home.get_masses()[0]
    temperature, stiffness = 300.0, 3.0
    step = 0.6 / np.sqrt(stiffness / mass) / units.fs
    potential = Potential("test:einstein", Einstein(home, stiffness))
    config = Dynamics(temperatures=[temperature], time_step=step, steps=1500, friction=0.2 / step, every=3)
    (found,) = run_dynamics(potential, [home], config, seed=1)
    moved = np.array([one.positions - home.positions for one in found.frames[50:]])
    moved -= moved.mean(axis=1, keepdims=True)
    wanted = units.kB * temperature / stiffness * (1 - 1 / len(home))
    assert moved.var() == pytest.approx(wanted, rel=0.04)
    assert abs(moved.mean()) < 1e-3


def test_the_area_finds_the_tension_that_is_asked_for() -> None:
    sheet = layer("Cu", 2.49, 3)
    config = Dynamics(temperatures=[50.0], time_step=4.0, steps=800, tension=2.0, relaxation=80.0, every=100)
    done = run_dynamics(load(EMT), [sheet] * 6, config, seed=0)
    found = done[0]
    means = np.array(
        [np.mean(one.tension[200:]) for one in done]
    )  # apart: one trajectory remembers itself for long
    error = means.std() / np.sqrt(5)
    assert error < 0.05
    assert abs(found.tension[0] - 2.0) > 0.5  # it did not start there
    assert means.mean() == pytest.approx(2.0, abs=3 * error)
    assert not np.allclose(found.atoms.cell.array[0], sheet.cell.array[0], atol=0.01)
    assert found.atoms.cell.array[2] == pytest.approx(sheet.cell.array[2])


def test_one_trajectory_that_the_model_loses_ends_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A force field that knows nothing of atoms closer than 2.3 Å."""
    sheet, potential = layer("Cu", 2.49, 2), load(EMT)
    plain = potential.backend.predict

    def short(frames: Sequence[Atoms], *, stress: bool) -> list[RawPrediction]:
        distances = [one.get_all_distances(mic=True) + 9 * np.eye(len(one)) for one in frames]
        return [
            replace(said, energy=np.nan) if between.min() < 2.3 else said
            for said, between in zip(plain(frames, stress=stress), distances, strict=True)
        ]

    monkeypatch.setattr(potential.backend, "predict", short)
    config = Dynamics(temperatures=[10.0, 4000.0], steps=60, every=20, friction=0.05)
    cold, hot = run_dynamics(potential, [sheet], config, seed=0)
    assert cold.steps == 60
    assert len(cold.frames) == 3
    assert hot.steps < 60
    assert "NaN" in hot.ended
    monkeypatch.setattr(potential.backend, "predict", plain)
    again = run_dynamics(potential, [sheet], config, seed=1, before=[cold, hot])
    assert len(again[0].kinetic) == 60  # it has done its steps
    assert len(again[1].kinetic) == again[1].steps == 60  # with a model that has learnt it begins anew
    assert not again[1].ended


def test_errors_count_force_components_not_frames() -> None:
    frames = []
    for repeats, amplitude in ((2, 0.02), (3, 0.2), (4, 0.1), (5, 0.15)):
        frame = rattle_positions(layer("Cu", 2.49, repeats), amplitude=amplitude, rng=np.random.default_rng(repeats))
        (said,) = load(EMT).evaluate([frame])
        frames.append(attach_labels(frame, Labels(said.energy, said.forces, None)))
    members = "ase:ase.calculators.emt:EMT,ase:ase.calculators.lj:LennardJones?sigma=2.3&epsilon=0.4&rc=6.0"
    committee = load(f"committee:{members}")
    model = Model(committee, committee_spread)
    found = assess(model, [Fold(committee, committee_spread, frames[2:])], frames[:2], seed=0).metrics
    pooled = error_metrics(compare(frames[:2], committee.evaluate(frames[:2])))["force_mae"]
    assert found["force_mae"] == pytest.approx(pooled)
    each = [error_metrics(compare([one], committee.evaluate([one])))["force_mae"] for one in frames[:2]]
    assert abs(np.mean(each) - pooled) > 0.1 * pooled
    ends = [found["force_mae_low"], found["force_mae_high"]]
    assert ends == pytest.approx(
        sorted(each)
    )  # two frames drawn anew are twice one of them in half of the draws


def test_a_trajectory_ends_where_the_model_is_not_trusted() -> None:
    sheet = layer("Cu", 2.49, 2)
    config = Dynamics(temperatures=[100.0, 600.0], time_step=4.0, steps=60, every=20, stop_above=0.5)
    found = run_dynamics(
        load(EMT), [sheet], config, seed=0, doubt=lambda _, said: float(np.abs(said.forces).max())
    )
    hot = next(one for one in found if one.temperature == 600.0)
    assert "may be off by" in hot.ended
    assert hot.frames[-1].info["doubt"] > 0.5
    assert all(frame.info["doubt"] <= 0.5 for frame in hot.frames[:-1])
    assert len(hot.kinetic) < 60
    again = run_dynamics(
        load(EMT), [sheet], config, seed=0, doubt=lambda _, said: float(np.abs(said.forces).max())
    )
    assert again[1].frames[-1].positions == pytest.approx(hot.frames[-1].positions)
