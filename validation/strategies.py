"""Which strategy of active learning needs the fewest labels: studies in hindsight, repeated, against chance.

    python validation/strategies.py run FOLDER FRAMES [--target V_SE.extxyz] [--seeds 4]
    python validation/strategies.py table FOLDER

FRAMES is a labelled file or `wse2-pbe`; `--target` a relaxed cell with a defect whose local spectrum (the six sites
nearest to the hole, Γ of the cell) is judged against a reference model. A killed run goes on. `table` prints means with 95 %
intervals over seeds, and how many labels each strategy needs for the errors that chance reaches at the end.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np
from ase.io import read

from flatforce.active.config import LearnConfig
from flatforce.active.property import Target, spectra
from flatforce.core.progress import reporting
from flatforce.core.statistics import bootstrap
from flatforce.models import load
from flatforce.studies.learn_stages import learn

STRATEGIES = ("random", "uncertainty", "diversity", "combined", "property")

TRAIN: dict[str, Any] = {
    "name": "m",
    "model": {"hidden_irreps": "16x0e + 16x1o", "r_max": 4.5, "max_ell": 2, "correlation": 2},
    "epochs": 40,
    "batch_size": 2,
    "learning_rate": 5e-3,
    "huber": 0.03,
    "stage_two": None,
    "n_models": 3,
}

NEAR = 6
"""Sites next to the defect whose local spectrum counts."""


def config(frames: str, strategy: str, seed: int, target: Path | None, near: list[int]) -> LearnConfig:
    values: dict[str, Any] = {
        "start": [frames],
        "pool": [frames],
        "n_start": 12,
        "calibration_fraction": 0.25,
        "train": TRAIN | {"seed": 10 * seed},
        "strategy": strategy,
        "per_round": 8,
        "stop": {"rounds": 5},
        "seed": seed,
    }
    if target is not None:
        values["target"] = {"structure": str(target), "atoms": near}
    return LearnConfig.parse(values)


def nearest(cell: Path) -> list[int]:
    """The atoms next to the hole: those whose neighbours of the other species are fewest."""
    sheet = read(cell)
    distances = sheet.get_all_distances(mic=True)
    bonds = ((distances < 3.0) & (sheet.numbers[:, None] != sheet.numbers[None])).sum(axis=1)
    missing = np.array([bonds[sheet.numbers == z].max() for z in sheet.numbers]) - bonds
    hole = sheet.positions[missing > 0].mean(axis=0) if (missing > 0).any() else sheet.positions[0]
    away = np.linalg.norm(sheet.positions - hole, axis=1)
    return [int(k) for k in np.argsort(away)[:NEAR]]


def run(folder: Path, frames: str, target: Path | None, seeds: int, reference: str) -> None:
    near = [] if target is None else nearest(target)
    wanted = None
    if target is not None:
        sheet, said = read(target), Target(structure=str(target), atoms=near)
        wanted = spectra(load(f"committee:{reference},{reference}"), sheet, said).mean(axis=0)
    for seed in range(seeds):
        for strategy in STRATEGIES:
            if strategy == "property" and target is None:
                continue
            inside = folder / f"{strategy}-{seed}"
            rounds = learn(config(frames, strategy, seed, target, near), inside, report=reporting)
            rows = []
            for number, one in enumerate(rounds):
                row = {"strategy": strategy, "seed": seed, "labels": one["metrics"]["n_labels"]}
                row |= {key: one["metrics"][key] for key in ("force_mae", "covered_68", "covered_95")}
                if wanted is not None:
                    committee = inside / f"round-{number:02d}" / "committee"
                    names = ",".join(f"mace:{path}" for path in sorted(committee.glob("*.model")))
                    found = spectra(load(f"committee:{names}"), sheet, said).mean(axis=0)
                    row["spectrum"] = float(np.abs(found - wanted).sum() / np.abs(wanted).sum())
                rows.append(row)
            with (inside / "rows.csv").open("w", encoding="utf-8") as stream:
                writer = csv.DictWriter(stream, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
            print(inside.name, [f"{row['force_mae']:.1f}" for row in rows], flush=True)


def table(folder: Path) -> None:
    rows = []
    for path in sorted(folder.glob("*/rows.csv")):
        with path.open(encoding="utf-8") as stream:
            rows += [
                {k: v if k == "strategy" else float(v) for k, v in row.items()}
                for row in csv.DictReader(stream)
            ]
    for quantity in ("force_mae", "spectrum", "covered_68", "covered_95"):
        if not all(quantity in row for row in rows):
            continue
        print(f"\n{quantity}: mean [95 % over seeds] by labels asked for")
        end: float | None = None
        for strategy in STRATEGIES:
            mine = [row for row in rows if row["strategy"] == strategy]
            if not mine:
                continue
            labels = sorted({row["labels"] for row in mine})
            each = [np.array([row[quantity] for row in mine if row["labels"] == n]) for n in labels]
            means = np.array([one.mean() for one in each])
            spans = [bootstrap(one, seed=0) for one in each]
            end = means[-1] if strategy == "random" else end
            below = np.flatnonzero(means <= (np.inf if end is None else end))
            need = f"{labels[below[0]]:.0f}" if len(below) else "more"
            said = "  ".join(
                f"{n:.0f}: {m:.3g} [{a:.3g}, {b:.3g}]"
                for n, m, (a, b) in zip(labels, means, spans, strict=True)
            )
            print(f"{strategy:12s} {said}  labels to the end of chance: {need}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("frames", nargs="?", default="wse2-pbe")
    parser.add_argument("--target", type=Path)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--reference", default="mace:wse2-pbe")
    given = parser.parse_args()
    if given.what == "run":
        run(given.folder, given.frames, given.target, given.seeds, given.reference)
    else:
        table(given.folder)
