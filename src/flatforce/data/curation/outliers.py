"""Frames that no force field should learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import PositiveFloat, PositiveInt
from vesin import ase_neighbor_list

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
    force = np.linalg.norm(labels.forces, axis=1).max()
    stress = 0.0 if labels.stress is None else EV_PER_A3_IN_KBAR * np.abs(labels.stress).max()
    broken = {
        "more sites than max_sites": config.max_sites is not None and len(frame) > config.max_sites,
        "energy per atom below min_energy": config.min_energy is not None and energy < config.min_energy,
        "energy per atom above max_energy": config.max_energy is not None and energy > config.max_energy,
        "force above max_force": config.max_force is not None and force > config.max_force,
        "stress above max_stress": config.max_stress is not None and stress > config.max_stress,
        "an isolated atom": config.isolated is not None and _has_isolated(frame, config.isolated),
    }
    return next((reason for reason, holds in broken.items() if holds), None)


def _has_isolated(frame: Atoms, reach: float) -> bool:
    (first,) = ase_neighbor_list("i", frame, reach)
    return bool((np.bincount(first, minlength=len(frame)) == 0).any())
