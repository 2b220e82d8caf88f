"""Born effective charges of a WSe2 sheet by PBE, from polarisation differences (Berry phases of GPAW).

    mpirun -np 2 gpaw python validation/born_charges_wse2.py relaxed.extxyz

Each phase is cached in `born/`. The cell is periodic out of plane, 15 Å high, without a dipole correction: out-of-plane charges are those of a
stack of sheets, which exceed those of one sheet; nothing uses them. D3h leaves four independent numbers; the sum over the atoms, which must vanish, is a check.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from ase.io import read
from gpaw import GPAW, PW, FermiDirac
from gpaw.berryphase import polarization_phase
from gpaw.borncharges import displace_atom

from flatforce.core.hashing import hash_structure

STEP = 0.01
"""Å, displacement of an atom."""


def main() -> None:
    sheet = read(sys.argv[1])
    sheet.set_cell([*sheet.cell[:2], [0, 0, 15]])
    sheet.center(axis=2)
    sheet.pbc = True
    folder = Path("born") / hash_structure(sheet)[:10]
    folder.mkdir(exist_ok=True, parents=True)
    for atom, axis in ((0, 0), (0, 2), (1, 0), (1, 2)):
        phases = []
        for sign in (1, -1):
            cached = folder / f"{atom}_{axis}_{sign:+d}.json"
            if not cached.is_file():
                cached.write_text(json.dumps(_phase(displace_atom(sheet, atom, axis, sign, STEP), folder)))
            phases.append(np.array(json.loads(cached.read_text())))
        change = phases[0] - phases[1]
        change -= np.round(change / (2 * np.pi)) * 2 * np.pi
        charge = change @ sheet.cell.array / (2 * np.pi * 2 * STEP)
        print(sheet.symbols[atom], "xyz"[axis], charge.round(4), flush=True)


def _phase(atoms: object, folder: Path) -> list[float]:
    atoms.calc = GPAW(  # type: ignore[attr-defined]
        mode=PW(400),
        xc="PBE",
        kpts={"size": (6, 6, 1), "gamma": True},
        occupations=FermiDirac(0.01),
        symmetry="off",
        convergence={"density": 1e-6},
        txt=str(folder / "gpaw.txt"),
    )
    atoms.get_potential_energy()  # type: ignore[attr-defined]
    waves = folder / "waves.gpw"
    atoms.calc.write(waves, "all")  # type: ignore[attr-defined]
    phases: list[float] = polarization_phase(gpw_wfs=waves)["phase_c"].tolist()
    return phases


if __name__ == "__main__":
    main()
