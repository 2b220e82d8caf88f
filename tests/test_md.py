"""Molecular dynamics against analytic vibrations, equipartition, and itself when it is killed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms, units
from scipy.stats import chi2, kstest

import flatforce as ff
from flatforce.core.arrays import FloatArray
from flatforce.core.errors import ConfigError
from flatforce.core.units import FREQUENCY_FACTOR
from flatforce.models.potential import Potential
from flatforce.models.protocols import RawPrediction
from flatforce.properties.dynamics.analysis import analyse, block_error
from flatforce.properties.dynamics.config import MdConfig
from flatforce.properties.dynamics.heights import height_spectrum, wave_vectors
from flatforce.properties.dynamics.motion import find_hops, mean_square_displacement, pair_distribution
from flatforce.properties.dynamics.result import MolecularDynamics
from flatforce.properties.dynamics.run import run_dynamics
from flatforce.properties.dynamics.samples import PER_FRAME, FrameBuffer, Samples, join_pieces
from flatforce.properties.dynamics.spectra import path_phases, spectral_energy_density, vibrational_dos
from flatforce.properties.phonons.spectra.modes import gaussian_dos
from flatforce.structures.prototypes import monolayer
from springs import springs

SIZE = (3, 3)
LENNARD_JONES = "ase:ase.calculators.lj:LennardJones?sigma=2.5&epsilon=0.4&rc=4.0&cutoff=4.0&elements=Cu"


class Harmonic:
    """Force constants as a force field: every law of harmonic vibrations holds exactly."""

    elements = frozenset({"W", "Se"})
    cutoff, layers, local, dtype, device, batch_atoms = 5.0, 1, True, "float64", "cpu", 10_000

    def __init__(self, minimum: Atoms, constants: FloatArray) -> None:
        n = len(minimum)
        self.minimum = minimum.positions
        self.matrix = constants.transpose(0, 2, 1, 3).reshape(3 * n, 3 * n)
        self.calls = 0

    def predict(self, frames: Sequence[Atoms], *, stress: bool) -> list[RawPrediction]:
        del stress
        self.calls += 1
        predictions = []
        for frame in frames:
            displacement = frame.positions - self.minimum
            displacement = (displacement - displacement.mean(axis=0)).ravel()
            forces = -self.matrix @ displacement
            energy = -0.5 * float(forces @ displacement)
            predictions.append(RawPrediction(energy, forces.reshape(-1, 3), np.zeros((3, 3))))
        return predictions

    def hessian(self, slab: Atoms) -> None:
        del slab


@pytest.fixture(scope="module")
def primitive() -> Atoms:
    return monolayer(("W", "Se"), prototype="2H", a=3.3166, thickness=3.3597, height=15.0)


@pytest.fixture(scope="module")
def sheet(primitive: Atoms) -> Atoms:
    return primitive.repeat((*SIZE, 1))


@pytest.fixture(scope="module")
def constants(sheet: Atoms) -> FloatArray:
    return springs(sheet).dense()


@pytest.fixture
def harmonic(sheet: Atoms, constants: FloatArray) -> Potential:
    return Potential("harmonic", Harmonic(sheet, constants))


def modes(sheet: Atoms, constants: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Frequencies (THz), angular frequencies (1/ASE time unit), and eigenvectors of all modes but translations."""
    n = len(sheet)
    roots = np.repeat(np.sqrt(sheet.get_masses()), 3)
    matrix = constants.transpose(0, 2, 1, 3).reshape(3 * n, 3 * n) / np.outer(roots, roots)
    squares, vectors = np.linalg.eigh(matrix)
    squares, vectors = squares[3:], vectors[:, 3:]
    assert squares.min() > 1e-6
    return np.sqrt(squares) * FREQUENCY_FACTOR, np.sqrt(squares), vectors


