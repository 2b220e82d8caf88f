"""Learning on the fly with real DFT: dynamics of a WSe2 sheet that call GPAW where the committee is in doubt.

    python validation/on_the_fly.py prepare FOLDER
    cd FOLDER && flatforce learn learn.yaml -o run      # GPAW; about two minutes a label on one core
    python validation/on_the_fly.py judge FOLDER

It begins with 16 frames (1×1 and 2×2, pristine) and moves 2×2 sheets at 300 and 600 K until both have done their 0.8 ps.
`judge` prints, round by round, how far they came, the labels so far, what the doubt was where they stopped and what the
label then showed, and the errors on pristine frames that it never learns.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import yaml
from learn_vse import TRAIN, bundled

from flatforce.active.calibration import atom_errors
from flatforce.core.results import read_record
from flatforce.data.frames import config_type, get_labels, read_labelled, write_frames
from flatforce.data.splits import hold_out
from flatforce.models import load
from flatforce.structures.prototypes import monolayer
from flatforce.studies.learn.labels import newly_labelled

LATTICE, THICKNESS = 3.319, 3.36
"""Å, PBE."""

LEARN = {
    "start": ["start.extxyz"],
    "test": "test.extxyz",
    "structures": ["sheet.extxyz"],
    "sampling": {
        "dynamics": {
            "temperatures": [300, 600],
            "steps": 400,
            "every": 20,
            "go_on": True,
            "stop_above": 0.3,
        }
    },
    "label": {"settings": {"engine": "gpaw"}, "workers": 1},
    "train": TRAIN | {"epochs": 150},  # of few and small frames
    "calibration_fraction": 0.4,
    "per_round": 2,
    "stop": {"rounds": 12},
}


def prepare(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    frames = [f for f in bundled() if config_type(f).startswith("pristine")]
    held = set(hold_out(frames, fraction=0.3, seed=0))
    test = [f for i, f in enumerate(frames) if i in held and config_type(f) != "pristine_1x1"]
    rng = np.random.default_rng(0)
    start = []
    for kind, count in (("pristine_1x1", 8), ("pristine_2x2", 8)):
        those = [f for i, f in enumerate(frames) if i not in held and config_type(f) == kind]
        start += [those[k] for k in rng.permutation(len(those))[:count]]
    sheet = monolayer(("W", "Se"), prototype="2H", a=LATTICE, thickness=THICKNESS).repeat((2, 2, 1))
    sheet.info = {"material": "WSe2"}
    write_frames(folder / "test.extxyz", test)
    write_frames(folder / "start.extxyz", start)
    write_frames(folder / "sheet.extxyz", [sheet])
    (folder / "learn.yaml").write_text(yaml.safe_dump(LEARN))


def judge(folder: Path) -> None:
    test = read_labelled(folder / "test.extxyz")
    head = [
        "round",
        "labels",
        "300 K (ps)",
        "600 K (ps)",
        "doubt at the stop (eV/Å)",
        "largest error there (eV/Å)",
    ]
    head += ["2×2 forces MAE (meV/Å)", "3×3"]
    print("|", " | ".join(head), "|\n" + "|---" * len(head) + "|")
    for inside in sorted((folder / "run").glob("round-*")):
        if not (inside / "result.json").is_file():
            continue
        members = ",".join(f"mace:{path}" for path in sorted((inside / "committee").glob("*.model")))
        potential = load(f"committee:{members}")
        said = potential.evaluate(test)
        cells = []
        for kind in ("pristine_2x2", "pristine_3x3"):
            off = [
                np.abs(one.forces - get_labels(f).forces).mean()
                for f, one in zip(test, said, strict=True)
                if config_type(f) == kind
            ]
            cells.append(f"{1e3 * np.mean(off):.1f}")
        record = read_record(inside)
        came = {one["temperature"]: one["time"] / 1000 for one in record["details"].get("dynamics", [])}
        times = [f"{came[t]:.2f}" if t in came else "–" for t in (300.0, 600.0)]
        labels = f"{record['metrics']['n_labels']:.0f}"
        doubts = ", ".join(f"{one['doubt']:.2f}" for one in record["details"]["chosen"]) or "–"
        new = newly_labelled(inside) if record["details"]["chosen"] else []
        errors = [atom_errors([f], [one]).max() for f, one in zip(new, potential.evaluate(new), strict=True)]
        met = ", ".join(f"{one:.2f}" for one in errors) or "–"
        print("|", " | ".join([inside.name[-2:], labels, *times, doubts, met, *cells]), "|")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["prepare", "judge"])
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    {"prepare": prepare, "judge": judge}[given.what](given.folder)
