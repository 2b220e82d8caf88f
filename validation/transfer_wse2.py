"""Does a universal model help where frames are few? From random weights and from a universal model, on WSe2.

    python validation/transfer_wse2.py FOLDER [--kind m3gnet] [--sizes 5 20 60] [--rates 1e-3 3e-4] [--updates 900]

The universal model is trained here, on `2d-pbe-mini` without WSe2. Judged on the held-out frames of `wse2-pbe`, on the
lattice constant and the Γ modes against PBE, and on what is left of the universal model's knowledge: relaxations of the
materials it had held out. `replay` reminds it of its own training frames. Each run keeps the same ten per cent of
`wse2-pbe`, eleven frames, to choose its epoch, and takes the same number of steps however many frames it has: few frames
are then not mistaken for little training.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from ase.io import write
from universal_2d import SHAPES
from universal_2d import settings as universal_settings

from flatforce.core.hashing import hash_structure
from flatforce.core.progress import reporting
from flatforce.core.units import THZ_IN_INVERSE_CM
from flatforce.data.bundled import dataset_path
from flatforce.data.frames import read_labelled
from flatforce.models import load
from flatforce.models.training.config import TrainConfig
from flatforce.models.training.run import train
from flatforce.properties.benchmark.relaxation import RelaxationBenchmark
from flatforce.properties.phonons.pristine import PhononConfig, pristine_phonons
from flatforce.properties.relax import RelaxConfig, relax
from flatforce.structures.prototypes import monolayer
from flatforce.studies.benchmark_stages import benchmark_relax

PBE = np.array([168.7, 168.7, 239.6, 239.6, 242.2, 300.1])
"""cm⁻¹, Γ modes of WSe2."""

LATTICE = 3.317
"""Å."""


BATCH = 4
"""Frames a step."""

REMINDERS = 100
"""Frames replayed."""

KINDS = {"m3gnet": ("matgl", "matgl"), "mace": ("mace", "model")}
"""Of the specification, and ending of the file."""


def settings(
    kind: str, start: str | None, size: int, rate: float, updates: int, replay: Path | None
) -> TrainConfig:
    steps = math.ceil((size + (0 if replay is None else REMINDERS)) / BATCH)
    values: dict[str, Any] = {
        "name": "wse2",
        "n_frames": size,
        "epochs": max(1, round(updates / steps)),
        "batch_size": BATCH,
        "learning_rate": rate,
        "stage_two": None,
        "huber": 0.05,
        "weights": {"energy": 10, "forces": 100, "stress": 10},
    }
    if start is None:
        values["model"] = SHAPES[kind]["model"]
    else:
        values["start_from"] = start
    if replay is not None:
        values["replay"] = {"data": [str(replay)], "count": REMINDERS}
    return TrainConfig.parse(values)


def gamma_modes(spec: str, scratch: Path) -> tuple[float, float]:
    """Lattice constant (Å) and largest error of a Γ mode (%)."""
    potential = load(spec)
    unit = monolayer(("W", "Se"), prototype="2H", a=LATTICE, thickness=3.36)
    relaxed = relax(potential, unit, RelaxConfig(keep_symmetry=True))
    found = pristine_phonons(potential, relaxed.atoms, PhononConfig(supercell=(3, 3)), scratch=scratch)
    modes = np.sort(found.gamma * THZ_IN_INVERSE_CM)[3:]
    return relaxed.metrics["a"], float(np.abs(modes / PBE - 1).max() * 100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kind", choices=list(KINDS), default="m3gnet")
    parser.add_argument("--sizes", type=int, nargs="*", default=[5, 20, 60])
    parser.add_argument("--rates", type=float, nargs="*", default=[1e-3, 3e-4])
    parser.add_argument("--updates", type=int, default=900)
    parser.add_argument("--epochs", type=int, default=60, help="of the universal model")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    frames = [
        frame for frame in read_labelled(dataset_path("2d-pbe-mini")) if "WSe2" not in frame.info["material"]
    ]
    others = given.folder / "others.extxyz"
    write(others, frames, format="extxyz")
    base = given.folder / "universal"
    with reporting("universal") as progress:
        train(universal_settings(given.kind, str(others), given.epochs), base, progress=progress)
    backend, ending = KINDS[given.kind]
    spec, split = f"{backend}:{base / given.kind}.{ending}", base / "split.json"
    known = set(json.loads(split.read_text(encoding="utf-8"))["learnt"])
    learnt = given.folder / "learnt.extxyz"
    write(learnt, [frame for frame in frames if hash_structure(frame) in known], format="extxyz")
    starts: dict[str, tuple[str | None, Path | None]] = {
        "scratch": (None, None),
        "transfer": (spec, None),
        "transfer, replay": (spec, learnt),
    }
    lines = [
        "| start | frames | learning rate | force MAE | energy MAE | a (Å) | worst Γ mode (%) | others |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, (start, replay) in starts.items():
        for size in given.sizes:
            for rate in given.rates:
                inside = given.folder / f"{name.replace(', ', '-')}-{size}-{rate:g}"
                with reporting(inside.name) as progress:
                    result = train(
                        settings(given.kind, start, size, rate, given.updates, replay),
                        inside,
                        progress=progress,
                    )
                own = f"{backend}:{inside / 'wse2'}.{ending}"
                try:
                    a, worst = gamma_modes(own, inside / "forces")
                    modes = f"{a:.3f} | {worst:.1f}"
                except Exception as error:  # noqa: BLE001  # a model of five frames may relax to nothing
                    modes = f"– | {type(error).__name__}"
                kept = "–"
                if start is not None:
                    config = RelaxationBenchmark(align=str(learnt))
                    judged = benchmark_relax(own, str(others), config, inside / "others", split=split)
                    kept = f"{judged['metrics']['energy_mae']:.0f}"
                metrics = result["metrics"]
                lines.append(
                    f"| {name} | {size} | {rate:g} | {metrics['force_mae']:.0f} | {metrics['energy_mae']:.1f} "
                    f"| {modes} | {kept} |"
                )
                (given.folder / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(json.dumps({"table": str(given.folder / "table.md")}))


if __name__ == "__main__":
    main()
