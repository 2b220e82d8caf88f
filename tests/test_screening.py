"""Screening: every sheet has a verdict, ranks follow from energies, and nothing is lost when a run is killed."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.io import read, write

import flatforce as ff
from commands import kill_when, run, start
from flatforce.core.errors import ConfigError, DataError
from flatforce.data.bundled import dataset_path
from flatforce.data.frame_files import read_sheets
from flatforce.properties.benchmark.materials import collect_materials
from flatforce.properties.relax import relax
from flatforce.properties.screening.candidates import Candidate, read_candidates
from flatforce.properties.screening.config import ScreenConfig
from flatforce.properties.screening.run import screen
from flatforce.properties.screening.tasks import Chunk, Verdict, run_task
from flatforce.structures.strain import apply_strain, rattle_positions
from test_executors import processes, wait_for

if TYPE_CHECKING:
    from flatforce.models import Potential
    from flatforce.report.result import ScreeningResult

SAME_ENERGY = 1e-6
"""eV, between a sheet in a batch and the same sheet alone."""

COUNTED = "ase:counted_emt:Counted?cutoff=6.0"


@pytest.fixture(scope="module")
def wse2() -> Potential:
    return ff.load("mace:wse2-pbe", device="cpu")


def copper_sheets(count: int) -> list[Atoms]:
    """Squares and triangles of copper, each rattled in its own way."""
    rng = np.random.default_rng(11)
    sheets = []
    for k in range(count):
        angle = (90, 60)[k % 2]
        atoms = Atoms("Cu", cell=[2.5, 2.5, 14, 90, 90, angle], pbc=True).repeat((2, 2, 1))
        atoms.positions[:, 2] = 7.0
        strained = apply_strain(atoms, xx=rng.uniform(-0.03, 0.03), yy=rng.uniform(-0.03, 0.03))
        sheets.append(rattle_positions(strained, amplitude=0.03, rng=rng))
    return sheets


def test_it_equals_relaxations_one_by_one() -> None:
    model = ff.load("chgnet", device="cpu")
    materials = collect_materials(read_sheets(dataset_path("2d-pbe-mini")))[::13]
    candidates = [Candidate(material.name, "", material.start) for material in materials]
    config = ScreenConfig()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model.backend, "batch_atoms", 12)  # so that sheets come and go
        with ff_folder() as folder:
            screening = screen(model, candidates, config, folder=folder)
    assert len(screening.relaxed) == len(materials) == 6
    for sheet in screening.relaxed:
        (material,) = (material for material in materials if material.name == sheet.name)
        alone = relax(model, material.start, config.relax)
        assert alone.n_steps == sheet.n_steps > 0
        assert sheet.energy * len(alone.atoms) == pytest.approx(alone.energy, abs=SAME_ENERGY)


class ff_folder:  # noqa: N801  # a context like tempfile's
    def __enter__(self) -> Path:
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        return Path(self.folder.name)

    def __exit__(self, *_: object) -> None:
        self.folder.cleanup()


@pytest.fixture(scope="module")
def mixture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that may happen to a sheet."""
    folder = tmp_path_factory.mktemp("mixture")
    (folder / "sub").mkdir()
    rng = np.random.default_rng(2)
    unit = ff.monolayer("WSe2")
    copies = [rattle_positions(apply_strain(unit, xx=x), amplitude=0.02, rng=rng) for x in (-0.01, 0.02)]
    for frame in copies:
        frame.info["REF_energy"] = 99.0  # of another structure than the relaxed one
    write(folder / "many.extxyz", [*copies, unit.repeat((2, 1, 1))])
    write(folder / "sub" / "1T.cif", ff.monolayer("WSe2", prototype="1T"))
    write(folder / "sub" / "POSCAR_MoS2", ff.monolayer("MoS2"), format="vasp")
    (folder / "broken.cif").write_text("data_x\n_cell_length_a oops\n")
    crystal = Atoms("W", cell=[[-1.6, 1.6, 1.6], [1.6, -1.6, 1.6], [1.6, 1.6, -1.6]], pbc=True)
    write(folder / "crystal.extxyz", crystal)
    return folder


@pytest.fixture(scope="module")
def screening(wse2: Potential, mixture: Path, tmp_path_factory: pytest.TempPathFactory) -> ScreeningResult:
    return ff.screen(wse2, mixture, folder=tmp_path_factory.mktemp("screening") / "s", chunk=2)


