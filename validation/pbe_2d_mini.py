"""DFT relaxations of many small monolayers, each from a perturbed structure: the bundled dataset `2d-pbe-mini`.

    python validation/pbe_2d_mini.py relax CACHE OUT.extxyz [--workers 2] [--steps 8]
    python validation/pbe_2d_mini.py assemble OUT.extxyz src/flatforce/data/files/pbe_2d_mini.extxyz

Initial structures have the lattice constant and thickness of the literature, each changed at random by up to 4 %. They are relaxed
by ASE's BFGS in positions and in-plane cell with the symmetry preserved; each step is a labelled frame. One further frame of each
material has random displacements of 0.06 Å in a cell strained by up to 2 %. A killed run continues from its cache.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from flatforce.core.progress import show_progress
from flatforce.data.frame_files import read_labelled, write_frames
from flatforce.data.frames import get_labels
from flatforce.reference.config import GpawSettings, LabelConfig, LabelRelaxation
from flatforce.reference.label import label
from flatforce.reference.relaxation import RelaxationStart, relax_by_labels
from flatforce.structures.prototypes import monolayer
from flatforce.structures.strain import apply_strain, rattle_positions

if TYPE_CHECKING:
    from collections.abc import Sequence

SETTINGS = GpawSettings(k_length=24.0, gamma_centred=True, smearing=0.1, use_symmetry=True)
"""Settings chosen for speed: 8 × 8 k points for a = 3.2 Å, Fermi–Dirac smearing of 0.1 eV, no spin polarisation, c = 13 Å."""

DFT = "GPAW, PBE, plane waves 400 eV, Fermi 0.1 eV, k_length 24 Å with Γ, no spin, c = 13 Å, free energy"

HEIGHT = 13.0
MAX_FORCE, MAX_STRESS = 0.03, 0.1
"""Convergence criteria of a relaxation in eV/Å and N/m."""

MX2 = {  # Å: lattice constant, X–X distance
    "2H": {
        "MoS2": (3.18, 3.13), "MoSe2": (3.32, 3.34), "MoTe2": (3.55, 3.61), "WS2": (3.18, 3.14),
        "WSe2": (3.32, 3.36), "WTe2": (3.55, 3.62), "NbS2": (3.34, 3.13), "NbSe2": (3.47, 3.36),
        "NbTe2": (3.70, 3.68), "TaS2": (3.34, 3.12), "TaSe2": (3.47, 3.35), "TaTe2": (3.70, 3.66),
        "VS2": (3.17, 2.98), "VSe2": (3.33, 3.20), "VTe2": (3.59, 3.50), "TiS2": (3.33, 3.02),
        "TiSe2": (3.48, 3.24), "TiTe2": (3.73, 3.58), "ZrS2": (3.56, 3.13), "ZrSe2": (3.70, 3.37),
        "HfS2": (3.52, 3.12), "HfSe2": (3.65, 3.35), "ZrTe2": (3.92, 3.74), "HfTe2": (3.88, 3.72),
    },
    "1T": {
        "TiS2": (3.42, 2.84), "TiSe2": (3.54, 3.08), "TiTe2": (3.75, 3.45), "ZrS2": (3.68, 2.90),
        "ZrSe2": (3.79, 3.16), "ZrTe2": (3.97, 3.52), "HfS2": (3.64, 2.90), "HfSe2": (3.76, 3.15),
        "HfTe2": (3.97, 3.50), "VS2": (3.17, 2.94), "VSe2": (3.34, 3.15), "NbS2": (3.37, 3.12),
        "NbSe2": (3.48, 3.38), "TaS2": (3.38, 3.10), "TaSe2": (3.50, 3.35), "MoS2": (3.18, 3.15),
        "WS2": (3.19, 3.15), "MoSe2": (3.28, 3.45), "WSe2": (3.29, 3.45), "SnS2": (3.70, 2.95),
        "SnSe2": (3.87, 3.19), "PtS2": (3.57, 2.47), "PtSe2": (3.74, 2.66), "CdI2": (4.32, 3.45),
        "CdCl2": (3.88, 2.66), "MgCl2": (3.64, 2.70), "MgBr2": (3.84, 2.93), "PbI2": (4.66, 3.72),
    },
}  # fmt: skip

PAIRS = {  # Å: lattice constant, buckling
    "BN": (2.51, 0.0), "CC": (2.47, 0.0), "SiC": (3.10, 0.0), "BP": (3.21, 0.0), "AlN": (3.13, 0.0),
    "SiSi": (3.87, 0.45), "GeGe": (4.06, 0.69), "AsAs": (3.61, 1.40), "SbSb": (4.12, 1.64), "PP": (3.28, 1.24),
}  # fmt: skip

LAYERS = {"GaS": (3.63, 2.47, 4.64), "GaSe": (3.82, 2.47, 4.83), "InSe": (4.09, 2.81, 5.38)}
"""Å: lattice constant, metal–metal and chalcogen–chalcogen distance."""


def materials() -> list[Atoms]:
    """List the unperturbed structures."""
    sheets = []
    for prototype, members in MX2.items():
        for formula, (a, thickness) in members.items():
            metal, other = dict.fromkeys(Atoms(formula).symbols)
            sheet = monolayer((metal, other), prototype=prototype, a=a, thickness=thickness, height=HEIGHT)
            sheets.append(set_name(sheet, f"{formula}-{prototype}"))
    for formula, (a, buckling) in PAIRS.items():
        symbols = list(Atoms(formula).symbols)
        sheet = monolayer((symbols[0], symbols[1]), prototype="honeycomb", a=a, height=HEIGHT)
        sheet.positions[0, 2] += buckling
        element = symbols[0] == symbols[1]
        sheets.append(
            set_name(sheet, f"{symbols[0] if element else formula}-{'buckled' if buckling else 'honeycomb'}")
        )
    for formula, (a, inner, outer) in LAYERS.items():
        metal, other = Atoms(formula).symbols
        half = monolayer((metal, other), prototype="2H", a=a, thickness=outer, height=HEIGHT)
        sheet = half + Atoms([metal], positions=[half.positions[0]])
        sheet.positions[[0, 3], 2] += np.array([1, -1]) * inner / 2
        sheets.append(set_name(sheet, f"{formula}-layer"))
    for element, cell, y, z in (("P", (3.30, 4.62), 0.081, 1.06),):
        scaled = [(0, -y), (0.5, 0.5 + y), (0.5, 0.5 - y), (0, y)]
        heights = np.array([1, 1, -1, -1]) * z
        positions = [
            (u * cell[0], v * cell[1], HEIGHT / 2 + h) for (u, v), h in zip(scaled, heights, strict=True)
        ]
        sheet = Atoms([element] * 4, positions=positions, cell=[*cell, HEIGHT], pbc=True)
        sheets.append(set_name(sheet, f"{element}-black"))
    return sheets


def set_name(sheet: Atoms, material: str) -> Atoms:
    sheet.info = {"material": material, "name": material}
    return sheet


def perturb(sheet: Atoms) -> Atoms:
    """Perturb lattice constant and thickness, with the symmetry preserved."""
    rng = np.random.default_rng([20261121, *sheet.info["material"].encode()])
    stretch, squeeze = rng.uniform(-0.04, 0.04, size=2)
    moved = apply_strain(sheet, xx=stretch, yy=stretch)
    moved.positions[:, 2] = HEIGHT / 2 + (1 + squeeze) * (moved.positions[:, 2] - HEIGHT / 2)
    return moved


def rattle_and_strain(end: Atoms) -> Atoms:
    """Apply random displacements and strain to a relaxed structure."""
    material = end.info["material"]
    rng = np.random.default_rng([20261122, *material.encode()])
    xx, yy, xy = rng.uniform(-0.02, 0.02, size=3)
    frame = rattle_positions(apply_strain(end, xx=xx, yy=yy, xy=xy / 2), amplitude=0.06, rng=rng)
    frame.info = {"material": material, "config_type": "rattled", "name": f"{material}-rattled"}
    return frame


def relax_all(cache: Path, out: Path, *, workers: int, steps: int) -> None:
    config = LabelConfig(settings=SETTINGS, workers=workers)
    target = LabelRelaxation(max_force=MAX_FORCE, max_stress=MAX_STRESS, max_steps=steps + 1)
    starts = [RelaxationStart(perturb(sheet), SETTINGS) for sheet in materials()]
    with show_progress("relax") as progress:
        paths = relax_by_labels(starts, config, target, cache=cache, progress=progress)
    ends = [path.frames[-1] for path in paths if path.relaxed]
    frames: Sequence[Atoms] = [frame for path in paths for frame in path.frames] + [
        rattle_and_strain(end) for end in ends
    ]
    labelled = label(frames, config, cache=cache)
    write_frames(out, labelled.frames)
    print(f"{len(labelled.frames)} frames, {len(labelled.failures)} failures: {labelled.failures}")


def assemble(source: Path, target: Path) -> None:
    frames = read_labelled(source)
    for frame in frames:
        frame.info["dft"] = DFT
        stress = get_labels(frame).stress
        assert stress is not None
        frame.info["REF_stress"] = stress.reshape(9)
    write_frames(target, frames)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["relax", "assemble"])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--steps", type=int, default=8)
    options = parser.parse_args()
    if options.what == "relax":
        relax_all(options.source, options.target, workers=options.workers, steps=options.steps)
    else:
        assemble(options.source, options.target)
