"""Coverage inside and outside the calibration set: a committee is trained and calibrated on some frames and tested on others.

    python validation/environments.py run FOLDER FRAMES [OTHER...] --config-type vSe_3x3 --labelled 43 [--seeds 0 1 2] [--quantiles 0.95 0.99]
    python validation/environments.py table FOLDER_OR_CSV...

The numbers of docs/validation/calibration.md:

    python validation/environments.py run FOLDER wse2-pbe --config-type vSe_3x3 --members 1 --uncertainty descriptor_distance
    python validation/environments.py run FOLDER se2_vacancy.extxyz pristine.extxyz --config-type Mo15Se29 --members 2 --epochs 24
        --channels 8 --test 20

FRAMES and OTHER are labelled files, or `wse2-pbe`. Each seed draws `--labelled` frames of the config types that begin with `--config-type`; a
part of them is the calibration set. Tested are all other frames, by config type: coverage at 68 and 95 % of the atoms that are inside at
each quantile, of those that are outside, and their fraction. A killed run continues.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np
from strategies import TRAIN

from flatforce.active.calibration import LEVELS, atom_errors, calibrate, empirical_coverage
from flatforce.active.config import LearnConfig
from flatforce.active.environments import calibrated_environments
from flatforce.core.progress import show_progress
from flatforce.data.bundled import dataset_path
from flatforce.data.frame_files import read_sheets, write_frames
from flatforce.data.frames import config_type
from flatforce.data.splits import group_correlated_frames
from flatforce.studies.learn.training import train_round


def run(arguments: argparse.Namespace) -> None:
    folder, *names = arguments.paths
    frames = [frame for name in names for frame in read_sheets(dataset_path(str(name)))]
    own = [frame for frame in frames if config_type(frame).startswith(arguments.config_type)]
    others = [frame for frame in frames if not config_type(frame).startswith(arguments.config_type)]
    rows: list[dict[str, Any]] = []
    channels = f"{arguments.channels}x0e + {arguments.channels}x1o"
    changes = {
        "model": TRAIN["model"] | {"hidden_irreps": channels},
        "epochs": arguments.epochs,
        "batch_size": arguments.batch_size,
        "n_models": arguments.members,
    }
    for seed in arguments.seeds:
        seed_folder = folder / f"seed-{seed}"
        seed_folder.mkdir(parents=True, exist_ok=True)
        order = np.random.default_rng(seed).permutation(len(own))
        labelled = [own[k] for k in order[: arguments.labelled]]
        rng = np.random.default_rng(seed)
        test = [own[k] for k in order[arguments.labelled :]][: arguments.test]
        for name in sorted({config_type(frame) for frame in others}):
            same = [frame for frame in others if config_type(frame) == name]
            test += [same[k] for k in rng.permutation(len(same))[: arguments.test]]
        for name_of_set, subset in (("initial", labelled), ("test", test)):
            if not (seed_folder / f"{name_of_set}.extxyz").is_file():
                write_frames(seed_folder / f"{name_of_set}.extxyz", subset)
        config = LearnConfig.parse(
            {
                "initial": [str(seed_folder / "initial.extxyz")],
                "pool": [str(seed_folder / "test.extxyz")],
                "train": TRAIN | changes | {"seed": 100 * seed},
                "uncertainty": arguments.uncertainty,
                "calibration_fraction": arguments.calibration_fraction,
                "seed": seed,
            }
        )
        with show_progress(f"seed {seed}: train") as progress:
            training = train_round(config, [labelled], seed_folder, progress)
        (fold,) = training.folds
        predictions, estimates = fold.evaluate(fold.calibration_set)
        calibration = calibrate(atom_errors(fold.calibration_set, predictions), np.concatenate(estimates))
        groups = group_correlated_frames(fold.calibration_set, other_subset=fold.training_set)
        predictions, estimates = fold.evaluate(test)
        errors, uncertainty = atom_errors(test, predictions), np.concatenate(estimates)
        kinds = np.repeat([config_type(frame) for frame in test], [len(frame) for frame in test])
        for quantile in arguments.quantiles:
            environments = calibrated_environments(
                [[fold.calibration_set[k] for k in group] for group in groups], quantile=quantile
            )
            outside = np.concatenate(environments.is_outside(test))
            is_own = np.char.startswith(kinds, arguments.config_type)
            for kind in ["other config types", *np.unique(kinds)]:
                selected = ~is_own if kind == "other config types" else kinds == kind
                row = {
                    "seed": seed,
                    "quantile": quantile,
                    "config_type": kind,
                    "n_atoms": int(selected.sum()),
                }
                row["outside"] = float(outside[selected].mean())
                for part, mask in (
                    ("every", selected),
                    ("inside", selected & ~outside),
                    ("outside", selected & outside),
                ):
                    for level in (0.68, 0.95):
                        coverage = (
                            empirical_coverage(calibration, errors[mask], uncertainty[mask])[
                                LEVELS.index(level)
                            ]
                            if mask.any()
                            else np.nan
                        )
                        row[f"{part} {level:.0%}"] = float(coverage)
                rows.append(row)
        with (folder / "rows.csv").open("w", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        table([folder])


def table(paths: list[Path]) -> None:
    rows: list[dict[str, Any]] = []
    for path in paths:
        for source in sorted(path.glob("**/rows.csv")) or [path]:
            with source.open(encoding="utf-8") as stream:
                rows += list(csv.DictReader(stream))
    columns = [
        "outside",
        *(f"{part} {level}" for part in ("every", "inside", "outside") for level in ("68%", "95%")),
    ]
    print(f"{'quantile':>8} {'config type':24}", *(f"{name:>12}" for name in columns), flush=True)
    for quantile in sorted({row["quantile"] for row in rows}):
        for kind in dict.fromkeys(row["config_type"] for row in rows):
            same = [row for row in rows if row["quantile"] == quantile and row["config_type"] == kind]
            means = [np.nanmean([float(row[name]) for row in same]) for name in columns]
            print(f"{quantile:>8} {kind:24}", *(f"{100 * mean:12.1f}" for mean in means), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["run", "table"])
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--config-type", default="")
    parser.add_argument("--labelled", type=int, default=43)
    parser.add_argument(
        "--test", type=int, default=40, help="largest number of test frames of each config type"
    )
    parser.add_argument("--epochs", type=int, default=TRAIN["epochs"])
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=TRAIN["batch_size"])
    parser.add_argument("--members", type=int, default=TRAIN["n_models"])
    parser.add_argument("--uncertainty", choices=["committee", "descriptor_distance"], default="committee")
    parser.add_argument("--calibration-fraction", type=float, default=0.25)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--quantiles", type=float, nargs="+", default=[0.95, 0.99])
    arguments = parser.parse_args()
    if arguments.action == "run":
        run(arguments)
    else:
        table(arguments.paths)
