"""Energies of bulk tungsten and selenium with the settings of the bundled labels, references of formation energies.

    OMP_NUM_THREADS=1 python validation/wse2_reference_energies.py FOLDER

GPAW, PBE, plane waves of 400 eV, Fermi–Dirac 0.02 eV, free energies relative to GPAW's reference atoms. Tungsten is bcc at three lattice
constants, selenium is trigonal with the lattice constants of PBE. Some ten minutes on one core.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk

TUNGSTEN = (3.16, 3.18, 3.20)
"""Å, lattice constants."""

SELENIUM = (4.51, 5.05, 0.218)
"""Å, a and c of the trigonal cell, and the position of the chains."""


def energy(atoms: Atoms, k_points: tuple[int, int, int], log: Path) -> float:
    from gpaw import GPAW, PW, FermiDirac

    atoms.calc = GPAW(
        mode=PW(400),
        xc="PBE",
        kpts={"size": k_points, "gamma": True},
        occupations=FermiDirac(0.02),
        convergence={"density": 1e-5},
        txt=str(log),
    )
    return float(atoms.get_potential_energy(force_consistent=True)) / len(atoms)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for a in TUNGSTEN:
        value = energy(bulk("W", "bcc", a=a), (14, 14, 14), folder / f"W_{a:.2f}.txt")
        print(f"W, a = {a:.2f} Å: {value:.4f} eV/atom", flush=True)
    a, c, u = SELENIUM
    cell = [[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, c]]
    chains = Atoms(
        "Se3", scaled_positions=[(u, 0, 1 / 3), (0, u, 2 / 3), (1 - u, 1 - u, 0)], cell=cell, pbc=True
    )
    print(f"Se: {energy(chains, (8, 8, 6), folder / 'Se.txt'):.4f} eV/atom")


if __name__ == "__main__":
    main()
