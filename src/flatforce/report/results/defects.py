"""Phonons of a defect as objects: in one supercell, embedded, isolated, compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.errors import ResultError
from flatforce.report.results.phonons import BandStructure
from flatforce.report.results.result import Result

if TYPE_CHECKING:
    from ase import Atoms
    from phonopy import Phonopy

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.phonons.spectra.localisation import Mode


class DefectPhononResult(BandStructure):
    """Phonons of a defect cell beside those of the pristine supercell of the same size."""

    KIND = "defect phonons"
    MADE_BY = "defect phonons"

    @property
    def atoms(self) -> Atoms:
        """The relaxed defect cell of N atoms, read anew each time, so that it may be changed."""
        from flatforce.data.frame_files import read_structure

        return read_structure(self._file("relaxed.extxyz"))

    @property
    def modes(self) -> list[Mode]:
        """Modes at Γ that the defect changes most, one entry for each degenerate set, the smallest participation number first."""
        from flatforce.properties.phonons.spectra.localisation import Mode

        try:
            return [Mode(**mode) for mode in self.details["modes"]]
        except TypeError as error:
            raise ResultError(
                f"The modes of {self.folder} cannot be read.",
                why="another version of flatforce wrote them",
                fix="compute them again in a new folder: flatforce defect phonons",
            ) from error

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


class EmbeddedResult(SpectrumResult):
    """Spectra of a defect embedded in a large supercell."""

    KIND = "embedded defect"
    MADE_BY = "defect phonons --embed"

    @property
    def ldos(self) -> FloatArray:
        """(G) 1/THz, site-averaged local density of states of the innermost shell around the defect; its integral is 3."""
        return self._array("shell_ldos", 0)

    @property
    def shell_ldos(self) -> FloatArray:
        """(S, G) 1/THz, site-averaged local density of states of each shell."""
        return self._array("shell_ldos")


class DiluteResult(SpectrumResult):
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


class FiniteSizeResult(SpectrumResult):
    """Local density of states at a defect in supercells of several sizes."""

    KIND = "finite size"
    MADE_BY = "defect phonons --sizes"

    @property
    def names(self) -> list[str]:
        """(S) name of each supercell, from the smallest, such as `6x6`."""
        return [str(name) for name in self._array("names")]

    @property
    def n_atoms(self) -> FloatArray:
        """(S) number of atoms of each supercell; infinite for the dilute limit."""
        return self._array("n_atoms")

    @property
    def ldos(self) -> FloatArray:
        """(S, G) 1/THz, site-averaged local density of states of the innermost shell in each supercell."""
        return self._array("ldos")

    @property
    def modes(self) -> list[dict[str, Any]]:
        """Modes of the largest cell, matched with those of the smaller ones: participation numbers and classification."""
        return list(self.details["modes"])


class CommitteePhononResult(SpectrumResult):
    """Phonons of a defect by every member of a committee: mean and standard deviation."""

    KIND = "committee"
    MADE_BY = "defect phonons --committee"

    @property
    def ldos(self) -> FloatArray:
        """(G) 1/THz, local density of states of the innermost shell around the defect, mean over the committee."""
        return self._array("ldos", 1, 0)

    @property
    def ldos_std(self) -> FloatArray:
        """(G) 1/THz, its calibrated standard deviation over the committee."""
        return self._array("ldos", 1, 1)

    @property
    def modes(self) -> list[dict[str, Any]]:
        """Modes of the first member with their standard deviations over the committee."""
        return list(self.details["modes"])


class StrainSeriesResult(SpectrumResult):
    """Phonons of a defect at several strains."""

    KIND = "strain series"
    MADE_BY = "defect strain"

    @property
    def strain(self) -> FloatArray:
        """(S) strains; 0.01 is one per cent."""
        return self._array("strain")

    @property
    def ldos(self) -> FloatArray:
        """(S, G) 1/THz, site-averaged local density of states of the innermost shell at each strain."""
        return self._array("ldos")

    @property
    def mode_frequencies(self) -> FloatArray:
        """(S, M) THz, frequencies of the modes near the defect at each strain; NaN where a mode is not found."""
        return self._array("mode_frequencies")


class UnfoldedResult(SpectrumResult):
    """Spectral function of an embedded defect along the band path of the primitive cell."""

    KIND = "unfolded bands"
    MADE_BY = "defect unfold"

    @property
    def distance(self) -> FloatArray:
        """(Q) 1/Å, position along the band path."""
        return self._array("distance")

    @property
    def bands(self) -> FloatArray:
        """(Q, 3 n) THz, bands of the pristine sheet."""
        return self._array("bands")

    @property
    def spectral_function(self) -> FloatArray:
        """(Q, G) states/THz, spectral function of the sheet with the defect."""
        return np.asarray(self._array("weight"))
