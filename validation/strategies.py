"""Which strategy of active learning needs the fewest labels: studies in hindsight, repeated, against chance.

    python validation/strategies.py run FOLDER FRAMES [--about vSe_3x3] [--target V_SE.extxyz] [--seeds 0 1 2]
        [--strategies random property] [--start 8] [--per-round 8]
    python validation/strategies.py table FOLDER_OR_CSV... --picture FOLDER

FRAMES is a labelled file or `wse2-pbe`, without the frames of V_Se that were added after the study. `--about`: the config types in question,
see `parts`. `--target`: a relaxed cell with a defect whose local spectrum (the six sites nearest to the hole, Γ of the cell)
and local modes are judged against a reference model. A killed run goes on. `table` prints means over seeds, how
many labels each strategy needs to stay at or below the error that chance reaches at the end on the same seeds, and its
error over that of chance, seed by seed, with a 95 % interval.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import read
from scipy.stats import t as student

from flatforce.active.calibration import LEVELS, atom_errors, calibrate, coverage
from flatforce.active.config import LearnConfig
from flatforce.active.property import cell_modes, force_constants
from flatforce.active.uncertainty import committee_spread
from flatforce.core.arrays import FloatArray
from flatforce.core.progress import reporting
from flatforce.core.units import FREQUENCY_FACTOR
from flatforce.data.bundled import dataset_path
from flatforce.data.frames import config_type, get_labels, read_labelled, write_frames
from flatforce.models import load
from flatforce.properties.phonons.spectra.modes import site_weights
from flatforce.report.figures.figure import COLOURS, Figure, Panel, Series
from flatforce.report.static import write_static
from flatforce.studies.learn.material import gather
from flatforce.studies.learn.rounds import learn

STRATEGIES = ("random", "uncertainty", "diversity", "combined", "property")

TRAIN: dict[str, Any] = {
    "name": "m",
    "model": {"hidden_irreps": "16x0e + 16x1o", "r_max": 4.5, "max_ell": 2, "correlation": 2},
    "epochs": 60,
    "batch_size": 1,
    "learning_rate": 0.01,
    "huber_delta": 0.03,
    "stage_two": None,
    "n_models": 3,
}

TESTED = 0.35
"""Share of the frames in question that nothing learns from."""

BEGUN = {"pristine_1x1": 6, "pristine_2x2": 4, "pristine_3x3": 3}
"""Frames to begin with where the question is a defect."""

NEAR = 6
"""Sites next to the defect whose local spectrum counts."""

SHOWN = {
    "force_mae": "force MAE (meV/Å)",
    "local_modes": "local modes, mean error (THz)",
    "all_68%": "all test frames held at 68 %",
    "all_95%": "all test frames held at 95 %",
    "vacancy_68%": "vacancies held at 68 %",
    "vacancy_95%": "vacancies held at 95 %",
}
"""Columns and what they are."""

STEP = 0.01
"""Å, of displacements along modes."""

LOCAL = 6
"""Modes with most weight there that count as local."""


def parts(folder: Path, frames: list[Atoms], about: str, seed: int, begin: int) -> None:
    """Write what a run begins with, what it may ask for, and what it is judged on.

    With `about`, the test frames are of those config types alone; it begins with pristine frames and may ask for any
    other: most of the pool does not matter. Without, all are drawn at random.
    """
    rng = np.random.default_rng(seed)
    left = list(rng.permutation(len(frames)))
    if about:
        mine = [k for k in left if config_type(frames[k]).startswith(about)]
        test = mine[: round(TESTED * len(mine))]
        start = []
        for kind, count in BEGUN.items():
            start += [k for k in left if config_type(frames[k]) == kind][:count]
    else:
        test, start = left[: round(TESTED * len(left))], left[-begin:]
    pool = [k for k in left if k not in {*test, *start}]
    for name, chosen in (("start", start), ("test", test), ("pool", pool)):
        if not (folder / f"{name}.extxyz").is_file():
            write_frames(folder / f"{name}.extxyz", [frames[k] for k in chosen])


def config(
    files: Path, strategy: str, seed: int, target: Path | None, near: list[int], per_round: int
) -> LearnConfig:
    values: dict[str, Any] = {
        "start": [str(files / "start.extxyz")],
        "test": str(files / "test.extxyz"),
        "pool": [str(files / "pool.extxyz")],
        "calibration_fraction": 0.25,
        "train": TRAIN | {"seed": 10 * seed},
        "strategy": strategy,
        "per_round": per_round,
        "stop": {"rounds": 3},
        "seed": seed,
    }
    if strategy == "property":
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


class Local:
    """Modes of a defect that a reference model calls local, and what other models make of them."""

    def __init__(self, target: Path, near: list[int], reference: str) -> None:
        self.sheet, self.near = read(target), near
        self.modes = cell_modes(force_constants(load(reference), self.sheet), self.sheet)
        weights = site_weights(self.modes)[0][:, near].sum(axis=1)
        self.local = np.argsort(-weights)[:LOCAL]
        print(
            "local modes of the reference, THz:", np.round(np.sort(self.modes.frequencies[0, self.local]), 2)
        )

    def error(self, names: str) -> float:
        """Mean error of their frequencies (THz): the root of each reference mode's ⟨e|D|e⟩ under the other model.

        By the forces at two displacements along each mode, whose largest is a hundredth of an Å.
        """
        moves = self.modes.vectors[0].real[:, self.local].T.reshape(LOCAL, -1, 3)
        moves = moves / np.sqrt(self.sheet.get_masses())[:, None]
        sizes = STEP / np.linalg.norm(moves, axis=2).max(axis=1)
        frames = [self.sheet.copy() for _ in range(2 * LOCAL)]
        for k, frame in enumerate(frames):
            frame.positions += (1 - 2 * (k % 2)) * sizes[k // 2] * moves[k // 2]
        forces = np.array([one.forces for one in load(f"committee:{names}").evaluate(frames, stress=False)])
        squares = -((forces[::2] - forces[1::2]) * moves).sum(axis=(1, 2)) / (2 * sizes)
        found = np.sign(squares) * np.sqrt(np.abs(squares)) * FREQUENCY_FACTOR
        return float(np.abs(found - self.modes.frequencies[0, self.local]).mean())


def covered(folder: Path, test: list[Atoms]) -> dict[str, float]:
    """How often the round's calibrated intervals hold on all test frames, and on those with a vacancy."""
    committee = sorted((folder / "committee").glob("*.model"))
    potential = load("committee:" + ",".join(f"mace:{path}" for path in committee))
    seen = read_labelled(folder / "held_out.extxyz")
    known = potential.evaluate(seen)
    found = calibrate(atom_errors(seen, known), np.concatenate(committee_spread(seen, known)))
    row: dict[str, float] = {}
    for name, frames in (
        ("all", test),
        ("vacancy", [frame for frame in test if config_type(frame).startswith("v")]),
    ):
        if frames:
            said = potential.evaluate(frames)
            held = coverage(found, atom_errors(frames, said), np.concatenate(committee_spread(frames, said)))
            row |= {f"{name}_{level:.0%}": held[LEVELS.index(level)] for level in (0.68, 0.95)}
    return row


