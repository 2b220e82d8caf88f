"""Does a universal model help where frames are few? From random weights and from a universal model, on WSe2 and on disulfides.

    python validation/transfer.py FOLDER wse2 [--kind m3gnet] [--sizes 5 20 60] [--rates 1e-3 3e-4] [--updates 900]
        [--starts scratch transfer replay] [--seed 1]
    python validation/transfer.py FOLDER disulfides --sizes 5 15 40
    python validation/transfer.py FOLDER wse2 --start chgnet:0.3.0

The universal model is trained here, on `2d-pbe-mini` without the materials in question, unless `--start` names one. Judged
on held-out frames of `wse2-pbe`, or held-out orderings of `tmd-alloys-pbe` and sheets rattled and strained from them
(`mows2_rattled.extxyz`); on lattice constant and Γ modes of WSe2, or of WS2, which is held out, against PBE; on the relaxed
orderings (energy, area); and on what is left of the universal model's knowledge: relaxations of the materials it had held
out, in energy. `replay` reminds it of its own training frames. Each run keeps the same tenth of the frames to choose its
epoch, and takes the same number of steps however many frames it has: few frames are then not mistaken for little
training. A killed run goes on.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import write
from universal_2d import SHAPES, learnt
from universal_2d import settings as universal_settings

from flatforce.core.errors import ModelError
from flatforce.core.hashing import hash_structure
from flatforce.core.progress import show_progress
from flatforce.core.units import THZ_IN_INVERSE_CM
from flatforce.data.bundled import dataset_path
from flatforce.data.frames import get_labels, read_labelled
from flatforce.data.splits import read_test_hashes
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
from flatforce.studies.benchmark_stages import benchmark_relax

BATCH = 4
"""Frames a step."""

SUPERCELL = (5, 5)
"""Wide enough for the cutoffs of M3GNet and CHGNet, 5 and 6 Å."""

REMINDERS = 100
"""Frames replayed."""


STRICT = RelaxationBenchmarkConfig(relax=RelaxConfig(max_force=0.01, max_stress=0.05))
"""The orderings start within 0.1 eV/Å of DFT's minimum."""


@dataclass(frozen=True)
class Target:
    """What is learnt, and what it is judged by."""

    data: tuple[str, ...]
    """The first is what is relaxed, where it holds relaxations."""
    hold_out: dict[str, Any]
    unknown: tuple[str, ...]
    """Formulas of which the universal model knows nothing."""
    symbols: tuple[str, str]
    a: float
    """Å, where its relaxation starts."""
    thickness: float
    """Å."""
    modes: tuple[float, ...]
    """cm⁻¹, optical Γ modes in PBE: E″, E″, E′, E′, A1′, A2″; of WS2, which is held out, by `tmd_alloys_pbe.py modes`."""

    def frames(self) -> list[Atoms]:
        return [frame for name in self.data for frame in read_labelled(dataset_path(name))]


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


