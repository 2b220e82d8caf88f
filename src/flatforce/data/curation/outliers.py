"""Frames that no force field should learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from vesin import ase_neighbor_list
from pydantic import PositiveFloat, PositiveInt

from flatforce.core.config import Config
from flatforce.core.units import EV_PER_A3_IN_KBAR
from flatforce.data.frames import get_labels

if TYPE_CHECKING:
    from ase import Atoms


class OutlierConfig(Config):
    """Limits, after the curation of universal force fields for 2D materials; null lifts one."""

    min_energy: float | None = -20.0
    """eV/atom."""
    max_energy: float | None = 0.0
    """eV/atom."""
    max_force: PositiveFloat | None = 20.0
    """eV/Å, norm on any atom."""
    max_stress: PositiveFloat | None = 500.0
    """kbar, any component."""
    max_sites: PositiveInt | None = 20
    """Atoms in a frame."""
    isolated: PositiveFloat | None = 5.0
    """Å. An atom without a neighbour this near is no part of a sheet."""


def why_outlier(frame: Atoms, config: OutlierConfig) -> str | None:
    """Say why a frame is an outlier.

    Parameters
    ----------
    frame
        A labelled frame.
    config
        Limits.

    Returns
    -------
    The first reason, or None.
    """
    labels = get_labels(frame)
    energy = labels.energy / len(frame)
    if config.max_sites is not None and len(frame) > config.max_sites:
        return "more sites than max_sites"
    if config.min_energy is not None and energy < config.min_energy:
        return "energy per atom below min_energy"
    if config.max_energy is not None and energy > config.max_energy:
        return "energy per atom above max_energy"
    if config.max_force is not None and np.linalg.norm(labels.forces, axis=1).max() > config.max_force:
        return "force above max_force"
    if config.max_stress is not None and labels.stress is not None:
        if EV_PER_A3_IN_KBAR * np.abs(labels.stress).max() > config.max_stress:
            return "stress above max_stress"
    if config.isolated is not None and _has_isolated(frame, config.isolated):
        return "an isolated atom"
    return None


def _has_isolated(frame: Atoms, reach: float) -> bool:
    (first,) = ase_neighbor_list("i", frame, reach)
    return bool((np.bincount(first, minlength=len(frame)) == 0).any())
