"""Phonons of a defect as objects: in one supercell, embedded, isolated."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from flatforce.core.errors import ResultError
from flatforce.report.results.phonons import BandStructure
from flatforce.report.results.result import Result

if TYPE_CHECKING:
    from ase import Atoms
    from phonopy import Phonopy

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.phonons.spectra.defect_modes import Mode
    from flatforce.properties.phonons.spectra.mode_classes import LdosPeak

T = TypeVar("T")


class WithPeaks(Result):
    """What the results with a local density of states at one defect have in common."""

    @property
    def ldos_peaks(self) -> list[LdosPeak]:
        """Peaks that the defect adds to `ldos`: local modes and resonances, from the lowest frequency."""
        from flatforce.properties.phonons.spectra.mode_classes import LdosPeak

        return _rebuild(self, LdosPeak, "ldos_peaks")


def _rebuild(result: Result, record_class: type[T], name: str) -> list[T]:
    """Build the objects that `result.json` holds as plain values."""
    try:
        return [record_class(**values) for values in result.details[name]]
    except (KeyError, TypeError) as error:
        raise ResultError(
            f"The {name.replace('_', ' ')} of {result.folder} cannot be read.",
            why="another version of flatforce wrote them",
            fix="compute them again in a new folder: flatforce defect phonons",
        ) from error


class DefectPhononResult(WithPeaks, BandStructure):
    """Phonons of a defect cell beside those of the pristine supercell of the same size."""

    KIND = "defect phonons"
    MADE_BY = "defect phonons"

    @property
    def atoms(self) -> Atoms:
        """The relaxed defect cell of N atoms, read anew each time, so that it may be changed."""
        from flatforce.data.frame_files import read_structure

        return read_structure(self._file("relaxed.extxyz"))

    @property
    def pristine_bands(self) -> FloatArray:
        """(Q, 3 N') THz, bands of the pristine sheet, folded into the Brillouin zone of the supercell."""
        return self._array("pristine_bands")

    @property
    def modes(self) -> list[Mode]:
        """Modes at Γ that the defect changes most, one entry for each degenerate set, the smallest participation number first.

        `classification` is `local`, `resonance` or `extended`.
        """
        from flatforce.properties.phonons.spectra.defect_modes import Mode

        return _rebuild(self, Mode, "modes")

    @property
    def mode_vectors(self) -> FloatArray:
        """(M, N, 3) mass-weighted eigenvectors, normalised, of the first mode of each entry of `modes`."""
        return self._array("mode_vectors")

    @property
    def dos(self) -> FloatArray:
        """(G) states/THz, density of states of the defect cell; its integral is 3 N."""
        return self._array("dos", 1)

    @property
    def pristine_dos(self) -> FloatArray:
        """(G) states/THz, density of states of the pristine supercell."""
        return self._array("dos", 0)

    @property
    def ldos(self) -> FloatArray:
        """(G) 1/THz, site-averaged local density of states of the innermost shell around the defect; its integral is 3."""
        return np.asarray(self._array("shell_ldos", 1, 0) / self._array("shell_sites", 1, 0))

    @property
    def pristine_ldos(self) -> FloatArray:
        """(G) 1/THz, the same average over the same shell of the pristine supercell."""
        return np.asarray(self._array("shell_ldos", 0, 0) / self._array("shell_sites", 0, 0))

    def to_phonopy(self) -> Phonopy:
        """Load the force constants into phonopy, for everything that phonopy computes.

        Returns
        -------
        Phonopy's object of the defect cell, a 1 × 1 supercell of itself, with its force constants (eV/Å²). `phonopy.yaml` and
        `force_constants.hdf5` in the result folder are the same for `phonopy.load`.

        Examples
        --------
        About 20 s on one core, nearly all of it for the phonons:

        >>> import flatforce as ff
        >>> sheet = ff.relax("mace:wse2-pbe", ff.monolayer("WSe2"), keep_symmetry=True).atoms
        >>> v = ff.defect_phonons("mace:wse2-pbe", sheet, "v_Se:top", supercell=(4, 4))  # doctest: +SKIP
        >>> v["4x4"].to_phonopy().force_constants.shape  # doctest: +SKIP
        (47, 47, 3, 3)
        """
        from flatforce.properties.phonons.force_constants.finite_displacements import make_phonopy
        from flatforce.properties.phonons.force_constants.sparse import FILE_NAME, SparseForceConstants

        constants = SparseForceConstants.load(self.folder / FILE_NAME)
        phonon = make_phonopy(constants.atoms, (1, 1))
        phonon.force_constants = constants.dense()
        return phonon


class SpectrumResult(Result):
    """What the results with spectra on one frequency grid have in common."""

    @property
    def frequency(self) -> FloatArray:
        """(G) THz, evenly spaced grid of every spectrum."""
        return self._array("frequency")


class EmbeddedResult(WithPeaks, SpectrumResult):
    """Spectra of a defect embedded in a large supercell."""

    KIND = "embedded defect"
    MADE_BY = "defect phonons --embed"

    @property
    def ldos(self) -> FloatArray:
        """(G) 1/THz, site-averaged local density of states of the innermost shell around the defect; its integral is 3."""
        return self._array("shell_ldos", 0)

    @property
    def pristine_ldos(self) -> FloatArray:
        """(G) 1/THz, the same average over the same sites of the pristine supercell."""
        return self._array("pristine_shell_ldos", 0)

    @property
    def shell_ldos(self) -> FloatArray:
        """(S, G) 1/THz, site-averaged local density of states of each shell."""
        return self._array("shell_ldos")


class DiluteResult(WithPeaks, SpectrumResult):
    """Spectra of one defect in an infinite sheet."""

    KIND = "dilute limit"
    MADE_BY = "defect phonons --dilute"

    @property
    def ldos(self) -> FloatArray:
        """(G) 1/THz, site-averaged local density of states of the innermost shell around the defect; its integral is 3."""
        return self._array("shell_ldos", 1, 0)

    @property
    def pristine_ldos(self) -> FloatArray:
        """(G) 1/THz, the same average over the same shell of the pristine sheet."""
        return self._array("shell_ldos", 0, 0)

    @property
    def dos_change(self) -> FloatArray:
        """(G) states/THz, what the defect adds to the density of states of the whole sheet."""
        return self._array("difference")
