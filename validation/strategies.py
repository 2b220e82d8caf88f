"""Which strategy of active learning needs the fewest labels: retrospective studies, repeated, compared with random selection.

    python validation/strategies.py run FOLDER FRAMES [--config-type vSe_3x3] [--target V_SE.extxyz] [--seeds 0 1 2]
        [--strategies random property] [--n-initial 8] [--labels-per-round 8]
    python validation/strategies.py table FOLDER_OR_CSV... --picture FOLDER

FRAMES is a labelled file or `wse2-pbe`, without the frames of v_Se that were added after the study. `--config-type`: the config types of the
test set, see `write_subsets`. `--target`: a relaxed cell with a defect whose local spectrum (the six sites nearest to the vacancy, Γ of the
cell) and local modes are compared with a reference model. A killed run continues. `table` prints means over seeds, how many labels
each strategy needs to stay at or below the error that random selection reaches at the end on the same seeds, and the ratio of its error
to that of random selection, seed by seed, with a 95 % confidence interval.
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

from flatforce.active.calibration import LEVELS, atom_errors, calibrate, empirical_coverage
from flatforce.active.config import LearnConfig
from flatforce.active.property import cell_modes, force_constants
from flatforce.active.uncertainty import committee_uncertainty
from flatforce.core.arrays import FloatArray
from flatforce.core.progress import show_progress
from flatforce.core.units import FREQUENCY_FACTOR
from flatforce.core.written import WrittenFiles
from flatforce.data.bundled import dataset_path
from flatforce.data.frame_files import read_labelled, write_frames
from flatforce.data.frames import config_type, get_labels
from flatforce.models import load
from flatforce.properties.phonons.spectra.modes import site_weights
from flatforce.report.figures.figure import COLOURS, Figure, Panel, Series
from flatforce.report.static import write_static
from flatforce.studies.learn.frames import read_run_frames
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

TEST_FRACTION = 0.35
"""Fraction of the frames of the config types in question that are the test set."""

N_INITIAL = {"pristine_1x1": 6, "pristine_2x2": 4, "pristine_3x3": 3}
"""Number of initial frames of each config type for --config-type."""

N_NEAREST = 6
"""Number of sites nearest to the defect whose local spectrum counts."""

COLUMNS = {
    "force_mae": "force MAE (meV/Å)",
    "local_modes": "vacancy modes, mean error (THz)",
    "all_68%": "coverage at 68 %, test set",
    "all_95%": "coverage at 95 %, test set",
    "vacancy_68%": "coverage at 68 %, vacancies",
    "vacancy_95%": "coverage at 95 %, vacancies",
}
"""Column → heading."""

STEP = 0.01
"""Å, of displacements along modes."""

N_LOCAL = 6
"""Number of modes with the largest projection onto these sites that count as local."""


def write_subsets(folder: Path, frames: list[Atoms], question: str, *, seed: int, n_initial: int) -> None:
    """Write the initial training set, the pool and the test set of a run.

    If `question` names config types, the test set has frames of these types only, the initial training set pristine frames, and
    the pool all others, most of which do not matter. Otherwise all are drawn at random.
    """
    rng = np.random.default_rng(seed)
    order = list(rng.permutation(len(frames)))
    if question:
        matching = [k for k in order if config_type(frames[k]).startswith(question)]
        test = matching[: round(TEST_FRACTION * len(matching))]
        initial = []
        for name, count in N_INITIAL.items():
            initial += [k for k in order if config_type(frames[k]) == name][:count]
    else:
        test, initial = order[: round(TEST_FRACTION * len(order))], order[-n_initial:]
    pool = [k for k in order if k not in {*test, *initial}]
    for name, indices in (("initial", initial), ("test", test), ("pool", pool)):
        if not (folder / f"{name}.extxyz").is_file():
            write_frames(folder / f"{name}.extxyz", [frames[k] for k in indices])


def config(
    files: Path, strategy: str, seed: int, target: Path | None, sites: list[int], labels_per_round: int
) -> LearnConfig:
    values: dict[str, Any] = {
        "initial": [str(files / "initial.extxyz")],
        "test": str(files / "test.extxyz"),
        "pool": [str(files / "pool.extxyz")],
        "calibration_fraction": 0.25,
        "train": TRAIN | {"seed": 10 * seed},
        "strategy": strategy,
        "labels_per_round": labels_per_round,
        "stop": {"rounds": 3},
        "seed": seed,
    }
    if strategy == "property":
        values["target"] = {"structure": str(target), "atoms": sites}
    return LearnConfig.parse(values)


def nearest(cell: Path) -> list[int]:
    """Indices of the atoms nearest to the vacancy, whose neighbours miss atoms of the other species."""
    sheet = read(cell)
    distances = sheet.get_all_distances(mic=True)
    bonds = ((distances < 3.0) & (sheet.numbers[:, None] != sheet.numbers[None])).sum(axis=1)
    missing = np.array([bonds[sheet.numbers == z].max() for z in sheet.numbers]) - bonds
    centre = sheet.positions[missing > 0].mean(axis=0) if (missing > 0).any() else sheet.positions[0]
    distance_from_centre = np.linalg.norm(sheet.positions - centre, axis=1)
    return [int(k) for k in np.argsort(distance_from_centre)[:N_NEAREST]]


class LocalModes:
    """Local modes of a defect by a reference model, and the errors of other models for them."""

    def __init__(self, target: Path, sites: list[int], reference: str) -> None:
        self.sheet = read(target)
        self.modes = cell_modes(force_constants(load(reference), self.sheet), self.sheet)
        weights = site_weights(self.modes)[0][:, sites].sum(axis=1)
        self.local = np.argsort(-weights)[:N_LOCAL]
        print(
            "local modes of the reference, THz:", np.round(np.sort(self.modes.frequencies[0, self.local]), 2)
        )

    def error(self, models: str) -> float:
        """Mean error of their frequencies (THz): the root of each reference mode's ⟨e|D|e⟩ under the other model.

        By the forces at two displacements along each mode, whose largest is a hundredth of an Å.
        """
        displacements = self.modes.vectors[0].real[:, self.local].T.reshape(N_LOCAL, -1, 3)
        displacements = displacements / np.sqrt(self.sheet.get_masses())[:, None]
        amplitudes = STEP / np.linalg.norm(displacements, axis=2).max(axis=1)
        frames = [self.sheet.copy() for _ in range(2 * N_LOCAL)]
        for k, frame in enumerate(frames):
            frame.positions += (1 - 2 * (k % 2)) * amplitudes[k // 2] * displacements[k // 2]
        forces = np.array(
            [prediction.forces for prediction in load(f"committee:{models}").evaluate(frames, stress=False)]
        )
        squares = -((forces[::2] - forces[1::2]) * displacements).sum(axis=(1, 2)) / (2 * amplitudes)
        frequencies = np.sign(squares) * np.sqrt(np.abs(squares)) * FREQUENCY_FACTOR
        return float(np.abs(frequencies - self.modes.frequencies[0, self.local]).mean())


def coverages(folder: Path, test: list[Atoms]) -> dict[str, float]:
    """Empirical coverage of the round's calibrated intervals on all test frames, and on those with a vacancy."""
    committee = sorted((folder / "committee").glob("*.model"))
    potential = load("committee:" + ",".join(f"mace:{path}" for path in committee))
    calibration_set = read_labelled(folder / "calibration.extxyz")
    predictions = potential.evaluate(calibration_set)
    calibration = calibrate(
        atom_errors(calibration_set, predictions),
        np.concatenate(committee_uncertainty(calibration_set, predictions)),
    )
    row: dict[str, float] = {}
    vacancies = [frame for frame in test if config_type(frame).startswith("v")]
    for name, frames in (("all", test), ("vacancy", vacancies)):
        if frames:
            predictions = potential.evaluate(frames)
            uncertainties = np.concatenate(committee_uncertainty(frames, predictions))
            coverage = empirical_coverage(calibration, atom_errors(frames, predictions), uncertainties)
            row |= {f"{name}_{level:.0%}": coverage[LEVELS.index(level)] for level in (0.68, 0.95)}
    return row


