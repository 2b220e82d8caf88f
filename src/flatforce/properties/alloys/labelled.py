"""Energies of orderings from existing labelled relaxations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import DataError
from flatforce.data.frames import get_labels
from flatforce.properties.alloys.table import OrderingEnergy
from flatforce.structures.alloys import ORDERING, SYSTEM
from flatforce.structures.sheet import cell_height, membrane_stress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.properties.alloys.config import AlloyEnergyConfig, RelaxationMode
    from flatforce.structures.alloys import AlloyLattice

FILE_ROUNDING = 1 + 1e-6
"""Factor by which a criterion that was just met may be exceeded after numbers are rounded in a file."""


def energies_from_frames(
    lattice: AlloyLattice, frames: Sequence[Atoms], config: AlloyEnergyConfig
) -> list[OrderingEnergy]:
    """Take the energies of the last frames of labelled relaxations.

    Parameters
    ----------
    lattice
        The alloy.
    frames
        Labelled frames. If `system` in `info` of some frames names this alloy, the other frames are ignored. Steps of one
        relaxation share `ordering` (else `material`); the last step counts, or the last one with `relaxed`. `relaxation`
        in `info` is what was relaxed: cell (if absent), positions or none.
    config
        Settings: which residual forces and stresses are allowed.

    Returns
    -------
    Energy of each relaxation; one with larger residual forces has a `failure`.

    Raises
    ------
    DataError
        If no frame holds the species of the alloy, or `relaxation` is unknown.
    """
    symbols = set(lattice.species) | set(lattice.inert)
    paths: dict[str, list[Atoms]] = {}
    has_system = any(frame.info.get(SYSTEM) == lattice.name for frame in frames)
    for number, frame in enumerate(frames):
        if has_system and frame.info.get(SYSTEM) != lattice.name:
            continue
        if set(frame.get_chemical_symbols()) <= symbols:
            name = frame.info.get(ORDERING) or frame.info.get("material") or f"frame {number}"
            paths.setdefault(str(name), []).append(frame)
    if not paths:
        raise DataError(
            f"No frame holds {lattice.name}.",
            fix=f"give --frames a file with frames of {', '.join(sorted(symbols))} alone",
        )
    return [_energy_of_path(name, path, config) for name, path in paths.items()]


def _energy_of_path(name: str, path: list[Atoms], config: AlloyEnergyConfig) -> OrderingEnergy:
    path.sort(key=lambda frame: int(frame.info.get("step", 0)))
    relaxed_frames = [frame for frame in path if frame.info.get("relaxed")] or path[-1:]
    last = relaxed_frames[-1]
    relaxation = _parse_relaxation(name, str(last.info.get("relaxation", "cell")))
    failure = _find_residual(last, relaxation, config)
    sheet = last.copy()
    sheet.info |= {ORDERING: name}
    return OrderingEnergy(sheet, sheet, get_labels(last).energy, relaxation, failure, len(path))


def _find_residual(frame: Atoms, relaxation: RelaxationMode, config: AlloyEnergyConfig) -> str:
    """Describe the residual force or stress that exceeds its limit; empty if the frame is relaxed."""
    labels = get_labels(frame)
    force = float(np.linalg.norm(labels.forces, axis=1).max())
    if relaxation != "none" and force > (config.dft_force or config.max_force) * FILE_ROUNDING:
        return f"has a residual force of {force:.3g} eV/Å"
    if relaxation != "cell":
        return ""
    if labels.stress is None:
        documented = "relaxed" in frame.info or "relaxation" in frame.info
        return "" if documented else "has neither a stress nor info that shows whether its cell is relaxed"
    stress = float(np.abs(membrane_stress(labels.stress, height=cell_height(frame))).max())
    max_stress = config.dft_stress or config.max_stress
    return (
        f"has a residual membrane stress of {stress:.3g} N/m" if stress > max_stress * FILE_ROUNDING else ""
    )


def _parse_relaxation(name: str, text: str) -> RelaxationMode:
    if text == "cell":
        return "cell"
    if text == "positions":
        return "positions"
    if text == "none":
        return "none"
    raise DataError(
        f"{name}: relaxation is {text!r}.", fix="set relaxation in info to cell, positions or none"
    )
