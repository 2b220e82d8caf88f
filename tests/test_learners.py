"""Models of every kind in one training loop: scratch and further training, blind to the stress out of plane."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import read, write

from flatforce.core.errors import ConfigError, ModelError
from flatforce.data.frames import read_frames
from flatforce.models import load
from flatforce.models.isolated.environments import environment_for
from flatforce.models.training.config import TrainConfig
from flatforce.models.training.run import train
from flatforce.testing.checks import check_potential

SHAPES = {
    "mace": {"kind": "mace", "hidden_irreps": "4x0e", "r_max": 4.0, "max_ell": 1, "correlation": 2},
    "m3gnet": {"kind": "m3gnet", "units": 8, "r_max": 4.0, "threebody_cutoff": 3.5, "num_interactions": 1},
    "tensornet": {
        "kind": "tensornet",
        "units": 8,
        "r_max": 4.0,
        "num_interactions": 1,
        "num_radial_basis": 8,
    },
}


def config(data: Path, **changes: object) -> TrainConfig:
    values = {
        "data": [str(data)],
        "epochs": 3,
        "stage_two": None,
        "test_fraction": 0.2,
        "dtype": "float64",
        "checkpoint_seconds": 0.0,
    }
    return TrainConfig.model_validate(values | changes)


def spec(result: dict[str, object], folder: Path) -> str:
    card = result["details"]["cards"][0]  # type: ignore[index]
    return f"{card['kind']}:{folder / card['file']}"


@pytest.fixture(params=[*SHAPES, "chgnet", "nequip"])
def start(request: pytest.FixtureRequest) -> dict[str, object]:
    """Settings that choose one kind of model."""
    if request.param == "nequip":  # runs where `flatforce env create nequip` has been run
        try:
            environment_for("nequip")
        except ModelError as missing:
            pytest.skip(str(missing.what))
        shape = {"kind": "nequip", "num_features": 4, "num_interactions": 1, "r_max": 4.0}
        return {"model": shape, "learning_rate": 0.005}
    if request.param == "chgnet":
        pytest.importorskip("chgnet")
        return {"start_from": "chgnet:0.3.0", "learning_rate": 1e-4}
    if request.param != "mace":
        pytest.importorskip("matgl")
    return {"model": SHAPES[request.param], "learning_rate": 0.005}


def test_out_of_plane_stress_has_no_influence_and_the_loss_falls(
    start: dict[str, object], few_frames: Path, tmp_path: Path, sheet: Atoms
) -> None:
    frames = read(few_frames, ":")
    spoilt = tmp_path / "spoilt.extxyz"
    for frame in frames:
        stress = np.asarray(frame.info["REF_stress"]).reshape(3, 3).copy()
        stress[2, :] += 1.0
        stress[:, 2] += 1.0
        frame.info["REF_stress"] = stress.reshape(9)
    write(spoilt, frames, format="extxyz")
    found = {}
    for name, data in (("plain", few_frames), ("spoilt", spoilt)):
        result = train(config(data, **start), tmp_path / name)
        found[name] = load(spec(result, tmp_path / name)).evaluate([sheet])[0].energy
        assert result["converged"]
    assert found["plain"] == pytest.approx(found["spoilt"], abs=1e-8)
    rows = np.genfromtxt(tmp_path / "plain" / "metrics.csv", delimiter=",", names=True)
    assert rows["train_loss"][-1] < rows["train_loss"][0]


@pytest.mark.parametrize("kind", ["m3gnet", "tensornet"])
def test_matgl_obeys_the_laws_of_a_sheet(kind: str, few_frames: Path, tmp_path: Path, sheet: Atoms) -> None:
    pytest.importorskip("matgl")
    result = train(config(few_frames, model=SHAPES[kind], epochs=2), tmp_path / "run")
    potential = load(spec(result, tmp_path / "run"))
    assert [check.name for check in check_potential(potential, sheet) if not check.passed] == []


def test_further_training_starts_where_the_model_was(few_frames: Path, tmp_path: Path, sheet: Atoms) -> None:
    first = train(config(few_frames, model=SHAPES["mace"], epochs=4), tmp_path / "first")
    before = spec(first, tmp_path / "first")
    shifted = read(few_frames, ":")
    for frame in shifted:
        frame.info["REF_energy"] += 3.0 * len(frame)  # another code's reference atoms
    data = tmp_path / "shifted.extxyz"
    write(data, shifted, format="extxyz")
    still = {"start_from": before, "epochs": 1, "learning_rate": 1e-9, "ema_decay": None, "weight_decay": 0.0}
    found = []
    for name, where in (("plain", few_frames), ("moved", data)):
        result = train(config(where, **still), tmp_path / name)
        found.append(load(spec(result, tmp_path / name)).evaluate([sheet])[0])
    assert found[1].energy - found[0].energy == pytest.approx(3.0 * len(sheet), abs=1e-4)
    np.testing.assert_allclose(found[0].forces, load(before).evaluate([sheet])[0].forces, atol=1e-6)


def test_frozen_weights_stay_and_others_move(few_frames: Path, tmp_path: Path) -> None:
    first = train(config(few_frames, model=SHAPES["mace"], epochs=1), tmp_path / "first")
    before = spec(first, tmp_path / "first")
    further = train(config(few_frames, start_from=before, freeze=["interactions.*"]), tmp_path / "further")
    weights = [
        dict(load(name).backend.model.named_parameters())  # type: ignore[attr-defined]  # MACE's own
        for name in (before, spec(further, tmp_path / "further"))
    ]
    same = {name for name, value in weights[0].items() if bool((value == weights[1][name]).all())}
    assert {name for name in weights[0] if name.startswith("interactions.")} <= same
    assert any(name.startswith("readouts.") for name in set(weights[0]) - same)
    with pytest.raises(ConfigError, match="no weight is called"):
        train(config(few_frames, start_from=before, freeze=["nothing.*"]), tmp_path / "wrong")


def test_replayed_frames_carry_what_the_model_said(
    few_frames: Path, tmp_path: Path, frames: list[Atoms]
) -> None:
    first = train(config(few_frames, model=SHAPES["mace"], epochs=1), tmp_path / "first")
    others = tmp_path / "others.extxyz"
    bare = [frame.copy() for frame in frames[-6:]]
    for frame in bare:
        del frame.info["REF_energy"], frame.arrays["REF_forces"], frame.info["REF_stress"]
    write(others, bare, format="extxyz")
    given = {"data": [str(others)], "count": 4}
    result = train(
        config(few_frames, start_from=spec(first, tmp_path / "first"), replay=given), tmp_path / "further"
    )
    assert result["details"]["cards"][0]["n_replayed"] == 4
    with pytest.raises(ValueError, match="start_from"):
        config(few_frames, replay=given)


def test_energies_alone_need_no_forces(few_frames: Path, tmp_path: Path) -> None:
    bare = read_frames(few_frames)
    for frame in bare:
        del frame.arrays["REF_forces"], frame.info["REF_stress"]
    data = tmp_path / "bare.extxyz"
    write(data, bare, format="extxyz")
    weights = {"energy": 1.0, "forces": 0.0, "stress": 0.0}
    result = train(config(data, model=SHAPES["mace"], weights=weights, epochs=5), tmp_path / "run")
    assert "energy_mae" in result["metrics"]
    assert "force_mae" not in result["metrics"]
    with pytest.raises(Exception, match="no REF_forces"):
        train(config(data, model=SHAPES["mace"]), tmp_path / "forces")


def test_materials_are_held_out_whole(tmp_path: Path, frames: list[Atoms]) -> None:
    for k, frame in enumerate(frames[:20]):
        frame.info["material"] = f"m{k % 5}"
    data = tmp_path / "materials.extxyz"
    write(data, frames[:20], format="extxyz")
    given = config(data, model=SHAPES["mace"], hold_out="material", valid_fraction=0.25, epochs=1, n_frames=5)
    card = train(given, tmp_path / "run")["details"]["cards"][0]
    assert (card["n_test"], card["n_train"]) == (4, 5)
    assert card["n_valid"] == 4


def test_nonsense_is_caught(few_frames: Path, tmp_path: Path, sheet: Atoms) -> None:
    """MatGL itself fills the gaps of a checkpoint with random numbers."""
    pytest.importorskip("matgl")
    torch = pytest.importorskip("torch")
    result = train(config(few_frames, model=SHAPES["tensornet"], epochs=1), tmp_path / "run")
    nonsense = load(spec(result, tmp_path / "run"))
    nonsense.backend.module.data_std *= 1e4  # type: ignore[attr-defined]  # MatGL's own
    failed = [check.name for check in check_potential(nonsense, sheet) if not check.passed]
    assert any("spread of energy" in name for name in failed)
    file = tmp_path / "run" / "model" / "state.pt"
    weights = torch.load(file, weights_only=True)
    name = next(name for name in weights if "linear" in name)
    torch.save({(f"old.{k}" if k == name else k): v for k, v in weights.items()}, file)
    with pytest.raises(ModelError, match="version of MatGL"):
        load(spec(result, tmp_path / "run"))
    with pytest.raises(ModelError, match="could not load"):
        load("matgl:no-such-model-anywhere")
