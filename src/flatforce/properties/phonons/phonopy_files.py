"""Files of a pristine sheet that phonopy's own command line reads."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from phonopy import Phonopy


def write_phonopy_files(phonon: Phonopy, folder: Path) -> None:
    """Write the files that phonopy's own command line reads.

    Parameters
    ----------
    phonon
        Phonopy's object, with bands, densities of states and thermal properties.
    folder
        Folder of `phonopy.yaml`, `force_constants.hdf5`, `band.yaml` and the DOS files.
    """
    from phonopy.file_IO import write_force_constants_to_hdf5

    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "phonopy.yaml", lambda path: _save_settings(phonon, path))
    constants = np.asarray(phonon.force_constants)
    write_atomically(
        folder / "force_constants.hdf5",
        lambda path: write_force_constants_to_hdf5(constants, filename=str(path)),
    )
    writers: dict[str, Callable[..., None]] = {
        "band.yaml": phonon.write_yaml_band_structure,
        "total_dos.dat": phonon.write_total_dos,
        "projected_dos.dat": phonon.write_projected_dos,
        "thermal_properties.yaml": phonon.write_yaml_thermal_properties,
    }
    for name, write in writers.items():
        write_atomically(folder / name, partial(_write, write))


def _write(write: Callable[..., None], path: Path) -> None:
    write(filename=path)


def _save_settings(phonon: Phonopy, path: Path) -> None:
    by_displacements = phonon.dataset is not None
    phonon.save(
        path,
        settings={
            "force_sets": by_displacements,
            "displacements": by_displacements,
            "force_constants": not by_displacements,
        },
    )
