"""`flatforce data` as a user types it: from VASP's files to a curated set, a split and a page."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from ase import Atoms

import vasp_files
from flatforce.data.frame_files import write_frames


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flatforce", "data", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_from_files_to_a_page(tmp_path: Path, frames: list[Atoms]) -> None:
    small = [frame for frame in frames if len(frame) == 3]
    for k in range(3):
        (tmp_path / "runs" / str(k)).mkdir(parents=True)
        frames_of_run = sorted(
            small[5 * k : 5 * k + 5], key=lambda frame: -frame.info["REF_energy"]
        )  # a relaxation
        text = vasp_files.vasprun(frames_of_run, iterations=[9, 9, 60, 9, 9])
        (tmp_path / "runs" / str(k) / "vasprun.xml").write_text(text)
    command = run(tmp_path, "import", "runs", "-o", "all.extxyz")
    assert command.returncode == 0, command.stderr
    assert "refused 3: electronic steps not converged" in command.stdout
    record = json.loads((tmp_path / "all.import" / "result.json").read_text())
    assert record["metrics"]["n_frames"] == 12
    assert record["metrics"]["n_refused"] == 3
    assert record["metrics"]["n_stress_verified"] == 12

    command = run(tmp_path, "audit", "runs")
    assert command.returncode == 1  # something was refused
    command = run(tmp_path, "curate", "all.extxyz", "-o", "some.extxyz", "--min-energy-step", "10")
    assert command.returncode == 0, command.stderr
    metrics = json.loads((tmp_path / "some.curation" / "result.json").read_text())["metrics"]
    assert metrics["n_frames"] == 9  # first, middle, last of each run
    command = run(tmp_path, "split", "all.extxyz", "-o", "split.json")
    assert command.returncode == 0, command.stderr
    assert "each trajectory is in one of them instead" in command.stderr  # one material for three subsets
    split = json.loads((tmp_path / "split.json").read_text())
    assert sorted(len(hashes) for hashes in split["subsets"].values()) == [4, 4, 4]
    command = run(tmp_path, "split", "all.extxyz", "-o", "other.json", "--leave-out", "Te")
    assert command.returncode == 2
    assert "1 materials" in command.stderr
    command = run(tmp_path, "stats", "all.extxyz", "-o", "stats", "--no-map")
    assert command.returncode == 0, command.stderr
    assert (tmp_path / "stats" / "report" / "figures" / "periodic-table.png").is_file()


def test_two_files_of_one_stem_have_two_records(tmp_path: Path, frames: list[Atoms]) -> None:
    for name, count in (("set.extxyz", 8), ("set.xyz", 12)):
        write_frames(tmp_path / f"in-{name}", frames[:count])
        assert run(tmp_path, "curate", f"in-{name}", "-o", name).returncode == 0
    again = run(tmp_path, "curate", "in-set.extxyz", "-o", "set.extxyz")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "set.curation").is_dir()
    assert (tmp_path / "set.xyz.curation").is_dir()
