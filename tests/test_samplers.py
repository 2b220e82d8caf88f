"""Samplers, on-the-fly trajectories, and the property that frames are selected for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from ase import Atoms
from ase.io import read

from alloy_sheets import COMMITTEE, EMT_SPEC, make_labelled, make_sheet
from flatforce.active.dynamics_config import DynamicsConfig
from flatforce.active.property import cell_modes, force_constants, local_frequencies, property_response
from flatforce.active.samplers import Sampler
from flatforce.active.sampling import (
    RandomDefectsConfig,
    RattlesConfig,
    RelaxationsConfig,
    SamplingConfig,
    StrainsConfig,
    ThermalModesConfig,
)
from flatforce.active.surrogate import Surrogate
from flatforce.active.target_config import TargetConfig
from flatforce.active.trajectories import ContinuedDynamics, read_trajectories, write_trajectories
from flatforce.core.errors import ConfigError
from flatforce.core.hashing import hash_structure
from flatforce.core.units import FREQUENCY_FACTOR
from flatforce.models import load

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.core.arrays import FloatArray


def test_uncertain_trajectories_are_evaluated_again_unless_their_frame_was_trained_on(
    tmp_path: Path,
) -> None:
    """Three stopped: the frame of one was labelled, the label of one failed, one was not selected."""
    potential, sheets = load(EMT_SPEC), [make_sheet(2)] * 3
    dynamics = DynamicsConfig(temperatures=[300.0], steps=3, uncertainty_threshold=0.1, on_the_fly=True)
    config = SamplingConfig(dynamics=dynamics)
    sampler = Sampler(potential, config, tmp_path, max_uncertainty=lambda *_: 1.0)
    assert len(sampler.propose(sheets, seed=0)) == 3
    previous, path = tmp_path / "previous.extxyz", tmp_path / "trajectories.extxyz"
    path.rename(previous)
    labelled, failed, unselected = map(hash_structure, read(previous, ":"))
    continued = ContinuedDynamics(previous, {labelled}, {failed})

    def propose(uncertainty: float) -> list[Atoms]:
        sampler = Sampler(potential, config, tmp_path, max_uncertainty=lambda *_: uncertainty)
        return sampler.propose(sheets, seed=1, continued=continued)

    candidates = propose(1.0)
    trajectories = read_trajectories(path, seed=0)
    assert [trajectory.steps for trajectory in trajectories] == [2, 1, 1]  # only the labelled one moves on
    assert [trajectory.uncertain for trajectory in trajectories] == [True, False, True]
    assert "the label of that frame failed" in trajectories[1].end_reason
    assert hash_structure(candidates[0]) not in {labelled, failed, unselected}
    assert np.allclose(candidates[1].positions, read(previous, index=2).positions)
    assert propose(0.0) == []
    assert [trajectory.steps for trajectory in read_trajectories(path, seed=0)] == [3, 1, 3]


def test_a_file_without_trajectories_is_read(tmp_path: Path) -> None:
    write_trajectories(tmp_path / "none.extxyz", [])
    assert read_trajectories(tmp_path / "none.extxyz", seed=0) == []


@pytest.fixture(scope="module")
def candidates(tmp_path_factory: pytest.TempPathFactory) -> list[Atoms]:
    """Frames of all samplers but dynamics."""
    config = SamplingConfig(
        rattles=RattlesConfig(amplitudes=[0.02, 0.1], count=2),
        strains=StrainsConfig(count=3),
        modes=ThermalModesConfig(temperatures=[50.0, 500.0], count=2),
        defects=RandomDefectsConfig(primitive="-", defects=["v_Cu", "Au_Cu"], supercell=(3, 3), count=6),
        relaxations=RelaxationsConfig(sampling_interval=3),
        dynamics=None,
    )
    primitive = make_sheet(1)
    primitive.symbols[:] = "Cu"
    sampler = Sampler(load(EMT_SPEC), config, tmp_path_factory.mktemp("samplers"), primitive=primitive)
    return sampler.propose([make_sheet(2)], seed=0)


def sampled_by(candidates: list[Atoms], sampler: str) -> list[Atoms]:
    return [frame for frame in candidates if frame.info["sampler"] == sampler]


def test_every_sampler_proposes(candidates: list[Atoms]) -> None:
    samplers = ("rattle", "strain", "modes", "defects")
    counts = {sampler: len(sampled_by(candidates, sampler)) for sampler in samplers}
    assert counts == {"rattle": 4, "strain": 3, "modes": 4, "defects": 30}
    assert len(sampled_by(candidates, "relaxation")) > 1


def test_displacements_grow_with_amplitude_and_temperature(candidates: list[Atoms]) -> None:
    equilibrium = make_sheet(2).positions
    rattles = [np.std(frame.positions - equilibrium) for frame in sampled_by(candidates, "rattle")]
    assert 2 * max(rattles[:2]) < min(rattles[2:])
    modes = sampled_by(candidates, "modes")
    thermal = [np.std(frame.positions - equilibrium) for frame in modes]
    assert 0.005 < thermal[0] < 0.5
    assert 1.5 * max(thermal[:2]) < min(thermal[2:])
    assert max(np.linalg.norm(frame.positions - equilibrium, axis=1).max() for frame in modes) < 0.41
    assert not np.allclose(modes[0].positions, modes[1].positions)


def test_defects_and_pairs_of_them_are_built_at_random_distances(candidates: list[Atoms]) -> None:
    defects = sampled_by(candidates, "defects")
    names = {"v_Cu", "Au_Cu", "v_Cu+Au_Cu", "v_Cu+v_Cu", "Au_Cu+Au_Cu"}
    assert {frame.info["defect"] for frame in defects} == names
    gold_pairs = [
        frame[[atom.symbol == "Au" for atom in frame]]
        for frame in defects
        if frame.info["defect"] == "Au_Cu+Au_Cu"
    ]
    distances = {round(float(pair.get_all_distances(mic=True)[0, 1])) for pair in gold_pairs}
    assert len(distances) > 1


def test_images_of_a_path_are_proposed(tmp_path: Path) -> None:
    """A vacancy of a Lennard-Jones layer that a neighbour fills: images on the way, among them one near the saddle point."""
    cell = [[2.806, 0, 0], [-1.403, 2.430, 0], [0, 0, 20]]
    layer = Atoms("Cu", positions=[[0, 0, 10]], cell=cell, pbc=True).repeat((4, 4, 1))
    start, end = layer[1:], layer[[0, *range(2, 16)]]
    pairs = "ase:ase.calculators.lj:LennardJones?sigma=2.5&epsilon=0.4&rc=4.0&cutoff=4.0&elements=Cu"
    config = SamplingConfig.parse({"paths": {"ends": [["-", "-"]], "path": {"images": 3, "max_force": 0.1}}})
    frames = Sampler(load(pairs), config, tmp_path, path_ends=[(start, end)]).propose([layer], seed=0)
    assert len(frames) == 5
    assert {frame.info["sampler"] for frame in frames} == {"path"}
    halfway = frames[2].get_distances(0, range(1, 15), mic=True).min()
    assert halfway < frames[0].get_distances(0, range(1, 15), mic=True).min() - 0.1

    assert config.paths is not None
    assert config.paths.path.max_steps == 200  # the default of the sampler, not that of `neb`
    with pytest.raises(ConfigError, match="verify"):
        SamplingConfig.parse({"paths": {"ends": [["-", "-"]], "path": {"verify": {}}}})
    collapsed = Sampler(load(pairs), config, tmp_path / "same", path_ends=[(start, start.copy())])
    assert len(collapsed.propose([layer], seed=0)) == 1  # both ends are one structure


def test_a_single_number_is_a_square_supercell() -> None:
    config = RandomDefectsConfig.parse({"primitive": "-", "defects": ["v_Cu"], "supercell": 4})
    assert config.supercell == (4, 4)


def test_candidates_keep_the_magnetic_moments_for_their_labels(tmp_path: Path) -> None:
    sheet = make_sheet(2)
    sheet.set_initial_magnetic_moments([2.0, 1.0, 0.0, -1.0])
    config = SamplingConfig(
        rattles=RattlesConfig(count=1),
        strains=StrainsConfig(count=1),
        modes=ThermalModesConfig(count=1),
        relaxations=RelaxationsConfig(sampling_interval=3),
        dynamics=DynamicsConfig(steps=2, sampling_interval=1),
    )
    frames = Sampler(load(EMT_SPEC), config, tmp_path).propose([sheet], seed=0)
    samplers = {"rattle", "strain", "modes", "relaxation", "dynamics"}
    assert {frame.info["sampler"] for frame in frames} == samplers
    for frame in frames:
        assert frame.get_initial_magnetic_moments() == pytest.approx([2.0, 1.0, 0.0, -1.0])


def two_force_constants() -> tuple[Atoms, FloatArray]:
    """A cell, and its force constants by two models that do not agree."""
    atoms = make_sheet(2)
    atoms.positions += np.random.default_rng(0).normal(scale=0.03, size=(len(atoms), 3))
    specs = COMMITTEE.removeprefix("committee:").split(",")
    return atoms, np.array([force_constants(load(spec), atoms) for spec in specs])


def test_local_frequencies_keep_the_trace_and_the_order() -> None:
    atoms, matrices = two_force_constants()
    target = TargetConfig(structure="-", kind="modes", window=(-30.0, 30.0), count=12)
    frequencies = local_frequencies(matrices, matrices.mean(axis=0), atoms, target)
    masses = np.repeat(atoms.get_masses(), 3)
    for row, constants in zip(frequencies, matrices, strict=True):
        squares = np.sign(row) * (row / FREQUENCY_FACTOR) ** 2
        assert squares.sum() == pytest.approx((np.diag(constants) / masses).sum())
    exact = cell_modes(matrices[0], atoms).frequencies[0]
    own_modes = local_frequencies(matrices[:1], matrices[0], atoms, target)[0]
    np.testing.assert_allclose(np.sort(own_modes), exact, atol=1e-6)
    two_modes = target.model_copy(update={"atoms": [1], "count": 2})
    assert local_frequencies(matrices, matrices[0], atoms, two_modes).shape == (2, 2)
    with pytest.raises(ConfigError, match="needs `pristine`"):
        TargetConfig.parse({"structure": "-", "kind": "formation_energy"})


def test_unknown_weights_change_the_property() -> None:
    """Spectra keep their number of states; a cell without defect has no formation energy; labels reduce the response."""
    pytest.importorskip("dscribe")
    atoms, _ = two_force_constants()
    potential, frames = load(EMT_SPEC), make_labelled(16, 1)
    few_labels, many_labels = (Surrogate(frames[:count]) for count in (4, 16))
    ldos = TargetConfig(structure="-", window=(-30.0, 30.0), broadening=0.4)
    spectra = property_response(potential, few_labels, atoms, ldos)
    assert spectra.shape == (len(few_labels.directions), 240)
    assert np.abs(spectra.sum(axis=1)).max() < 1e-3 * np.abs(spectra).sum(axis=1).max()
    modes = TargetConfig(structure="-", kind="modes", atoms=[1], count=2)
    few_response, many_response = (
        np.sqrt((property_response(potential, surrogate, atoms, modes) ** 2).sum())
        for surrogate in (few_labels, many_labels)
    )
    assert 0 < many_response < few_response
    energy = TargetConfig(structure="-", kind="formation_energy", pristine="-")
    pristine = make_sheet(2)
    zero = property_response(potential, few_labels, pristine.repeat((2, 2, 1)), energy, pristine)
    np.testing.assert_allclose(zero, 0.0, atol=1e-6 * np.abs(few_labels.energy(pristine)).max())
    assert np.ptp(property_response(potential, few_labels, atoms, energy, pristine)) > 1e-6
