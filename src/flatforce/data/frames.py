"""Frames: `ase.Atoms` with DFT labels under the REF keys of MACE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.core.errors import DataError
from flatforce.data.stress_labels import stress_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray

ENERGY: Final = "REF_energy"
"""Key in `info` of the energy, in eV."""
FORCES: Final = "REF_forces"
"""Key in `arrays` of the forces, (N, 3) in eV/Å."""
STRESS: Final = "REF_stress"
"""Key in `info` of the stress, (9,) in eV/Å³, tension positive."""
ISOLATED_NOTE: Final = "{count} isolated atoms, which only serve as references, were left out"
"""Note of a result that does without them."""
ISOLATED: Final = "IsolatedAtom"
"""`config_type` of single atoms, whose energies are the atomic reference energies."""


@dataclass(frozen=True)
class Labels:
    """Labels of one frame."""

    energy: float
    """Energy in eV."""
    forces: FloatArray
    """(N, 3) eV/Å; NaN where not computed, which most readers refuse."""
    stress: FloatArray | None
    """(3, 3) eV/Å³, tension positive; None where not computed."""


def attach_labels(atoms: Atoms, labels: Labels) -> Atoms:
    """Return a copy of a structure that carries labels.

    Parameters
    ----------
    atoms
        A structure; its calculator is not copied.
    labels
        Labels to attach.

    Returns
    -------
    A copy of the structure with the labels under their keys in `info` and `arrays`, without a calculator.
    """
    frame = atoms.copy()
    frame.info[ENERGY] = float(labels.energy)
    frame.arrays[FORCES] = np.array(labels.forces, dtype=float)
    if labels.stress is not None:
        frame.info[STRESS] = np.array(labels.stress, dtype=float).reshape(9)
    return frame


def get_labels(frame: Atoms, *, need_forces: bool = True) -> Labels:
    """Read the labels of a frame.

    Parameters
    ----------
    frame
        A frame.
    need_forces
        Whether a frame without forces is refused; otherwise its forces are NaN.

    Returns
    -------
    Energy in eV, forces in eV/Å and, where there is one, stress in eV/Å³. All are finite, but missing forces are NaN.

    Raises
    ------
    DataError
        If energy or forces are missing, a label is not finite, or the stress has a wrong shape.
    """
    name = describe(frame)
    containers = {ENERGY: frame.info, FORCES: frame.arrays}
    needed = [ENERGY, FORCES] if need_forces else [ENERGY]
    missing = [key for key in needed if key not in containers[key]]
    if missing:
        raise DataError(
            f"{name} has no {' and no '.join(missing)}.",
            why=f"its keys are {', '.join(sorted([*frame.info, *frame.arrays]))}",
            fix="read files of any code with `flatforce data import FILE -o frames.extxyz`, or compute labels with `flatforce label`",
        )
    energy = float(frame.info[ENERGY])
    forces = np.asarray(frame.arrays[FORCES], dtype=float) if FORCES in frame.arrays else None
    stress = stress_matrix(frame.info[STRESS], name=f"{STRESS} of {name}") if STRESS in frame.info else None
    for key, value in ((ENERGY, energy), (FORCES, forces), (STRESS, stress)):
        if value is not None and not np.isfinite(value).all():
            raise DataError(f"{key} of {name} is not finite.", fix="remove the frame or label it again")
    return Labels(energy, np.full((len(frame), 3), np.nan) if forces is None else forces, stress)


def describe(frame: Atoms) -> str:
    """Name a frame in a message.

    Parameters
    ----------
    frame
        A frame.

    Returns
    -------
    Words for a message: the frame's name, where it has one, and its chemical formula.
    """
    formula = frame.get_chemical_formula()
    return f"frame {frame.info['name']!r} ({formula})" if "name" in frame.info else f"a frame of {formula}"


def config_type(frame: Atoms) -> str:
    """Return the configuration type of a frame, by which MACE weights and splits frames.

    Parameters
    ----------
    frame
        A frame.

    Returns
    -------
    `info["config_type"]`, or `Default` where it is missing, as in MACE.
    """
    return str(frame.info.get("config_type", "Default"))


def without_isolated(frames: Sequence[Atoms]) -> list[Atoms]:
    """Leave out isolated atoms, which only serve as references.

    Parameters
    ----------
    frames
        Frames of any config type.

    Returns
    -------
    The frames of other config types, in their order.

    Raises
    ------
    DataError
        If there is none.
    """
    sheets = [frame for frame in frames if config_type(frame) != ISOLATED]
    if not sheets:
        raise DataError("All frames are isolated atoms.", fix="give frames of sheets")
    return sheets


def material_of(frame: Atoms) -> str:
    """Return the name of the material of a frame.

    Parameters
    ----------
    frame
        A frame.

    Returns
    -------
    `info["material"]`, or the chemical formula where it is missing.
    """
    return str(frame.info.get("material", frame.get_chemical_formula()))
