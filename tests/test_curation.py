"""Curation, splits and statistics: each rule on data where the answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given
from hypothesis import strategies as st

from flatforce.core.errors import DataError
from flatforce.core.hashing import hash_structure
from flatforce.data.config import CurationConfig, OutlierConfig, SplitConfig
from flatforce.data.curation.diversity import descriptors, farthest_points
from flatforce.data.curation.duplicates import find_near_duplicates, fingerprint
from flatforce.data.curation.outliers import outlier_reason
from flatforce.data.curation.run import curate
from flatforce.data.curation.steps import select_steps
from flatforce.data.frames import Labels, attach_labels
from flatforce.data.material_splits import split_by_material
from flatforce.data.statistics import statistics
from flatforce.report.figures.data import table_position
from flatforce.structures.prototypes import monolayer

Energies = st.lists(st.floats(-10, 0), min_size=1, max_size=30)


@given(Energies)
def test_an_infinite_cut_keeps_first_middle_last(energies: list[float]) -> None:
    count = len(energies)
    assert select_steps(energies, min_energy_step=np.inf).tolist() == sorted({0, count // 2, count - 1})


@given(Energies, st.floats(0, 5))
def test_step_selection_is_the_published_rule(energies: list[float], min_energy_step: float) -> None:
    passing = {i for i in range(len(energies) - 1) if abs(energies[i] - energies[i + 1]) > min_energy_step}
    expected = passing | {0, len(energies) - 1} | (set() if passing else {len(energies) // 2})
    assert select_steps(energies, min_energy_step=min_energy_step).tolist() == sorted(expected)


def sheet(metal: str = "W", chalcogen: str = "Se", *, seed: int | None = None, energy: float = -6.0) -> Atoms:
    atoms = monolayer((metal, chalcogen), prototype="2H", a=3.3, thickness=3.3)
    if seed is not None:
        atoms.positions += np.random.default_rng(seed).normal(0, 0.05, atoms.positions.shape)
    frame = attach_labels(atoms, Labels(energy * len(atoms), np.full((3, 3), 0.01), np.zeros((3, 3))))
    frame.info["material"] = f"{metal}{chalcogen}2"
    return frame


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda f: f.info.update(REF_energy=-241.0), "min_energy"),
        (lambda f: f.info.update(REF_energy=1.0), "max_energy"),
        (lambda f: f.arrays["REF_forces"].__setitem__((0, 0), 21.0), "max_force"),
        (lambda f: f.info.update(REF_stress=np.eye(3).ravel() * 0.4), "max_stress"),
        (lambda f: f.positions.__setitem__((2, 2), 9.0 + f.positions[2, 2]), "isolated"),
    ],
)
def test_each_limit_finds_its_outlier(spoil: object, reason: str) -> None:
    frame = sheet().repeat((2, 2, 1))
    frame.set_cell([*frame.cell.array[:2], (0, 0, 40.0)])
    frame.info["REF_energy"] *= 4
    config = OutlierConfig(min_energy=-20, max_energy=0)
    assert outlier_reason(frame, config) is None
    spoil(frame)  # type: ignore[operator]
    assert reason in str(outlier_reason(frame, config))
    lifted = OutlierConfig.model_validate(dict.fromkeys(OutlierConfig.model_fields))
    assert outlier_reason(frame, lifted) is None


def test_copies_are_found_whatever_their_pose() -> None:
    frame, other = sheet(seed=1), sheet(seed=2)
    copy = frame[[2, 0, 1]]
    copy.positions += (0.7, -0.3, 2.0)
    copy.rotate(40, "z", rotate_cell=True)
    copy.wrap()
    np.testing.assert_allclose(fingerprint(copy), fingerprint(frame), atol=1e-9)
    near = frame.copy()
    near.positions[0, 0] += 0.004
    assert find_near_duplicates([frame, other, copy, near], tolerance=0.01) == {2: 0, 3: 0}
    assert find_near_duplicates([frame, other, copy, near], tolerance=1e-6) == {2: 0}


def test_farthest_points_reach_the_corners() -> None:
    rng = np.random.default_rng(0)
    corners = np.array([[0, 0], [10, 0], [0, 10], [10, 10]], dtype=float)
    points = np.concatenate([corners, rng.uniform(3, 7, (200, 2))])
    assert set(farthest_points(points, 4, first=0)[0].tolist()) == {0, 1, 2, 3}


def test_curation_says_what_it_removed() -> None:
    frames = []
    for step, energy in enumerate((-5.0, -5.5, -5.8, -5.9, -5.9001, -5.90015)):
        frame = sheet(seed=step, energy=energy)
        frame.info |= {"step": step, "source": "run"}
        frames.append(frame)
    bad = sheet("Mo", seed=9)
    bad.arrays["REF_forces"][0] = 50.0
    twin = sheet("Nb", seed=10)
    curation = curate([*frames, bad, twin, twin.copy()], CurationConfig(min_energy_step=0.01))
    assert {rule: sum(reasons.values()) for rule, reasons in curation.removed.items()} == {
        "outliers": 1,
        "steps": 2,
        "duplicates": 1,
    }
    assert [f.info.get("step") for f in curation.frames] == [0, 1, 2, 5, None]


@pytest.mark.parametrize(("is_relaxed", "n_frames"), [(True, 3), (False, 12)])
def test_molecular_dynamics_is_no_relaxation(is_relaxed: bool, n_frames: int) -> None:
    """Step selection thins a relaxation to its first, middle and last step, and keeps a trajectory whose energy fluctuates."""
    rng = np.random.default_rng(0)
    frames = []
    for step in range(12):
        frame = sheet()
        frame.positions += rng.normal(scale=0.1, size=frame.positions.shape)
        frame.info |= {"step": step, "source": "run"}
        frame.info["REF_energy"] += 0.1 * (0.5**step if is_relaxed else np.sin(2.1 * step))
        frames.append(frame)
    config = CurationConfig(outliers=None, duplicates=None, min_energy_step=10.0)
    assert len(curate(frames, config).frames) == n_frames


def test_descriptors_tell_environments_apart() -> None:
    pytest.importorskip("dscribe")
    vectors = descriptors([sheet(seed=1), sheet(seed=1), sheet("Mo", seed=1)])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.linalg.norm(vectors[0] - vectors[1]) < 1e-9
    assert np.linalg.norm(vectors[0] - vectors[2]) > 1e-3


def many() -> list[Atoms]:
    metals, rng = ("Mo", "W", "Nb", "Ta", "Ti", "Zr", "V", "Cr"), np.random.default_rng(1)
    return [
        sheet(m, x, seed=int(rng.integers(10**6)))
        for m in metals
        for x in ("S", "Se", "Te")
        for _ in range(rng.integers(3, 9))
    ]


@pytest.mark.parametrize("settings", [{}, {"ratios": (0.8, 0.1, 0.1)}, {"folds": 5}, {"leave_out": "Te"}])
def test_no_material_and_no_duplicate_is_in_two_subsets(settings: dict[str, object]) -> None:
    frames = many()
    straddler = frames[0].copy()  # the same sheet under another name
    straddler.positions[0, 0] += 0.002
    straddler.info["material"] = "alias"
    frames.append(straddler)
    split = split_by_material(frames, SplitConfig.model_validate(settings))
    subset = {key: name for name, keys in split["subsets"].items() for key in keys}
    assert len(subset) == len(frames)
    seen: dict[str, set[str]] = {}
    for frame in frames:
        seen.setdefault(frame.info["material"], set()).add(subset[hash_structure(frame)])
    assert all(len(subsets) == 1 for subsets in seen.values())
    assert seen["alias"] == seen[frames[0].info["material"]]
    if "leave_out" in settings:
        assert all(
            ("Te" in name) == (subsets == {"test"}) for name, subsets in seen.items() if name != "alias"
        )
    else:
        assert len({next(iter(subsets)) for subsets in seen.values()}) == len(split["subsets"])


def test_every_element_is_in_every_subset() -> None:
    frames = many()
    split = split_by_material(frames, SplitConfig(ratios=(0.6, 0.2, 0.2)))
    subset = {key: name for name, keys in split["subsets"].items() for key in keys}
    for x in ("S", "Se", "Te"):
        assert {subset[hash_structure(f)] for f in frames if x in f.symbols} == set(split["subsets"])
    fractions = {name: len(keys) / len(frames) for name, keys in split["subsets"].items()}
    assert fractions["train"] == pytest.approx(0.6, abs=0.08)
    assert split == split_by_material(many(), SplitConfig(ratios=(0.6, 0.2, 0.2)))


def test_every_formula_is_in_every_subset() -> None:
    """Six polymorphs of each of four compounds that share their elements pairwise."""
    frames = [
        sheet(m, x, seed=100 * k + n)
        for k in range(6)
        for m in ("W", "Mo")
        for x in ("S", "Te")
        for n in range(4)
    ]
    for i, frame in enumerate(frames):
        frame.info["material"] = f"{frame.get_chemical_formula()}-{i // 16}"
    thirds = (0.5, 0.25, 0.25)
    split = split_by_material(frames, SplitConfig(ratios=thirds, stratify="composition", duplicates=1e-6))
    subset = {key: name for name, keys in split["subsets"].items() for key in keys}
    for m in ("W", "Mo"):
        for x in ("S", "Te"):
            mine = [subset[hash_structure(f)] for f in frames if m in f.symbols and x in f.symbols]
            assert set(mine) == set(split["subsets"])
            assert mine.count("train") == 12


def test_too_few_materials_are_refused() -> None:
    with pytest.raises(DataError, match="2 materials and 2 frames for 3 subsets"):
        split_by_material([sheet("W"), sheet("Mo")], SplitConfig())


def test_statistics_count(tmp_path: Path) -> None:
    del tmp_path
    frames = many()
    result = statistics(frames, with_map=False)
    assert result.n_materials == 24
    assert result.elements["Te"] == sum("Te" in f.symbols for f in frames)
    assert sum(result.space_groups.values()) == len(frames)
    assert (np.diff(result.n_selected) <= 0).all()
    assert result.metrics.keys() == result.units.keys()


@pytest.mark.parametrize(
    ("z", "where"),
    [
        (1, (1, 1)),
        (2, (18, 1)),
        (6, (14, 2)),
        (26, (8, 4)),
        (42, (6, 5)),
        (57, (3, 8)),
        (71, (3, 6)),
        (74, (6, 6)),
        (86, (18, 6)),
    ],
)
def test_elements_stand_where_chemists_expect_them(z: int, where: tuple[int, int]) -> None:
    assert table_position(z) == where
