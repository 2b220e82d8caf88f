"""Frames: `ase.Atoms` with DFT labels under the REF keys that MACE made customary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from ase.calculators.calculator import PropertyNotImplementedError
from ase.io import read, write
from ase.stress import voigt_6_to_full_3x3_stress

from flatforce.core.errors import DataError
from flatforce.core.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray

ENERGY: Final = "REF_energy"
"""eV, key in `info`."""
FORCES: Final = "REF_forces"
"""(N, 3) eV/Å, key in `arrays`."""
STRESS: Final = "REF_stress"
"""(9,) eV/Å³, tension positive, key in `info`."""
ISOLATED: Final = "IsolatedAtom"
"""`config_type` of single atoms that give the reference energies."""


@dataclass(frozen=True)
class Labels:
    """What DFT says of one frame."""

    energy: float
    """eV."""
    forces: FloatArray
    """(N, 3) eV/Å; NaN where not computed, which most readers refuse."""
    stress: FloatArray | None
    """(3, 3) eV/Å³, tension positive; None where not computed."""


def attach_labels(atoms: Atoms, labels: Labels) -> Atoms:
    """Return a copy of a structure that carries labels.

    Parameters
    ----------
    atoms
        A structure; its calculator is left behind.
    labels
        What to attach.

    Returns
    -------
    The frame.
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
        Whether a frame without forces is refused; else they are NaN.

    Returns
    -------
    Its labels.

    Raises
    ------
    DataError
        If energy or forces are missing or not finite, or a shape is wrong.
    """
    name = describe(frame)
    bare = not need_forces and FORCES not in frame.arrays
    wanted = [(ENERGY, frame.info)] if bare else [(ENERGY, frame.info), (FORCES, frame.arrays)]
    missing = [key for key, where in wanted if key not in where]
    if missing:
        raise DataError(
            f"{name} has no {' and no '.join(missing)}.",
            why=f"keys found: {', '.join(sorted([*frame.info, *frame.arrays]))}",
            fix=f"label it first, or rename the keys to {ENERGY} and {FORCES}",
        )
    energy = float(frame.info[ENERGY])
    forces = np.full((len(frame), 3), np.nan) if bare else np.asarray(frame.arrays[FORCES], dtype=float)
    stress = _full_stress(frame.info[STRESS], name) if STRESS in frame.info else None
    for key, value in ((ENERGY, energy), (FORCES, None if bare else forces), (STRESS, stress)):
        if value is not None and not np.isfinite(value).all():
            raise DataError(f"{key} of {name} is not finite.", fix="remove the frame or label it again")
    return Labels(energy=energy, forces=forces, stress=stress)


def _full_stress(value: object, name: str) -> FloatArray:
    stress = np.asarray(value, dtype=float)
    if stress.size == 9:
        return stress.reshape(3, 3)
    if stress.shape == (6,):
        full: FloatArray = voigt_6_to_full_3x3_stress(stress)
        return full
    raise DataError(f"{STRESS} of {name} has shape {stress.shape}.", fix="give 9 or 6 (Voigt) numbers")


def describe(frame: Atoms) -> str:
    """Name a frame in a message.

    Parameters
    ----------
    frame
        A frame.

    Returns
    -------
    Its name and formula.
    """
    formula = frame.get_chemical_formula()
    return f"frame {frame.info['name']!r} ({formula})" if "name" in frame.info else f"a frame of {formula}"


def config_type(frame: Atoms) -> str:
    """Return the group a frame belongs to.

    Parameters
    ----------
    frame
        A frame.

    Returns
    -------
    `info["config_type"]`, or `Default`, as MACE has it.
    """
    return str(frame.info.get("config_type", "Default"))


def material_of(frame: Atoms) -> str:
    """Name the material of a frame.

    Parameters
    ----------
    frame
        A frame.

    Returns
    -------
    `info["material"]`, or its formula.
    """
    return str(frame.info.get("material", frame.get_chemical_formula()))


def calculated_stress(atoms: Atoms) -> FloatArray | None:
    """Ask the calculator of a structure for its stress, constraints aside.

    Parameters
    ----------
    atoms
        A structure with a calculator.

    Returns
    -------
    (3, 3) eV/Å³, tension positive; None if the calculator has none.
    """
    try:
        return np.asarray(atoms.get_stress(voigt=False, apply_constraint=False), dtype=float)
    except (PropertyNotImplementedError, NotImplementedError):
        return None


def read_frames(path: Path) -> list[Atoms]:
    """Read all frames of a file and refuse a damaged one.

    Parameters
    ----------
    path
        Extended XYZ, or anything ASE reads.

    Returns
    -------
    The frames, at least one.

    Raises
    ------
    DataError
        If the file is absent, truncated or empty.
    """
    if not path.is_file():
        raise DataError(f"There is no file {path}.", fix="check the path of the frames")
    try:
        found = read(path, index=":")
    except Exception as error:
        raise DataError(
            f"{path} could not be read.",
            why=f"{type(error).__name__}: {error}",
            fix="the file may be cut short: copy it again, or remove the damaged frame",
        ) from error
    frames = found if isinstance(found, list) else [found]
    if not frames:
        raise DataError(f"{path} holds no frames.")
    if path.suffix in {".xyz", ".extxyz"}:
        _check_last_line(path)
    return frames


def _check_last_line(path: Path) -> None:
    """Refuse a file cut inside its last number: ASE refuses every other cut, and reads this one as a wrong number."""
    if not path.read_bytes().endswith(b"\n"):
        raise DataError(
            f"{path} is cut short.",
            why="its last line has no end, so its last number may have lost digits",
            fix="copy the file again; if it is whole, end its last line",
        )


def read_labelled(path: Path, *, need_forces: bool = True) -> list[Atoms]:
    """Read frames and make sure that each is labelled with finite numbers.

    Parameters
    ----------
    path
        Extended XYZ with REF keys.
    need_forces
        Whether a frame without forces is refused.

    Returns
    -------
    The frames.
    """
    frames = read_frames(path)
    for frame in frames:
        get_labels(frame, need_forces=need_forces)
    return frames


def read_structure(path: Path) -> Atoms:
    """Read exactly one structure.

    Parameters
    ----------
    path
        Any format that ASE knows.

    Returns
    -------
    The structure.

    Raises
    ------
    DataError
        If the file holds several.
    """
    frames = read_frames(path)
    if len(frames) > 1:
        raise DataError(
            f"{path} holds {len(frames)} structures, one is wanted.", fix="write the one you mean to a file"
        )
    return frames[0]


def write_frames(path: Path, frames: Sequence[Atoms]) -> None:
    """Write frames as extended XYZ, whole or not at all.

    Parameters
    ----------
    path
        Where.
    frames
        What; labels in REF keys.
    """
    plain = [frame.copy() for frame in frames]
    write_atomically(path, lambda part: write(part, plain, format="extxyz"))
