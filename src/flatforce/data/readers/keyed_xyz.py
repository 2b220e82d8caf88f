"""Extended XYZ with labels under any of the usual keys, in any of the usual units and signs."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase.io.extxyz import read_xyz

from flatforce.core.units import EV_PER_A3_IN_KBAR
from flatforce.data.readers.content import DAMAGED, NO_FORCES, SETTINGS, FileContent, Refusal, build_frame
from flatforce.data.readers.opening import open_text, parse_float
from flatforce.data.stress_labels import stress_matrix

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
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
"""Keys in order of preference, regardless of case, as NEP, GAP, MACE, NequIP and ASE write them."""

CONVENTION: Final = "stress_convention"
"""Key in `info`: assumed sign and unit of the stress, until the audit has verified them."""

VASP_ORDER: Final = "stress_in_vasp_order"
"""Key in `info`: (3, 3), the stress if its six numbers are in VASP's order xx yy zz xy yz zx, until the audit has decided."""

VOIGT_FROM_VASP: Final = [0, 1, 2, 4, 5, 3]
"""Positions, in VASP's order xx yy zz xy yz zx, of the components in Voigt's order xx yy zz yz xz xy."""

CONVENTIONS: Final = {
    "eV/Å³, tension positive": 1.0,
    "eV/Å³, compression positive": -1.0,
    "kbar, tension positive": 1 / EV_PER_A3_IN_KBAR,
    "kbar, compression positive": -1 / EV_PER_A3_IN_KBAR,
    "GPa, tension positive": 10 / EV_PER_A3_IN_KBAR,
    "GPa, compression positive": -10 / EV_PER_A3_IN_KBAR,
}
"""Sign and unit of a stress → factor that converts it to eV/Å³ with tension positive."""


def read_keyed_xyz(path: Path) -> FileContent:
    """Read frames, assuming a stress in eV/Å³ with tension positive, and a virial −σV in eV.

    The audit verifies both by the slab virial identity, and converts what is in kbar or GPa, of the other sign, or in VASP's order.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Frames; those without labels, and those that cannot be read, are refused.
    """
    frames: list[Atoms] = []
    refused: list[Refusal] = []
    with open_text(path) as stream:
        for step, (text, damage) in enumerate(_split(stream)):
            reason, frame = f"{DAMAGED}: {damage}", None
            if not damage:
                try:
                    (atoms,) = read_xyz(io.StringIO(text), index=slice(None))
                    reason, frame = _frame(atoms, step)
                except Exception as error:  # noqa: BLE001  # ASE raises all kinds of exceptions on a damaged frame
                    reason = f"{DAMAGED}: {error}"
            if frame is None:
                refused.append(Refusal(reason, step))
            else:
                frames.append(frame)
    return FileContent(frames, refused)


def _split(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Split a file into the text of each frame, and what is wrong with its length; one of the wrong length does not spoil the next."""
    line = next(lines, None)
    while line is not None:
        if not line.strip():
            line = next(lines, None)
            continue
        count = int(line) if line.strip().isdigit() else None
        rows = [line, next(lines, "")]
        line = next(lines, None)
        while line is not None and line.strip() and not line.strip().isdigit() and len(rows) - 2 != count:
            rows.append(line)
            line = next(lines, None)
        if count is None:
            yield "", f"{rows[0].strip()[:40]!r} is not the number of atoms"
        elif len(rows) - 2 != count:
            yield "", f"{count} atoms announced, {len(rows) - 2} there"
        elif not rows[-1].endswith("\n"):
            yield "", "the last line does not end with a newline, so its last number may have lost digits"
        else:
            yield "".join(rows), ""


def _frame(atoms: Atoms, step: int) -> tuple[str, Atoms | None]:
    results: dict[str, Any] = dict(atoms.calc.results) if atoms.calc is not None else {}
    info = {**results, **atoms.info}
    energy = _find(info, ENERGIES)
    forces = _find({**results, **atoms.arrays}, FORCES)
    if energy is None:
        return "no energy", None
    if forces is None and len(atoms) == 1:
        forces = np.zeros((1, 3))  # an isolated atom
    if forces is None:
        return NO_FORCES, None
    stress, convention = _stress(info, atoms)
    frame = build_frame(
        atoms,
        step=int(info.get("step", step)),
        energy=float(energy),
        forces=forces,
        stress=None if stress is None else stress_matrix(stress),
        settings={name: info.get(f"dft_{name}") for name in SETTINGS},
    )
    if stress is not None:
        frame.info[CONVENTION] = convention
        if stress.size == 6:
            frame.info[VASP_ORDER] = stress_matrix(stress.ravel()[VOIGT_FROM_VASP])
    label_keys = {key.lower() for key in (*ENERGIES, *FORCES, *STRESSES, *VIRIALS)}
    frame.info |= {k: v for k, v in atoms.info.items() if k.lower() not in label_keys and k not in frame.info}
    return "", frame


def _find(entries: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    lowercase = {key.lower(): value for key, value in entries.items() if not _is_missing(value)}
    return next((lowercase[name.lower()] for name in names if name.lower() in lowercase), None)


def _is_missing(value: object) -> bool:
    """Whether a label stands for none: the text `None`, or an array without a number."""
    if value is None or (isinstance(value, str) and value.strip().lower() in {"none", "nan", "null", ""}):
        return True
    return isinstance(value, np.ndarray) and value.dtype.kind == "f" and bool(np.isnan(value).all())


def _stress(info: Mapping[str, Any], atoms: Atoms) -> tuple[FloatArray | None, str]:
    stress = _find(info, STRESSES)
    if stress is not None:
        return _array(stress), "stress, eV/Å³, tension positive"
    virial = _find(info, VIRIALS)
    if virial is not None:
        return -_array(virial) / atoms.get_volume(), "virial, eV, −σV"
    return None, ""


def _array(value: object) -> FloatArray:
    """(6,) or (9,) numbers; a nested list that ASE leaves as text is parsed."""
    if isinstance(value, str):
        value = [parse_float(text) for text in re.split(r"[\s,\[\]()]+", value) if text]
    array = np.asarray(value, dtype=float).ravel()
    if array.size not in {6, 9}:
        raise ValueError(f"a stress has {array.size} numbers")
    return array
