"""Models of every kind in one training loop: scratch and further training, blind to the stress out of plane."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import read, write

from commands import run as command
from flatforce.core.errors import ConfigError, DataError, ModelError
from flatforce.data.frame_files import read_frames
from flatforce.data.material_splits import hold_out_materials
from flatforce.models import load
from flatforce.models.isolated.build import PLAUSIBLE
from flatforce.models.isolated.environments import environment_for
from flatforce.models.training import epochs, member
from flatforce.models.training.config import TrainConfig
from flatforce.models.training.initial_model import data_scale
from flatforce.models.training.learners.base import Learner
from flatforce.models.training.run import train
from flatforce.structures.prototypes import monolayer
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
    failed = [check.name for check in check_potential(potential, sheet) if not check.passed]
    assert [name for name in failed if not name.startswith(PLAUSIBLE)] == []  # it has learnt for two epochs


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
    few_frames: Path, tmp_path: Path, frames: list[Atoms], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train(config(few_frames, model=SHAPES["mace"], epochs=1), tmp_path / "first")
    before = spec(first, tmp_path / "first")
    others = tmp_path / "others.extxyz"
    bare = [frame.copy() for frame in frames[-6:]]
    for frame in bare:
        del frame.info["REF_energy"], frame.arrays["REF_forces"], frame.info["REF_stress"]
    write(
        others, [*bare, *read_frames(few_frames)], format="extxyz"
    )  # the last are learnt, judged or held out
    seen: list[Atoms] = []
    original = epochs.fit

    def noted(learner: Learner, learnt: list[Atoms], *rest: object, **more: object) -> object:
        seen.extend(learnt)
        return original(learner, learnt, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(member, "fit", noted)
    given = {"data": [str(others)], "count": 100}
    result = train(config(few_frames, start_from=before, replay=given, refit_e0s=False), tmp_path / "further")
    card = result["details"]["cards"][0]
    assert (card["n_replayed"], len(seen)) == (6, card["n_train"] + 6)
    said = load(before, dtype="float32").evaluate(seen[-6:])
    for frame, one in zip(seen[-6:], said, strict=True):
        assert frame.info["REF_energy"] == pytest.approx(one.energy, abs=1e-4)
        np.testing.assert_allclose(frame.arrays["REF_forces"], one.forces, atol=1e-4)
    with pytest.raises(ValueError, match="start_from"):
        config(few_frames, replay=given)


@pytest.mark.parametrize("kind", SHAPES)
def test_energies_alone_need_no_forces(kind: str, few_frames: Path, tmp_path: Path) -> None:
    if kind != "mace":
        pytest.importorskip("matgl")
    bare = read_frames(few_frames)
    for frame in bare:
        del frame.arrays["REF_forces"], frame.info["REF_stress"]
    data = tmp_path / "bare.extxyz"
    write(data, bare, format="extxyz")
    weights = {"energy": 1.0, "forces": 0.0, "stress": 0.0}
    result = train(config(data, model=SHAPES[kind], weights=weights, min_energy_step=0.001), tmp_path / "run")
    assert "energy_mae" in result["metrics"]
    assert "force_mae" not in result["metrics"]
    if kind == "mace":
        model = tmp_path / "run" / "model.model"
        judged = command(tmp_path, "evaluate", str(model), "bare.extxyz", "-o", "judged", "--energy-only")
        assert judged.returncode == 0, judged.stderr
        assert "energy_mae" in judged.stdout
        assert "force" not in judged.stdout
        assert command(tmp_path, "report", "judged").returncode == 0
    with pytest.raises(DataError, match="no REF_forces"):
        train(config(data, model=SHAPES[kind]), tmp_path / "forces")


def test_materials_are_held_out_whole(tmp_path: Path, frames: list[Atoms]) -> None:
    for k, frame in enumerate(frames[:20]):
        frame.info["material"] = f"m{k % 5}"
    data = tmp_path / "materials.extxyz"
    write(data, frames[:20], format="extxyz")
    given = config(data, model=SHAPES["mace"], hold_out="material", valid_fraction=0.25, epochs=1, n_frames=5)
    card = train(given, tmp_path / "run")["details"]["cards"][0]
    assert (card["n_test"], card["n_train"]) == (4, 5)
    assert card["n_valid"] == 4


def test_scale_of_energies_alone_is_theirs(few_frames: Path) -> None:
    frames, zero = read_frames(few_frames), {"W": 0.0, "Se": 0.0}
    alone = data_scale(frames, zero, energy_only=True)
    for frame in frames:
        del frame.arrays["REF_forces"]
    assert alone.force == pytest.approx(data_scale(frames, zero, energy_only=True).force)
    assert alone.force == pytest.approx(np.std([frame.info["REF_energy"] / len(frame) for frame in frames]))


def test_elements_that_one_material_has_are_never_held_out() -> None:
    def of(formula: str, count: int) -> list[Atoms]:
        metal, other = formula.split()
        made = [
            monolayer((metal, other), prototype="2H", a=3.2 + 0.01 * k, thickness=3.1) for k in range(count)
        ]
        for frame in made:
            frame.info["material"] = formula
        return made

    shared = [frame for name in ("Mo S", "W S", "Mo Se", "W Se", "Nb S") for frame in of(name, 2)]
    for seed in range(4):
        out = hold_out_materials(shared, fraction=0.2, seed=seed)
        assert out
        assert all(shared[i].info["material"] != "Nb S" for i in out)
    lonely = [frame for name in ("Mo S", "W S", "Nb S", "Ta S") for frame in of(name, 2)]
    with pytest.raises(DataError, match="an element that no other contains"):
        hold_out_materials(lonely, fraction=0.2, seed=0)


def test_validation_frames_do_not_hang_on_e_cut(tmp_path: Path, frames: list[Atoms]) -> None:
    some = sorted((frame.copy() for frame in frames[:12]), key=lambda frame: -frame.info["REF_energy"])
    for k, frame in enumerate(some):
        frame.info |= {"material": "one", "step": k}  # a relaxation: its energy falls
    data = tmp_path / "path.extxyz"
    write(data, some, format="extxyz")
    cards = [
        train(config(data, model=SHAPES["mace"], epochs=1, min_energy_step=cut), tmp_path / str(cut))[
            "details"
        ]["cards"][0]
        for cut in (-1.0, 1e3)
    ]
    assert cards[0]["n_valid"] == cards[1]["n_valid"]
    assert cards[0]["n_train"] > cards[1]["n_train"] == 3


@pytest.mark.slow
def test_nonsense_is_caught(few_frames: Path, tmp_path: Path, sheet: Atoms) -> None:
    """MatGL itself fills the gaps of a checkpoint with random numbers."""
    pytest.importorskip("matgl")
    torch = pytest.importorskip("torch")
    result = train(config(few_frames, model=SHAPES["tensornet"], epochs=1), tmp_path / "run")
    nonsense = load(spec(result, tmp_path / "run"))
    with torch.no_grad():
        for weight in nonsense.backend.module.parameters():  # type: ignore[attr-defined]
            weight.copy_(0.1 * torch.randn_like(weight))
    failed = [check.name for check in check_potential(nonsense, sheet) if not check.passed]
    assert any(name.startswith(PLAUSIBLE) for name in failed)
    nonsense = load(spec(result, tmp_path / "run"))
    nonsense.backend.module.data_std *= 1e4  # type: ignore[attr-defined]  # MatGL's own
    failed = [check.name for check in check_potential(nonsense, sheet) if not check.passed]
    assert any("energy range" in name for name in failed)
    file = tmp_path / "run" / "model.matgl" / "state.pt"
    weights = torch.load(file, weights_only=True)
    name = next(name for name in weights if "linear" in name)
    torch.save({(f"old.{k}" if k == name else k): v for k, v in weights.items()}, file)
    with pytest.raises(ModelError, match="version of MatGL"):
        load(spec(result, tmp_path / "run"))
    with pytest.raises(ModelError, match="could not load"):
        load("matgl:no-such-model-anywhere")