def settings(
    target: Target,
    kind: str,
    start: str | None,
    *,
    size: int,
    rate: float,
    updates: int,
    replay: Path | None,
    seed: int,
) -> TrainConfig:
    steps = math.ceil((size + (0 if replay is None else REMINDERS)) / BATCH)
    values: dict[str, Any] = target.hold_out | {
        "name": "model",
        "data": list(target.data),
        "n_frames": size,
        "epochs": max(1, round(updates / steps)),
        "batch_size": BATCH,
        "learning_rate": rate,
        "stage_two": None,
        "huber_delta": 0.05,
        "weights": {"energy": 10, "forces": 100, "stress": 10},
        "seed": seed,
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
    with show_progress("universal") as progress:
        result = train(universal_settings(kind, str(others), epochs), base, progress=progress)
    split = base / "split.json"
    return model_of(result, base), split, others, learnt(split, str(others), folder)


def left_of(spec: str, known: tuple[Path, Path, Path] | None, folder: Path) -> str:
    """Median error in energy over the materials that the universal model had held out (meV/atom); means hang on a few that
    collapse."""
    if known is None:
        return "–"
    split, others, reminders = known
    aligned = RelaxationBenchmarkConfig(align=str(reminders))
    judged = benchmark_relax(spec, str(others), aligned, folder, split=split)
    return f"{judged['metrics']['energy_median_ae']:.0f}"


def as_it_is(
    spec: str, target: Target, known: tuple[Path, Path, Path] | None, split: Path, folder: Path
) -> str:
    held = read_test_hashes(split)
    frames = [one for one in target.frames() if hash_structure(one) in held]
    found = error_metrics(compare(frames, load(spec).evaluate(frames)))
    modes = gamma_modes(spec, target, folder / "universal-forces")
    kept = left_of(spec, known, folder / "universal-others")
    return f"| as it is | 0 | – | {found['force_mae']:.0f} | – | – | – | {modes} | {kept} |"


def without_model(target: Target, split: Path) -> str:
    """Zero forces, and energies of relaxed sheets on a straight line in composition through those that are not held out."""
    held = read_test_hashes(split)
    frames = target.frames()
    zero = np.concatenate([get_labels(one).forces for one in frames if hash_structure(one) in held])
    relaxed = [one for one in frames if one.info.get("relaxed")]
    known = [one for one in relaxed if hash_structure(one) not in held]
    said = "–"
    if relaxed:
        species = sorted({symbol for one in relaxed for symbol in one.get_chemical_symbols()})
        line = fit_energies(known, [get_labels(one).energy for one in known], species)
        off = [
            abs(get_labels(one).energy - sum(line[symbol] for symbol in one.get_chemical_symbols()))
            / len(one)
            for one in relaxed
            if hash_structure(one) in held
        ]
        said = f"{1e3 * np.mean(off):.1f}"
    return (
        f"| no model | {len(known)} | – | {1e3 * np.abs(zero).mean():.0f} | – | {said} | – | – | – | – | – |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("target", choices=list(TARGETS))
    parser.add_argument("--kind", choices=["m3gnet", "tensornet", "mace"], default="m3gnet")
    parser.add_argument("--start", help="a model in place of the one that is trained here")
    parser.add_argument("--starts", nargs="*", default=["scratch", "transfer", "replay"])
    parser.add_argument("--sizes", type=int, nargs="*", default=[5, 20, 60])
    parser.add_argument("--rates", type=float, nargs="*", default=[1e-3, 3e-4])
    parser.add_argument("--updates", type=int, default=900)
    parser.add_argument("--seed", type=int, default=1, help="draws the frames and the weights")
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
        starts = {"scratch": (None, None), "transfer": (spec, None), "replay": (spec, known[2])}
        starts = {name: start for name, start in starts.items() if name in given.starts}
    lines = [
        "| start | frames | learning rate | force MAE | energy MAE | relaxed: energy | area | a (Å) | Γ modes, mean (%) | worst | others |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, (start, replay) in starts.items():
        for size in given.sizes:
            for rate in given.rates:
                inside = folder / f"{name}-{size}-{rate:g}"
                config = settings(
                    target,
                    given.kind,
                    start,
                    size=size,
                    rate=rate,
                    updates=given.updates,
                    replay=replay,
                    seed=given.seed,
                )
                with show_progress(inside.name) as progress:
                    result = train(config, inside, progress=progress)
                own, metrics = model_of(result, inside), result["metrics"]
                line = f"| {name} | {size} | {rate:g} | {metrics['force_mae']:.0f} | {metrics['energy_mae']:.1f} "
                relaxed, kept = "– | –", "–" if start is None else left_of(own, known, inside / "others")
                if target.hold_out.get("hold_out") == "material":
                    judged = benchmark_relax(
                        own,
                        target.data[0],
                        STRICT,
                        inside / "relaxed",
                        split=inside / "split.json",
                    )
                    relaxed = f"{judged['metrics']['energy_mae']:.1f} | {judged['metrics']['area_mae']:.3f}"
                lines.append(f"{line}| {relaxed} | {gamma_modes(own, target, inside / 'forces')} | {kept} |")
                (folder / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    spec = given.start or spec
    lines.append(as_it_is(spec, target, known, inside / "split.json", folder))
    lines.append(without_model(target, inside / "split.json"))
    (folder / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(json.dumps({"table": str(folder / "table.md")}))


if __name__ == "__main__":
    main()
