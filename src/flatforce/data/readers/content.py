"""What a reader returns: frames, and what it refused and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase import Atoms

from flatforce.core.units import EV_PER_A3_IN_KBAR
from flatforce.data.frames import Labels, attach_labels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from flatforce.core.arrays import FloatArray

STEP: Final = "step"
"""Key in `info`: ionic step in its file, from 0."""
SOURCE: Final = "source"
"""Key in `info`: file, relative to the root of the import."""
SETTINGS: Final = ("code", "functional", "cutoff", "kpoints", "smearing", "dispersion", "spin", "soc")
"""DFT settings that matter; keys in `info` with `dft_` before them."""

UNCONVERGED: Final = "electronic steps not converged"
MACHINE_LEARNED: Final = "predicted by a machine-learned force field, not computed"
NO_FORCES: Final = "no forces"
TRUNCATED: Final = "the file ends in the middle of a step"
DUPLICATE: Final = "the same as the step before"
NOT_FINITE: Final = "a label is not finite"


@dataclass(frozen=True)
class Refusal:
    """A step, or a whole file, that was not taken."""

    reason: str
    step: int | None = None
    """None for the whole file."""
    source: str = ""


@dataclass(frozen=True)
class FileContent:
    """What was found in a file."""

    frames: list[Atoms] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What a user should know though nothing was refused."""


def labelled(
    atoms: Atoms,
    *,
    step: int,
    energy: float,
    forces: ArrayLike,
    stress: FloatArray | None,
    settings: dict[str, Any],
) -> Atoms:
    """Make a frame.

    Parameters
    ----------
    atoms
        Structure; constraints and calculator are left behind.
    step
        Ionic step.
    energy
        eV, free energy.
    forces
        (N, 3) eV/Å.
    stress
        (3, 3) eV/Å³, tension positive, or None.
    settings
        DFT settings, keys of `SETTINGS`.

    Returns
    -------
    The frame.
    """
    bare = Atoms(atoms.get_chemical_symbols(), positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    frame = attach_labels(bare, Labels(float(energy), np.asarray(forces, dtype=float), stress))
    frame.info[STEP] = step
    frame.info |= {f"dft_{name}": settings[name] for name in SETTINGS if settings.get(name) is not None}
    return frame


def from_kbar(stress: ArrayLike) -> FloatArray:
    """Turn VASP's stress into ours: it prints kbar with compression positive.

    Parameters
    ----------
    stress
        (3, 3) kbar.

    Returns
    -------
    (3, 3) eV/Å³, tension positive.
    """
    tension: FloatArray = -np.asarray(stress, dtype=float) / EV_PER_A3_IN_KBAR
    return tension


def without_repeats(content: FileContent) -> FileContent:
    """Drop steps that repeat the step before to the last digit, as a restarted run writes them.

    Parameters
    ----------
    content
        Steps in order.

    Returns
    -------
    The same without them; each is among the refused.
    """
    kept: list[Atoms] = []
    refused = list(content.refused)
    for frame in content.frames:
        if kept and _same(kept[-1], frame):
            refused.append(Refusal(DUPLICATE, frame.info[STEP]))
        else:
            kept.append(frame)
    return FileContent(kept, refused, content.notes)


def _same(one: Atoms, other: Atoms) -> bool:
    return (
        len(one) == len(other)
        and np.array_equal(one.numbers, other.numbers)
        and np.array_equal(one.positions, other.positions)
        and np.array_equal(one.cell.array, other.cell.array)
        and one.info["REF_energy"] == other.info["REF_energy"]
    )
