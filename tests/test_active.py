"""Active learning: calibration of uncertainties, selection, and the dynamics that proposes frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from ase import Atoms, units
from scipy.stats import t, ttest_1samp

from flatforce.active.assess import MORE_FOLDS, Assessment, assess, warn_small_calibration_set
from flatforce.active.calibration import (
    LEVELS,
    atom_errors,
    calibrate,
    coverage_tolerance,
    empirical_coverage,
)
from flatforce.active.cross_conformal import Fold, UncertainModel
from flatforce.active.dynamics import continue_trajectories, run_dynamics, start_trajectories
from flatforce.active.dynamics_config import DynamicsConfig
from flatforce.active.selection import CandidatePool, select
from flatforce.active.surrogate import Surrogate
from flatforce.active.trajectories import Trajectory
from flatforce.active.uncertainty import DescriptorDistance, committee_uncertainty, force_standard_deviation
from flatforce.core.arrays import FloatArray
from flatforce.core.errors import DataError, ModelError
from flatforce.data.curation.diversity import descriptor_gradients
from flatforce.data.frames import Labels, attach_labels
from flatforce.data.splits import TRAJECTORY
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

    def __init__(self, minimum: Atoms, stiffness: float) -> None:
        self.minimum, self.stiffness = minimum, stiffness

    def predict(self, frames: Sequence[Atoms], *, stress: bool) -> list[RawPrediction]:
        del stress
        predictions = []
        for frame in frames:
            displacements = frame.positions - self.minimum.positions
            displacements -= displacements.mean(axis=0)
            energy = float(0.5 * self.stiffness * (displacements**2).sum())
            predictions.append(RawPrediction(energy, -self.stiffness * displacements, np.zeros((3, 3))))
        return predictions

    def hessian(self, slab: Atoms) -> None:
        del slab


def uncertainty_and_errors(seed: int, count: int) -> tuple[FloatArray, FloatArray]:
    """Errors with heavy tails, and standard deviations that are five times too small, as committees have them."""
    rng = np.random.default_rng(seed)
    uncertainty = rng.lognormal(mean=-4.0, sigma=0.8, size=count)
    return uncertainty, 5 * uncertainty * np.abs(rng.standard_t(3, size=count))


def test_calibrated_intervals_cover_errors_of_other_atoms() -> None:
    uncertainty, errors = uncertainty_and_errors(0, 1500)
    calibration = calibrate(errors, uncertainty)
    test_uncertainty, test_errors = uncertainty_and_errors(1, 4000)
    coverage = empirical_coverage(calibration, test_errors, test_uncertainty)
    assert coverage == pytest.approx(calibration.levels, abs=0.03)
    uncalibrated = (test_errors <= test_uncertainty).mean()
    assert uncalibrated < 0.3  # one standard deviation of the committee covers a fifth of the errors only
    gaussian_factor = np.sqrt((errors**2).mean() / (uncertainty**2).mean())
    one_sigma = (test_errors <= gaussian_factor * test_uncertainty).mean()
    assert one_sigma > 0.68 + 0.05  # one Gaussian factor for all levels is not enough
    half_width = np.array([0.01])
    assert calibration.interval(half_width, 0.95) > calibration.interval(half_width, 0.68)


def correlated_frames(
    rng: np.random.Generator, sizes: Sequence[int]
) -> tuple[list[FloatArray], list[FloatArray]]:
    """Errors and uncertainties of frames in which the errors of the atoms are correlated."""
    uncertainty = [rng.lognormal(sigma=0.5, size=n) for n in sizes]
    errors = [frame * rng.lognormal(sigma=0.4) * np.abs(rng.normal(size=len(frame))) for frame in uncertainty]
    return errors, uncertainty


def test_two_frames_that_agree_know_little() -> None:
    errors, uncertainty = [np.linspace(0.01, 1, 26)] * 2, [np.ones(26)] * 2
    calibration = calibrate(np.concatenate(errors), np.concatenate(uncertainty))
    tolerance = coverage_tolerance(calibration, errors, uncertainty)
    assert tolerance[LEVELS.index(0.68)] == pytest.approx(12.7 * np.sqrt(0.68 * 0.32 / 52), rel=0.01)


def test_the_number_of_frames_determines_the_coverage_tolerance() -> None:
    """The tolerance of a small calibration set is the scatter of the coverage over many such sets."""
    rng, level = np.random.default_rng(0), LEVELS.index(0.68)
    test_set = [np.concatenate(arrays) for arrays in correlated_frames(rng, [50] * 3000)]
    coverages, tolerances = [], []
    for _ in range(300):
        errors, uncertainty = correlated_frames(rng, [50] * 12)
        calibration = calibrate(np.concatenate(errors), np.concatenate(uncertainty))
        coverages.append(empirical_coverage(calibration, *test_set)[level])
        tolerances.append(coverage_tolerance(calibration, errors, uncertainty)[level])
    is_within = np.abs(np.array(coverages) - 0.68) <= tolerances
    assert np.mean(is_within) == pytest.approx(0.95, abs=0.03)
    tolerance_of_independent_atoms = 2 * np.sqrt(0.68 * 0.32 / (12 * 50))
    assert np.mean(tolerances) > 2 * tolerance_of_independent_atoms
    three_frames = [
        empirical_coverage(calibration, e, u)[level] for e, u in zip(errors[:3], uncertainty[:3], strict=True)
    ]
    interval = ttest_1samp(three_frames, 0.5).confidence_interval(0.95)
    assert coverage_tolerance(calibration, errors[:3], uncertainty[:3])[level] == pytest.approx(
        (interval.high - interval.low) / 2
    )
    assert np.isnan(coverage_tolerance(calibration, errors[:1], uncertainty[:1])).all()


def test_large_frames_have_more_weight_in_the_coverage_tolerance() -> None:
    """Compared with the jackknife over frames."""
    errors, uncertainty = correlated_frames(np.random.default_rng(0), [20, 400] * 30)
    calibration = calibrate(np.concatenate(errors), np.concatenate(uncertainty))
    leave_one_out = [
        empirical_coverage(
            calibration,
            *(np.concatenate([*values[:k], *values[k + 1 :]]) for values in (errors, uncertainty)),
        )
        for k in range(60)
    ]
    deviations = np.array(leave_one_out) - np.mean(leave_one_out, axis=0)
    jackknife = np.sqrt(59 / 60 * (deviations**2).sum(axis=0))
    assert coverage_tolerance(calibration, errors, uncertainty) == pytest.approx(
        t.ppf(0.975, 59) * jackknife, rel=0.05
    )


class Members:
    """A committee where the true forces are zero: the error of a member is the sum of its own and one that all share.

    The size of the errors differs from atom to atom. `members` are those of the twelve that belong to the committee.
    """

    def __init__(self, members: slice, shared: float) -> None:
        self.members, self.shared = members, shared

    def evaluate(self, frames: Sequence[Atoms], *, stress: bool) -> list[Prediction]:
        del stress
        return [self._predict(frame) for frame in frames]

    def _predict(self, frame: Atoms) -> Prediction:
        rng, n = np.random.default_rng(frame.info["number"]), len(frame)
        size = rng.lognormal(sigma=0.5, size=(n, 1))
        forces = self.shared * rng.normal(size=(n, 3)) + rng.normal(size=(12, n, 3))[self.members]
        return Prediction(0.0, size * forces.mean(axis=0), None, None, 0.0, size * forces.std(axis=0, ddof=1))


def numbered(count: int, begin: int = 0) -> list[Atoms]:
    frames = []
    for number in range(begin, begin + count):
        frame = layer("Cu", 2.49, 5)
        frame.info["number"] = number
        frames.append(attach_labels(frame, Labels(0.0, np.zeros((25, 3)), None)))
    return frames


def committee_of(members: slice, shared: float) -> UncertainModel:
    return UncertainModel(cast("Potential", Members(members, shared)), committee_uncertainty)


def test_folds_calibrate_the_uncertainty_of_the_whole_force_field() -> None:
    """Four folds of three members; the errors of all twelve members are smaller, their standard deviation less noisy."""
    test_set = numbered(200, begin=1000)
    for shared in (4.0, 1.5):  # the error that the members share, relative to 1 of their own
        committees = [committee_of(slice(3 * k, 3 * k + 3), shared) for k in range(4)]
        folds = [
            Fold(model.potential, model.uncertainty, numbered(30, begin=30 * k))
            for k, model in enumerate(committees)
        ]
        assessment = assess(committee_of(slice(12), shared), folds, test_set, seed=0)
        assert assessment.n_calibration == 120
        levels = assessment.uncertainty.calibration.levels
        assert assessment.coverage.overall.coverage == pytest.approx(levels, abs=0.045)
        errors = [atom_errors(fold.calibration_set, fold.evaluate(fold.calibration_set)[0]) for fold in folds]
        estimates = [values for fold in folds for values in fold.evaluate(fold.calibration_set)[1]]
        without_transfer = calibrate(np.concatenate(errors), np.concatenate(estimates))
        predictions, uncertainties = committee_of(slice(12), shared).evaluate(test_set)
        coverage = empirical_coverage(
            without_transfer, atom_errors(test_set, predictions), np.concatenate(uncertainties)
        )
        assert coverage[LEVELS.index(0.68)] > 0.74  # the scores of the folds are too wide as they are


def test_a_round_warns_of_a_small_calibration_set() -> None:
    model, frames = committee_of(slice(3), 2.0), numbered(12, begin=100)

    def assess_on(*sets: list[Atoms]) -> Assessment:
        return assess(model, [Fold(model.potential, model.uncertainty, *sets)], frames[:3], seed=0)

    independent = assess_on(frames).uncertainty
    predictions, uncertainties = model.evaluate(frames)
    expected = calibrate(atom_errors(frames, predictions), np.concatenate(uncertainties))
    assert independent.calibration.factors == pytest.approx(expected.factors)
    precise = replace(independent, tolerance=np.full(5, 0.04))
    assert warn_small_calibration_set(precise, n_frames=12) == []
    small = replace(independent, tolerance=np.full(5, 0.08))
    (warning,) = warn_small_calibration_set(small, n_frames=12, fix=MORE_FOLDS)
    assert "calibrated on 12 frames: its coverage at 68 % is known to ± 8 percentage points" in warning
    assert "calibration_folds" in warning
    (warning,) = warn_small_calibration_set(replace(independent, tolerance=np.full(5, np.nan)), n_frames=1)
    assert "calibrated on 1 frame: its coverage at 68 % is known to an unknown number" in warning
    for frame in frames:
        frame.info[TRAJECTORY] = "a"
    assert np.isnan(assess_on(frames).uncertainty.tolerance).all()
    assert assess_on(frames, frames[:1]).uncertainty.tolerance == pytest.approx(independent.tolerance)


def test_too_few_atoms_and_single_models_are_refused() -> None:
    with pytest.raises(DataError, match="too few"):
        calibrate(np.ones(10), np.ones(10))
    with pytest.raises(ModelError, match="no standard deviation"):
        force_standard_deviation(Prediction(0.0, np.zeros((2, 3)), None, None, None, None))


def test_the_descriptor_distance_is_large_for_unknown_neighbourhoods() -> None:
    """One layer of copper and gold, gold never beside gold: a pair of gold atoms is unknown."""
    pytest.importorskip("dscribe")
    rng = np.random.default_rng(0)
    sheet = layer("Cu", 2.6, 3)
    sheet.symbols[::3] = "Au"
    training_set = [rattle_positions(sheet, amplitude=0.03, rng=rng) for _ in range(6)]
    distance = DescriptorDistance(training_set)
    assert distance(training_set[:1], [])[0] == pytest.approx(np.zeros(9), abs=1e-7)
    rotated = training_set[0].copy()
    rotated.rotate(40, "z", rotate_cell=True)
    assert distance([rotated], [])[0] == pytest.approx(np.zeros(9), abs=1e-5)
    near, far = (rattle_positions(sheet, amplitude=amplitude, rng=rng) for amplitude in (0.03, 0.2))
    pair = training_set[0].copy()
    pair.symbols[1] = "Au"
    near_mean, far_mean = (distances.mean() for distances in distance([near, far], []))
    assert 2 * near_mean < far_mean
    (near_distances,), (pair_distances,) = distance([near], []), distance([pair], [])
    assert pair_distances[[0, 1]].min() > 2 * near_distances.max()


def pool(seed: int = 0) -> CandidatePool:
    rng = np.random.default_rng(seed)
    points = np.concatenate([rng.normal(size=(30, 2)) * 0.1, [[5.0, 0.0], [5.05, 0.0], [0.0, 5.0]]])
    uncertainty = np.concatenate([rng.uniform(0.0, 0.1, size=30), [0.5, 0.49, 0.3]])
    return CandidatePool(uncertainty, points, np.zeros((1, 2)))


def test_each_strategy_selects_as_its_name_says() -> None:
    rng = np.random.default_rng(0)
    assert select(pool(), 2, "uncertainty", rng=rng).indices == [30, 31]  # near-duplicates
    assert set(select(pool(), 2, "diversity", rng=rng).indices) == {31, 32}
    combined = select(pool(), 2, "combined", rng=rng)
    assert set(combined.indices) == {31, 32}
    assert "force uncertainty 0.490 eV/Å" in combined.reasons[0]
    drawn = [tuple(select(pool(), 2, "random", rng=rng).indices) for _ in range(20)]
    assert len(set(drawn)) > 10
    assert len(select(pool(), 100, "combined", rng=rng).indices) == 33
    with pytest.raises(DataError, match="no property"):
        select(pool(), 2, "property", rng=rng)


def test_the_selection_for_a_property_is_that_of_exact_bayesian_regression() -> None:
    """Weights w ~ N(0, 1), forces F w, property a·w: posterior variances are known in closed form."""
    rng = np.random.default_rng(3)
    unknowns = 90
    target = rng.normal(size=(unknowns, 2))
    designs = [scale * rng.normal(size=(12, unknowns)) for scale in rng.uniform(0.02, 0.2, size=20)]
    candidates = CandidatePool(np.zeros(20), np.zeros((20, 1)), np.zeros((1, 1)), designs, target)

    def posterior_variance(indices: list[int]) -> float:
        precision = np.eye(unknowns) + sum(designs[k].T @ designs[k] for k in indices)
        return float(np.trace(target.T @ np.linalg.solve(precision, target)))

    greedy: list[int] = []
    for _ in range(4):
        remaining = [k for k in range(20) if k not in greedy]
        greedy.append(min(remaining, key=lambda k: posterior_variance([*greedy, k])))
    selection = select(candidates, 4, "property", rng=rng)
    assert selection.indices == greedy
    for count in range(1, 5):
        reduction = float(selection.reasons[count - 1].split(" by ")[1].split(" %")[0]) / 100
        exact = 1 - posterior_variance(greedy[:count]) / posterior_variance([])
        assert reduction == pytest.approx(exact, abs=0.006)
    assert posterior_variance(greedy) > 0.2 * posterior_variance([])  # four labels leave most weights open


def test_the_surrogate_estimates_its_own_errors() -> None:
    """Labels of a linear model with noise: the noise is recovered, and errors on other frames are as large as predicted."""
    pytest.importorskip("dscribe")
    rng = np.random.default_rng(1)
    sheet = layer("Cu", 2.6, 3)
    sheet.symbols[::3] = "Au"
    frames = [rattle_positions(sheet, amplitude=0.15, rng=rng) for _ in range(16)]
    designs = [descriptor_gradients(frame, ["Au", "Cu"]) for frame in frames]
    weights = rng.normal(size=designs[0].shape[1])
    scale = 1 / np.std(designs[0] @ weights)
    labels = [scale * design @ weights + 0.05 * rng.normal(size=len(design)) for design in designs]
    labelled = [
        attach_labels(frame, Labels(0.0, -forces.reshape(-1, 3), None))
        for frame, forces in zip(frames, labels, strict=True)
    ]
    surrogate = Surrogate(labelled[:10])
    assert surrogate.noise == pytest.approx(0.05, rel=0.25)
    plus, minus = frames[0].copy(), frames[0].copy()
    plus.positions[4, 1] += 1e-3
    minus.positions[4, 1] -= 1e-3
    slope = (surrogate.energy(minus) - surrogate.energy(plus)) / 2e-3
    np.testing.assert_allclose(surrogate.forces(frames[0])[13], slope, atol=1e-4 * np.abs(slope).max())
    design, covariance = np.concatenate(designs[:10]), surrogate.directions @ surrogate.directions.T
    posterior_mean = covariance @ design.T @ np.concatenate(labels[:10]) / surrogate.noise**2
    for frame, design in zip(frames[10:], designs[10:], strict=True):
        errors = scale * design @ weights - design @ posterior_mean
        predicted = np.sqrt((surrogate.forces(frame) ** 2).sum(axis=1))
        assert 0.5 < np.sqrt((errors**2).mean() / (predicted**2).mean()) < 2.0
    constants = surrogate.force_constants(sheet)
    np.testing.assert_allclose(constants, constants.transpose(0, 2, 1))
    translated = constants.reshape(len(constants), 27, 9, 3).sum(axis=2)
    assert np.abs(translated).max() < 2e-3 * np.abs(constants).max()  # zero but for the finite step


def test_positions_of_springs_have_the_boltzmann_distribution() -> None:
    """At ω dt = 0.6 velocity Verlet alone would have an error of ten per cent; BAOAB is exact here."""
    minimum = layer("Cu", 2.6, 3)
    mass = minimum.get_masses()[0]
    temperature, stiffness = 300.0, 3.0
    step = 0.6 / np.sqrt(stiffness / mass) / units.fs
    potential = Potential("test:einstein", Einstein(minimum, stiffness))
    config = DynamicsConfig(
        temperatures=[temperature], time_step=step, steps=1500, friction=0.2 / step, sampling_interval=3
    )
    (trajectory,) = run_dynamics(potential, start_trajectories([minimum], config, seed=1), config)
    displacements = np.array([frame.positions - minimum.positions for frame in trajectory.frames[50:]])
    displacements -= displacements.mean(axis=1, keepdims=True)
    expected = units.kB * temperature / stiffness * (1 - 1 / len(minimum))
    assert displacements.var() == pytest.approx(expected, rel=0.04)
    assert abs(displacements.mean()) < 1e-3


@pytest.mark.slow
def test_the_barostat_reaches_the_requested_tension() -> None:
    sheet = layer("Cu", 2.49, 3)
    config = DynamicsConfig(
        temperatures=[50.0],
        time_step=4.0,
        steps=800,
        tension=2.0,
        barostat_time=80.0,
        sampling_interval=100,
    )
    trajectories = run_dynamics(load(EMT), start_trajectories([sheet] * 6, config, seed=0), config)
    means = np.array([np.mean(trajectory.tension[200:]) for trajectory in trajectories])
    error = means.std() / np.sqrt(5)  # over trajectories: the tensions of one are correlated for long
    assert error < 0.05
    assert abs(trajectories[0].tension[0] - 2.0) > 0.5  # it did not start at this tension
    assert means.mean() == pytest.approx(2.0, abs=3 * error)
    cell = trajectories[0].atoms.cell.array
    assert not np.allclose(cell[0], sheet.cell.array[0], atol=0.01)
    assert cell[2] == pytest.approx(sheet.cell.array[2])


def test_a_trajectory_for_which_the_model_fails_ends_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A force field that returns NaN for atoms closer than 2.3 Å."""
    sheet, potential = layer("Cu", 2.49, 2), load(EMT)
    predict = potential.backend.predict

    def predict_unless_close(frames: Sequence[Atoms], *, stress: bool) -> list[RawPrediction]:
        distances = [frame.get_all_distances(mic=True) + 9 * np.eye(len(frame)) for frame in frames]
        return [
            replace(prediction, energy=np.nan) if separations.min() < 2.3 else prediction
            for prediction, separations in zip(predict(frames, stress=stress), distances, strict=True)
        ]

    monkeypatch.setattr(potential.backend, "predict", predict_unless_close)
    config = DynamicsConfig(temperatures=[10.0, 4000.0], steps=60, sampling_interval=20, friction=0.05)
    cold, hot = run_dynamics(potential, start_trajectories([sheet], config, seed=0), config)
    assert cold.steps == 60
    assert len(cold.frames) == 3
    assert hot.steps < 60
    assert "NaN" in hot.end_reason
    monkeypatch.setattr(potential.backend, "predict", predict)
    continued = continue_trajectories(start_trajectories([sheet], config, seed=1), [cold, hot])
    completed, restarted = run_dynamics(potential, continued, config)
    assert len(completed.kinetic_temperature) == 60  # all its steps were done before
    assert len(restarted.kinetic_temperature) == restarted.steps == 60  # it starts again with another model
    assert not restarted.end_reason


