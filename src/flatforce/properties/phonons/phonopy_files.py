"""Files from which phonopy and its command line load a supercell and the spectra of a sheet."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import DataError
from flatforce.core.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from phonopy import Phonopy


def write_phonopy(phonon: Phonopy, folder: Path, *, with_constants: bool) -> None:
    """Write `phonopy.yaml` and `force_constants.hdf5`, as `phonopy.load` and phonopy's command line read them.

    Parameters
    ----------
    phonon
        The phonopy object, with its force constants.
    folder
        Result folder.
    with_constants
        Whether `phonopy.yaml` alone is enough: it then holds displacements and forces, where there are any, or the force constants.
    """
    from phonopy.file_IO import write_force_constants_to_hdf5

    by_displacements = phonon.dataset is not None
    settings = {
        "force_sets": with_constants and by_displacements,
        "displacements": with_constants and by_displacements,
        "force_constants": with_constants and not by_displacements,
    }
    constants = np.asarray(phonon.force_constants)

    def save(path: Path) -> None:
        phonon.save(path, settings=settings)

    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "phonopy.yaml", save)
    write_atomically(
        folder / "force_constants.hdf5",
        lambda path: write_force_constants_to_hdf5(constants, filename=str(path)),
    )


def check_plain_yaml(path: Path) -> None:
    """Check that a YAML file holds plain values, and names no Python object.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    DataError
        If it does, or is no YAML.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        with path.open(encoding="utf-8") as stream:
            yaml.load(stream, Loader=loader)  # noqa: S506  # one of the two safe loaders
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} is damaged, or names Python objects.",
            why=str(error).splitlines()[0],
            fix="delete it and run again; phonopy writes plain values only",
        ) from error


def write_phonopy_files(phonon: Phonopy, folder: Path) -> None:
    """Write the files of a pristine sheet that phonopy's own command line reads.

    Parameters
    ----------
    phonon
        Phonopy's object, with bands, densities of states and thermal properties.
    folder
        Folder of `phonopy.yaml`, `force_constants.hdf5`, `band.yaml` and the DOS files.
    """
    write_phonopy(phonon, folder, with_constants=True)
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
