"""The Python interface in worker processes and threads: calls do not meet in one scratch folder, force fields are sent along."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import flatforce as ff
import parallel_calls


@pytest.mark.parametrize("method", ["fork", "spawn", "thread"])
def test_workers_have_scratch_folders_of_their_own(method: str, tmp_path: Path) -> None:
    script = [sys.executable, "-W", "error", parallel_calls.__file__, method]
    done = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    energies = [energy for _, energy in results["alone"]]
    assert len(set(energies)) == len(parallel_calls.LATTICE_CONSTANTS)  # a mixed-up folder would show
    assert [energy for _, energy in results["together"]] == pytest.approx(energies)
    assert results["given"][1] == pytest.approx(energies[0])
    folders = [folder for folder, _ in [*results["alone"], *results["together"], results["given"]]]
    assert len(set(folders)) == len(folders)
    assert not any(Path(folder).exists() for folder in folders)  # all gone with their processes
    assert list(tmp_path.iterdir()) == []


def test_a_force_field_is_pickled_by_its_name() -> None:
    model = ff.load(parallel_calls.MODEL)
    copied = pickle.loads(pickle.dumps(model))
    assert (copied.spec, copied.device, copied.dtype) == (model.spec, model.device, model.dtype)
    sheet = ff.monolayer("WSe2")
    assert copied.evaluate([sheet])[0].energy == pytest.approx(model.evaluate([sheet])[0].energy)
