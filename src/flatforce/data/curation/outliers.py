"""Frames with labels or structures that no force field should be trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.units import EV_PER_A3_IN_KBAR
from flatforce.data.frames import ISOLATED, config_type, get_labels

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.data.config import OutlierConfig


def outlier_reason(frame: Atoms, config: OutlierConfig, *, energy_deviation: float = 0.0) -> str | None:
    """Check a frame against the limits of a curation.

    Parameters
    ----------
    frame
        A labelled frame.
    config
        Limits.
    energy_deviation
        eV/atom, of its energy from a robust fit to those of all frames.

    Returns
    -------
    The first limit that the frame exceeds, in words; None if it exceeds none.
    """
    if config_type(frame) == ISOLATED and len(frame) == 1:
        return None  # it serves as a reference
    labels = get_labels(frame)
    energy = labels.energy / len(frame)
    force = np.linalg.norm(labels.forces, axis=1).max()
    stress = 0.0 if labels.stress is None else EV_PER_A3_IN_KBAR * np.abs(labels.stress).max()
    exceeded = {
        "more sites than max_sites": config.max_sites is not None and len(frame) > config.max_sites,
        "energy per atom below min_energy": config.min_energy is not None and energy < config.min_energy,
        "energy per atom above max_energy": config.max_energy is not None and energy > config.max_energy,
        "energy far from those of its composition (max_energy_deviation)": config.max_energy_deviation
        is not None
        and abs(energy_deviation) > config.max_energy_deviation,
        "force above max_force": config.max_force is not None and force > config.max_force,
        "stress above max_stress": config.max_stress is not None and stress > config.max_stress,
        "an isolated atom": config.isolated is not None and _has_isolated_atom(frame, config.isolated),
    }
    return next((reason for reason, is_exceeded in exceeded.items() if is_exceeded), None)


def _has_isolated_atom(frame: Atoms, cutoff: float) -> bool:
    from vesin import ase_neighbor_list  # it imports torch where that is installed

    (first_atoms,) = ase_neighbor_list("i", frame, cutoff)
    return bool((np.bincount(first_atoms, minlength=len(frame)) == 0).any())