def test_every_sheet_has_a_verdict(screening: ScreeningResult) -> None:
    rows = {row["name"]: row for row in screening.ranking}
    assert len(rows) == len(screening.ranking) == 7
    reasons = {name: row["reason"] for name, row in rows.items() if row["status"] == "failed"}
    assert set(reasons) == {"broken.cif", "crystal.extxyz", "sub/POSCAR_MoS2"}
    assert "cannot be read" in reasons["broken.cif"]
    assert "no isolated sheet" in reasons["crystal.extxyz"]
    assert "does not know Mo, S" in reasons["sub/POSCAR_MoS2"]
    metrics = screening.metrics
    assert (metrics["n_sheets"], metrics["n_relaxed"], metrics["n_failed"]) == (7, 4, 3)
    assert (metrics["n_distinct"], metrics["n_below"], metrics["n_not_converged"]) == (2, 2, 0)
    assert screening.converged


def test_duplicates_are_found_and_ranks_follow_from_energies(screening: ScreeningResult) -> None:
    converged = [row for row in screening.ranking if row["status"] == "converged"]
    assert [row["rank"] for row in screening.ranking] == list(range(1, 8))
    best, *others = converged
    assert {row["duplicate_of"] for row in others if row["name"] != "sub/1T.cif"} == {best["name"]}
    (octahedral,) = (row for row in converged if row["name"] == "sub/1T.cif")
    assert octahedral is converged[-1]
    assert not octahedral["duplicate_of"]
    assert octahedral["energy_above_hull"] == pytest.approx(octahedral["energy"] - best["energy"], abs=1e-9)
    assert 0.001 < octahedral["energy_above_hull"] < 0.3
    assert "references" in screening.hull
    assert "themselves" in screening.hull


def test_the_result_is_an_object(screening: ScreeningResult) -> None:
    frames = screening.atoms
    assert [frame.info["name"] for frame in frames] == [row["name"] for row in screening.ranking[:4]]
    assert all("REF_energy" not in frame.info for frame in frames)  # the label of the initial structure
    assert screening.figures == ["screening"]
    screening.plot()
    again = ff.open(screening.folder)
    assert isinstance(again, type(screening))
    assert [row["name"] for row in again.ranking] == [row["name"] for row in screening.ranking]
    entries = pytest.importorskip("pymatgen.core") and screening.to_pymatgen()
    assert [entry.entry_id for entry in entries] == [row["name"] for row in screening.ranking[:4]]
    assert entries[0].energy_per_atom == pytest.approx(screening.ranking[0]["energy"])


def test_references_with_and_without_labels(wse2: Potential, tmp_path: Path) -> None:
    sheets = [ff.monolayer("WSe2", prototype=name) for name in ("2H", "1T")]
    crystal = Atoms("W", cell=[[-1.6, 1.6, 1.6], [1.6, -1.6, 1.6], [1.6, 1.6, -1.6]], pbc=True)
    crystal.info["REF_energy"] = -8.0
    selenium = Atoms("Se", positions=[[0, 0, 7]], cell=[3, 3, 15], pbc=True)
    selenium.info["REF_energy"] = -3.0
    bare = sheets[0].copy()
    result = ff.screen(wse2, sheets[1:], references=[crystal, selenium, bare], folder=tmp_path / "s")
    (row,) = result.ranking
    assert row["formation_energy"] == pytest.approx(row["energy"] + (8.0 + 6.0) / 3)
    alone = relax(wse2, bare, ScreenConfig().relax).energy / 3
    assert row["energy_above_hull"] == pytest.approx(row["energy"] - alone, abs=1e-6)
    assert "3 references and the screened sheets" in result.hull
    assert any("DFT settings" in text for text in result.warnings)
    assert result.figures == ["convex-hull", "screening"]
    assert set(result.details["end_members"]) == {"W", "Se"}
    del crystal.info["REF_energy"]
    with pytest.raises(DataError, match="has no label"):
        ff.screen(wse2, sheets, references=[crystal])


def test_a_sheet_that_does_not_converge_is_no_success(tmp_path: Path) -> None:
    model = ff.load("ase:ase.calculators.emt:EMT?cutoff=6.0", device="cpu")
    config = ScreenConfig.parse({"relax": {"max_steps": 2, "optimizer": "FIRE"}})
    result = screen(model, [Candidate("slow", "", copper_sheets(1)[0])], config, folder=tmp_path)
    assert result.sheets[0].status == "not converged"
    assert "after 2 steps" in result.sheets[0].reason
    assert result.problems == ["No sheet was relaxed; ranking.csv holds the reason for each."]
    assert result.metrics["n_not_converged"] == 1
    assert result.arrays()["energy_above_hull"].size == 0


