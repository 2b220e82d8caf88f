"""Extended XYZ with labels under any customary key, in any customary unit and sign."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase.io.extxyz import read_xyz
from ase.stress import voigt_6_to_full_3x3_stress

from flatforce.core.units import EV_PER_A3_IN_KBAR
from flatforce.data.readers.content import NO_FORCES, SETTINGS, FileContent, Refusal, labelled

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray

ENERGIES: Final = (
    "REF_energy",
    "free_energy",
    "energy",
    "dft_energy",
    "dft_energy_ev",
    "mace_energy_ref",
    "etot",
)
FORCES: Final = ("REF_forces", "forces", "force", "dft_forces", "dft_force")
STRESSES: Final = ("REF_stress", "stress", "dft_stress")
VIRIALS: Final = ("REF_virial", "REF_virials", "virial", "virials", "dft_virial")
"""Keys in order of preference, without regard to case; NEP, GAP, MACE, NequIP and ASE write them."""

CONVENTION: Final = "stress_convention"
"""Key in `info`: what the stress was taken for, until the audit has verified it."""


def read_keyed_xyz(path: Path) -> FileContent:
    """Read frames; a stress is taken for eV/Å³ with tension positive, a virial for −σV in eV.

    The audit verifies both against the slab virial identity and turns what is in kbar or of the other sign.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Frames, and those without labels refused.
    """
    frames: list[Atoms] = []
    refused: list[Refusal] = []
    with path.open(encoding="utf-8") as stream:
        try:
            for step, atoms in enumerate(read_xyz(stream, index=slice(None))):
                reason, frame = _frame(atoms, step)
                if frame is None:
                    refused.append(Refusal(reason, step))
                else:
                    frames.append(frame)
        except (OSError, ValueError, KeyError, IndexError) as error:
            refused.append(Refusal(f"the file cannot be read further ({error})", len(frames) + len(refused)))
    return FileContent(frames, refused)


def _frame(atoms: Atoms, step: int) -> tuple[str, Atoms | None]:
    stored: dict[str, Any] = dict(atoms.calc.results) if atoms.calc is not None else {}
    info = {**stored, **atoms.info}
    energy = _find(info, ENERGIES)
    forces = _find({**stored, **atoms.arrays}, FORCES)
    if energy is None:
        return "no energy", None
    if forces is None:
        return NO_FORCES, None
    stress, convention = _stress(info, atoms)
    frame = labelled(
        atoms,
        step=int(info.get("step", step)),
        energy=float(energy),
        forces=forces,
        stress=stress,
        settings={name: info.get(f"dft_{name}") for name in SETTINGS},
    )
    if convention:
        frame.info[CONVENTION] = convention
    known = {key.lower() for key in (*ENERGIES, *FORCES, *STRESSES, *VIRIALS)}
    frame.info |= {k: v for k, v in atoms.info.items() if k.lower() not in known and k not in frame.info}
    return "", frame


def _find(entries: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    lower = {key.lower(): value for key, value in entries.items()}
    return next((lower[name.lower()] for name in names if name.lower() in lower), None)


def _stress(info: Mapping[str, Any], atoms: Atoms) -> tuple[FloatArray | None, str]:
    given = _find(info, STRESSES)
    if given is not None:
        return _full(given), "stress, eV/Å³, tension positive"
    given = _find(info, VIRIALS)
    if given is not None:
        return -_full(given) / atoms.get_volume(), "virial, eV, −σV"
    return None, ""


def _full(value: object) -> FloatArray:
    array = np.asarray(value, dtype=float)
    if array.size == 6:
        return np.asarray(voigt_6_to_full_3x3_stress(array.ravel()), dtype=float)
    return array.reshape(3, 3)


CONVENTIONS: Final = {
    "eV/Å³, tension positive": 1.0,
    "eV/Å³, compression positive": -1.0,
    "kbar, tension positive": 1 / EV_PER_A3_IN_KBAR,
    "kbar, compression positive": -1 / EV_PER_A3_IN_KBAR,
    "GPa, tension positive": 10 / EV_PER_A3_IN_KBAR,
    "GPa, compression positive": -10 / EV_PER_A3_IN_KBAR,
}
"""What a stress may have been written in → factor to ours."""