def stored(
    folder: Path, positions: FloatArray, velocities: FloatArray, times: FloatArray, cell: FloatArray
) -> Samples:
    """A trajectory of the test's own making, in the files of a run."""
    buffer = FrameBuffer()
    cells = np.broadcast_to(cell, (len(times), 2, 2))
    for position, velocity, time, box in zip(positions, velocities, times, cells, strict=True):
        frame = dict.fromkeys(PER_FRAME, 0.0) | {"time": time, "cell": box, "temperature": 300.0}
        buffer.frames.append(frame | {"positions": position, "velocities": velocity})
    buffer.write(folder / "piece.npz")
    join_pieces(
        folder / "all.hdf5", {"300K_1": [folder / "piece.npz"]}, np.ones(positions.shape[1], dtype=int)
    )
    return Samples(folder / "all.hdf5", "300K_1")


def dynamics(potential: Potential, primitive: Atoms, folder: Path, **settings: Any) -> MolecularDynamics:
    config = MdConfig(supercell=SIZE, **settings)
    return analyse(run_dynamics(potential, primitive, config, scratch=folder), primitive, config)


def test_velocities_of_equal_energy_have_the_harmonic_density_of_states(
    sheet: Atoms, constants: FloatArray, tmp_path: Path
) -> None:
    """With the same energy in every mode, the spectrum of the velocities is the density of states without noise."""
    frequency, angular, vectors = modes(sheet, constants)
    times = np.linspace(0.0, 4095 * 8.0, 4096)  # fs
    waves = np.cos(angular * times[:, None] * units.fs + np.arange(len(angular)))
    velocities = (waves @ vectors.T) / np.repeat(np.sqrt(sheet.get_masses()), 3)
    samples = stored(
        tmp_path,
        np.zeros((len(times), len(sheet), 3)),
        velocities.reshape(len(times), -1, 3),
        times,
        sheet.cell.array[:2, :2],
    )
    grid, spectra = vibrational_dos([samples], sheet.get_masses(), np.ones((1, len(sheet))), broadening=0.15)
    expected = gaussian_dos(frequency[None], np.ones((1, len(frequency))), grid, 0.15)
    spacing = grid[1] - grid[0]
    assert expected.sum() * spacing == pytest.approx(3 * len(sheet) - 3, rel=0.01)
    scaled = spectra[0] * (3 * len(sheet) - 3) / (3 * len(sheet))  # translations do not move here
    assert np.abs(scaled - expected).sum() / expected.sum() < 0.03
    assert np.abs(np.roll(scaled, round(0.2 / spacing)) - expected).sum() / expected.sum() > 0.2


def test_energy_is_conserved_to_second_order_in_the_time_step(
    harmonic: Potential, primitive: Atoms, tmp_path: Path
) -> None:
    fluctuations = []
    for step in (4.0, 2.0):
        result = dynamics(
            harmonic,
            primitive,
            tmp_path / f"{step:g}",
            ensemble="nve",
            time_step=step,
            steps=round(2000 / step),
            equilibration=0,
            sampling_interval=1,
        )
        total = sum(result.arrays()[f"{name}_energy_300K_1"] for name in ("potential", "kinetic"))
        fluctuations.append(float(np.std(total)))
        assert abs(result.metrics["energy_drift"]) < 5.0
    assert fluctuations[0] / fluctuations[1] == pytest.approx(4.0, rel=0.1)


@pytest.mark.parametrize("thermostat", ["langevin", "nose_hoover"])
def test_thermostats_sample_the_canonical_distribution(
    thermostat: str, harmonic: Potential, primitive: Atoms, sheet: Atoms, tmp_path: Path
) -> None:
    """Kinetic energies follow χ², and the potential energy that of equipartition: both thermostats agree."""
    result = dynamics(
        harmonic,
        primitive,
        tmp_path,
        thermostat=thermostat,
        time_step=4.0,
        steps=1500,
        equilibration=300,
        sampling_interval=50,
        replicas=4,
        friction=0.02,
        thermostat_time=80.0,
    )
    freedom = 3 * len(sheet) - 3
    arrays = result.arrays()
    temperatures = np.concatenate([arrays[f"temperature_300K_{k}"] for k in (1, 2, 3, 4)])
    assert kstest(temperatures / 300.0 * freedom, chi2(freedom).cdf).pvalue > 1e-3
    assert kstest(temperatures / 270.0 * freedom, chi2(freedom).cdf).pvalue < 1e-6  # the test can fail
    energy = np.concatenate([arrays[f"potential_energy_300K_{k}"] for k in (1, 2, 3, 4)])
    expected = freedom * units.kB * 300.0 / 2
    error = expected * np.sqrt(2 / freedom / len(energy))
    assert abs(energy.mean() - expected) < 6 * error  # frames are correlated a little
    assert result.metrics["expected_temperature_std"] == pytest.approx(300 * np.sqrt(2 / freedom))