def test_a_sheet_that_fell_apart_failed(unit: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The relaxation converged, but to something that is no sheet any more."""
    sheet = unit.repeat((2, 2, 1))
    torn = sheet.copy()
    torn.positions[1, 2] += 3.0
    verdicts = [Verdict("converged", "", atoms, -50.0, 0.001, 7) for atoms in (sheet, torn)]
    monkeypatch.setattr("flatforce.properties.screening.run.relax_sheets", lambda *_, **__: iter(verdicts))
    model = ff.load("mace:wse2-pbe", device="cpu")
    candidates = [Candidate(name, "", sheet) for name in ("whole", "torn")]
    result = screen(model, candidates, ScreenConfig(), folder=tmp_path)
    assert [(one.name, one.status) for one in result.sheets] == [("whole", "converged"), ("torn", "failed")]
    assert result.sheets[1].reason.startswith("the sheet fell apart: 2 pieces instead of 1")
    assert any("1 of 2 sheets failed: torn" in note for note in result.notes)


def test_candidates_are_generated(wse2: Potential, tmp_path: Path) -> None:
    settings = {"prototypes": ["2H", "1T"], "metals": ["W", "Mo"], "chalcogens": ["Se"]}
    result = ff.screen(wse2, folder=tmp_path / "s", candidates=settings)
    names = [row["name"] for row in result.ranking]
    assert names[:2] == ["2H-WSe2", "1T-WSe2"]
    assert {row["name"]: row["status"] for row in result.ranking[2:]} == {
        "2H-MoSe2": "failed",
        "1T-MoSe2": "failed",
    }
    candidates = read(tmp_path / "s" / "candidates.extxyz", ":")
    assert len(candidates) == 4
    lengths = {frame.info["name"]: frame.cell.lengths()[0] for frame in candidates}
    relaxed = {frame.info["name"]: frame.cell.lengths()[0] for frame in result.atoms}
    for name, length in relaxed.items():
        assert lengths[name] == pytest.approx(length, rel=0.06)  # 0.04 between two scales


def test_names_are_unique(tmp_path: Path) -> None:
    frames = copper_sheets(3)
    frames[0].info["name"] = frames[2].info["name"] = "sheet"
    write(tmp_path / "a.extxyz", frames)
    assert [one.name for one in read_candidates(tmp_path / "a.extxyz")] == ["sheet", "a.extxyz:1", "sheet #2"]


def test_a_task_file_gives_what_this_process_gives(wse2: Potential, unit: Atoms, tmp_path: Path) -> None:
    sheets = [apply_strain(unit, xx=0.02), apply_strain(unit, yy=-0.01)]
    here, there = (Chunk(sheets, ScreenConfig().relax, tmp_path / name) for name in ("a", "b"))
    for chunk in (here, there):
        chunk.folder.mkdir()
    here.relax(wse2)
    assert there.read() is None
    run_task(str(there.write_task(wse2, threads=None)))
    first, second = here.read(), there.read()
    assert first is not None
    assert second is not None
    for one, other in zip(first, second, strict=True):
        assert one.status == other.status == "converged"
        assert one.energy == pytest.approx(other.energy, abs=1e-9)
    modified = there.result.stat().st_mtime_ns
    run_task(str(there.write_task(wse2, threads=None)))
    assert there.result.stat().st_mtime_ns == modified


@pytest.fixture
def slow_copper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A force field that takes its time, and a file of sheets."""
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    )
    monkeypatch.setenv("COUNTED_EMT_FILE", str(tmp_path / "count"))
    monkeypatch.setenv("COUNTED_EMT_DELAY", "0.02")
    write(tmp_path / "sheets.extxyz", copper_sheets(12))
    return tmp_path


def count(folder: Path) -> int:
    return (folder / "count").stat().st_size if (folder / "count").exists() else 0


