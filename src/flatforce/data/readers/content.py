"""Result of a reader: frames, and what it refused with the reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase import Atoms

from flatforce.core.units import EV_PER_A3_IN_KBAR
from flatforce.data.frames import ENERGY, Labels, attach_labels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from flatforce.core.arrays import FloatArray

STEP: Final = "step"
"""Key in `info`: number of the ionic step in its file, from 0."""
SOURCE: Final = "source"
"""Key in `info`: path of the file below the root of the import."""
PART: Final = "part"
"""Key in `info`: number of the run in a file that holds several, from 1 for the second one."""
SETTINGS: Final = (
    "code",
    "xc",
    "cutoff",
    "kpoints",
    "smearing",
    "dispersion",
    "spin",
    "soc",
    "hubbard",
    "potentials",
    "charge",
)
"""DFT settings of a frame; their keys in `info` begin with `dft_`."""

ASYMMETRY: Final = 1e-3
"""Largest difference of σ_ij and σ_ji, as a fraction of the largest component, that counts as round-off."""

ROUND_OFF: Final = 2e-5
"""eV/Å³. Round-off of stresses printed in kbar with two decimals."""

MIN_VOLUME: Final = 1.0
"""Å³ per atom. Less than in any matter; only damaged lattice vectors have it."""

UNCONVERGED: Final = "electronic steps not converged"
MACHINE_LEARNED: Final = "predicted by a machine-learned force field, not computed"
NO_FORCES: Final = "no forces"
TRUNCATED: Final = "the file ends in the middle of a step"
DAMAGED: Final = "damaged or incomplete"
DUPLICATE: Final = "identical to the step before"
NOT_FINITE: Final = "a label is not finite"


@dataclass(frozen=True)
class Refusal:
    """A step, or a whole file, that was not accepted."""

    reason: str
    """Why it was refused."""
    step: int | None = None
    """Number of the ionic step, from 0; None for the whole file."""
    source: str = ""
    """Path of the file below the root of the import."""


@dataclass(frozen=True)
class FileContent:
    """Content of a file."""

    frames: list[Atoms] = field(default_factory=list)
    """Labelled frames."""
    refused: list[Refusal] = field(default_factory=list)
    """Steps that were not accepted."""
    notes: list[str] = field(default_factory=list)
    """What a user should know though nothing was refused."""


def build_frame(
    atoms: Atoms,
    *,
    step: int,
    energy: float,
    forces: ArrayLike,
    stress: FloatArray | None,
    settings: dict[str, Any],
) -> Atoms:
    """Build a labelled frame.

    Parameters
    ----------
    atoms
        Structure; its constraints and calculator are not copied.
    step
        Number of the ionic step.
    energy
        Free energy in eV.
    forces
        (N, 3) eV/Å.
    stress
        (3, 3) eV/Å³, tension positive, or None.
    settings
        DFT settings, with keys of `SETTINGS`; None where unknown.

    Returns
    -------
    A frame with its labels, its step and its settings in `info`.

    Raises
    ------
    ValueError
        If the labels do not belong to the structure by their shapes, or the structure is not finite.
    """
    forces = np.asarray(forces, dtype=float)
    if forces.shape != (len(atoms), 3) or len(atoms) == 0:
        raise ValueError(f"forces of shape {forces.shape} on {len(atoms)} atoms")
    if stress is not None and np.shape(stress) != (3, 3):
        raise ValueError(f"a stress of shape {np.shape(stress)}")
    if stress is not None and np.abs(stress - stress.T).max() > ASYMMETRY * np.abs(stress).max() + ROUND_OFF:
        raise ValueError("the stress is not symmetric")
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise ValueError("a position or a lattice vector is not finite")
    if atoms.cell.rank == 3 and atoms.get_volume() < MIN_VOLUME * len(atoms):
        raise ValueError("the lattice vectors lie in one plane")
    bare = Atoms(atoms.get_chemical_symbols(), positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    frame = attach_labels(bare, Labels(float(energy), forces, stress))
    frame.info[STEP] = step
    frame.info |= {f"dft_{name}": settings[name] for name in SETTINGS if settings.get(name) is not None}
    return frame


def from_kbar(stress: ArrayLike) -> FloatArray:
    """Convert VASP's stress, which it prints in kbar with compression positive.

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


def drop_repeated_steps(content: FileContent) -> FileContent:
    """Drop steps that are identical to the step before to the last digit, as a restarted run writes them.

    Parameters
    ----------
    content
        Steps in their order.

    Returns
    -------
    The content without the repeated steps, which are listed among the refused.
    """
    frames: list[Atoms] = []
    refused = list(content.refused)
    for frame in content.frames:
        if frames and _is_identical(frames[-1], frame):
            refused.append(Refusal(DUPLICATE, frame.info[STEP]))
        else:
            frames.append(frame)
    return FileContent(frames, refused, content.notes)


def _is_identical(frame: Atoms, other: Atoms) -> bool:
    return (
        len(frame) == len(other)
        and np.array_equal(frame.numbers, other.numbers)
        and np.array_equal(frame.positions, other.positions)
        and np.array_equal(frame.cell.array, other.cell.array)
        and frame.info[ENERGY] == other.info[ENERGY]
    )
