"""Small universal force fields for sheets: M3GNet, TensorNet, MACE and NequIP are trained on the frames `2d-pbe-mini`; they and the
pretrained CHGNet and SevenNet relax the held-out materials.

    python validation/universal_2d.py FOLDER [--kinds m3gnet mace] [--epochs 80] [--data FILE]

A killed run continues. The script writes FOLDER/tables.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ase.io import write

from flatforce.core.hashing import hash_structure
from flatforce.core.progress import show_progress
from flatforce.data.bundled import dataset_path
from flatforce.data.frame_files import read_labelled
from flatforce.models.training.config import TrainConfig
from flatforce.models.training.run import train
from flatforce.properties.benchmark.config import RelaxationBenchmarkConfig
from flatforce.studies.benchmark import RelaxationBenchmarkStage
from flatforce.studies.compare import BenchmarkComparisonStage
from flatforce.studies.evaluation import EvaluateStage
from flatforce.studies.session import Session

MODELS: dict[str, dict[str, Any]] = {
    "m3gnet": {"model": {"kind": "m3gnet"}, "learning_rate": 2e-3},
    "tensornet": {"model": {"kind": "tensornet"}, "learning_rate": 2e-3},
    "mace": {"model": {"kind": "mace", "hidden_irreps": "32x0e + 32x1o"}, "learning_rate": 5e-3},
    "nequip": {"model": {"kind": "nequip"}, "learning_rate": 5e-3},
}

PRETRAINED = {"chgnet": "chgnet:0.3.0", "sevennet": "sevennet:7net-0"}

BENCHMARK = RelaxationBenchmarkConfig()


def settings(kind: str, data: str, epochs: int) -> TrainConfig:
    common = {
        "name": kind,
        "data": [data],
        "hold_out": "material",
        "test_fraction": 0.2,
        "valid_fraction": 0.1,
        "min_energy_step": 0.001,
        "epochs": epochs,
        "batch_size": 8,
        "huber_delta": 0.05,
        "weights": {"energy": 10, "forces": 100, "stress": 10},
    }
    return TrainConfig.parse(common | MODELS[kind])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kinds", nargs="*", default=list(MODELS))
    parser.add_argument("--pretrained", nargs="*", default=list(PRETRAINED))
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--data", default="2d-pbe-mini")
    options = parser.parse_args()
    folder: Path = options.folder
    specs: dict[str, str] = {}
    for kind in options.kinds:
        with show_progress(kind) as progress:
            result = train(
                settings(kind, options.data, options.epochs), folder / "train" / kind, progress=progress
            )
        card = result["details"]["cards"][0]
        specs[kind] = f"{card['kind']}:{folder / 'train' / kind / card['file']}"
    split = folder / "train" / options.kinds[0] / "split.json"
    specs |= {name: PRETRAINED[name] for name in options.pretrained}
    align = write_training_frames(split, options.data, folder)
    folders, evaluations = [], {}
    for name, spec in specs.items():
        config = BENCHMARK.model_copy(update={"align": str(align)}) if name in PRETRAINED else BENCHMARK
        session = Session(spec, report=show_progress)
        RelaxationBenchmarkStage(options.data, config, split).run(session, folder / name)
        folders.append(folder / name)
        record = EvaluateStage(options.data, split).run(session, folder / "evaluate" / name)
        evaluations[name] = record["metrics"]
    comparison = BenchmarkComparisonStage(folders).run(Session(), folder / "comparison")
    relaxed = dict(zip(specs, comparison["details"]["models"].values(), strict=True))
    (folder / "tables.md").write_text(tables(relaxed, evaluations), encoding="utf-8")
    print((folder / "tables.md").read_text(encoding="utf-8"))


def write_training_frames(split: Path, data: str, folder: Path) -> Path:
    """Write the training frames, to which the reference energies of pretrained models are fitted."""
    content = json.loads(split.read_text(encoding="utf-8"))
    hashes = {*content["train"], *content["valid"]}
    frames = [frame for frame in read_labelled(dataset_path(data)) if hash_structure(frame) in hashes]
    path = folder / "training_frames.extxyz"
    write(path, frames, format="extxyz")
    return path


def format_number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def tables(relaxed: dict[str, Any], evaluations: dict[str, Any]) -> str:
    lines = [
        "| model | energy MAE (meV/atom) | median | area MAE (Å²/atom) | median | converged | failed |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in relaxed.items():
        lines.append(
            f"| {name} | {format_number(row['energy_mae'], 1)} | {format_number(row['energy_median_ae'], 1)} "
            f"| {format_number(row['area_mae'], 3)} | {format_number(row['area_median_ae'], 3)} | {100 * row['converged_fraction']:.0f} % | {100 * row['failed_fraction']:.0f} % |"
        )
    lines += [
        "",
        "| model | energy MAE (meV/atom) | force MAE (meV/Å) | stress MAE (N/m) |",
        "|---|---|---|---|",
    ]
    for name, row in evaluations.items():
        energy = f"{row['energy_mae']:.1f}" if name not in PRETRAINED else "other reference"
        lines.append(f"| {name} | {energy} | {row['force_mae']:.0f} | {row['stress_mae']:.2f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
