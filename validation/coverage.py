"""Whether calibrated intervals hold their level on frames of a defect: calibrated on a quarter of what is known, or by folds.

    python validation/coverage.py run FOLDER FRAMES --about vSe_3x3 --learn 24 [--test 70] [--seeds 0 1 2] [--folds 4]
    python validation/coverage.py table FOLDER_OR_CSV...

FRAMES is a labelled file or `wse2-pbe`. Each seed draws frames of the config types that begin with `--about`: some are
learnt, the others judge: the committee of each fold, calibrated on the frames that it left out (*own*), and all of them as one force
field, calibrated by folds (*folds*). A killed run goes on.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from strategies import TRAIN

from flatforce.active.assess import assess
from flatforce.active.calibration import LEVELS
from flatforce.active.config import LearnConfig
from flatforce.active.cross_conformal import Fold, Model
from flatforce.core.progress import reporting
from flatforce.data.bundled import dataset_path
from flatforce.data.frames import config_type, read_labelled, write_frames
from flatforce.studies.learn.training import train_round

JUDGED = (0.68, 0.95)


def run(given: argparse.Namespace, folder: Path, name: str) -> None:
    frames = [f for f in read_labelled(dataset_path(name)) if config_type(f).startswith(given.about)]
    for seed in given.seeds:
        inside = folder / f"seed-{seed}"
        inside.mkdir(parents=True, exist_ok=True)
        settings = json.dumps([name, given.about, given.learn, given.folds, TRAIN])
        if (inside / "key").is_file() and (inside / "key").read_text(encoding="utf-8") != settings:
            raise SystemExit(f"{inside} was begun with other arguments: choose another FOLDER")
        (inside / "key").write_text(settings, encoding="utf-8")
        order = np.random.default_rng(seed).permutation(len(frames))
        learnt = [frames[k] for k in order[: given.learn]]
        test = [frames[k] for k in order[given.learn :]][: given.test]
        for kind, those in (("learnt", learnt), ("test", test)):
            if not (inside / f"{kind}.extxyz").is_file():
                write_frames(inside / f"{kind}.extxyz", those)
        config = LearnConfig.parse(
            {
                "start": [str(inside / "learnt.extxyz")],
                "pool": [str(inside / "test.extxyz")],
                "train": TRAIN | {"seed": 100 * seed},
                "calibration_folds": given.folds,
                "seed": seed,
            }
        )
        with reporting(f"seed {seed}: train") as progress:
            trained = train_round(config, [learnt], inside, progress)
        rules: list[tuple[str, Model, list[Fold]]] = [("own", fold, [fold]) for fold in trained.folds]
        rows = []
        for rule, model, folds in [*rules, ("folds", trained.model, trained.folds)]:
            found = assess(model, folds, test, seed=0)
            row: dict[str, Any] = {"seed": seed, "rule": rule, "n_calibrating": found.n_calibrating}
            row["force_mae"] = found.metrics["force_mae"]
            for level in JUDGED:
                place = LEVELS.index(level)
                row |= {f"{level:.0%}": found.covered[place], f"{level:.0%} ±": found.margins[place]}
            rows.append(row)
        with (inside / "rows.csv").open("w", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        table([inside])


def table(paths: list[Path]) -> None:
    rows: list[dict[str, Any]] = []
    for path in [one for given in paths for one in (sorted(given.glob("**/rows.csv")) or [given])]:
        with path.open(encoding="utf-8") as stream:
            rows += list(csv.DictReader(stream))
    for rule in ("own", "folds"):
        mine = [row for row in rows if row["rule"] == rule]
        words = []
        for level in JUDGED:
            held, margin = (np.array([float(row[f"{level:.0%}{end}"]) for row in mine]) for end in ("", " ±"))
            near = int((np.abs(held - level) <= 0.05).sum())
            words.append(
                f"{level:.0%}: {held.mean():.3f} [{held.min():.3f}, {held.max():.3f}], {near} of {len(held)} within 0.05, "
                f"margin told {margin.mean():.3f}"
            )
        frames = {row["n_calibrating"] for row in mine}
        mae = np.mean([float(row["force_mae"]) for row in mine])
        print(
            f"{rule}, {'/'.join(sorted(frames))} frames calibrate, {mae:.1f} meV/Å: {'; '.join(words)}",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--about", default="")
    parser.add_argument("--learn", type=int, default=16)
    parser.add_argument("--test", type=int, default=None)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    if given.what == "run":
        run(given, given.paths[0], str(given.paths[1]))
    else:
        table(given.paths)
