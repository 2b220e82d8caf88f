"""Learning on the fly with real DFT: dynamics of a WSe2 sheet that call GPAW where the committee is uncertain.

    python validation/on_the_fly.py prepare FOLDER
    cd FOLDER && flatforce learn learn.yaml -o run      # GPAW; about two minutes a label on one core
    python validation/on_the_fly.py evaluate FOLDER

The initial training set has 16 frames (1×1 and 2×2, pristine) the dynamics moves 2×2 sheets at 300 and 600 K until both have done their 0.8 ps.
`evaluate` prints for each round how far they came, the number of labels, the force uncertainty where they stopped, the largest
force error that the label showed there, and the errors on the test set of pristine frames.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import yaml
from learn_vse import TRAIN, bundled_frames

from flatforce.core.results import read_record
from flatforce.data.frame_files import read_labelled, write_frames
from flatforce.data.frames import config_type, get_labels
from flatforce.data.splits import hold_out
from flatforce.models import load
from flatforce.structures.prototypes import monolayer

LATTICE, THICKNESS = 3.319, 3.36
"""Å, PBE."""

LEARN = {
    "initial": ["initial.extxyz"],
    "test": "test.extxyz",
    "structures": ["sheet.extxyz"],
    "sampling": {
        "dynamics": {
            "temperatures": [300, 600],
            "steps": 400,
            "sampling_interval": 20,
            "on_the_fly": True,
            "uncertainty_threshold": 0.3,
        }
    },
    "label": {"settings": {"engine": "gpaw"}, "workers": 1},
    "train": TRAIN | {"epochs": 150},  # of few and small frames
    "calibration_fraction": 0.4,
    "labels_per_round": 2,
    "stop": {"rounds": 12},
}


def prepare(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    frames = [f for f in bundled_frames() if config_type(f).startswith("pristine")]
    held_out = set(hold_out(frames, fraction=0.3, seed=0))
    test = [f for i, f in enumerate(frames) if i in held_out and config_type(f) != "pristine_1x1"]
    rng = np.random.default_rng(0)
    initial = []
    for kind, count in (("pristine_1x1", 8), ("pristine_2x2", 8)):
        same_type = [f for i, f in enumerate(frames) if i not in held_out and config_type(f) == kind]
        initial += [same_type[k] for k in rng.permutation(len(same_type))[:count]]
    sheet = monolayer(("W", "Se"), prototype="2H", a=LATTICE, thickness=THICKNESS).repeat((2, 2, 1))
    sheet.info = {"material": "WSe2"}
    write_frames(folder / "test.extxyz", test)
    write_frames(folder / "initial.extxyz", initial)
    write_frames(folder / "sheet.extxyz", [sheet])
    (folder / "learn.yaml").write_text(yaml.safe_dump(LEARN))


def evaluate(folder: Path) -> None:
    test = read_labelled(folder / "test.extxyz")
    head = [
        "round",
        "labels",
        "300 K (ps)",
        "600 K (ps)",
        "uncertainty at the stop (eV/Å)",
        "largest force error there (eV/Å)",
    ]
    head += ["2×2 forces MAE (meV/Å)", "3×3"]
    print("|", " | ".join(head), "|\n" + "|---" * len(head) + "|")
    for round_folder in sorted((folder / "run").glob("round-*")):
        if not (round_folder / "result.json").is_file():
            continue
        members = ",".join(f"mace:{path}" for path in sorted((round_folder / "committee").glob("*.model")))
        potential = load(f"committee:{members}")
        predictions = potential.evaluate(test)
        cells = []
        for kind in ("pristine_2x2", "pristine_3x3"):
            errors = [
                np.abs(prediction.forces - get_labels(f).forces).mean()
                for f, prediction in zip(test, predictions, strict=True)
                if config_type(f) == kind
            ]
            cells.append(f"{1e3 * np.mean(errors):.1f}")
        record = read_record(round_folder)
        time_at = {
            run["temperature"]: run["time"] / 1000 for run in record["details"].get("trajectories", [])
        }
        times = [f"{time_at[t]:.2f}" if t in time_at else "–" for t in (300.0, 600.0)]
        labels = f"{record['metrics']['n_labels']:.0f}"
        selected = record["details"]["selected"]
        uncertainties = ", ".join(f"{frame['force_uncertainty']:.2f}" for frame in selected) or "–"
        max_errors = (
            ", ".join(f"{frame['force_error']:.2f}" for frame in selected if frame["force_error"] is not None)
            or "–"
        )
        print(
            "|", " | ".join([round_folder.name[-2:], labels, *times, uncertainties, max_errors, *cells]), "|"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["prepare", "evaluate"])
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    {"prepare": prepare, "evaluate": evaluate}[arguments.action](arguments.folder)
