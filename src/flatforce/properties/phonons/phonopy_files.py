"""Files from which phonopy loads a supercell with its force constants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.files import write_atomically

if TYPE_CHECKING:
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

    write_atomically(folder / "phonopy.yaml", save)
    write_atomically(
        folder / "force_constants.hdf5",
        lambda path: write_force_constants_to_hdf5(constants, filename=str(path)),
    )
