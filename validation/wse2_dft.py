"""WSe2 by GPAW (PBE): saddle points of the hops of a selenium vacancy, defects, elastic constants, two layers against their distance.

    OMP_NUM_THREADS=1 python validation/wse2_dft.py FOLDER NAME[:LABELS] ...

NAME is one of `pristine`, `v_Se`, `v_W`, `Se_W`, `v_Se2_pair`, `v_Se2_column`, `hop_in_plane`, `hop_through` (3 × 3 cells, relaxed from the
bundled model's structure with at most LABELS labels), `elastic`, `bilayer`, or `formation`, which prints what is finished. Labels are cached in FOLDER: a killed run resumes. A label of a
3 × 3 cell takes four to eight minutes on one core.

A saddle point between two equivalent sites lies on the symmetry plane between them, and forces do not lead off it. A relaxation that starts
on it therefore ends at the saddle point: that of `hop_in_plane` on the vertical mirror plane between two neighbouring sites of one face, that
of `hop_through` on the horizontal one, in a site that is threefold.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read, write

import flatforce as ff
from flatforce.core.units import EV_PER_A2_IN_N_PER_M
from flatforce.data.frames import get_labels
from flatforce.models.model_card import read_card
from flatforce.properties.defect_energies.chemical_potentials import find_limits
from flatforce.properties.spring_hessian import spring_hessian
from flatforce.reference.config import GpawSettings, LabelConfig, LabelRelaxation
from flatforce.reference.label import label
from flatforce.reference.relaxation import LabelledPath, RelaxationStart, relax_by_labels
from flatforce.structures.prototypes import monolayer
from flatforce.structures.strain import apply_strain

MODEL = "symmetrix:wse2-pbe"
A, THICKNESS, HEIGHT = 3.31906, 3.35796, 15.0
"""Å; lattice constant and distance of the planes of Se relaxed by GPAW with 12 × 12 k points."""
STRAINS = (-0.01, -0.005, 0.005, 0.01)
DISTANCES = (6.3, 6.5, 6.7, 6.9, 7.3, 8.0, 12.0)
"""Å, between the planes of W of two layers."""


def unit_cell() -> Atoms:
    return monolayer(("W", "Se"), prototype="2H", a=A, thickness=THICKNESS, height=HEIGHT)


def in_plane(cell: Atoms, first: int, second: int) -> np.ndarray:
    """Shortest vector between two atoms, in the plane."""
    return np.asarray(cell.get_distance(first, second, mic=True, vector=True))[:2]


def starts() -> dict[str, Atoms]:
    """All 3 × 3 cells, before they are relaxed by labels."""
    cell = unit_cell().repeat((3, 3, 1))
    tungsten = [atom.index for atom in cell if atom.symbol == "W"]
    middle = cell.positions[tungsten, 2].mean()
    top = [atom.index for atom in cell if atom.symbol == "Se" and atom.z > middle]
    bottom = [atom.index for atom in cell if atom.symbol == "Se" and atom.z < middle]
    site = top[4]
    neighbour = min((i for i in top if i != site), key=lambda i: np.linalg.norm(in_plane(cell, site, i)))
    below = min(bottom, key=lambda i: np.linalg.norm(in_plane(cell, site, i)))

    def without(atoms: Atoms, *removed: int) -> Atoms:
        atoms = atoms.copy()
        del atoms[list(removed)]
        return atoms

    antisite = cell.copy()
    antisite.symbols[tungsten[4]] = "Se"
    relaxed = {
        "v_Se": without(cell, site),
        "v_W": without(cell, tungsten[4]),
        "Se_W": antisite,
        "v_Se2_pair": without(cell, site, neighbour),
        "v_Se2_column": without(cell, site, below),
    }
    for atoms in relaxed.values():
        atoms.positions[:] = ff.relax(MODEL, atoms, relax_cell=False, max_force=0.01).atoms.positions
    beside = cell.copy()
    half = in_plane(cell, neighbour, site) / 2
    towards = [in_plane(cell, neighbour, i) - half for i in tungsten]
    away = -min(towards, key=lambda vector: float(np.linalg.norm(vector)))
    beside.positions[neighbour] += [*(half + 0.2 * away / np.linalg.norm(away)), 0.6]
    through = cell.copy()
    through.positions[below, 2] = middle
    for i in tungsten:
        vector = in_plane(cell, below, i)
        if np.linalg.norm(vector) < 2.2:
            through.positions[i, :2] += 0.33 * vector / np.linalg.norm(vector)
    return {
        "pristine": cell,
        **relaxed,
        "hop_in_plane": without(beside, site),
        "hop_through": without(through, site),
    }


def relax(start: Atoms, settings: GpawSettings, folder: Path, target: LabelRelaxation) -> LabelledPath:
    hessian = spring_hessian(start, relax_cell=False)
    (path,) = relax_by_labels(
        [RelaxationStart(start, settings, hessian)],
        LabelConfig(settings=settings, workers=1),
        target,
        cache=folder / "cache",
    )
    return path


def defect(name: str, n_labels: int, folder: Path) -> None:
    file = folder / "starts.extxyz"
    if not file.is_file():
        frames = starts()
        for key, atoms in frames.items():
            atoms.calc, atoms.info = None, {"name": key}
        write(file, list(frames.values()))
    start = next(atoms for atoms in read(file, ":") if atoms.info["name"] == name)
    target = LabelRelaxation(max_force=0.03, max_steps=n_labels, relax_cell=False)
    path = relax(start, GpawSettings(use_symmetry=True), folder, target)
    write(folder / f"{name}.extxyz", path.frames)
    for frame in path.frames:
        labels = get_labels(frame)
        print(f"{name}: {labels.energy:.4f} eV, {np.linalg.norm(labels.forces, axis=1).max():.3f} eV/Å")


def formation(folder: Path) -> None:
    """Formation energies of the finished defects at both limits, and what the bundled model gives in the same cells; barriers."""
    done = {path.stem: read(path, ":") for path in folder.glob("*.extxyz") if path.stem != "starts"}
    lowest = {name: min(frames, key=lambda one: get_labels(one).energy) for name, frames in done.items()}
    pristine, model = lowest.pop("pristine"), ff.load(MODEL)
    flat = get_labels(pristine).energy
    references = read_card(MODEL)["references"]
    limits = find_limits({"W": 1, "Se": 2}, flat / 9, references, set())
    for name, frame in lowest.items():
        if frame.get_chemical_symbols().count("W") < 8:
            continue  # another cell
        labels = get_labels(frame)
        counts = {
            element: (pristine.symbols == element).sum() - (frame.symbols == element).sum()
            for element in ("W", "Se")
        }
        energies = ", ".join(
            f"{limit.name} {labels.energy - flat + sum(n * limit.potentials[k] for k, n in counts.items()):.3f} eV"
            for limit in limits
        )
        predicted = model.evaluate(frame).energy - model.evaluate(pristine).energy
        residual = np.linalg.norm(labels.forces, axis=1).max()
        print(
            f"{name}: {energies}, largest force {residual:.2f} eV/Å, error of the model {predicted - labels.energy + flat:+.3f} eV"
        )
    for name in sorted({"hop_in_plane", "hop_through"} & set(lowest)):
        print(f"{name}: barrier {get_labels(lowest[name]).energy - get_labels(lowest['v_Se']).energy:.3f} eV")


def elastic(folder: Path) -> None:
    """Membrane stress at strains along x: with relaxed ions, and as the strain leaves them."""
    settings = GpawSettings(k_length=40.0)
    stress: dict[str, list[list[float]]] = {"clamped": [], "relaxed": []}
    for strain in STRAINS:
        start = apply_strain(unit_cell(), xx=strain)
        start.info = {"name": f"strain_{strain}"}
        target = LabelRelaxation(max_force=0.004, max_steps=12, relax_cell=False)
        path = relax(start, settings, folder, target)
        for kind, frame in (("clamped", path.frames[0]), ("relaxed", path.frames[-1])):
            labelled = get_labels(frame).stress
            assert labelled is not None  # GPAW gives stresses
            membrane = labelled * frame.cell[2, 2] * EV_PER_A2_IN_N_PER_M
            stress[kind].append([float(membrane[0, 0]), float(membrane[1, 1])])
        print(f"strain {strain:+.3f}: {stress['relaxed'][-1]} N/m, converged {path.relaxed}")
    for kind, values in stress.items():
        c11, c12 = np.polynomial.polynomial.polyfit(STRAINS, np.array(values), 2)[1]
        print(f"{kind} ions: C11 {c11:.1f}, C12 {c12:.1f} N/m")


def bilayer(folder: Path) -> None:
    """Energy of two layers in 2H stacking, W above Se, without dispersion; D3 is added afterwards."""
    lower, upper = unit_cell(), unit_cell()
    metal, chalcogen = (lower.positions[[a.symbol == s for a in lower]][0] for s in ("W", "Se"))
    for layer in (lower, upper):
        layer.positions[:, 2] -= metal[2]
    upper.positions[:, :2] = (metal + chalcogen)[:2] - upper.positions[:, :2]
    frames = []
    for distance in DISTANCES:
        second = upper.copy()
        second.positions[:, 2] += distance
        both = lower + second
        both.cell[2] = (0, 0, 28)
        both.positions[:, 2] += 14 - both.positions[:, 2].mean()
        both.wrap(pbc=(True, True, False))
        both.info = {"name": f"bilayer_{distance}", "distance": distance}
        frames.append(both)
    settings = GpawSettings(k_length=30.0, gamma_centred=True, use_symmetry=True)
    result = label(frames, LabelConfig(settings=settings, workers=1), cache=folder / "cache")
    write(folder / "bilayer.extxyz", result.frames)
    for frame in result.frames:
        print(f"{frame.info['distance']} Å: {get_labels(frame).energy:.4f} eV")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("parts", nargs="+")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for part in options.parts:
        name, _, count = part.partition(":")
        if name == "elastic":
            elastic(options.folder)
        elif name == "bilayer":
            bilayer(options.folder)
        elif name == "formation":
            formation(options.folder)
        else:
            defect(name, int(count or 8), options.folder)


if __name__ == "__main__":
    main()
