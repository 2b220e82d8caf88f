"""Reading and refusing frames; held-out frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from flatforce.core.errors import DataError
from flatforce.core.units import EV_PER_A2_IN_N_PER_M
from flatforce.data.bundled import dataset_path
from flatforce.data.frame_files import read_frames, read_labelled, write_frames
from flatforce.data.frames import get_labels
from flatforce.data.splits import hold_out, split_trajectory_warnings
from flatforce.models.training.splits import split_validation


def test_an_at_sign_in_a_file_name_is_no_index(tmp_path: Path, frames: list[Atoms]) -> None:
    path = tmp_path / "Mo@W.extxyz"
    write_frames(path, frames[:3])
    assert len(read_frames(path)) == 3


def test_round_trip(frames: list[Atoms], tmp_path: Path) -> None:
    write_frames(tmp_path / "a.extxyz", frames[:3])
    for original, copy in zip(frames[:3], read_labelled(tmp_path / "a.extxyz"), strict=True):
        old, new = get_labels(original), get_labels(copy)
        assert old.energy == pytest.approx(new.energy, abs=1e-9)
        np.testing.assert_allclose(old.forces, new.forces, atol=1e-7)
        assert old.stress is not None
        assert new.stress is not None
        np.testing.assert_allclose(old.stress, new.stress, atol=1e-9)


@pytest.mark.parametrize("cut", [1, 4, 40, 300])
def test_truncated_file_is_refused(frames: list[Atoms], tmp_path: Path, cut: int) -> None:
    """Cut inside the last number (4), the file would read as a whole one with a wrong force."""
    path = tmp_path / "a.extxyz"
    write_frames(path, frames[:3])
    assert len(read_labelled(path)) == 3
    path.write_text(path.read_text()[:-cut])
    with pytest.raises(DataError):
        read_labelled(path)


def test_missing_and_broken_labels_are_refused(frames: list[Atoms]) -> None:
    bare = frames[0].copy()
    del bare.arrays["REF_forces"]
    with pytest.raises(DataError, match="has no REF_forces"):
        get_labels(bare)
    broken = frames[0].copy()
    broken.arrays["REF_forces"][1, 2] = np.nan
    with pytest.raises(DataError, match="not finite"):
        get_labels(broken)


def test_no_file_no_frames(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file"):
        read_frames(tmp_path / "none.xyz")
    with pytest.raises(DataError, match="no frames"):
        dataset_path("none")


def test_bundled_dataset(frames: list[Atoms]) -> None:
    kinds = {frame.info["config_type"] for frame in frames}
    assert {
        "pristine_1x1",
        "pristine_2x2",
        "pristine_3x3",
        "vSe_3x3",
        "vW_3x3",
        "vSe2_3x3",
        "SeW_3x3",
    } <= kinds
    for frame in frames:
        assert get_labels(frame).stress is not None
        assert {"name", "material", "dft", "label_source", "label_key"} <= set(frame.info)
        assert bool(frame.pbc.all())


def test_split_holds_some_of_each_kind_whatever_the_order(frames: list[Atoms]) -> None:
    names = {frames[i].info["name"] for i in hold_out(frames, fraction=0.12, seed=0)}
    names_reversed = {frames[::-1][i].info["name"] for i in hold_out(frames[::-1], fraction=0.12, seed=0)}
    assert names == names_reversed
    kinds = {f.info["config_type"] for f in frames if f.info["name"] in names}
    assert kinds == {f.info["config_type"] for f in frames}
    assert names != {frames[i].info["name"] for i in hold_out(frames, fraction=0.12, seed=1)}


def test_trajectories_are_not_split_unless_there_is_only_one() -> None:
    frames = read_labelled(dataset_path("2d-pbe-mini"))
    out = set(hold_out(frames, fraction=0.15, seed=0))
    subsets = [[f for i, f in enumerate(frames) if (i in out) == is_test] for is_test in (False, True)]
    assert 0.15 * len(frames) <= len(subsets[1]) < 0.18 * len(frames)
    runs = [
        {(f.info["material"], f.info.get("source")) for f in subset if "step" in f.info} for subset in subsets
    ]
    assert all(runs)
    assert not runs[0] & runs[1]
    assert split_trajectory_warnings(*subsets) == []
    train, valid = split_validation(subsets[0], fraction=0.1, seed=1)
    assert split_trajectory_warnings(train, valid) == []
    run = [
        frame.copy() for frame in frames[:40]
    ]  # a single run, longer than the test set: it is split, with a warning
    for step, frame in enumerate(run):
        frame.info |= {"step": step, "source": "a", "material": "b"}
        frame.symbols[:] = run[0].symbols[0]
        frame.info.pop("config_type", None)
    same = [frame for frame in run if len(frame) == len(run[0])]
    out = set(hold_out(same, fraction=0.2, seed=0))
    assert len(out) == np.ceil(0.2 * len(same))
    (warning,) = split_trajectory_warnings(
        [same[i] for i in range(len(same)) if i not in out], [same[i] for i in out]
    )
    assert "1 trajectory is in both" in warning


def test_mini_set_holds_relaxed_materials_of_many_kinds() -> None:
    frames = read_labelled(dataset_path("2d-pbe-mini"))
    ends = [frame for frame in frames if frame.info.get("relaxed")]
    assert len(ends) == len({frame.info["material"] for frame in ends}) == 66
    assert len({symbol for frame in ends for symbol in frame.get_chemical_symbols()}) > 25
    for end in ends:
        labels = get_labels(end)
        assert labels.stress is not None
        membrane = labels.stress[:2, :2] * end.cell[2, 2] * EV_PER_A2_IN_N_PER_M
        assert np.linalg.norm(labels.forces, axis=1).max() < 0.03, end.info["material"]
        assert np.abs(membrane).max() < 0.1, end.info["material"]
    starts = {frame.info["material"]: frame for frame in frames if frame.info.get("step") == 0}
    for end in ends:  # DFT went downhill
        assert get_labels(end).energy <= get_labels(starts[end.info["material"]]).energy + 1e-6
