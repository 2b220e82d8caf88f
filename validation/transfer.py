"""Does a universal model help where frames are few? From random weights and from a universal model, on WSe2 and on disulfides.

    python validation/transfer.py FOLDER wse2 [--kind m3gnet] [--sizes 5 20 60] [--rates 1e-3 3e-4] [--updates 900]
    python validation/transfer.py FOLDER disulfides --sizes 5 15 40
    python validation/transfer.py FOLDER wse2 --start chgnet:0.3.0

The universal model is trained here, on `2d-pbe-mini` without the materials in question, unless `--start` names one. Judged
on held-out frames of `wse2-pbe` or held-out orderings of `tmd-alloys-pbe`, on lattice constant and Γ modes of WSe2 or MoS2
against PBE, on the relaxed orderings (energy, area), and on what is left of the universal model's knowledge: relaxations of
the materials it had held out, in energy. `replay` reminds it of its own training frames. Each run keeps the same tenth of
the frames to choose its epoch, and takes the same number of steps however many frames it has: few frames are then not
mistaken for little training. A killed run goes on.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase.io import write
from universal_2d import SHAPES, learnt
from universal_2d import settings as universal_settings

from flatforce.core.errors import ModelError
from flatforce.core.hashing import hash_structure
from flatforce.core.progress import reporting
from flatforce.core.units import THZ_IN_INVERSE_CM
from flatforce.data.bundled import dataset_path
from flatforce.data.frames import get_labels, material_of, read_labelled
from flatforce.data.splits import held_out_hashes
from flatforce.models import load
from flatforce.models.errors import compare, error_metrics
from flatforce.models.references import fit_energies
from flatforce.models.training.config import TrainConfig
from flatforce.models.training.run import train
from flatforce.properties.benchmark.relaxation import RelaxationBenchmark
from flatforce.properties.phonons.pristine import PhononConfig, pristine_phonons
from flatforce.properties.relax import RelaxConfig, relax
from flatforce.structures.prototypes import monolayer
from flatforce.studies.benchmark_stages import benchmark_relax

BATCH = 4
"""Frames a step."""

SUPERCELL = (5, 5)
"""Wide enough for the cutoffs of M3GNet and CHGNet, 5 and 6 Å."""

REMINDERS = 100
"""Frames replayed."""


@dataclass(frozen=True)
class Target:
    """What is learnt, and what it is judged by."""

    data: str
    hold_out: dict[str, Any]
    unknown: tuple[str, ...]
    """Formulas of which the universal model knows nothing."""
    symbols: tuple[str, str]
    a: float
    """Å, where its relaxation starts."""
    thickness: float
    """Å."""
    modes: tuple[float, ...]
    """cm⁻¹, optical Γ modes in PBE: E″, E″, E′, E′, A1′, A2″; of MoS2 by `tmd_alloys_pbe.py modes`."""


TARGETS = {
    "wse2": Target(
        "wse2-pbe",
        {"test_fraction": 0.12},
        ("WSe2",),
        ("W", "Se"),
        3.317,
        3.36,
        (168.7, 168.7, 239.6, 239.6, 242.2, 300.1),
    ),
    "disulfides": Target(
        "tmd-alloys-pbe",
        {"hold_out": "material", "test_fraction": 0.2},
        ("MoS2", "WS2", "NbS2"),
        ("Mo", "S"),
        3.18,
        3.13,
        (275.3, 275.3, 372.3, 372.3, 395.1, 457.7),
    ),
}


def settings(
    target: Target, kind: str, start: str | None, *, size: int, rate: float, updates: int, replay: Path | None
) -> TrainConfig:
    steps = math.ceil((size + (0 if replay is None else REMINDERS)) / BATCH)
    values: dict[str, Any] = target.hold_out | {
        "name": "model",
        "data": [target.data],
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


def gamma_modes(spec: str, target: Target, scratch: Path) -> str:
    """Lattice constant (Å), mean and largest error of a Γ mode (%), as cells of a table."""
    potential = load(spec)
    unit = monolayer(target.symbols, prototype="2H", a=target.a, thickness=target.thickness)
    try:
        relaxed = relax(potential, unit, RelaxConfig(keep_symmetry=True))
        found = pristine_phonons(potential, relaxed.atoms, PhononConfig(supercell=SUPERCELL), scratch=scratch)
    except ModelError as error:  # a sheet that runs away, by a model that knows no stiffness
        return f"– | – | {error.what}"
    modes = np.sort(found.gamma * THZ_IN_INVERSE_CM)[3:]
    off = np.abs(modes / np.array(target.modes) - 1) * 100
    return f"{relaxed.metrics['a']:.3f} | {off.mean():.1f} | {off.max():.1f}"


def model_of(result: dict[str, Any], folder: Path) -> str:
    card = result["details"]["cards"][0]
    return f"{card['kind']}:{folder / card['file']}"


def universal(folder: Path, target: Target, kind: str, epochs: int) -> tuple[str, Path, Path, Path]:
    """Train a universal model; its name, its split, all its frames, and those it learnt."""
    others, base = folder / "others.extxyz", folder / "universal"
    frames = read_labelled(dataset_path("2d-pbe-mini"))
    if not others.is_file():
        kept = [one for one in frames if str(one.info["material"]).rpartition("-")[0] not in target.unknown]
        write(others, kept, format="extxyz")
    with reporting("universal") as progress:
        result = train(universal_settings(kind, str(others), epochs), base, progress=progress)
    split = base / "split.json"
    return model_of(result, base), split, others, learnt(split, str(others), folder)


def left_of(spec: str, known: tuple[Path, Path, Path] | None, folder: Path) -> str:
    """Median error in energy over the materials that the universal model had held out (meV/atom); means hang on a few that
    collapse."""
    if known is None:
        return "–"
    split, others, reminders = known
    aligned = RelaxationBenchmark(align=str(reminders))
    judged = benchmark_relax(spec, str(others), aligned, folder, split=split)
    return f"{judged['metrics']['energy_median_ae']:.0f}"


def as_it_is(
    spec: str, target: Target, known: tuple[Path, Path, Path] | None, split: Path, folder: Path
) -> str:
    held = held_out_hashes(split)
    frames = [one for one in read_labelled(dataset_path(target.data)) if hash_structure(one) in held]
    found = error_metrics(compare(frames, load(spec).evaluate(frames)))
    modes = gamma_modes(spec, target, folder / "universal-forces")
    kept = left_of(spec, known, folder / "universal-others")
    return f"| as it is | 0 | – | {found['force_mae']:.0f} | – | – | – | {modes} | {kept} |"


def without_model(target: Target, split: Path) -> str:
    """Zero forces, and energies on a straight line in composition through all frames that are not held out."""
    held = held_out_hashes(split)
    frames = read_labelled(dataset_path(target.data))
    out = [hash_structure(one) in held for one in frames]
    energies = [get_labels(one).energy for one in frames]
    species = sorted({symbol for one in frames for symbol in one.get_chemical_symbols()})
    fitted = [k for k, no in enumerate(out) if not no]
    line = fit_energies([frames[k] for k in fitted], [energies[k] for k in fitted], species)
    ends = {material_of(frames[k]): k for k, yes in enumerate(out) if yes}  # the last step of each
    relaxed = [
        abs(energies[k] - sum(line[symbol] for symbol in frames[k].get_chemical_symbols())) / len(frames[k])
        for k in ends.values()
    ]
    zero = np.concatenate([get_labels(one).forces for one, yes in zip(frames, out, strict=True) if yes])
    return f"| no model | {len(fitted)} | – | {1e3 * np.abs(zero).mean():.0f} | – | {1e3 * np.mean(relaxed):.1f} | – | – | – | – | – |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("target", choices=list(TARGETS))
    parser.add_argument("--kind", choices=["m3gnet", "tensornet", "mace"], default="m3gnet")
    parser.add_argument("--start", help="a model in place of the one that is trained here")
    parser.add_argument("--sizes", type=int, nargs="*", default=[5, 20, 60])
    parser.add_argument("--rates", type=float, nargs="*", default=[1e-3, 3e-4])
    parser.add_argument("--updates", type=int, default=900)
    parser.add_argument("--epochs", type=int, default=60, help="of the universal model")
    given = parser.parse_args()
    folder, target = given.folder, TARGETS[given.target]
    folder.mkdir(parents=True, exist_ok=True)
    starts: dict[str, tuple[str | None, Path | None]]
    known: tuple[Path, Path, Path] | None = None
    if given.start is not None:
        starts = {"transfer": (given.start, None)}
    else:
        spec, *rest = universal(folder, target, given.kind, given.epochs)
        known = (rest[0], rest[1], rest[2])
        starts = {"scratch": (None, None), "transfer": (spec, None), "transfer, replay": (spec, known[2])}
    lines = [
        "| start | frames | learning rate | force MAE | energy MAE | relaxed: energy | area | a (Å) | Γ modes, mean (%) | worst | others |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, (start, replay) in starts.items():
        for size in given.sizes:
            for rate in given.rates:
                inside = folder / f"{name.replace(', ', '-')}-{size}-{rate:g}"
                config = settings(
                    target, given.kind, start, size=size, rate=rate, updates=given.updates, replay=replay
                )
                with reporting(inside.name) as progress:
                    result = train(config, inside, progress=progress)
                own, metrics = model_of(result, inside), result["metrics"]
                line = f"| {name} | {size} | {rate:g} | {metrics['force_mae']:.0f} | {metrics['energy_mae']:.1f} "
                relaxed, kept = "– | –", "–" if start is None else left_of(own, known, inside / "others")
                if target.hold_out.get("hold_out") == "material":
                    judged = benchmark_relax(
                        own,
                        target.data,
                        RelaxationBenchmark(),
                        inside / "relaxed",
                        split=inside / "split.json",
                    )
                    relaxed = f"{judged['metrics']['energy_mae']:.1f} | {judged['metrics']['area_mae']:.3f}"
                lines.append(f"{line}| {relaxed} | {gamma_modes(own, target, inside / 'forces')} | {kept} |")
                (folder / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    spec = next(one for one, _ in starts.values() if one is not None)
    lines.append(as_it_is(spec, target, known, inside / "split.json", folder))
    lines.append(without_model(target, inside / "split.json"))
    (folder / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(json.dumps({"table": str(folder / "table.md")}))


if __name__ == "__main__":
    main()
