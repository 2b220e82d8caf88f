"""Energies of orderings from relaxations that were labelled before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import DataError
from flatforce.data.frames import get_labels
from flatforce.properties.alloys.table import Solved
from flatforce.structures.alloys import ORDERING, SYSTEM
from flatforce.structures.sheet import membrane_stress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.properties.alloys.energies import AlloyEnergies
    from flatforce.properties.alloys.table import State
    from flatforce.structures.alloys import AlloyLattice

ROUNDED = 1 + 1e-6
"""What files lose of a criterion that was just met."""


def energies_from_frames(
    lattice: AlloyLattice, frames: Sequence[Atoms], config: AlloyEnergies
) -> list[Solved]:
    """Take the ends of labelled relaxations.

    Parameters
    ----------
    lattice
        The alloy.
    frames
        Labelled frames; where some say in `system` that they are of this alloy, the others are left out. Steps of one
        relaxation share `ordering` (else `material`); the last one counts, or the last that says `relaxed`.
        `relaxation` in `info` says what was relaxed: cell (if absent), positions or none.
    config
        Settings: what may be left of forces.

    Returns
    -------
    One for each relaxation; one that ends with larger forces says so.

    Raises
    ------
    DataError
        If no frame holds the species of the alloy.
    """
    wanted = set(lattice.species) | set(lattice.inert)
    paths: dict[str, list[Atoms]] = {}
    named = any(frame.info.get(SYSTEM) == lattice.name for frame in frames)
    for number, frame in enumerate(frames):
        if named and frame.info.get(SYSTEM) != lattice.name:
            continue
        if set(frame.get_chemical_symbols()) <= wanted:
            name = frame.info.get(ORDERING) or frame.info.get("material") or f"frame {number}"
            paths.setdefault(str(name), []).append(frame)
    if not paths:
        raise DataError(
            f"No frame holds {lattice.name}.", fix=f"give frames of {', '.join(sorted(wanted))} alone"
        )
    found = []
    for name, path in paths.items():
        path.sort(key=lambda frame: int(frame.info.get("step", 0)))
        ends = [frame for frame in path if frame.info.get("relaxed")] or path[-1:]
        end = ends[-1]
        state = str(end.info.get("relaxation", "cell"))
        if state not in {"cell", "positions", "none"}:
            raise DataError(f"{name}: relaxation is {state!r}.", fix="use cell, positions or none")
        reason = _left_over(end, state, config)
        bare = end.copy()
        bare.info |= {ORDERING: name}
        found.append(Solved(bare, bare, get_labels(end).energy, _state(state), reason, len(path)))
    return found


def _left_over(end: Atoms, state: str, config: AlloyEnergies) -> str:
    """Say what speaks against a frame's being relaxed; empty if nothing does."""
    labels = get_labels(end)
    force = float(np.linalg.norm(labels.forces, axis=1).max())
    if state != "none" and force > (config.dft_force or config.max_force) * ROUNDED:
        return f"a force of {force:.3g} eV/Å is left"
    if state != "cell":
        return ""
    if labels.stress is None:
        told = "relaxed" in end.info or "relaxation" in end.info
        return "" if told else "no stress tells whether its cell is relaxed, nor does its info"
    tension = float(np.abs(membrane_stress(labels.stress, height=float(end.cell[2, 2]))).max())
    allowed = config.dft_stress or config.max_stress
    return f"a membrane stress of {tension:.3g} N/m is left" if tension > allowed * ROUNDED else ""


def _state(text: str) -> State:
    return "positions" if text == "positions" else "none" if text == "none" else "cell"
