"""Structures that extend the bundled WSe2 dataset, to be labelled with `flatforce label`.

    python validation/wse2_pbe_frames.py first > first.extxyz
    python validation/wse2_pbe_frames.py defects > defects.extxyz
    python validation/wse2_pbe_frames.py relaxed RELAXED_V_SE.extxyz > relaxed.extxyz
    python validation/wse2_pbe_frames.py small RELAXED.extxyz vW_3x3 6 > small.extxyz
    python validation/wse2_pbe_frames.py vacancy RELAXED_V_SE.extxyz > vacancy.extxyz
    python validation/wse2_pbe_frames.py strong RELAXED_V_SE.extxyz > strong.extxyz

`first` and `defects` need nothing; `relaxed` rattles a v_Se 3x3 cell that a force field trained on the frames before has
relaxed, because small displacements about the minimum are what phonons see. Seeds are fixed.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
from ase.io import read, write

from flatforce.structures.defects import build_defect
from flatforce.structures.prototypes import monolayer
from flatforce.structures.strain import apply_strain, rattle_positions

if TYPE_CHECKING:
    from collections.abc import Callable

    from ase import Atoms

LATTICE, THICKNESS = 3.3166, 3.3597
"""Å, PBE at 450 eV and 12×12 k points."""


def set_info(atoms: Atoms, kind: str, name: str) -> Atoms:
    atoms.info = {"name": name, "config_type": kind, "material": "WSe2"}
    return atoms


def first_round() -> list[Atoms]:
    rng = np.random.default_rng(20261121)
    unit = monolayer(("W", "Se"), prototype="2H", a=LATTICE, thickness=THICKNESS)
    frames = []
    for defect, kind in (("v_Se:top+v_Se:bottom~1", "vSe2_3x3"), ("Se@W", "SeW_3x3"), ("v_W", "vW_3x3")):
        for i, amplitude in enumerate((0.0, 0.02, 0.03)):
            cell = build_defect(unit, (3, 3), defect).atoms
            frames.append(
                set_info(rattle_positions(cell, amplitude=amplitude, rng=rng), kind, f"{kind[:-4]}3-{i:02d}")
            )
    for i, (amplitude, e) in enumerate(((0.02, 0.0), (0.03, 0.01), (0.05, -0.02), (0.1, 0.02))):
        cell = apply_strain(unit.repeat((3, 3, 1)), xx=e, yy=e)
        frames.append(
            set_info(rattle_positions(cell, amplitude=amplitude, rng=rng), "pristine_3x3", f"sc3-{i + 4:02d}")
        )
    for i, amplitude in enumerate((0.02, 0.02, 0.03, 0.03, 0.05, 0.05)):
        xx, yy, xy = rng.uniform(-0.02, 0.02, size=3)
        cell = apply_strain(unit.repeat((2, 2, 1)), xx=xx, yy=yy, xy=xy / 2)
        frames.append(
            set_info(
                rattle_positions(cell, amplitude=amplitude, rng=rng), "pristine_2x2", f"sc2-{i + 10:02d}"
            )
        )
    for i, e in enumerate(np.linspace(-0.04, 0.04, 6)):
        frames.append(set_info(apply_strain(unit, xx=e, yy=e), "pristine_1x1", f"prim-{24 + i:02d}"))
    shapes = [(0.03, 0.0, 0.0), (-0.03, 0.0, 0.0), (0.02, -0.02, 0.0), (0.0, 0.0, 0.02), (0.01, 0.0, -0.02)]
    shapes += [(0.0, 0.0, 0.0)] * 9
    for i, (xx, yy, xy) in enumerate(shapes):
        cell = rattle_positions(apply_strain(unit, xx=xx, yy=yy, xy=xy), amplitude=0.03, rng=rng)
        frames.append(set_info(cell, "pristine_1x1", f"prim-{30 + i:02d}"))
    return frames


def defect_round() -> list[Atoms]:
    rng = np.random.default_rng(20261123)
    unit = monolayer(("W", "Se"), prototype="2H", a=LATTICE, thickness=THICKNESS)
    frames = []
    for i, (amplitude, e) in enumerate(((0.03, 0.0), (0.05, 0.01), (0.07, -0.01))):
        for defect, kind in (("v_Se:top+v_Se:bottom~1", "vSe2_3x3"), ("Se@W", "SeW_3x3"), ("v_W", "vW_3x3")):
            cell = apply_strain(build_defect(unit, (3, 3), defect).atoms, xx=e, yy=e)
            frames.append(
                set_info(
                    rattle_positions(cell, amplitude=amplitude, rng=rng), kind, f"{kind[:-4]}3-{i + 3:02d}"
                )
            )
    return frames


def relaxed_round(path: str) -> list[Atoms]:
    rng = np.random.default_rng(20261122)
    base = read(path)
    assert not isinstance(base, list)
    frames = [set_info(base.copy(), "vSe_3x3_small", "vSe3-12")]
    amplitudes = (0.015, 0.015, 0.02, 0.02, 0.03, 0.03, 0.02, 0.02)
    strains = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.02, -0.02)
    for i, (amplitude, e) in enumerate(zip(amplitudes, strains, strict=True)):
        cell = rattle_positions(apply_strain(base, xx=e, yy=e), amplitude=amplitude, rng=rng)
        frames.append(set_info(cell, "vSe_3x3_small", f"vSe3-{i + 13:02d}"))
    return frames


def small_round(path: str, kind: str, first: str) -> list[Atoms]:
    """Rattles about a cell that a force field has relaxed; the label of the cell itself comes first."""
    rng = np.random.default_rng([20261124, *kind.encode()])
    base = read(path)
    assert not isinstance(base, list)
    amplitudes = (0.0, 0.015, 0.02, 0.02, 0.03, 0.03, 0.04, 0.05)
    return [
        set_info(
            rattle_positions(base, amplitude=amplitude, rng=rng), kind, f"{kind[:-4]}3-{int(first) + i:02d}"
        )
        for i, amplitude in enumerate(amplitudes)
    ]


def vacancy_round(path: str) -> list[Atoms]:
    """More of the displacements that decide the phonons of v_Se, two of them strained by 1 %."""
    rng = np.random.default_rng(20261127)
    base = read(path)
    assert not isinstance(base, list)
    displacements = ((0.02, 0.01), (0.03, -0.01), (0.03, 0.0), (0.02, 0.0))
    return [
        set_info(
            rattle_positions(apply_strain(base, xx=e, yy=e), amplitude=amplitude, rng=rng),
            "vSe_3x3_small",
            f"vSe3-{i + 21:02d}",
        )
        for i, (amplitude, e) in enumerate(displacements)
    ]


def strong_round(path: str) -> list[Atoms]:
    """Strong rattles of v_Se, every second one strained: the displacements of dynamics at 300–600 K."""
    rng = np.random.default_rng(20261128)
    base = read(path)
    assert not isinstance(base, list)
    frames = []
    for i, amplitude in enumerate((0.06, 0.07, 0.08, 0.09, 0.05) * 4):
        xx, yy, xy = rng.uniform(-0.015, 0.015, size=3) * (i % 2)
        cell = rattle_positions(apply_strain(base, xx=xx, yy=yy, xy=xy / 2), amplitude=amplitude, rng=rng)
        frames.append(set_info(cell, "vSe_3x3", f"vSe3-strong-{i:02d}"))
    return frames


if __name__ == "__main__":
    rounds: dict[str, Callable[..., list[Atoms]]] = {
        "first": first_round,
        "defects": defect_round,
        "relaxed": relaxed_round,
        "small": small_round,
        "vacancy": vacancy_round,
        "strong": strong_round,
    }
    frames = rounds[sys.argv[1]](*sys.argv[2:])
    write(sys.stdout, frames, format="extxyz")
