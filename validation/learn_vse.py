"""Active learning of a Se vacancy in WSe2 with real DFT labels, against training on all of `wse2-pbe`.

    python validation/learn_vse.py prepare FOLDER
    cd FOLDER && flatforce learn learn.yaml -o run      # GPAW; about five minutes a label on one core
    cd FOLDER && flatforce train -c full.yaml -o full   # the same committee on every frame that is not held out
    python validation/learn_vse.py evaluate FOLDER

The run begins with 15 frames: pristine ones and the first steps of the relaxation of the vacancy. The test set is
the held-out frames of `wse2-pbe` with a Se vacancy or none; `evaluate` prints the errors of each round for each config type,
those of the committee that was trained on all frames, and, paired, those on strong rattles of the vacancy in neither training set.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import yaml
from ase import Atoms

from flatforce.active.calibration import LEVELS, atom_errors, calibrate, empirical_coverage
from flatforce.active.uncertainty import committee_uncertainty
from flatforce.core.arrays import FloatArray
from flatforce.core.hashing import hash_structure
from flatforce.core.statistics import bootstrap_interval
from flatforce.data.bundled import dataset_path
from flatforce.data.frame_files import read_labelled, write_frames
from flatforce.data.frames import config_type, get_labels
from flatforce.data.splits import hold_out
from flatforce.models import load
from flatforce.models.potential import Potential

CONFIG_TYPES = ("pristine_1x1", "pristine_2x2", "pristine_3x3", "vSe_3x3", "vSe_3x3_small")

TRAIN = {
    "model": {"hidden_irreps": "16x0e + 16x1o", "r_max": 4.5, "max_ell": 2, "correlation": 2},
    "n_models": 3,
    "epochs": 50,
    "batch_size": 1,
    "learning_rate": 0.01,
    "huber_delta": 0.02,
    "stage_two": None,
}

LEARN = {
    "initial": ["initial.extxyz"],
    "test": "test.extxyz",
    "structures": ["vse.extxyz"],
    "sampling": {
        "dynamics": {
            "temperatures": [300, 600],
            "steps": 150,
            "sampling_interval": 30,
            "uncertainty_threshold": 0.5,
        },
        "rattles": {"amplitudes": [0.03, 0.1], "count": 8},
        "strains": {"max_strain": 0.02, "rattle": 0.05, "count": 6},
    },
    "label": {"settings": {"engine": "gpaw"}, "workers": 1},
    "train": TRAIN | {"epochs": 100},  # of a quarter of the frames: no more steps than the other
    "strategy": "combined",
    "labels_per_round": 3,
    "calibration_fraction": 0.2,
    "stop": {"rounds": 5},
}


def bundled_frames(*added: str) -> list[Atoms]:
    """Frames of `wse2-pbe` as it was before this study, and those that were added later under the given names."""
    excluded = {"learnt", "strong"} - set(added)
    return [
        f for f in read_labelled(dataset_path("wse2-pbe")) if excluded.isdisjoint(f.info["name"].split("-"))
    ]


def prepare(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    frames = bundled_frames()
    held_out = set(hold_out(frames, fraction=0.12, seed=0))
    write_frames(
        folder / "test.extxyz",
        [f for i, f in enumerate(frames) if i in held_out and config_type(f) in CONFIG_TYPES],
    )
    remaining = [f for i, f in enumerate(frames) if i not in held_out]
    write_frames(folder / "full.extxyz", remaining)
    rng = np.random.default_rng(0)
    initial: list[Atoms] = []
    for name, count in (("pristine_1x1", 8), ("pristine_2x2", 4)):
        same_type = [f for f in remaining if config_type(f) == name]
        initial += [same_type[k] for k in rng.permutation(len(same_type))[:count]]
    path = [f for f in remaining if "vSe3-relax" in str(f.info["name"])]
    for frame in path:
        frame.info["config_type"] = "vSe_relax"
    write_frames(folder / "initial.extxyz", initial + path)
    relaxed = path[-1].copy()
    relaxed.info = {"material": "WSe2"}
    for name in set(relaxed.arrays) - {"numbers", "positions"}:
        del relaxed.arrays[name]
    write_frames(folder / "vse.extxyz", [relaxed])
    (folder / "learn.yaml").write_text(yaml.safe_dump(LEARN))
    (folder / "full.yaml").write_text(
        yaml.safe_dump(TRAIN | {"data": ["full.extxyz"], "test_fraction": 0.0, "valid_fraction": 0.15})
    )


def evaluate(folder: Path) -> None:
    test = read_labelled(folder / "test.extxyz")
    initial = {hash_structure(frame) for frame in read_labelled(folder / "initial.extxyz")}
    unseen = [
        frame
        for frame in bundled_frames("strong")
        if config_type(frame).startswith("vSe_3x3") and hash_structure(frame) not in initial
    ]
    runs = {
        path.parent.parent.name: path.parent for path in sorted(folder.glob("run/*/committee/result.json"))
    }
    runs |= {"all frames": folder / "full"}
    strong_rattles = [
        frame
        for frame in read_labelled(dataset_path("wse2-pbe"))
        if "strong" in str(frame.info.get("name")).split("-")
    ]
    errors_by_run: dict[str, FloatArray] = {}
    for name, committee in runs.items():
        specs = ",".join(f"mace:{path}" for path in sorted(committee.glob("*.model")))
        potential = load(f"committee:{specs}")
        predictions = potential.evaluate(test)
        texts = []
        for name_of_type in CONFIG_TYPES:
            errors = [
                1e3 * np.abs(prediction.forces - get_labels(f).forces).mean()
                for f, prediction in zip(test, predictions, strict=True)
                if config_type(f) == name_of_type
            ]
            texts.append(f"{name_of_type} {np.mean(errors):.1f}")
        energy = [
            1e3 * abs(prediction.energy - get_labels(f).energy) / len(f)
            for f, prediction in zip(test, predictions, strict=True)
        ]
        print(f"{name}: force MAE, meV/Å: {', '.join(texts)}; energy {np.mean(energy):.1f} meV/atom")
        errors_by_run[name] = np.array(
            [
                1e3 * np.abs(prediction.forces - get_labels(f).forces).mean()
                for f, prediction in zip(strong_rattles, potential.evaluate(strong_rattles), strict=True)
            ]
        )
        if (committee.parent / "calibration.extxyz").is_file():
            print_coverage(potential, read_labelled(committee.parent / "calibration.extxyz"), unseen)
    for name, frame_errors in errors_by_run.items():
        difference = frame_errors - errors_by_run["all frames"]
        print(
            f"{name}, {len(strong_rattles)} strong rattles in no training set: {describe(frame_errors)}, "
            f"less all: {describe(difference)}"
        )


def describe(values: FloatArray) -> str:
    low, high = bootstrap_interval(values, seed=0)
    return f"{values.mean():.1f} [{low:.1f}, {high:.1f}]"


def print_coverage(potential: Potential, calibration_set: list[Atoms], unseen: list[Atoms]) -> None:
    """Coverage on vacancies in no training set: calibrated as the run does, and on half of them for the other half."""
    predictions = potential.evaluate(calibration_set)
    calibration = calibrate(
        atom_errors(calibration_set, predictions),
        np.concatenate(committee_uncertainty(calibration_set, predictions)),
    )
    predictions = potential.evaluate(unseen)
    errors = [
        atom_errors([frame], [prediction]) for frame, prediction in zip(unseen, predictions, strict=True)
    ]
    spread = committee_uncertainty(unseen, predictions)
    overall = empirical_coverage(calibration, np.concatenate(errors), np.concatenate(spread))
    coverages = []
    for seed in range(200):
        order = np.random.default_rng(seed).permutation(len(unseen))
        halves = order[: len(order) // 2], order[len(order) // 2 :]
        (errors_1, spread_1), (errors_2, spread_2) = (
            (np.concatenate([errors[k] for k in half]), np.concatenate([spread[k] for k in half]))
            for half in halves
        )
        coverages.append(empirical_coverage(calibrate(errors_1, spread_1), errors_2, spread_2))
    print(
        f"  {len(unseen)} vacancy frames, calibrated on {len(calibration_set)} frames:",
        format_levels(overall),
    )
    print(
        "  calibrated on half of them:",
        format_levels(np.mean(coverages, axis=0)),
        "±",
        format_levels(np.std(coverages, axis=0)),
    )
    columns = [LEVELS.index(level) for level in (0.68, 0.95)]
    is_within = np.abs(np.array(coverages) - LEVELS)[:, columns] <= 0.05
    print("  within 5 points at 68 and 95 %:", is_within.mean(axis=0), "of the halvings")


def format_levels(levels: FloatArray) -> str:
    return ", ".join(f"{a:.2f}: {b:.2f}" for a, b in zip(LEVELS, levels, strict=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["prepare", "evaluate"])
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    {"prepare": prepare, "evaluate": evaluate}[arguments.action](arguments.folder)
