"""PBE formation energies of disulfide alloys: the bundled dataset `tmd-alloys-pbe`.

    python validation/tmd_alloys_pbe.py converge FOLDER [--workers 2]
    python validation/tmd_alloys_pbe.py relax FOLDER [--workers 2] [--system MoWS2] [--cells 4]
    python validation/tmd_alloys_pbe.py assemble FOLDER src/flatforce/data/files/tmd_alloys_pbe.extxyz

`converge` prints how the formation energy of a row (x = 1/2) depends on cutoff, k points and smearing: differences are
what counts, so totals may be far from converged. `relax` is `flatforce alloy energies` with
labels: every ordering up to `--cells` primitive cells, positions and in-plane cell, CHGNet guiding the first steps. A
killed run goes on from its cache.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from flatforce.core.progress import reporting
from flatforce.data.frames import get_labels, read_labelled, write_frames
from flatforce.models import load
from flatforce.properties.alloys.energies import AlloyEnergies, energies_by_model, grid_of, slab
from flatforce.reference.config import GpawSettings, LabelConfig
from flatforce.reference.label import label
from flatforce.structures.alloys import ORDERING, SYSTEM, alloy_lattice
from flatforce.structures.orderings import enumerate_orderings
from flatforce.studies.alloy_files import AlloyStudy
from flatforce.studies.alloy_stages import alloy_energies

SETTINGS = GpawSettings(k_length=38.0, gamma_centred=True, smearing=0.05, use_symmetry=True)
"""12 × 12 k points for the primitive cell, at least as dense for the others, fixed while a sheet relaxes."""

DFT = "GPAW, PBE, plane waves 400 eV, Fermi 0.05 eV, 12 × 12 k points of the primitive cell or denser, with Γ, no spin, c = 15 Å, free energy"

GUIDE = "chgnet:0.3.0"

SYSTEMS: dict[str, dict[str, Any]] = {
    "MoWS2": {"species": ["Mo", "W"], "a": 3.187, "thickness": 3.13},
    "NbMoS2": {"species": ["Nb", "Mo"], "a": 3.26, "thickness": 3.13},
}
"""Å: a lattice constant between those of the end members."""

CHANGES: dict[str, dict[str, Any]] = {
    "as chosen": {},
    "cutoff 500": {"cutoff": 500.0},
    "8 × 8": {"k_length": 25.4},
    "16 × 16": {"k_length": 50.8},
    "smearing 0.1": {"smearing": 0.1},
    "smearing 0.02": {"smearing": 0.02},
}


def study(system: str, cells: int) -> AlloyStudy:
    shape = {"name": system, "prototype": "2H", "symbols": [SYSTEMS[system]["species"][0], "S"]}
    values = {**shape, "site": SYSTEMS[system]["species"][0], **SYSTEMS[system]}
    return AlloyStudy.parse({"alloy": values, "max_cells": cells})


def converge(folder: Path, workers: int, systems: list[str]) -> None:
    """Formation energies at the sheets that CHGNet relaxes: the same for every setting."""
    for system in systems:
        lattice = alloy_lattice(study(system, 2).alloy)
        orderings = enumerate_orderings(lattice, max_cells=2)
        solved = energies_by_model(lattice, orderings, load(GUIDE), AlloyEnergies())
        sheets = [slab(found.relaxed) for found in solved]
        for sheet in sheets:
            sheet.positions = np.round(sheet.positions, 5)
            sheet.set_cell(np.round(sheet.cell.array, 5))
        for name, change in CHANGES.items():
            settings = SETTINGS.model_copy(update=change)
            done = label(
                sheets,
                LabelConfig(settings=settings, workers=workers),
                cache=folder / "labels",
                settings=[grid_of(settings, ordering) for ordering in orderings],
            )
            assert not done.failures, done.failures
            per_site = [get_labels(f).energy / lattice.n_sites(f) for f in done.frames]
            shares = [list(lattice.composition(f).values()) for f in done.frames]
            formation = [
                1e3 * (e - x[0] * per_site[0] - x[1] * per_site[1])
                for e, x in zip(per_site, shares, strict=True)
            ]
            print(system, name, f"{formation[2]:.2f} meV/site", flush=True)


def relax(folder: Path, workers: int, systems: list[str], cells: int) -> None:
    for system in systems:
        labels = LabelConfig(settings=SETTINGS, workers=workers)
        found = alloy_energies(
            study(system, cells),
            folder / f"{system}-{cells}",
            labels=labels,
            model=GUIDE,
            report=reporting,
        )
        print(system, found["metrics"], found["warnings"], flush=True)


def assemble(folder: Path, target: Path) -> None:
    """Put the frames of all systems in one file."""
    frames = []
    for path in sorted(folder.glob("*/frames.extxyz")):
        for frame in read_labelled(path):
            kept = {SYSTEM, ORDERING, "name", "step", "relaxed", "relaxation", "REF_energy"}
            frame.info = {key: value for key, value in frame.info.items() if key in kept} | {
                "material": frame.info[ORDERING],
                "config_type": "relaxation",
                "dft": DFT,
                "REF_stress": get_labels(frame).stress,
            }
            frame.info["REF_stress"] = frame.info["REF_stress"].reshape(9)
            frames.append(frame)
    write_frames(target, frames)
    print(f"{len(frames)} frames of {len({f.info[ORDERING] for f in frames})} orderings")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["converge", "relax", "assemble"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("target", type=Path, nargs="?")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--system", choices=list(SYSTEMS), nargs="*", default=list(SYSTEMS))
    parser.add_argument("--cells", type=int, default=4)
    given = parser.parse_args()
    if given.what == "converge":
        converge(given.folder, given.workers, given.system)
    elif given.what == "relax":
        relax(given.folder, given.workers, given.system, given.cells)
    else:
        assemble(given.folder, given.target)
