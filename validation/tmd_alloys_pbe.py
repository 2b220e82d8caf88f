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

from flatforce.core.progress import reporting
from flatforce.data.frames import get_labels, read_labelled, write_frames
from flatforce.models import load
from flatforce.properties.alloys.energies import grid_of, slab
from flatforce.properties.alloys.guess import guess_relaxed
from flatforce.reference.config import GpawSettings, LabelConfig
from flatforce.reference.label import label
from flatforce.reference.relaxation import LabelRelaxation
from flatforce.structures.alloys import ORDERING, SYSTEM, alloy_lattice
from flatforce.structures.orderings import enumerate_orderings
from flatforce.structures.symmetry import centred
from flatforce.studies.alloy_files import AlloyStudy
from flatforce.studies.alloy_stages import alloy_energies

SETTINGS = GpawSettings(gamma_centred=True, smearing=0.05, use_symmetry=True)

SYSTEMS_K_LENGTH = {"MoWS2": 25.4, "NbMoS2": 38.0}
"""Å. 8 × 8 k points of the primitive cell for a semiconductor, 12 × 12 for a metal, at least as dense for the others,
fixed while a sheet relaxes. `converge` shows what they leave."""

LEFT = {"dft_force": 0.05, "dft_stress": 0.25}
"""eV/Å and N/m, where relaxations end: with bonds of 10 eV/Å² and a sheet of 150 N/m about 0.2 meV a site is left, less
in differences."""

DFT = "GPAW, PBE, plane waves 400 eV, Fermi 0.05 eV, {k} × {k} k points of the primitive cell or denser, with Γ, no spin, c = 15 Å, free energy"

GUIDE = "chgnet:0.3.0"

SYSTEMS: dict[str, dict[str, Any]] = {
    "MoWS2": {"species": ["Mo", "W"], "a": 3.187, "thickness": 3.13},
    "NbMoS2": {"species": ["Nb", "Mo"], "a": 3.26, "thickness": 3.13},
}
"""Å: a lattice constant between those of the end members."""

CHANGES: dict[str, dict[str, Any]] = {
    "6 × 6": {"k_length": 19.0},
    "8 × 8": {"k_length": 25.4},
    "12 × 12": {"k_length": 38.0},
    "16 × 16": {"k_length": 50.8},
    "smearing 0.1": {"smearing": 0.1},
    "smearing 0.02": {"smearing": 0.02},
    "cutoff 500": {"cutoff": 500.0},
}


def study(system: str, cells: int) -> AlloyStudy:
    shape = {"name": system, "prototype": "2H", "symbols": [SYSTEMS[system]["species"][0], "S"]}
    values = {**shape, "site": SYSTEMS[system]["species"][0], **SYSTEMS[system]}
    return AlloyStudy.parse({"alloy": values, "max_cells": cells, "energies": LEFT})


def converge(folder: Path, workers: int, systems: list[str]) -> None:
    """Formation energies at the sheets that CHGNet relaxes: the same for every setting."""
    for system in systems:
        lattice = alloy_lattice(study(system, 2).alloy)
        orderings = enumerate_orderings(lattice, max_cells=2)
        guide, target = load(GUIDE), LabelRelaxation()
        starts = [centred(slab(ordering)) for ordering in orderings]
        sheets = [guess_relaxed(start, guide, target, folder=folder)[0] for start in starts]
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


def relax(folder: Path, workers: int, systems: list[str], cells: int, guide: str) -> None:
    for system in systems:
        settings = SETTINGS.model_copy(update={"k_length": SYSTEMS_K_LENGTH[system]})
        labels = LabelConfig(settings=settings, workers=workers)
        found = alloy_energies(
            study(system, cells),
            folder / f"{system}-{cells}",
            labels=labels,
            model=guide,
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
                "dft": DFT.format(k=12 if "Nb" in str(frame.info[SYSTEM]) else 8),
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
    parser.add_argument("--guide", default=GUIDE, help="one trained further on the first frames saves labels")
    given = parser.parse_args()
    if given.what == "converge":
        converge(given.folder, given.workers, given.system)
    elif given.what == "relax":
        relax(given.folder, given.workers, given.system, given.cells, given.guide)
    else:
        assemble(given.folder, given.target)
