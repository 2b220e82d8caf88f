"""Keys under which labels are cached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.hashing import hash_structure, hash_value

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.reference.config import Settings


def is_spin_polarised(settings: Settings) -> bool:
    """Return whether initial magnetic moments affect a label.

    Parameters
    ----------
    settings
        Code and settings that determine the labels.

    Returns
    -------
    True for a spin-polarised calculation.
    """
    return bool(getattr(settings, "spin", False))


def label_key(atoms: Atoms, settings: Settings) -> str:
    """Identify a label by structure and settings.

    Parameters
    ----------
    atoms
        A structure.
    settings
        Code and settings that determine the labels.

    Returns
    -------
    20 hexadecimal digits, the same for equal structure and settings on every machine.
    """
    plain = settings.model_dump(mode="json")
    if not plain.get("use_symmetry", True):
        del plain["use_symmetry"]  # labels made before this setting existed keep their keys
    if plain.get("k_points", ()) is None:
        del plain["k_points"]  # as above
    moments = np.round(atoms.get_initial_magnetic_moments(), 6) + 0.0
    if is_spin_polarised(settings) and moments.any():
        return hash_value([hash_structure(atoms), plain, moments.tolist()])
    return hash_value([hash_structure(atoms), plain])