def share_first_round(source_run: Path, run_folder: Path) -> None:
    """All strategies of a seed have the same initial frames and members: train them once."""
    committee = run_folder / "round-00" / "committee"
    source = source_run / "round-00" / "committee"
    if source_run == run_folder or committee.exists():
        return
    shutil.copytree(source, committee, ignore=shutil.ignore_patterns("result.json", "*.lock"))
    text = (source / "run.json").read_text(encoding="utf-8")
    (committee / "run.json").write_text(text.replace(str(source_run), str(run_folder)), encoding="utf-8")


def run(arguments: argparse.Namespace, folder: Path, name: str) -> None:
    target = arguments.target
    added_later = {"learnt", "strong"}  # parts of the names of frames that were added after the study
    frames = [
        frame
        for frame in read_labelled(dataset_path(name))
        if added_later.isdisjoint(str(frame.info.get("name")).split("-"))
    ]
    sites = [] if target is None else nearest(target)
    local = None if target is None else LocalModes(target, sites, arguments.reference)
    for seed in arguments.seeds:
        files = folder / f"frames-{seed}"
        files.mkdir(parents=True, exist_ok=True)
        write_subsets(files, frames, arguments.config_type, seed=seed, n_initial=arguments.n_initial)
        for strategy in arguments.strategies:
            if strategy == "property" and target is None:
                continue
            run_folder = folder / f"{strategy}-{seed}"
            settings = config(files, strategy, seed, target, sites, arguments.labels_per_round)
            share_first_round(folder / f"{STRATEGIES[0]}-{seed}", run_folder)
            records = learn(settings, run_folder, report=show_progress)
            test = read_run_frames(settings).labelled.test
            rows = []
            for number, record in enumerate(records):
                row = {"strategy": strategy, "seed": seed, "labels": record["metrics"]["n_labels"]}
                round_folder = run_folder / f"round-{number:02d}"
                models = ",".join(
                    f"mace:{path}" for path in sorted((round_folder / "committee").glob("*.model"))
                )
                predictions = load(f"committee:{models}").evaluate(test)
                errors = [
                    np.abs(prediction.forces - get_labels(frame).forces)
                    for prediction, frame in zip(predictions, test, strict=True)
                ]
                row["force_mae"] = 1e3 * float(np.concatenate(errors).mean())
                row |= coverages(round_folder, test)
                if local is not None:
                    row["local_modes"] = local.error(models)
                rows.append(row)
            with (run_folder / "rows.csv").open("w", encoding="utf-8") as stream:
                writer = csv.DictWriter(stream, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
            print(run_folder.name, [f"{row['force_mae']:.1f}" for row in rows], flush=True)


def curves(rows: list[dict[str, Any]], quantity: str) -> dict[str, tuple[FloatArray, FloatArray, FloatArray]]:
    """Labels, mean over seeds, and lowest and highest of the seeds, for each strategy."""
    by_strategy = {}
    for strategy in STRATEGIES:
        selected = [row for row in rows if row["strategy"] == strategy and quantity in row]
        labels = sorted({row["labels"] for row in selected})
        errors = [np.array([row[quantity] for row in selected if row["labels"] == n]) for n in labels]
        if errors:
            spans = np.array([(values.min(), values.max()) for values in errors])
            means = np.array([values.mean() for values in errors])
            by_strategy[strategy] = (np.array(labels), means, spans)
    return by_strategy


def ratios_to_random(rows: list[dict[str, Any]], strategy: str, quantity: str) -> list[float]:
    """Ratio of the error to that of random selection for each seed (frames and first members are the same): geometric mean over rounds."""
    errors: dict[tuple[str, float], dict[float, float]] = {}
    for row in rows:
        if quantity in row and row["labels"] > 0:
            errors.setdefault((row["strategy"], row["seed"]), {})[row["labels"]] = row[quantity]
    ratios = []
    for seed in sorted({seed for name, seed in errors if name == strategy}):
        own, random = errors[strategy, seed], errors.get(("random", seed), {})
        labels = sorted(own.keys() & random.keys())
        if labels:
            ratios.append(float(np.exp(np.mean([np.log(own[n] / random[n]) for n in labels]))))
    return ratios


def final_random_error(rows: list[dict[str, Any]], quantity: str, seeds: set[float]) -> float:
    """The mean error of random selection after its last round, over these seeds."""
    selected = [row for row in rows if row["strategy"] == "random" and row["seed"] in seeds]
    last = max(row["labels"] for row in selected)
    return float(np.mean([row[quantity] for row in selected if row["labels"] == last]))


def interval(ratios: list[float]) -> str:
    """Geometric mean, its 95 % confidence interval (Student's t of the logarithms), and each seed."""
    logs = np.log(ratios)
    by_seed = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    if len(logs) < 2:
        return by_seed
    half = float(student.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / np.sqrt(len(logs)))
    low, mean, high = np.exp([logs.mean() - half, logs.mean(), logs.mean() + half])
    return f"{mean:.2f} [{low:.2f}, {high:.2f}] ({by_seed})"


def read_rows(paths: list[Path]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for path in paths:
        for source in sorted(path.glob("*/rows.csv")) or [path]:
            with source.open(encoding="utf-8") as stream:
                rows += [
                    {key: value if key == "strategy" else float(value) for key, value in row.items()}
                    for row in csv.DictReader(stream)
                ]
    return rows


def print_coverage(rows: list[dict[str, Any]], quantity: str) -> None:
    """Print the coverage over all strategies and seeds, and how many of the rounds are within five points."""
    level = float(quantity.split("_")[1].rstrip("%")) / 100
    for labels in sorted({row["labels"] for row in rows}):
        coverage = np.array([row[quantity] for row in rows if row["labels"] == labels and quantity in row])
        n_within = int((np.abs(coverage - level) <= 0.05).sum())
        print(
            f"{labels:.0f} labels: {coverage.mean():.3f} [{coverage.min():.3f}, {coverage.max():.3f}], "
            f"{n_within} of {len(coverage)} within 0.05"
        )


def table(paths: list[Path], picture: Path | None) -> None:
    rows = read_rows(paths)
    panels = []
    for quantity, label in COLUMNS.items():
        by_strategy = curves(rows, quantity)
        if not by_strategy:
            continue
        labels = by_strategy["random"][0]
        print(f"\n{label}: mean [lowest, highest seed] by labels\n")
        columns = ["strategy", *(f"{n:.0f}" for n in labels)]
        if "%" not in quantity:
            columns += ["labels needed", "ratio to random"]
        print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
        for strategy, (labels, means, spans) in by_strategy.items():
            cells = [f"{m:.3g} [{a:.3g}, {b:.3g}]" for m, (a, b) in zip(means, spans, strict=True)]
            if "%" not in quantity:
                seeds = {row["seed"] for row in rows if row["strategy"] == strategy}
                worse = np.flatnonzero(means > final_random_error(rows, quantity, seeds))
                first = 0 if not len(worse) else worse[-1] + 1
                cells.append(f"{labels[first]:.0f}" if first < len(labels) else "more")
                cells.append(interval(ratios_to_random(rows, strategy, quantity)))
            print(f"| {strategy} | {' | '.join(cells)} |")
        if "%" in quantity:
            print_coverage(rows, quantity)
        else:
            lines = []
            for colour, (strategy, (labels, means, spans)) in zip(COLOURS, by_strategy.items(), strict=False):
                lines.append(Series(labels, means, name=strategy, colour=colour))
                for n, (low, high) in zip(labels, spans, strict=True):
                    lines.append(Series(np.array([n, n]), np.array([low, high]), colour=colour, width=0.6))
            panels.append(Panel(tuple(lines), "number of labels", label))
    if picture is not None:
        write_static(Figure("learning", "Errors by labels", tuple(panels)), picture, WrittenFiles(picture))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["run", "table"])
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--config-type", default="")
    parser.add_argument("--target", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--strategies", nargs="*", choices=STRATEGIES, default=STRATEGIES)
    parser.add_argument("--n-initial", type=int, default=8, help="initial frames, without --config-type")
    parser.add_argument("--labels-per-round", type=int, default=8)
    parser.add_argument("--reference", default="mace:wse2-pbe")
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    if arguments.action == "run":
        run(arguments, arguments.paths[0], str(arguments.paths[1]))
    else:
        table(arguments.paths, arguments.picture)
