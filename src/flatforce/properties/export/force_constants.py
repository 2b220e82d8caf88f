"""Export of force constants to the files of phonopy, which Euphonic and others read too, and their reading back."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.core.files import write_atomically
from flatforce.properties.export.certificate import ForceConstantsCertificate
from flatforce.properties.phonons.force_constants.finite_displacements import SYMPREC

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from phonopy import Phonopy

Q_POINTS: Final = ((0.0, 0.0, 0.0), (0.5, 0.0, 0.0), (0.31, 0.17, 0.0))
"""Γ, M, and a point without symmetry, in reduced coordinates."""


def export_force_constants(
    phonon: Phonopy, *, tolerance: float, scratch: Path, remarks: list[str]
) -> ForceConstantsCertificate:
    """Write force constants in each of phonopy's formats and read them back.

    Parameters
    ----------
    phonon
        Phonopy's object with its force constants.
    tolerance
        THz, largest difference of a frequency.
    scratch
        Folder for the files, which the certificate copies.
    remarks
        What a user must know before the files are used.

    Returns
    -------
    The certificate with the largest differences over all formats, and the frequencies of the worst one.
    """
    from phonopy.file_IO import write_FORCE_CONSTANTS, write_force_constants_to_hdf5

    constants = _full_constants(phonon)
    p2s_map = np.arange(len(constants))
    writers: dict[str, Callable[[Path], None]] = {
        "phonopy_params.yaml": partial(_save, phonon, with_constants=True),
        "phonopy.yaml": partial(_save, phonon, with_constants=False),
        "FORCE_CONSTANTS": lambda path: write_FORCE_CONSTANTS(constants, filename=str(path)),
        "force_constants.hdf5": lambda path: write_force_constants_to_hdf5(
            constants, filename=str(path), p2s_map=p2s_map
        ),
    }
    written = []
    for name, write in writers.items():
        write_atomically(scratch / name, write)
        written.append(scratch / name)
    ours = frequencies(phonon)
    others, differences = [], []
    for source in ("phonopy_params.yaml", "FORCE_CONSTANTS", "force_constants.hdf5"):
        loaded = load_exported(scratch, source)
        others.append(frequencies(loaded))
        differences.append(float(np.abs(_full_constants(loaded) - constants).max()))
    worst = max(others, key=lambda values: float(np.abs(values - ours).max()))
    return ForceConstantsCertificate(
        max(differences),
        np.array([ours, worst]),
        np.array(Q_POINTS),
        len(phonon.supercell),
        tolerance,
        written,
        remarks,
    )


def load_exported(folder: Path, source: str) -> Phonopy:
    """Read exported force constants by phonopy.

    Parameters
    ----------
    folder
        Folder of the export.
    source
        `phonopy_params.yaml`, or a file of force constants that is read beside `phonopy.yaml`.

    Returns
    -------
    Phonopy's object with the force constants of that file, in eV/Å².
    """
    import phonopy

    alone = source.endswith(".yaml")
    return phonopy.load(
        folder / (source if alone else "phonopy.yaml"),
        force_constants_filename=None if alone else folder / source,
        is_nac=False,
        symprec=SYMPREC,
        symmetrize_fc=False,
        log_level=0,
    )


def frequencies(phonon: Phonopy) -> Any:
    """Compute the frequencies that are compared.

    Parameters
    ----------
    phonon
        Phonopy's object with its force constants.

    Returns
    -------
    (Q, B) THz, at `Q_POINTS`.
    """
    return np.array(phonon.run_qpoints(np.array(Q_POINTS)).frequencies)


def _full_constants(phonon: Phonopy) -> Any:
    """Return (N, N, 3, 3) eV/Å², also where phonopy holds the rows of the primitive cell alone."""
    from phonopy.harmonic.force_constants import compact_fc_to_full_fc

    constants = np.asarray(phonon.force_constants)
    if constants.shape[0] == constants.shape[1]:
        return constants
    return np.asarray(compact_fc_to_full_fc(phonon.primitive, constants))


def _save(phonon: Phonopy, path: Path, *, with_constants: bool) -> None:
    settings = {"force_sets": False, "displacements": False, "force_constants": with_constants}
    phonon.save(path, settings=settings)
