"""One layer of copper and gold, labelled by EMT in the place of DFT."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.calculators.emt import EMT

from flatforce.data.frames import Labels, attach_labels

EMT_SPEC = "ase:ase.calculators.emt:EMT"

COMMITTEE = f"committee:{EMT_SPEC},ase:ase.calculators.lj:LennardJones?sigma=2.3&epsilon=0.4&rc=6.0"
"""Two members that do not agree."""

TRAIN = {
    "name": "m",
    "model": {"kind": "mace", "hidden_irreps": "8x0e", "r_max": 3.4, "num_interactions": 1},
    "epochs": 3,
    "batch_size": 4,
    "stage_two": None,
    "n_models": 2,
}
"""A training that takes seconds."""


def make_sheet(repeats: int = 3) -> Atoms:
    a = 2.6
    cell = [[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, 15]]
    atoms = Atoms("Cu", positions=[[0, 0, 7.5]], cell=cell, pbc=True).repeat((repeats, repeats, 1))
    atoms.symbols[::3] = "Au"
    return atoms


def make_labelled(count: int, seed: int) -> list[Atoms]:
    rng = np.random.default_rng(seed)
    frames = []
    for number in range(count):
        atoms = make_sheet()
        atoms.positions += rng.normal(scale=0.05 + 0.1 * (number % 2), size=atoms.positions.shape)
        atoms.calc = EMT()
        labels = Labels(atoms.get_potential_energy(), atoms.get_forces(), None)
        frame = atoms.copy()
        frame.calc = None
        frame.info = {"config_type": "rattle", "name": f"s{seed}-{number}"}
        frames.append(attach_labels(frame, labels))
    return frames