def share_first_round(trained: Path, inside: Path) -> None:
    """All strategies of a seed begin with the same frames and members: train them once."""
    committee = inside / "round-00" / "committee"
    source = trained / "round-00" / "committee"
    if trained == inside or committee.exists():
        return
    shutil.copytree(source, committee, ignore=shutil.ignore_patterns("result.json", "*.lock"))
    said = (source / "run.json").read_text(encoding="utf-8")
    (committee / "run.json").write_text(said.replace(str(trained), str(inside)), encoding="utf-8")


def run(given: argparse.Namespace, folder: Path, name: str) -> None:
    about, target, reference = given.about, given.target, given.reference
    later = {"learnt", "strong"}
    frames = [
        f for f in read_labelled(dataset_path(name)) if later.isdisjoint(str(f.info.get("name")).split("-"))
    ]
    near = [] if target is None else nearest(target)
    local = None if target is None else Local(target, near, reference)
    for seed in given.seeds:
        files = folder / f"frames-{seed}"
        files.mkdir(parents=True, exist_ok=True)
        parts(files, frames, about, seed, given.start)
        for strategy in given.strategies:
            if strategy == "property" and target is None:
                continue
            inside = folder / f"{strategy}-{seed}"
            settings = config(files, strategy, seed, target, near, given.per_round)
            share_first_round(folder / f"{STRATEGIES[0]}-{seed}", inside)
            rounds, test = learn(settings, inside, report=reporting), gather(settings).test
            rows = []
            for number, one in enumerate(rounds):
                row = {"strategy": strategy, "seed": seed, "labels": one["metrics"]["n_labels"]}
                committee = sorted((inside / f"round-{number:02d}" / "committee").glob("*.model"))
                names = ",".join(f"mace:{path}" for path in committee)
                said = load(f"committee:{names}").evaluate(test)
                errors = [np.abs(a.forces - get_labels(b).forces) for a, b in zip(said, test, strict=True)]
                row["force_mae"] = 1e3 * float(np.concatenate(errors).mean())
                row |= covered(inside / f"round-{number:02d}", test)
                if local is not None:
                    row["local_modes"] = local.error(names)
                rows.append(row)
            with (inside / "rows.csv").open("w", encoding="utf-8") as stream:
                writer = csv.DictWriter(stream, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
            print(inside.name, [f"{row['force_mae']:.1f}" for row in rows], flush=True)


def curves(rows: list[dict[str, Any]], quantity: str) -> dict[str, tuple[FloatArray, FloatArray, FloatArray]]:
    """Labels, mean over seeds, and lowest and highest of them, of each strategy."""
    found = {}
    for strategy in STRATEGIES:
        mine = [row for row in rows if row["strategy"] == strategy and quantity in row]
        labels = sorted({row["labels"] for row in mine})
        each = [np.array([row[quantity] for row in mine if row["labels"] == n]) for n in labels]
        if each:
            spans = np.array([(one.min(), one.max()) for one in each])
            found[strategy] = (np.array(labels), np.array([one.mean() for one in each]), spans)
    return found


def beside_chance(rows: list[dict[str, Any]], strategy: str, quantity: str) -> list[float]:
    """Error over that of chance, seed by seed (frames and first members are the same): geometric mean over rounds."""
    found: dict[tuple[str, float], dict[float, float]] = {}
    for row in rows:
        if quantity in row and row["labels"] > 0:
            found.setdefault((row["strategy"], row["seed"]), {})[row["labels"]] = row[quantity]
    ratios = []
    for seed in sorted({seed for name, seed in found if name == strategy}):
        mine, chance = found[strategy, seed], found.get(("random", seed), {})
        both = sorted(mine.keys() & chance.keys())
        if both:
            ratios.append(float(np.exp(np.mean([np.log(mine[n] / chance[n]) for n in both]))))
    return ratios


def end_of_chance(rows: list[dict[str, Any]], quantity: str, seeds: set[float]) -> float:
    """The mean error of chance after its last round, over these seeds."""
    mine = [row for row in rows if row["strategy"] == "random" and row["seed"] in seeds]
    last = max(row["labels"] for row in mine)
    return float(np.mean([row[quantity] for row in mine if row["labels"] == last]))


def interval(ratios: list[float]) -> str:
    """Geometric mean, its 95 % interval (Student's t of the logarithms), and each seed."""
    logs = np.log(ratios)
    each = ", ".join(f"{one:.2f}" for one in ratios)
    if len(logs) < 2:
        return each
    half = float(student.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / np.sqrt(len(logs)))
    low, mean, high = np.exp([logs.mean() - half, logs.mean(), logs.mean() + half])
    return f"{mean:.2f} [{low:.2f}, {high:.2f}] ({each})"


def read_rows(paths: list[Path]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for path in [one for given in paths for one in (sorted(given.glob("*/rows.csv")) or [given])]:
        with path.open(encoding="utf-8") as stream:
            rows += [
                {k: v if k == "strategy" else float(v) for k, v in row.items()}
                for row in csv.DictReader(stream)
            ]
    return rows


def told_of_coverage(rows: list[dict[str, Any]], quantity: str) -> None:
    """Print how often intervals held over all strategies and seeds, and how many of the rounds are within five points."""
    level = float(quantity.split("_")[1].rstrip("%")) / 100
    for labels in sorted({row["labels"] for row in rows}):
        held = np.array([row[quantity] for row in rows if row["labels"] == labels and quantity in row])
        near = int((np.abs(held - level) <= 0.05).sum())
        print(
            f"{labels:.0f} labels: {held.mean():.3f} [{held.min():.3f}, {held.max():.3f}], {near} of {len(held)} within 0.05"
        )


def table(paths: list[Path], picture: Path | None) -> None:
    rows = read_rows(paths)
    panels = []
    for quantity, label in SHOWN.items():
        found = curves(rows, quantity)
        if not found:
            continue
        labels = found["random"][0]
        print(f"\n{label}: mean [lowest, highest seed] by labels asked for\n")
        head = ["strategy", *(f"{n:.0f}" for n in labels)]
        if "%" not in quantity:
            head += ["needs", "over chance"]
        print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
        for strategy, (labels, means, spans) in found.items():
            cells = [f"{m:.3g} [{a:.3g}, {b:.3g}]" for m, (a, b) in zip(means, spans, strict=True)]
            if "%" not in quantity:
                seeds = {row["seed"] for row in rows if row["strategy"] == strategy}
                worse = np.flatnonzero(means > end_of_chance(rows, quantity, seeds))
                first = 0 if not len(worse) else worse[-1] + 1
                cells.append(f"{labels[first]:.0f}" if first < len(labels) else "more")
                cells.append(interval(beside_chance(rows, strategy, quantity)))
            print(f"| {strategy} | {' | '.join(cells)} |")
        if "%" in quantity:
            told_of_coverage(rows, quantity)
        else:
            lines = []
            for colour, (strategy, (labels, means, spans)) in zip(COLOURS, found.items(), strict=False):
                lines.append(Series(labels, means, name=strategy, colour=colour))
                for n, (low, high) in zip(labels, spans, strict=True):
                    lines.append(Series(np.array([n, n]), np.array([low, high]), colour=colour, width=0.6))
            panels.append(Panel(tuple(lines), "labels asked for", label))
    if picture is not None:
        write_static(Figure("learning", "Errors by labels", tuple(panels)), picture)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--about", default="")
    parser.add_argument("--target", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--strategies", nargs="*", choices=STRATEGIES, default=STRATEGIES)
    parser.add_argument("--start", type=int, default=8, help="frames to begin with, without --about")
    parser.add_argument("--per-round", type=int, default=8)
    parser.add_argument("--reference", default="mace:wse2-pbe")
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    if given.what == "run":
        run(given, given.paths[0], str(given.paths[1]))
    else:
        table(given.paths, given.picture)
