"""Comparisons of the phonons of a defect as objects: sizes, committees, strains, unfolded bands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.report.results.defects import SpectrumResult

if TYPE_CHECKING:
    from flatforce.core.arrays import FloatArray
    from flatforce.properties.phonons.spectra.mode_classes import LdosPeak


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

    @property
    def ldos_peaks(self) -> dict[str, list[LdosPeak]]:
        """Name of each supercell → peaks that the defect adds to `ldos`: local modes and resonances."""
        from flatforce.properties.phonons.spectra.mode_classes import LdosPeak

        return {
            name: [LdosPeak(**peak) for peak in peaks] for name, peaks in self.details["ldos_peaks"].items()
        }


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
