"""Mocks of VASP and pw.x, which cannot be installed here: they answer as the programs would.

Run as `python mock_programs.py vasp|pw PLAN…`; each call follows the next word of the plan, kept in `calls.txt`.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read

import vasp_files
from flatforce.data.frames import Labels, attach_labels


def labels_of(atoms: Atoms) -> Labels:
    """A force of its own for each atom, told by its height and species, so that a wrong order shows."""
    forces = (
        np.outer(atoms.positions[:, 2] - atoms.positions[:, 2].mean(), (0.1, 0.2, 0.3))
        * atoms.numbers[:, None]
    )
    return Labels(-5.0 * len(atoms), forces - forces.mean(axis=0), np.diag([0.01, 0.02, 0.0]))


def next_word(plan: list[str]) -> str:
    record = Path("calls.txt")
    calls = record.read_text().split() if record.exists() else []
    word = plan[min(len(calls), len(plan) - 1)]
    record.write_text(" ".join([*calls, word]))
    return word


def vasp(plan: list[str]) -> None:
    word = next_word(plan)
    if word == "sleep":
        Path("process.txt").write_text(str(os.getpid()))
        time.sleep(60)
    atoms = read("POSCAR")
    assert isinstance(atoms, Atoms)
    frame = attach_labels(atoms, labels_of(atoms))
    text = vasp_files.vasprun([frame], iterations=[60 if word == "unconverged" else 9])
    if word == "crash":
        sys.stdout.write("Error EDDDAV: Call to ZHEGV failed")
        text = text[: len(text) // 2]
    Path("vasprun.xml").write_text(text)


if __name__ == "__main__":
    {"vasp": vasp}[sys.argv[1]](sys.argv[2:])