def test_the_force_error_is_averaged_over_components_not_frames() -> None:
    frames = []
    for repeats, amplitude in ((2, 0.02), (3, 0.2), (4, 0.1), (5, 0.15)):
        frame = rattle_positions(
            layer("Cu", 2.49, repeats), amplitude=amplitude, rng=np.random.default_rng(repeats)
        )
        (prediction,) = load(EMT).evaluate([frame])
        frames.append(attach_labels(frame, Labels(prediction.energy, prediction.forces, None)))
    members = "ase:ase.calculators.emt:EMT,ase:ase.calculators.lj:LennardJones?sigma=2.3&epsilon=0.4&rc=6.0"
    committee = load(f"committee:{members}")
    model = UncertainModel(committee, committee_uncertainty)
    fold = Fold(committee, committee_uncertainty, frames[2:])
    metrics = assess(model, [fold], frames[:2], seed=0).metrics
    pooled = error_metrics(compare(frames[:2], committee.evaluate(frames[:2])))["force_mae"]
    assert metrics["force_mae"] == pytest.approx(pooled)
    frame_errors = [
        error_metrics(compare([frame], committee.evaluate([frame])))["force_mae"] for frame in frames[:2]
    ]
    assert abs(np.mean(frame_errors) - pooled) > 0.1 * pooled
    # half of the bootstrap samples of two frames are twice the same one
    assert [metrics["force_mae_low"], metrics["force_mae_high"]] == pytest.approx(sorted(frame_errors))


def test_a_trajectory_stops_at_the_uncertainty_threshold() -> None:
    sheet = layer("Cu", 2.49, 2)
    config = DynamicsConfig(
        temperatures=[100.0, 600.0],
        time_step=4.0,
        steps=60,
        sampling_interval=20,
        uncertainty_threshold=0.5,
    )

    def largest_force(_: Atoms, prediction: Prediction) -> float:
        return float(np.abs(prediction.forces).max())

    def run() -> list[Trajectory]:
        started = start_trajectories([sheet], config, seed=0)
        return run_dynamics(load(EMT), started, config, max_uncertainty=largest_force)

    trajectories = run()
    hot = next(trajectory for trajectory in trajectories if trajectory.temperature == 600.0)
    assert "the force uncertainty was" in hot.end_reason
    assert hot.frames[-1].info["force_uncertainty"] > 0.5
    assert all(frame.info["force_uncertainty"] <= 0.5 for frame in hot.frames[:-1])
    assert len(hot.kinetic_temperature) < 60
    repeated = run()
    assert repeated[1].frames[-1].positions == pytest.approx(hot.frames[-1].positions)
