"""CPU time of a force call by DFT and by the force field, against the number of atoms, and the error of the forces.

    OMP_NUM_THREADS=1 python benchmarks/against_dft.py [--model symmetrix:wse2-pbe] [--sizes 1 2 3] [-o times.json] [--picture FOLDER]

GPAW with the settings of the bundled labels (plane waves of 400 eV, k points of the same density), n × n cells of WSe2 that are rattled. Times
are those of the process (`time.process_time`), so that other work on the machine matters little; finished sizes are read from the file again.
The force field is timed up to 12 × 12 cells. A power t = c N^p is fitted to the times of GPAW and extrapolated, which the output says.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

import flatforce as ff
from flatforce.core.written import WrittenFiles
from flatforce.models.potential import Potential
from flatforce.models.slab import pad_vacuum
from flatforce.reference.config import GpawSettings, Machine
from flatforce.reference.engines import compute
from flatforce.report.figures.figure import COLOURS, GREY, Figure, Panel, Series
from flatforce.report.static import write_static
from flatforce.structures.strain import rattle_positions

REPEATS = 5
"""Force calls of the model, of which the fastest counts; each has other positions, since a repeated structure is not evaluated again."""

MODEL_SIZES = (1, 2, 3, 5, 8, 12)
"""Cells that the model evaluates."""


def cell_of(size: int) -> Atoms:
    sheet = pad_vacuum(ff.monolayer("WSe2").repeat((size, size, 1)), 10.0)
    return rattle_positions(sheet, amplitude=0.03, rng=np.random.default_rng(size))


def by_dft(atoms: Atoms) -> tuple[float, Any]:
    """CPU time in s, and forces in eV/Å."""
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        calculation = compute(atoms, GpawSettings(), log=f"{folder}/gpaw.txt", machine=Machine())
    return time.process_time() - start, calculation.labels.forces


def model_seconds(model: Potential, atoms: Atoms) -> float:
    times = []
    atoms = atoms.copy()
    for _ in range(REPEATS):
        atoms.positions[0, 0] += 0.001
        start = time.process_time()
        model.evaluate(atoms)
        times.append(time.process_time() - start)
    return min(times)


def figure(dft: dict[int, float], model: dict[int, float], name: str) -> Figure:
    counts = np.array(sorted(dft), dtype=float)
    measured = np.array([dft[int(n)] for n in counts])
    power, factor = np.polyfit(np.log(counts), np.log(measured), 1)
    sizes = np.array(sorted(model), dtype=float)
    beyond = sizes[sizes >= counts[-1]]
    series = (
        Series(beyond, np.exp(factor) * beyond**power, "GPAW, extrapolated", colour=GREY, dashed=True),
        Series(counts, measured, "GPAW, PBE", style="points", width=5, colour=COLOURS[1]),
        Series(sizes, np.array([model[int(n)] for n in sizes]), name, style="points", width=5),
    )
    panel = Panel(series, "atoms", "CPU time of a force call (s)", log_x=True, log_y=True)
    return Figure("speedup", "Time of a force call on one core.", (panel,))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="symmetrix:wse2-pbe")
    parser.add_argument("--sizes", type=int, nargs="*", default=[1, 2, 3])
    parser.add_argument("-o", "--output", type=Path, default=Path("times.json"))
    parser.add_argument("--picture", type=Path, help="folder of the figure")
    options = parser.parse_args()
    known = json.loads(options.output.read_text()) if options.output.is_file() else {}
    model = ff.load(options.model)
    for size in sorted({*MODEL_SIZES, *options.sizes}):
        atoms = cell_of(size)
        entry = known.setdefault(str(len(atoms)), {})
        model.evaluate(atoms)  # kernels may be compiled
        entry[options.model] = model_seconds(model, atoms)
        if size in options.sizes and "gpaw" not in entry:
            entry["gpaw"], forces = by_dft(atoms)
            entry["force_rms"] = float(np.sqrt(np.mean(np.square(forces))))
            difference = model.evaluate(atoms).forces - np.array(forces)
            entry["force_rmse"] = float(np.sqrt(np.mean(difference**2)))
        options.output.write_text(json.dumps(known, indent=1))
        print(f"{len(atoms)} atoms: {entry[options.model]:.4f} s by the model", end="")
        if "gpaw" in entry:
            ratio = entry["gpaw"] / entry[options.model]
            print(f", {entry['gpaw']:.1f} s by GPAW, ratio {ratio:.0f}", end="")
        if "force_rmse" in entry:
            error, size_of_forces = (1e3 * entry[key] for key in ("force_rmse", "force_rms"))
            print(f", RMS difference of the forces {error:.1f} of {size_of_forces:.0f} meV/Å", end="")
        print(flush=True)
    dft = {int(n): entry["gpaw"] for n, entry in known.items() if "gpaw" in entry}
    if len(dft) > 1:
        power, factor = np.polyfit(np.log(list(dft)), np.log(list(dft.values())), 1)
        for n in (int(n) for n in known if int(n) not in dft):
            print(f"{n} atoms: {np.exp(factor) * n**power:.3g} s by GPAW, extrapolated by N^{power:.2f}")
        if options.picture is not None:
            times = {int(n): entry[options.model] for n, entry in known.items() if options.model in entry}
            write_static(figure(dft, times, options.model), options.picture, WrittenFiles(options.picture))


if __name__ == "__main__":
    main()
