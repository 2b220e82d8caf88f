"""Active learning of a Se vacancy in WSe2 with real DFT labels, against training on all of `wse2-pbe`.

    python validation/learn_vse.py prepare FOLDER
    cd FOLDER && flatforce learn learn.yaml -o run      # GPAW; about five minutes a label on one core
    cd FOLDER && flatforce train -c full.yaml -o full   # the same committee on every frame that is not held out
    python validation/learn_vse.py judge FOLDER

The run begins with 15 frames: pristine ones and the first steps of the relaxation of the vacancy. It is judged on the
held-out frames of `wse2-pbe` with a Se vacancy or none; `judge` prints the errors of each round, of each kind of frame,
and of the committee that learnt all frames; and, paired, those on strong rattles of the vacancy that neither learnt.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import yaml
from ase import Atoms

from flatforce.active.calibration import LEVELS, atom_errors, calibrate, coverage
from flatforce.active.uncertainty import committee_spread
from flatforce.core.arrays import FloatArray
from flatforce.core.hashing import hash_structure
from flatforce.core.statistics import bootstrap_interval
from flatforce.data.bundled import dataset_path
from flatforce.data.frames import config_type, get_labels, read_labelled, write_frames
from flatforce.data.splits import hold_out
from flatforce.models import load
from flatforce.models.potential import Potential

KINDS = ("pristine_1x1", "pristine_2x2", "pristine_3x3", "vSe_3x3", "vSe_3x3_small")

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
    "start": ["start.extxyz"],
    "test": "test.extxyz",
    "structures": ["vse.extxyz"],
    "sampling": {
        "dynamics": {"temperatures": [300, 600], "steps": 150, "every": 30, "stop_above": 0.5},
        "rattles": {"amplitudes": [0.03, 0.1], "count": 8},
        "strains": {"largest": 0.02, "rattle": 0.05, "count": 6},
    },
    "label": {"settings": {"engine": "gpaw"}, "workers": 1},
    "train": TRAIN | {"epochs": 100},  # of a quarter of the frames: no more steps than the other
    "strategy": "combined",
    "per_round": 3,
    "calibration_fraction": 0.2,
    "stop": {"rounds": 5},
}


def bundled(*later: str) -> list[Atoms]:
    """The frames of `wse2-pbe` as it was before this study, and those of the named rounds after it."""
    left_out = {"learnt", "strong"} - set(later)
    return [
        f for f in read_labelled(dataset_path("wse2-pbe")) if left_out.isdisjoint(f.info["name"].split("-"))
    ]


def prepare(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    frames = bundled()
    held = set(hold_out(frames, fraction=0.12, seed=0))
    write_frames(
        folder / "test.extxyz", [f for i, f in enumerate(frames) if i in held and config_type(f) in KINDS]
    )
    left = [f for i, f in enumerate(frames) if i not in held]
    write_frames(folder / "full.extxyz", left)
    rng = np.random.default_rng(0)
    start = []
    for kind, count in (("pristine_1x1", 8), ("pristine_2x2", 4)):
        those = [f for f in left if config_type(f) == kind]
        start += [those[k] for k in rng.permutation(len(those))[:count]]
    path = [f for f in left if "vSe3-relax" in str(f.info["name"])]
    for frame in path:
        frame.info["config_type"] = "vSe_relax"
    write_frames(folder / "start.extxyz", start + path)
    relaxed = path[-1].copy()
    relaxed.info = {"material": "WSe2"}
    for name in set(relaxed.arrays) - {"numbers", "positions"}:
        del relaxed.arrays[name]
    write_frames(folder / "vse.extxyz", [relaxed])
    (folder / "learn.yaml").write_text(yaml.safe_dump(LEARN))
    (folder / "full.yaml").write_text(
        yaml.safe_dump(TRAIN | {"data": ["full.extxyz"], "test_fraction": 0.0, "valid_fraction": 0.15})
    )


def judge(folder: Path) -> None:
    test = read_labelled(folder / "test.extxyz")
    begun = {hash_structure(frame) for frame in read_labelled(folder / "start.extxyz")}
    unseen = [
        frame
        for frame in bundled("strong")
        if config_type(frame).startswith("vSe_3x3") and hash_structure(frame) not in begun
    ]
    runs = {
        path.parent.parent.name: path.parent for path in sorted(folder.glob("run/*/committee/result.json"))
    }
    runs |= {"all frames": folder / "full"}
    later = [
        frame
        for frame in read_labelled(dataset_path("wse2-pbe"))
        if "strong" in str(frame.info.get("name")).split("-")
    ]
    strong: dict[str, FloatArray] = {}
    for name, committee in runs.items():
        specs = ",".join(f"mace:{path}" for path in sorted(committee.glob("*.model")))
        potential = load(f"committee:{specs}")
        said = potential.evaluate(test)
        words = []
        for kind in KINDS:
            errors = [
                1e3 * np.abs(one.forces - get_labels(f).forces).mean()
                for f, one in zip(test, said, strict=True)
                if config_type(f) == kind
            ]
            words.append(f"{kind} {np.mean(errors):.1f}")
        energy = [
            1e3 * abs(one.energy - get_labels(f).energy) / len(f) for f, one in zip(test, said, strict=True)
        ]
        print(f"{name}: force MAE, meV/Å: {', '.join(words)}; energy {np.mean(energy):.1f} meV/atom")
        strong[name] = np.array(
            [
                1e3 * np.abs(one.forces - get_labels(f).forces).mean()
                for f, one in zip(later, potential.evaluate(later), strict=True)
            ]
        )
        if (committee.parent / "held_out.extxyz").is_file():
            tell_coverage(potential, read_labelled(committee.parent / "held_out.extxyz"), unseen)
    for name, off in strong.items():
        print(
            f"{name}, {len(later)} strong rattles that none learnt: {tell(off)}, less all: {tell(off - strong['all frames'])}"
        )


def tell(values: FloatArray) -> str:
    low, high = bootstrap_interval(values, seed=0)
    return f"{values.mean():.1f} [{low:.1f}, {high:.1f}]"


def tell_coverage(potential: Potential, held_out: list[Atoms], unseen: list[Atoms]) -> None:
    """Coverage on vacancies that no round learnt: calibrated as the run does, and on half of them for the other half."""
    known = potential.evaluate(held_out)
    found = calibrate(atom_errors(held_out, known), np.concatenate(committee_spread(held_out, known)))
    said = potential.evaluate(unseen)
    errors = [atom_errors([frame], [one]) for frame, one in zip(unseen, said, strict=True)]
    spread = committee_spread(unseen, said)
    held = coverage(found, np.concatenate(errors), np.concatenate(spread))
    halves = []
    for seed in range(200):
        order = np.random.default_rng(seed).permutation(len(unseen))
        parts = order[: len(order) // 2], order[len(order) // 2 :]
        (e, s), (others, theirs) = (
            (np.concatenate([errors[k] for k in part]), np.concatenate([spread[k] for k in part]))
            for part in parts
        )
        halves.append(coverage(calibrate(e, s), others, theirs))
    print(f"  {len(unseen)} vacancy frames, {len(held_out)} frames calibrate:", told(held))
    print("  half of them calibrate:", told(np.mean(halves, axis=0)), "±", told(np.std(halves, axis=0)))
    judged = [LEVELS.index(level) for level in (0.68, 0.95)]
    near = np.abs(np.array(halves) - LEVELS)[:, judged] <= 0.05
    print("  within 5 points at 68 and 95 %:", near.mean(axis=0), "of the halvings")


def told(levels: FloatArray) -> str:
    return ", ".join(f"{a:.2f}: {b:.2f}" for a, b in zip(LEVELS, levels, strict=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["prepare", "judge"])
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    {"prepare": prepare, "judge": judge}[given.what](given.folder)
