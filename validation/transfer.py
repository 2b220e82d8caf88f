"""Does a universal model help if there are few frames? Training from random weights and from a universal model, on WSe2 and on
disulfides.

    python validation/transfer.py FOLDER wse2 [--kind m3gnet] [--sizes 5 20 60] [--rates 1e-3 3e-4] [--updates 900]
        [--starts scratch transfer replay] [--seed 1]
    python validation/transfer.py FOLDER disulfides --sizes 5 15 40
    python validation/transfer.py FOLDER wse2 --start chgnet:0.3.0

The universal model is trained on `2d-pbe-mini` without the materials in question, unless `--start` names one. The models are
compared on the test set of `wse2-pbe`, or on held-out orderings of `tmd-alloys-pbe` and sheets that were rattled and strained from
them (`mows2_rattled.extxyz`); on the lattice constant and Γ modes of WSe2, or of the held-out WS2, against PBE; on the relaxed
orderings (energy, area); and on what remains of the universal model's accuracy: the energies of relaxed materials of its test
set. `replay` adds its own training frames. Each run has the same validation set, a tenth of the frames, and the same number of
optimiser steps however many frames it has, so that few frames are not mistaken for little training. A killed run continues.
The script writes FOLDER/table.md.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import write
from universal_2d import MODELS, write_training_frames
from universal_2d import settings as universal_settings

from flatforce.core.errors import ModelError
from flatforce.core.hashing import hash_structure
from flatforce.core.progress import show_progress
from flatforce.core.units import THZ_IN_INVERSE_CM
from flatforce.data.bundled import dataset_path
from flatforce.data.frame_files import read_labelled
from flatforce.data.frames import get_labels
from flatforce.data.split_files import read_split
from flatforce.models import load
from flatforce.models.atomic_energies import fit_energies
from flatforce.models.errors import compare, error_metrics
from flatforce.models.training.config import TrainConfig
from flatforce.models.training.run import train
from flatforce.properties.benchmark.config import RelaxationBenchmarkConfig
from flatforce.properties.phonons.config import PhononConfig
from flatforce.properties.phonons.pristine import pristine_phonons
from flatforce.properties.relax import relax
from flatforce.properties.relax_config import RelaxConfig
from flatforce.structures.prototypes import monolayer
from flatforce.studies.benchmark import RelaxationBenchmarkStage
from flatforce.studies.session import Session

BATCH_SIZE = 4
"""Number of frames in one optimiser step."""

SUPERCELL = (5, 5)
"""Large enough for the cutoffs of M3GNet and CHGNet, 5 and 6 Å."""

N_REPLAYED = 100
"""Number of replayed frames."""

STRICT_BENCHMARK = RelaxationBenchmarkConfig(relax=RelaxConfig(max_force=0.01, max_stress=0.05))
"""Convergence criteria for the orderings, which start within 0.1 eV/Å of the DFT minimum."""


@dataclass(frozen=True)
class Target:
    """Data on which the models are trained, and the PBE values with which they are compared."""

    data: tuple[str, ...]
    """Datasets; the first holds the relaxations, if there are any."""
    hold_out: dict[str, Any]
    """Settings of the test set."""
    excluded: tuple[str, ...]
    """Formulas of the materials that the universal model is not trained on."""
    symbols: tuple[str, str]
    """Elements of the sheet whose phonons are computed."""
    a: float
    """Å, lattice constant at which its relaxation starts."""
    thickness: float
    """Å, distance of its chalcogen planes at the start."""
    modes: tuple[float, ...]
    """(6,) cm⁻¹, optical Γ modes in PBE: E″, E″, E′, E′, A1′, A2″; those of WS2 from `tmd_alloys_pbe.py modes`."""

    def frames(self) -> list[Atoms]:
        return [frame for name in self.data for frame in read_labelled(dataset_path(name))]


@dataclass(frozen=True)
class UniversalData:
    """Frames of the universal model."""

    split: Path
    """`split.json` of its training."""
    frames: Path
    """All frames, without the excluded materials."""
    training_frames: Path
    """Training and validation set."""


@dataclass(frozen=True)
class Run:
    """Settings of one training run."""

    size: int
    """Number of training frames."""
    rate: float
    """Initial learning rate."""
    updates: int
    """Number of optimiser steps."""
    seed: int
    """Seed of the frames and of the weights."""


TARGETS = {
    "wse2": Target(
        ("wse2-pbe",),
        {"test_fraction": 0.12},
        ("WSe2",),
        ("W", "Se"),
        3.317,
        3.36,
        (168.7, 168.7, 239.6, 239.6, 242.2, 300.1),
    ),
    "disulfides": Target(
        ("tmd-alloys-pbe", str(Path(__file__).with_name("mows2_rattled.extxyz"))),
        {"hold_out": "material", "test_fraction": 0.2},
        ("MoS2", "WS2", "NbS2"),
        ("W", "S"),
        3.19,
        3.14,
        (286.2, 286.2, 344.0, 344.0, 406.0, 425.6),
    ),
}


def settings(target: Target, kind: str, start: str | None, run: Run, *, replay: Path | None) -> TrainConfig:
    n_replayed = 0 if replay is None else N_REPLAYED
    steps_per_epoch = math.ceil((run.size + n_replayed) / BATCH_SIZE)
    values: dict[str, Any] = target.hold_out | {
        "name": "model",
        "data": list(target.data),
        "n_frames": run.size,
        "epochs": max(1, round(run.updates / steps_per_epoch)),
        "batch_size": BATCH_SIZE,
        "learning_rate": run.rate,
        "stage_two": None,
        "huber_delta": 0.05,
        "weights": {"energy": 10, "forces": 100, "stress": 10},
        "seed": run.seed,
    }
    if start is None:
        values["model"] = MODELS[kind]["model"]
    else:
        values["start_from"] = start
    if replay is not None:
        values["replay"] = {"data": [str(replay)], "count": N_REPLAYED}
    return TrainConfig.parse(values)


def compare_modes(spec: str, target: Target, scratch: Path) -> str:
    """Lattice constant (Å), mean and largest error of a Γ mode (%), as cells of a table."""
    potential = load(spec)
    unit = monolayer(target.symbols, prototype="2H", a=target.a, thickness=target.thickness)
    try:
        relaxed = relax(potential, unit, RelaxConfig(keep_symmetry=True))
        phonons = pristine_phonons(
            potential, relaxed.atoms, PhononConfig(supercell=SUPERCELL), scratch=scratch
        )
    except ModelError as error:  # the relaxation of a sheet without stiffness does not converge
        return f"– | – | {error.what}"
    modes = np.sort(phonons.gamma * THZ_IN_INVERSE_CM)[3:]
    errors = np.abs(modes / np.array(target.modes) - 1) * 100
    return f"{relaxed.metrics['a']:.3f} | {errors.mean():.1f} | {errors.max():.1f}"


def train_universal(folder: Path, target: Target, kind: str, epochs: int) -> tuple[str, UniversalData]:
    """Train a universal model without the excluded materials; return its spec and its frames."""
    others, base = folder / "others.extxyz", folder / "universal"
    if not others.is_file():
        frames = [
            frame
            for frame in read_labelled(dataset_path("2d-pbe-mini"))
            if str(frame.info["material"]).rpartition("-")[0] not in target.excluded
        ]
        write(others, frames, format="extxyz")
    with show_progress("universal") as progress:
        result = train(universal_settings(kind, str(others), epochs), base, progress=progress)
    split = base / "split.json"
    data = UniversalData(split, others, write_training_frames(split, str(others), folder))
    return result["details"]["spec"], data


def energy_error_of_others(spec: str, universal: UniversalData | None, folder: Path) -> str:
    """Median error of the energy (meV/atom) over the test set of the universal model. A mean would be dominated by a few
    sheets that collapse."""
    if universal is None:
        return "–"
    config = RelaxationBenchmarkConfig(align=str(universal.training_frames))
    stage = RelaxationBenchmarkStage(str(universal.frames), config, universal.split)
    benchmark = stage.run(Session(spec), folder)
    return f"{benchmark['metrics']['energy_median_ae']:.0f}"


def row_of_initial_model(
    spec: str, target: Target, universal: UniversalData | None, split: Path, folder: Path
) -> str:
    test_hashes = read_split(split).test
    frames = [frame for frame in target.frames() if hash_structure(frame) in test_hashes]
    errors = error_metrics(compare(frames, load(spec).evaluate(frames)))
    modes = compare_modes(spec, target, folder / "universal-forces")
    others = energy_error_of_others(spec, universal, folder / "universal-others")
    return f"| initial model | 0 | – | {errors['force_mae']:.0f} | – | – | – | {modes} | {others} |"


def row_without_model(target: Target, split: Path) -> str:
    """Errors of zero forces, and of energies linear in composition that are fitted to the relaxed sheets outside the test set."""
    test_hashes = read_split(split).test
    frames = target.frames()
    forces = np.concatenate([get_labels(f).forces for f in frames if hash_structure(f) in test_hashes])
    relaxed = [frame for frame in frames if frame.info.get("relaxed")]
    fitted = [frame for frame in relaxed if hash_structure(frame) not in test_hashes]
    energy_mae = "–"
    if relaxed:
        species = sorted({symbol for frame in relaxed for symbol in frame.get_chemical_symbols()})
        energies = fit_energies(fitted, [get_labels(frame).energy for frame in fitted], species)
        errors = [
            abs(get_labels(frame).energy - sum(energies[symbol] for symbol in frame.get_chemical_symbols()))
            / len(frame)
            for frame in relaxed
            if hash_structure(frame) in test_hashes
        ]
        energy_mae = f"{1e3 * np.mean(errors):.1f}"
    force_mae = f"{1e3 * np.abs(forces).mean():.0f}"
    return f"| no model | {len(fitted)} | – | {force_mae} | – | {energy_mae} | – | – | – | – | – |"


def row_of_run(
    name: str, target: Target, universal: UniversalData | None, config: TrainConfig, folder: Path
) -> str:
    """Train once and compare the model with PBE."""
    with show_progress(folder.name) as progress:
        result = train(config, folder, progress=progress)
    spec, metrics = result["details"]["spec"], result["metrics"]
    cells = f"| {name} | {config.n_frames} | {config.learning_rate:g} | {metrics['force_mae']:.0f} | {metrics['energy_mae']:.1f} "
    fine_tuned = config.start_from is not None
    others = energy_error_of_others(spec, universal, folder / "others") if fine_tuned else "–"
    relaxed = "– | –"
    if config.hold_out == "material":
        stage = RelaxationBenchmarkStage(target.data[0], STRICT_BENCHMARK, folder / "split.json")
        benchmark = stage.run(Session(spec), folder / "relaxed")["metrics"]
        relaxed = f"{benchmark['energy_mae']:.1f} | {benchmark['area_mae']:.3f}"
    return f"{cells}| {relaxed} | {compare_modes(spec, target, folder / 'forces')} | {others} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("target", choices=list(TARGETS))
    parser.add_argument("--kind", choices=["m3gnet", "tensornet", "mace"], default="m3gnet")
    parser.add_argument("--start", help="initial model, in place of a universal model that is trained first")
    parser.add_argument("--starts", nargs="*", default=["scratch", "transfer", "replay"])
    parser.add_argument("--sizes", type=int, nargs="*", default=[5, 20, 60])
    parser.add_argument("--rates", type=float, nargs="*", default=[1e-3, 3e-4])
    parser.add_argument("--updates", type=int, default=900, help="number of optimiser steps")
    parser.add_argument("--seed", type=int, default=1, help="seed of the frames and of the weights")
    parser.add_argument("--epochs", type=int, default=60, help="epochs of the universal model")
    options = parser.parse_args()
    folder, target = options.folder, TARGETS[options.target]
    folder.mkdir(parents=True, exist_ok=True)
    starts: dict[str, tuple[str | None, Path | None]]
    spec, universal = options.start, None
    if options.start is not None:
        starts = {"transfer": (spec, None)}
    else:
        spec, universal = train_universal(folder, target, options.kind, options.epochs)
        starts = {
            "scratch": (None, None),
            "transfer": (spec, None),
            "replay": (spec, universal.training_frames),
        }
        starts = {name: start for name, start in starts.items() if name in options.starts}
    lines = [
        "| start | frames | learning rate | force MAE | energy MAE | relaxed: energy | area | a (Å) | Γ modes, mean (%) | worst | others |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (name, (start, replay)), size, rate in product(starts.items(), options.sizes, options.rates):
        run = Run(size, rate, options.updates, options.seed)
        run_folder = folder / f"{name}-{size}-{rate:g}"
        config = settings(target, options.kind, start, run, replay=replay)
        lines.append(row_of_run(name, target, universal, config, run_folder))
        (folder / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    split = run_folder / "split.json"
    lines.append(row_of_initial_model(spec, target, universal, split, folder))
    lines.append(row_without_model(target, split))
    (folder / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(json.dumps({"table": str(folder / "table.md")}))


if __name__ == "__main__":
    main()
