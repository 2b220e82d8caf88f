"""Empirical coverage of calibrated intervals on frames of a defect: calibrated on a quarter of the labelled frames, or by folds.

    python validation/coverage.py run FOLDER FRAMES --config-type vSe_3x3 --train 24 [--test 70] [--seeds 0 1 2] [--folds 4]
    python validation/coverage.py table FOLDER_OR_CSV...

FRAMES is a labelled file or `wse2-pbe`. Each seed draws frames of the config types that begin with `--config-type`: some are labelled
frames of the run, the others are the test set. Tested are the committee of each fold, calibrated on the frames that it left out (*own*),
and all of them as one force field, calibrated by folds (*folds*). A killed run continues.
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
from flatforce.active.cross_conformal import Fold, UncertainModel
from flatforce.core.progress import show_progress
from flatforce.data.bundled import dataset_path
from flatforce.data.frame_files import read_labelled, write_frames
from flatforce.data.frames import config_type
from flatforce.studies.learn.training import train_round

REPORTED_LEVELS = (0.68, 0.95)


def run(arguments: argparse.Namespace, folder: Path, name: str) -> None:
    frames = [
        f for f in read_labelled(dataset_path(name)) if config_type(f).startswith(arguments.config_type)
    ]
    for seed in arguments.seeds:
        seed_folder = folder / f"seed-{seed}"
        seed_folder.mkdir(parents=True, exist_ok=True)
        settings = json.dumps([name, arguments.config_type, arguments.train, arguments.folds, TRAIN])
        if (seed_folder / "key").is_file() and (seed_folder / "key").read_text(encoding="utf-8") != settings:
            raise SystemExit(f"{seed_folder} was started with other arguments: choose another FOLDER")
        (seed_folder / "key").write_text(settings, encoding="utf-8")
        order = np.random.default_rng(seed).permutation(len(frames))
        labelled = [frames[k] for k in order[: arguments.train]]
        test = [frames[k] for k in order[arguments.train :]][: arguments.test]
        for name_of_set, subset in (("initial", labelled), ("test", test)):
            if not (seed_folder / f"{name_of_set}.extxyz").is_file():
                write_frames(seed_folder / f"{name_of_set}.extxyz", subset)
        config = LearnConfig.parse(
            {
                "initial": [str(seed_folder / "initial.extxyz")],
                "pool": [str(seed_folder / "test.extxyz")],
                "train": TRAIN | {"seed": 100 * seed},
                "calibration_folds": arguments.folds,
                "seed": seed,
            }
        )
        with show_progress(f"seed {seed}: train") as progress:
            training = train_round(config, [labelled], seed_folder, progress)
        rules: list[tuple[str, UncertainModel, list[Fold]]] = [
            ("own", fold, [fold]) for fold in training.folds
        ]
        rows = []
        for rule, model, folds in [*rules, ("folds", training.model, training.folds)]:
            assessment = assess(model, folds, test, seed=0)
            row: dict[str, Any] = {"seed": seed, "rule": rule, "n_calibration": assessment.n_calibration}
            row["force_mae"] = assessment.metrics["force_mae"]
            for level in REPORTED_LEVELS:
                k = LEVELS.index(level)
                row[f"{level:.0%}"] = assessment.coverage.overall.coverage[k]
                row[f"{level:.0%} ±"] = assessment.uncertainty.tolerance[k]
            rows.append(row)
        with (seed_folder / "rows.csv").open("w", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        table([seed_folder])


def table(paths: list[Path]) -> None:
    rows: list[dict[str, Any]] = []
    for path in paths:
        for source in sorted(path.glob("**/rows.csv")) or [path]:
            with source.open(encoding="utf-8") as stream:
                rows += list(csv.DictReader(stream))
    for rule in ("own", "folds"):
        selected = [row for row in rows if row["rule"] == rule]
        texts = []
        for level in REPORTED_LEVELS:
            coverage = np.array([float(row[f"{level:.0%}"]) for row in selected])
            tolerance = np.array([float(row[f"{level:.0%} ±"]) for row in selected])
            n_within = int((np.abs(coverage - level) <= 0.05).sum())
            texts.append(
                f"{level:.0%}: {coverage.mean():.3f} [{coverage.min():.3f}, {coverage.max():.3f}], "
                f"{n_within} of {len(coverage)} within 0.05, mean tolerance {tolerance.mean():.3f}"
            )
        n_frames = sorted({row["n_calibration"] for row in selected})
        mae = np.mean([float(row["force_mae"]) for row in selected])
        print(
            f"{rule}, calibrated on {'/'.join(n_frames)} frames, {mae:.1f} meV/Å: {'; '.join(texts)}",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["run", "table"])
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--config-type", default="")
    parser.add_argument("--train", type=int, default=16)
    parser.add_argument("--test", type=int, default=None)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    if arguments.action == "run":
        run(arguments, arguments.paths[0], str(arguments.paths[1]))
    else:
        table(arguments.paths)
