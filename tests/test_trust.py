"""Files that can run code are loaded only if the user made or trusted them."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import tarfile
from pathlib import Path

import pytest
import yaml
from ase.io import write

import flatforce as ff
from commands import run
from flatforce.core.checkpoint import Checkpoint
from flatforce.core.errors import DataError, ModelError, TrustError
from flatforce.core.trust import TRUST, TRUST_FILE, trust, trusting_all
from flatforce.models.backends.mace_files import import_mace
from flatforce.models.spec import files_with_code, model_path


class Payload:
    """An object whose unpickling writes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.marker),)


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A path that a payload makes; nothing is trusted."""
    monkeypatch.setenv(TRUST, "")
    monkeypatch.setenv(TRUST_FILE, str(tmp_path / "trusted.txt"))
    return tmp_path / "code-ran"


def write_payload(path: Path, marker: Path) -> Path:
    """Write a file as torch writes a module, which makes a folder when it is loaded."""
    import torch

    torch.save(Payload(marker), path)
    return path


def make_tar(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("spec", "file"),
    [
        ("foreign.model", "foreign.model"),
        ("mace:foreign.model", "foreign.model"),
        ("symmetrix:foreign.model", "foreign.model"),
        ("committee:mace:wse2-pbe,foreign.model", "foreign.model"),
        ("chgnet:foreign.pth.tar", "foreign.pth.tar"),
        ("sevennet:foreign.pth", "foreign.pth"),
        ("sevennet:foreign.pth@omat24", "foreign.pth"),
        ("nequip:foreign.ckpt", "foreign.ckpt"),
        ("nequip:foreign.nequip.zip", "foreign.nequip.zip"),
        ("mattersim:foreign.pth", "foreign.pth"),
        ("chgnet:foreign@1.pth.tar", "foreign@1.pth.tar"),
        ("nequip:foreign@1.ckpt", "foreign@1.ckpt"),
        ("mattersim:foreign@1.pth", "foreign@1.pth"),
        ("matgl:folder", "folder/model.pt"),
        ("ase:mace.calculators:MACECalculator?model_paths=foreign.model&device=cpu", "foreign.model"),
        ("ase:mace.calculators:MACECalculator?model_paths=['foreign.model']&device=cpu", "foreign.model"),
    ],
)
def test_a_foreign_model_runs_no_code(tmp_path: Path, marker: Path, spec: str, file: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    write_payload(tmp_path / file, marker)
    write(tmp_path / "sheet.extxyz", ff.monolayer("WSe2"))
    for arguments in (["relax", spec, "sheet.extxyz", "-o", "out"], ["doctor", spec]):
        result = run(tmp_path, *arguments)
        assert result.returncode == 2
        assert f"{file} can run code" in result.stderr
        assert "--trust" in result.stderr
        assert not marker.exists()
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("key", ["start_from", "model"])
def test_nor_does_a_model_that_settings_name(tmp_path: Path, marker: Path, key: str) -> None:
    write_payload(tmp_path / "foreign.model", marker)
    train = {"data": ["wse2-pbe"], "epochs": 1}
    if key == "start_from":
        study = {"train": train | {"start_from": "foreign.model"}, "structure": "WSe2"}
    else:
        study = {"model": "foreign.model", "structure": "WSe2", "relax": {}}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(train | {"start_from": "foreign.model"}))
    for arguments in (
        ["run", "study.yaml", "-o", "out"],
        ["train", "-c", "train.yaml", "-o", "out"],
        ["finetune", "foreign.model", "-c", "train.yaml", "-o", "out"],
    ):
        result = run(tmp_path, *arguments)
        assert result.returncode == 2
        assert "foreign.model can run code" in result.stderr
    assert not marker.exists()


def test_the_payload_runs_once_it_is_trusted(tmp_path: Path, marker: Path) -> None:
    """Without this the tests above could pass on a payload that does nothing."""
    write_payload(tmp_path / "foreign.model", marker)
    write(tmp_path / "sheet.extxyz", ff.monolayer("WSe2"))
    result = run(tmp_path, "relax", "foreign.model", "sheet.extxyz", "-o", "out", "--trust")
    assert result.returncode == 2
    assert "is no MACE model" in result.stderr
    assert marker.is_dir()


def test_trust_is_remembered_by_content(tmp_path: Path, marker: Path) -> None:
    write(tmp_path / "sheet.extxyz", ff.monolayer("WSe2"))
    shutil.copy(model_path("wse2-pbe"), tmp_path / "a.model")
    command = ["relax", "a.model", "sheet.extxyz", "-o", "out"]
    assert "a.model can run code" in run(tmp_path, *command).stderr
    assert run(tmp_path, *command, "--trust").returncode == 0
    assert os.environ[TRUST] == ""  # the option holds for one command
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "a.model").rename(tmp_path / "b.model")
    command[1] = "b.model"
    assert run(tmp_path, *command).returncode == 0
    write_payload(tmp_path / "b.model", marker)
    shutil.rmtree(tmp_path / "out")
    assert "b.model can run code" in run(tmp_path, *command).stderr
    assert not marker.exists()
    lines = (tmp_path / "trusted.txt").read_text().splitlines()
    assert len(lines) == 1
    assert lines[0].endswith("a.model")


def test_a_finished_stage_answers_without_trust(tmp_path: Path, marker: Path) -> None:
    write(tmp_path / "sheet.extxyz", ff.monolayer("WSe2"))
    shutil.copy(model_path("wse2-pbe"), tmp_path / "a.model")
    command = ["relax", "a.model", "sheet.extxyz", "-o", "out"]
    assert run(tmp_path, *command, "--trust").returncode == 0
    (tmp_path / "trusted.txt").unlink()
    assert run(tmp_path, *command).returncode == 0
    assert not marker.exists()


def test_trust_in_python(tmp_path: Path, marker: Path) -> None:
    file = tmp_path / "a.model"
    shutil.copy(model_path("wse2-pbe"), file)
    with pytest.raises(TrustError, match="can run code"):
        ff.load(file)
    ff.trust(file)
    assert ff.load(file).elements == {"Se", "W"}
    with pytest.raises(ModelError, match="There is no file"):
        ff.trust(tmp_path / "b.model")
    assert not marker.exists()


def test_where_hashes_cannot_be_written_trust_lasts_as_long_as_the_process(
    tmp_path: Path, marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(TRUST_FILE, str(tmp_path / "file" / "trusted.txt"))
    file = tmp_path / "a.model"
    shutil.copy(model_path("wse2-pbe"), file)
    trust(file)
    assert ff.load(file).elements == {"Se", "W"}
    write_payload(file, marker)
    with pytest.raises(TrustError):
        ff.load(file)


def test_models_made_here_are_trusted(few_frames: Path, tmp_path: Path, marker: Path) -> None:
    trained = ff.train(
        [str(few_frames)],
        epochs=1,
        folder=tmp_path / "train",
        device="cpu",
        model={"kind": "mace", "hidden_irreps": "2x0e", "r_max": 3.5, "max_ell": 1, "correlation": 1},
    )
    assert trained.model().elements == {"Se", "W"}
    assert files_with_code(trained.spec)
    assert not marker.exists()


def test_importing_mace_leaves_torch_reading_weights_only(tmp_path: Path, marker: Path) -> None:
    torch = import_mace()
    write_payload(tmp_path / "any.pt", marker)
    with pytest.raises(pickle.UnpicklingError, match="Weights only"):
        torch.load(tmp_path / "any.pt")
    assert not marker.exists()


def test_damaged_and_foreign_checkpoints(few_frames: Path, tmp_path: Path, marker: Path) -> None:
    settings = {
        "data": [str(few_frames)],
        "epochs": 1,
        "model": {"kind": "mace", "hidden_irreps": "2x0e", "r_max": 3.5, "max_ell": 1, "correlation": 1},
    }
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(settings))
    command = ["train", "-c", "train.yaml", "-o", "out"]
    assert run(tmp_path, *command).returncode == 0
    checkpoint = tmp_path / "out" / "checkpoint.pt"
    (tmp_path / "out" / "result.json").unlink()
    for card in (tmp_path / "out").glob("*.card.json"):
        card.unlink()
    for content in (b"", b"PK\x03\x04 cut", write_payload(tmp_path / "p.pt", marker).read_bytes()):
        checkpoint.write_bytes(content)
        result = run(tmp_path, *command)
        assert result.returncode == 2
        assert "checkpoint.pt cannot be read" in result.stderr
        assert "delete it" in result.stderr
        assert not marker.exists()
    checkpoint.unlink()
    assert run(tmp_path, *command).returncode == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # icet leaves its file open
def test_a_foreign_cluster_expansion_runs_no_code(tmp_path: Path, marker: Path) -> None:
    pytest.importorskip("icet")
    from flatforce.properties.alloys.config import MonteCarloConfig
    from flatforce.properties.alloys.sampling import run_monte_carlo
    from flatforce.structures.alloy_config import AlloyConfig

    file = tmp_path / "expansion.ce"
    space = make_tar({"items": pickle.dumps(Payload(marker))})
    file.write_bytes(make_tar({"cluster_space": space}))
    alloy = AlloyConfig.parse(
        {
            "name": "MoWS2",
            "species": ["Mo", "W"],
            "prototype": "2H",
            "symbols": ["Mo", "S"],
            "a": 3.187,
            "thickness": 3.13,
            "site": "Mo",
        }
    )
    config = MonteCarloConfig(temperatures=[300.0], concentration=1 / 3, sizes=[6])
    with pytest.raises(TrustError, match="file of icet"):
        run_monte_carlo(alloy, file, config, cache=tmp_path)
    assert not marker.exists()
    with trusting_all(), pytest.raises(DataError, match="no cluster expansion"):
        run_monte_carlo(alloy, file, config, cache=tmp_path)
    assert marker.is_dir()


def test_a_checkpoint_of_another_user_is_not_read(tmp_path: Path, marker: Path) -> None:
    path = tmp_path / "state"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flatforce.core.checkpoint.MIN_INTERVAL", 0.0)
        Checkpoint(path, "key").save(lambda: [1, 2])
    assert Checkpoint(path, "key").load() == [1, 2]
    assert Checkpoint(path, "other").load() is None
    signed = path.read_bytes()
    for content in (
        pickle.dumps(Payload(marker)),
        signed[:32] + pickle.dumps(Payload(marker)),
        signed[:-1],
        b"",
    ):
        path.write_bytes(content)
        assert Checkpoint(path, "key").load() is None
    path.write_bytes(signed)
    assert Checkpoint(path, "key").load() == [1, 2]
    (tmp_path / "signing.key").unlink()  # as for another user
    assert Checkpoint(path, "key").load() is None
    assert not marker.exists()
    pickle.loads(pickle.dumps(Payload(marker)))
    assert marker.is_dir()


@pytest.mark.parametrize(
    "name",
    [
        "ase:ase.calculators.mopac:MOPAC?command=mkdir%20{marker}%20%23PREFIX",
        "ase:ase.calculators.espresso:Espresso?profile=x",
        "ase:ase.calculators.lammpsrun:LAMMPS?command=mkdir%20{marker}",
    ],
)
def test_the_name_of_a_force_field_starts_no_program(tmp_path: Path, marker: Path, name: str) -> None:
    write(tmp_path / "sheet.extxyz", ff.monolayer("WSe2"))
    result = run(tmp_path, "relax", name.format(marker=marker), "sheet.extxyz", "-o", "out")
    assert result.returncode == 2
    assert "can run code" in result.stderr
    assert not marker.exists()


def test_a_module_beside_the_settings_is_not_imported(
    tmp_path: Path, marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = f"import os\nos.mkdir({str(marker)!r})\nfrom ase.calculators.emt import EMT as Sheet\n"
    (tmp_path / "beside_1.py").write_text(code)
    (tmp_path / "beside_2").mkdir()
    (tmp_path / "beside_2" / "inner.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("beside_1", "beside_2.inner"):
        with pytest.raises(TrustError, match="not installed"):
            ff.load(f"ase:{name}:Sheet")
        assert not marker.exists()
    trust(tmp_path / "beside_1.py")
    ff.load("ase:beside_1:Sheet")
    assert marker.is_dir()


def test_a_program_is_started_once_its_name_is_trusted(tmp_path: Path, marker: Path) -> None:
    name = f"ase:ase.calculators.mopac:MOPAC?command=mkdir%20{marker}%20%23PREFIX"
    write(tmp_path / "sheet.extxyz", ff.monolayer("WSe2"))
    run(tmp_path, "relax", name, "sheet.extxyz", "-o", "out", "--trust")
    assert marker.is_dir()
    assert "mopac" in (tmp_path / "trusted.txt").read_text()


def test_a_file_of_phonopy_that_names_python_objects(tmp_path: Path, marker: Path) -> None:
    from flatforce.properties.phonons.phonopy_files import check_plain_yaml

    file = tmp_path / "phonopy.yaml"
    file.write_text(f"physical_unit: {{atomic_mass: AMU}}\nx: !!python/object/apply:os.mkdir [{marker}]\n")
    with pytest.raises(DataError, match="names Python objects"):
        check_plain_yaml(file)
    assert not marker.exists()
    file.write_text("physical_unit: {atomic_mass: AMU}\n")
    check_plain_yaml(file)
