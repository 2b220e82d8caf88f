"""PBE formation energies of disulfide alloys: the bundled dataset `tmd-alloys-pbe`.

    python validation/tmd_alloys_pbe.py relax FOLDER [--workers 2] [--system MoWS2] [--cells 4]
    python validation/tmd_alloys_pbe.py converge FOLDER [--workers 2] [--system MoWS2]
    python validation/tmd_alloys_pbe.py modes FOLDER [--workers 2]
    python validation/tmd_alloys_pbe.py assemble FOLDER src/flatforce/data/files/tmd_alloys_pbe.extxyz
    python validation/tmd_alloys_pbe.py rattle FOLDER validation/mows2_rattled.extxyz [--workers 2]

`relax` is `flatforce alloy energies` with labels: every ordering up to `--cells` primitive cells, positions and in-plane
cell, CHGNet guiding the first steps. A killed run is resumed from its cache. `converge` prints how formation energies at
the relaxed sheets depend on cutoff, k points and smearing: only differences matter, so total energies may be far from
converged. `modes` prints the Γ modes of MoS2 and WS2 as the dataset has them relaxed, by displacements of 0.01 Å with its
settings. `rattle` labels strained sheets with displaced atoms of five orderings of MoWS2, from which a force field learns
forces and stiffness.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.progress import show_progress
from flatforce.core.units import THZ_IN_INVERSE_CM
from flatforce.data.bundled import dataset_path
from flatforce.data.frame_files import read_labelled, write_frames
from flatforce.data.frames import get_labels
from flatforce.properties.alloys.energies import grid_of
from flatforce.properties.phonons.force_constants.finite_displacements import make_phonopy, to_ase
from flatforce.reference.config import GpawSettings, LabelConfig
from flatforce.reference.label import label
from flatforce.structures.alloys import ORDERING, SYSTEM, alloy_lattice
from flatforce.structures.strain import apply_strain, rattle_positions
from flatforce.studies.alloy.config import AlloyStudy
from flatforce.studies.alloy.energies import AlloyEnergiesStage
from flatforce.studies.session import Session

if TYPE_CHECKING:
    from ase import Atoms

SETTINGS = GpawSettings(gamma_centred=True, smearing=0.05, use_symmetry=True)

SYSTEMS_K_LENGTH = {"MoWS2": 25.4, "NbMoS2": 38.0}
"""k-point length in Å: 8 × 8 k points of the primitive cell for a semiconductor, 12 × 12 for a metal, at least as dense
for the others, fixed while a sheet relaxes; `converge` shows the remaining error."""

CRITERIA = {"dft_force": 0.05, "dft_stress": 0.25}
"""Residual force in eV/Å and membrane stress in N/m at which relaxations end: with bonds of 10 eV/Å² and a sheet of
150 N/m the energy is within 0.2 meV per site of its minimum, and differences are closer."""

DFT = "GPAW, PBE, plane waves 400 eV, Fermi 0.05 eV, {k} × {k} k points of the primitive cell or denser, with Γ, no spin, c = 15 Å, free energy"

GUIDE = "chgnet:0.3.0"

DISPLACEMENT = 0.01
"""Displacement of the atoms in Å."""

SYSTEMS: dict[str, dict[str, Any]] = {
    "MoWS2": {"species": ["Mo", "W"], "a": 3.187, "thickness": 3.13},
    "NbMoS2": {"species": ["Nb", "Mo"], "a": 3.26, "thickness": 3.13},
}
"""Species, and lattice constant and thickness in Å; the lattice constant is between those of the end members."""

RATTLED = {"MoWS2-000": 8, "MoWS2-001": 4, "MoWS2-002": 4, "MoWS2-005": 4, "MoWS2-012": 3}
"""Name → number of rattled frames, of MoS2, WS2, x = 1/2, 1/3 and 3/4."""

CHANGES: dict[str, dict[str, Any]] = {
    "as they are": {},
    "6 × 6": {"k_length": 19.0},
    "8 × 8": {"k_length": 25.4},
    "12 × 12": {"k_length": 38.0},
    "16 × 16": {"k_length": 50.8},
    "smearing 0.02": {"smearing": 0.02},
    "cutoff 500": {"cutoff": 500.0},
}


def make_study(system: str, cells: int) -> AlloyStudy:
    shape = {"name": system, "prototype": "2H", "symbols": [SYSTEMS[system]["species"][0], "S"]}
    values = {**shape, "site": SYSTEMS[system]["species"][0], **SYSTEMS[system]}
    return AlloyStudy.parse({"alloy": values, "max_cells": cells, "energies": CRITERIA})


def converge(folder: Path, workers: int, systems: list[str]) -> None:
    """Print formation energies of the row (x = 1/2) and of √3 × √3 (x = 1/3) with finer settings, at the relaxed sheets."""
    for system in systems:
        lattice = alloy_lattice(make_study(system, 3).alloy)
        sheets = [frame for path in folder.glob(f"{system}-*/frames.extxyz") for frame in read_labelled(path)]
        sheets = [frame for frame in sheets if frame.info.get("relaxed") and is_compact(frame)]
        settings = SETTINGS.model_copy(update={"k_length": SYSTEMS_K_LENGTH[system]})
        for name, change in CHANGES.items():
            changed = settings.model_copy(update=change)
            labelled = label(
                sheets,
                LabelConfig(settings=changed, workers=workers),
                cache=folder / "converge",
                settings=[grid_of(changed, sheet) for sheet in sheets],
            )
            assert not labelled.failures, labelled.failures
            per_site = [get_labels(frame).energy / lattice.n_sites(frame) for frame in labelled.frames]
            concentrations = [lattice.composition(frame)[lattice.species[1]] for frame in labelled.frames]
            points = sorted(zip(concentrations, per_site, strict=True))
            first, last = (energy for x, energy in points if x in {0.0, 1.0})
            formation_energies = [
                f"x = {x:.2f}: {1e3 * (energy - (1 - x) * first - x * last):.2f}"
                for x, energy in points
                if 0 < x < 1
            ]
            print(system, name, "; ".join(formation_energies), "meV/site", flush=True)


def is_compact(sheet: Atoms) -> bool:
    """Select end members, the row of two sites and √3 × √3 at x = 1/3."""
    a, b, *_, gamma = sheet.cell.cellpar()
    hexagonal = abs(a / b - 1) < 0.01 and min(abs(gamma - 60), abs(gamma - 120)) < 1
    counts = sorted(np.unique(sheet.numbers[sheet.numbers != 16], return_counts=True)[1])
    last = max(sheet.numbers) if 74 in sheet.numbers else 42
    third = len(sheet) == 9 and hexagonal and int((sheet.numbers == last).sum()) == 1
    return len(sheet) <= 6 or (third and counts == [1, 2])


def relax(folder: Path, workers: int, systems: list[str], cells: int, guide: str) -> None:
    for system in systems:
        settings = SETTINGS.model_copy(update={"k_length": SYSTEMS_K_LENGTH[system]})
        labels = LabelConfig(settings=settings, workers=workers)
        stage = AlloyEnergiesStage(make_study(system, cells), labels=labels, with_model=True)
        result = stage.run(Session(guide, report=show_progress), folder / f"{system}-{cells}")
        print(system, result["metrics"], result["warnings"], flush=True)


def modes(folder: Path, workers: int) -> None:
    """Print Γ modes; they need the unit cell alone, since the images of an atom move with it."""
    settings = SETTINGS.model_copy(update={"k_length": SYSTEMS_K_LENGTH["MoWS2"]})
    for sheet in read_labelled(dataset_path("tmd-alloys-pbe")):
        if not sheet.info.get("relaxed") or sheet.get_chemical_formula() not in {"MoS2", "S2W"}:
            continue
        phonon = make_phonopy(sheet, (1, 1))
        phonon.generate_displacements(distance=DISPLACEMENT)
        displaced = [to_ase(cell) for cell in phonon.supercells_with_displacements or []]
        labelled = label(displaced, LabelConfig(settings=settings, workers=workers), cache=folder / "modes")
        assert not labelled.failures, labelled.failures
        phonon.forces = np.array([get_labels(frame).forces for frame in labelled.frames])
        phonon.produce_force_constants(show_drift=False)
        phonon.symmetrize_force_constants()
        wavenumbers = np.asarray(phonon.run_qpoints([[0, 0, 0]]).frequencies)[0] * THZ_IN_INVERSE_CM
        print(
            sheet.get_chemical_formula(),
            f"a = {sheet.cell.lengths()[0]:.4f} Å",
            np.round(wavenumbers, 1),
            flush=True,
        )


def rattle(folder: Path, target: Path, workers: int) -> None:
    rng = np.random.default_rng(20261129)
    settings = SETTINGS.model_copy(update={"k_length": SYSTEMS_K_LENGTH["MoWS2"]})
    frames, grids = [], []
    for sheet in read_labelled(dataset_path("tmd-alloys-pbe")):
        name = str(sheet.info["material"])
        for i in range(RATTLED.get(name, 0) if sheet.info.get("relaxed") else 0):
            xx, yy, xy = rng.uniform(-0.02, 0.02, size=3)
            frame = rattle_positions(
                apply_strain(sheet, xx=xx, yy=yy, xy=xy / 2),
                amplitude=rng.choice([0.02, 0.04, 0.07]),
                rng=rng,
            )
            frame.info = {"name": f"{name}-rattled-{i}", "material": name, "config_type": "rattled"}
            frame.info["dft"] = DFT.format(k=8)
            frames.append(frame)
            grids.append(grid_of(settings, sheet))
    with show_progress("rattled") as progress:
        labelled = label(
            frames,
            LabelConfig(settings=settings, workers=workers),
            cache=folder / "rattled",
            settings=grids,
            progress=progress,
        )
    assert not labelled.failures, labelled.failures
    write_frames(target, labelled.frames)


def assemble(folder: Path, target: Path) -> None:
    """Write the frames of all systems to one file."""
    frames = []
    for path in sorted(folder.glob("*/frames.extxyz")):
        for frame in read_labelled(path):
            keys = {SYSTEM, ORDERING, "name", "step", "relaxed", "relaxation", "REF_energy"}
            frame.info = {key: value for key, value in frame.info.items() if key in keys} | {
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
    parser.add_argument("what", choices=["converge", "relax", "modes", "rattle", "assemble"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("target", type=Path, nargs="?")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--system", choices=list(SYSTEMS), nargs="*", default=list(SYSTEMS))
    parser.add_argument("--cells", type=int, default=4)
    parser.add_argument(
        "--guide", default=GUIDE, help="a model that is fine-tuned on the first frames saves labels"
    )
    arguments = parser.parse_args()
    if arguments.what == "converge":
        converge(arguments.folder, arguments.workers, arguments.system)
    elif arguments.what == "relax":
        relax(arguments.folder, arguments.workers, arguments.system, arguments.cells, arguments.guide)
    elif arguments.what == "modes":
        modes(arguments.folder, arguments.workers)
    elif arguments.what == "rattle":
        rattle(arguments.folder, arguments.target, arguments.workers)
    else:
        assemble(arguments.folder, arguments.target)