def rows(folder: Path) -> list[dict[str, Any]]:
    from flatforce.report.result import ScreeningResult

    return ScreeningResult(folder).ranking


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on(slow_copper: Path) -> None:
    settings = {"chunk": 4, "relax": {"max_force": 0.01, "relax_cell": False, "optimizer": "BFGS"}}
    (slow_copper / "s.yaml").write_text(yaml.safe_dump(settings))
    write(slow_copper / "sheets.extxyz", copper_sheets(6))
    words = ["screen", COUNTED, "sheets.extxyz", "-c", "s.yaml", "-o"]
    assert start(slow_copper, [*words, "whole"]).wait() == 0, (slow_copper / "stderr.txt").read_text()
    total = count(slow_copper)
    (slow_copper / "count").unlink()
    for n_calls in (total // 4, 3 * total // 4):  # in the first and in the last chunk
        kill_when(slow_copper, [*words, "cut"], lambda n_calls=n_calls: count(slow_copper) >= n_calls)  # type: ignore[misc]
    assert not (slow_copper / "cut" / "result.json").exists()
    assert start(slow_copper, [*words, "cut"]).wait() == 0, (slow_copper / "stderr.txt").read_text()
    assert count(slow_copper) <= total + 4  # the evaluation that each kill interrupted
    cut, whole = ((slow_copper / name / "ranking.csv").read_text() for name in ("cut", "whole"))
    assert cut == whole
    assert len(rows(slow_copper / "cut")) == 6


@pytest.mark.slow
def test_two_blocks_of_which_one_is_killed(slow_copper: Path) -> None:
    pytest.importorskip("parsl")
    pool = {"kind": "local", "blocks": 2, "workers": 1, "heartbeat": 8}
    settings = {"chunk": 3, "relax": {"max_force": 0.002, "relax_cell": False, "optimizer": "BFGS"}}
    (slow_copper / "one.yaml").write_text(yaml.safe_dump(settings))
    (slow_copper / "two.yaml").write_text(yaml.safe_dump(settings | {"executors": {"screen": pool}}))
    words = ["screen", COUNTED, "sheets.extxyz", "-c"]
    assert start(slow_copper, [*words, "one.yaml", "-o", "whole"]).wait() == 0
    driver = start(slow_copper, [*words, "two.yaml", "-o", "pool"])
    locks = slow_copper / "pool"

    def workers() -> list[int]:
        """Worker processes that hold the lock of a chunk."""
        holders = []
        for process in processes("spawn_main"):
            with suppress(OSError):
                files = [str(link.readlink()) for link in Path(f"/proc/{process}/fd").iterdir()]
                if any(name.startswith(str(locks)) and name.endswith(".lock") for name in files):
                    holders.append(process)
        return holders

    assert wait_for(lambda: len(workers()) == 2), "two chunks were never relaxed at the same time"
    os.kill(workers()[0], signal.SIGKILL)
    assert driver.wait() == 0, (slow_copper / "stderr.txt").read_text()
    whole, pooled = rows(slow_copper / "whole"), rows(slow_copper / "pool")
    assert sorted(row["name"] for row in pooled) == sorted(row["name"] for row in whole)
    energies = {row["name"]: row["energy"] for row in whole}
    assert all(row["energy"] == pytest.approx(energies[row["name"]], abs=SAME_ENERGY) for row in pooled)


def test_misuse_ends_with_a_message(tmp_path: Path) -> None:
    nothing = run(tmp_path, "screen", "mace:wse2-pbe", "-o", "out")
    assert (nothing.returncode, "nothing to screen" in nothing.stderr) == (2, True)
    missing = run(tmp_path, "screen", "mace:wse2-pbe", "missing.extxyz", "-o", "out")
    assert (missing.returncode, "no file missing.extxyz" in missing.stderr) == (2, True)
    (tmp_path / "empty").mkdir()
    empty = run(tmp_path, "screen", "mace:wse2-pbe", "empty", "-o", "out")
    assert (empty.returncode, "holds no files" in empty.stderr) == (2, True)
    assert not (tmp_path / "out" / "result.json").exists()
    with pytest.raises(ConfigError, match="Several files"):
        ff.screen("mace:wse2-pbe", ["a.extxyz", "b.extxyz"])  # type: ignore[list-item]


def test_settings_of_a_relaxation_keep_the_other_defaults_of_a_screening() -> None:
    config = ScreenConfig.parse({"relax": {"max_steps": 500}}, source="test")
    assert (config.relax.max_steps, config.relax.optimizer, config.relax.max_force) == (500, "BFGS", 0.01)