class StoppedError(Exception):
    """Stands for a kill."""


def test_killed_dynamics_continues_the_same_trajectory(
    harmonic: Potential, primitive: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flatforce.core.checkpoint.MIN_INTERVAL", 0.0)
    monkeypatch.setattr("flatforce.core.checkpoint.MAX_COST", 1e9)
    config = MdConfig(
        supercell=SIZE, steps=40, equilibration=10, sampling_interval=4, temperatures=[300, 500], replicas=2
    )
    whole = run_dynamics(harmonic, primitive, config, scratch=tmp_path / "whole")

    def kill(completed: int, total: int, text: str, /) -> None:
        del total, text
        if completed == 31:
            raise StoppedError

    with pytest.raises(StoppedError):
        run_dynamics(harmonic, primitive, config, scratch=tmp_path / "killed", progress=kill)
    backend = harmonic.backend
    assert isinstance(backend, Harmonic)
    backend.calls = 0
    resumed = run_dynamics(harmonic, primitive, config, scratch=tmp_path / "killed")
    assert backend.calls < 25  # of 51
    assert [sample.group for sample in resumed.samples] == ["300K_1", "300K_2", "500K_1", "500K_2"]
    for one, other in zip(whole.samples, resumed.samples, strict=True):
        for name in ("positions", "velocities", "potential_energy", "time"):
            np.testing.assert_array_equal(one.read(name), other.read(name))
    assert not np.allclose(whole.samples[0].read("positions"), whole.samples[1].read("positions"))
    assert whole.samples[0].read("time").tolist() == [4.0 * k for k in range(11)]


def test_ramps_end_where_they_should(harmonic: Potential, primitive: Atoms, tmp_path: Path) -> None:
    config = MdConfig(
        supercell=SIZE, steps=50, equilibration=5, end_temperature=600.0, strain={"xx": 0.02, "xy": 0.01}
    )
    run = run_dynamics(harmonic, primitive, config, scratch=tmp_path)
    (walker,) = run.walkers
    assert walker.temperature == pytest.approx(600.0)
    gradient = np.array([[1.02, 0.01], [0.01, 1.0]])
    expected = primitive.repeat((*SIZE, 1)).cell.array[:2, :2] @ gradient.T
    np.testing.assert_allclose(walker.atoms.cell.array[:2, :2], expected, atol=1e-12)
    assert walker.atoms.cell.array[2, 2] >= primitive.cell.array[2, 2]
    with pytest.raises(ConfigError, match="ensemble: npt"):
        MdConfig.parse({"ensemble": "npt", "strain": {"xx": 0.1}}, source="test")


def test_mean_square_displacement_is_that_of_its_definition(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = rng.normal(size=(60, 6, 3)).cumsum(axis=0)
    samples = stored(tmp_path, path, path, np.arange(60.0), 50 * np.eye(2))
    lags, values = mean_square_displacement([samples], ["Se"] * 6)
    relative = path - path.mean(axis=1, keepdims=True)
    for lag in (0, 1, 7, 29):
        expected = ((relative[lag:] - relative[: 60 - lag]) ** 2).sum(axis=2).mean()
        assert values["Se"][lag] == pytest.approx(expected, abs=1e-4)
    assert len(lags) == 30


def test_a_hop_is_counted_once_and_a_vibration_never(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    sites = np.array([[x, y, 0.0] for x in range(0, 12, 3) for y in range(0, 12, 3)])
    positions = sites + rng.normal(scale=0.15, size=(80, 16, 3))
    positions[50:, 5, 0] += 3.0
    samples = stored(tmp_path, positions, positions, 10 * np.arange(80.0), 12 * np.eye(2))
    (hop,) = find_hops(samples, ["Se"] * 16, distance=1.8)
    assert (hop.atom, hop.time) == (5, 500.0)
    assert hop.distance == pytest.approx(3.0, abs=0.8)


def test_ripples_of_known_rigidity_are_found(tmp_path: Path) -> None:
    """Heights that are drawn from the Boltzmann distribution of a free sheet of κ = 8 eV."""
    rng = np.random.default_rng(2)
    n, a, kappa, temperature = 16, 3.0, 8.0, 300.0
    plane = a * np.array([[x, y] for x in range(n) for y in range(n)])
    cell = n * a * np.eye(2)
    vectors, lengths = wave_vectors(cell, n // 2 - 1)
    variance = units.kB * temperature / ((n * a) ** 2 * kappa * lengths**4)
    frames = 200
    amplitude = np.sqrt(variance / 2) * (
        rng.normal(size=(frames, len(lengths))) + 1j * rng.normal(size=(frames, len(lengths)))
    )
    heights = 2 * (amplitude @ np.exp(1j * vectors @ plane.T)).real
    positions = np.concatenate([np.tile(plane, (frames, 1, 1)), heights[..., None]], axis=2)
    samples = stored(tmp_path, positions, positions, np.arange(float(frames)), cell)
    spectrum = height_spectrum([samples], np.arange(n * n), temperature=temperature, repeats=n)
    assert spectrum.rigidity == pytest.approx(kappa, abs=4 * spectrum.rigidity_error)
    assert spectrum.rigidity_error < 0.5
    fine = lengths < 0.9
    np.testing.assert_allclose(spectrum.correlation[: fine.sum()], variance[fine], rtol=0.35)


def test_waves_appear_at_their_wave_vector_and_frequency(
    primitive: Atoms, sheet: Atoms, tmp_path: Path
) -> None:
    points, phases = path_phases(primitive, SIZE)
    assert len(points) > 3
    assert np.abs(phases[0] - 1).max() < 1e-12  # Γ
    row = next(k for k in range(len(points)) if np.abs(phases[k] - 1).max() > 0.5)
    frequency = 5.0  # THz
    times = np.linspace(0.0, 1023 * 8.0, 1024)
    wave = np.cos(2 * np.pi * frequency * 1e-3 * times[:, None] + np.angle(phases[row])[None])
    velocities = np.zeros((len(times), len(sheet), 3))
    velocities[..., 2] = wave
    samples = stored(tmp_path, velocities, velocities, times, sheet.cell.array[:2, :2])
    basis = np.arange(len(sheet)) % len(primitive)
    grid, density = spectral_energy_density([samples], sheet.get_masses(), phases, basis, broadening=0.1)
    other = np.abs(np.abs(phases @ phases[row].conj()) / len(sheet) - 1) < 1e-9
    other |= np.abs(np.abs(phases @ phases[row]) / len(sheet) - 1) < 1e-9
    assert other.sum() < len(points)
    assert grid[density[row].argmax()] == pytest.approx(frequency, abs=0.15)
    raw = density.max(axis=1)
    assert raw[row] > 1.0


def test_independent_atoms_have_no_pair_correlation(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    positions = rng.uniform(0, 20, size=(60, 40, 3))
    samples = stored(tmp_path, positions, positions, np.arange(60.0), 20 * np.eye(2))
    distance, pairs = pair_distribution([samples], ["Se"] * 20 + ["W"] * 20)
    far = distance > 2
    assert pairs["Se-W"][far].mean() == pytest.approx(1.0, abs=0.03)
    assert pairs["Se-Se"][far].mean() == pytest.approx(19 / 20, abs=0.03)


def test_block_error_of_independent_numbers_is_the_standard_error() -> None:
    numbers = np.random.default_rng(4).normal(size=4000)
    assert block_error([numbers]) == pytest.approx(1 / np.sqrt(4000), rel=0.6)
    assert np.isnan(block_error([np.ones(3)]))


def test_a_trajectory_that_explodes_ends_and_says_so(tmp_path: Path) -> None:
    sheet = monolayer(("Cu", "Cu"), prototype="honeycomb", a=4.0)
    result = ff.md(
        LENNARD_JONES,
        sheet,
        supercell=(3, 3),
        time_step=60.0,
        steps=60,
        equilibration=0,
        ensemble="nve",
        folder=tmp_path / "md",
    )
    assert not result.converged
    assert "explode" in result.warnings[0] or "failed" in result.warnings[0]


def test_from_the_door_to_a_page(tmp_path: Path) -> None:
    a = 2 ** (1 / 6) * 2.5
    cell = [[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, 15]]
    layer = Atoms("Cu", positions=[[0, 0, 7.5]], cell=cell, pbc=True).repeat((2, 1, 1))
    run = ff.md(
        LENNARD_JONES,
        layer,
        supercell=(2, 4),
        temperatures=[30, 60],
        ensemble="npt",
        steps=80,
        equilibration=10,
        sampling_interval=4,
        near_atom=0,
        folder=tmp_path / "md",
    )
    assert run.temperatures == ["30K", "60K"]
    assert {"temperature", "temperature_60K", "area", "thermal_expansion", "ns_per_day"} <= set(run.metrics)
    assert run.positions("60K_1").shape == (21, 16, 3)
    assert [len(frame) for frame in run.last] == [16, 16]
    assert run.vdos.sum() * (run.frequency[1] - run.frequency[0]) == pytest.approx(48)
    assert run.figures[:2] == ["course", "vdos"]
    for name in run.figures:
        run.plot(name)
    with pytest.raises(ConfigError, match="committee"):
        ff.md("mace:wse2-pbe", ff.monolayer("WSe2"), uncertainty_threshold=0.1)
    with pytest.raises(ConfigError, match="near_atom"):
        ff.md("mace:wse2-pbe", ff.monolayer("WSe2"), near_atom=3)


def test_a_replica_that_ends_early_is_left_out_of_the_spectra(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    cell, times = 20 * np.eye(2), np.linspace(0.0, 99 * 8.0, 100)
    whole = rng.normal(size=(100, 4, 3))
    first = stored(_folder(tmp_path / "a"), whole, whole, times, cell)
    second = stored(_folder(tmp_path / "b"), whole[:7], whole[:7], times[:7], cell)
    both = vibrational_dos([first, second], np.ones(4), np.ones((1, 4)), broadening=1.0)
    alone = vibrational_dos([first], np.ones(4), np.ones((1, 4)), broadening=1.0)
    np.testing.assert_allclose(both[1], alone[1])
    assert len(mean_square_displacement([first, second], ["Se"] * 4)[0]) == 50


def test_a_cell_that_is_strained_moves_no_atom_to_another_site(tmp_path: Path) -> None:
    sites = np.array([[x, y, 0.0] for x in range(0, 30, 3) for y in range(0, 30, 3)])
    frames, cells = [], []
    for strain in np.linspace(0.0, 0.1, 20):
        gradient = np.array([[1 + strain, strain / 2], [0.0, 1.0]])
        frames.append(
            np.column_stack([sites[:, :2] @ gradient.T, np.sin(2 * np.pi * sites[:, 0] / 30) * 20 * strain])
        )
        cells.append(30 * np.eye(2) @ gradient.T)
    positions = np.array(frames)
    assert np.linalg.norm(positions[-1] - positions[0], axis=1).max() > 2.0
    samples = stored(tmp_path, positions, positions, np.arange(20.0), np.array(cells))
    assert find_hops(samples, ["Se"] * 100, distance=1.8) == []


def test_a_temperature_is_given_once() -> None:
    with pytest.raises(ConfigError, match="replicas"):
        MdConfig.parse({"temperatures": [300, 300.0]}, source="test")


def test_a_piece_that_a_kill_left_does_not_stay(tmp_path: Path) -> None:
    path = tmp_path / "piece.npz"
    path.write_bytes(b"of a run that was killed")
    FrameBuffer().write(path)
    assert not path.exists()


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
