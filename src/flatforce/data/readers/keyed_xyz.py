"""Extended XYZ with labels under any of the usual keys, in any of the usual units and signs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ase.io.extxyz import read_xyz

from flatforce.core.errors import DataError
from flatforce.core.units import EV_PER_A3_IN_KBAR
from flatforce.data.readers.content import NO_FORCES, SETTINGS, FileContent, Refusal, build_frame
from flatforce.data.stress_labels import stress_matrix

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
"""Keys in order of preference, regardless of case, as NEP, GAP, MACE, NequIP and ASE write them."""

CONVENTION: Final = "stress_convention"
"""Key in `info`: assumed sign and unit of the stress, until the audit has verified them."""

VASP_ORDER: Final = "stress_in_vasp_order"
"""Key in `info`: (3, 3), the stress if its six numbers are in VASP's order xx yy zz xy yz zx, until the audit has decided."""

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

    The audit verifies both by the slab virial identity, and converts what is in kbar or GPa or of the other sign.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Frames; those without labels are refused.
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
        except (OSError, ValueError, KeyError, IndexError, DataError) as error:
            refused.append(
                Refusal(f"the rest of the file cannot be read ({error})", len(frames) + len(refused))
            )
    return FileContent(frames, refused)


def _frame(atoms: Atoms, step: int) -> tuple[str, Atoms | None]:
    results: dict[str, Any] = dict(atoms.calc.results) if atoms.calc is not None else {}
    info = {**results, **atoms.info}
    energy = _find(info, ENERGIES)
    forces = _find({**results, **atoms.arrays}, FORCES)
    if energy is None:
        return "no energy", None
    if forces is None:
        return NO_FORCES, None
    stress, convention = _stress(info, atoms)
    frame = build_frame(
        atoms,
        step=int(info.get("step", step)),
        energy=float(energy),
        forces=forces,
        stress=stress,
        settings={name: info.get(f"dft_{name}") for name in SETTINGS},
    )
    if convention:
        frame.info[CONVENTION] = convention
    label_keys = {key.lower() for key in (*ENERGIES, *FORCES, *STRESSES, *VIRIALS)}
    frame.info |= {k: v for k, v in atoms.info.items() if k.lower() not in label_keys and k not in frame.info}
    return "", frame


def _find(entries: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    lowercase = {key.lower(): value for key, value in entries.items()}
    return next((lowercase[name.lower()] for name in names if name.lower() in lowercase), None)


def _stress(info: Mapping[str, Any], atoms: Atoms) -> tuple[FloatArray | None, str]:
    stress = _find(info, STRESSES)
    if stress is not None:
        return stress_matrix(stress), "stress, eV/Å³, tension positive"
    virial = _find(info, VIRIALS)
    if virial is not None:
        return -stress_matrix(virial) / atoms.get_volume(), "virial, eV, −σV"
    return None, ""
