"""Result of the dilute limit: spectra of one defect in an infinite sheet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from flatforce.core.outcome import Outcome
from flatforce.properties.phonons.spectra.mode_classes import CLASS_UNITS, count_classes
from flatforce.properties.phonons.spectra.modes import IMAGINARY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.phonons.spectra.mode_classes import LdosPeak

STATE_TOLERANCE: Final = 0.02
"""Largest error of the three states of an atom; 2e-5 is usual."""


@dataclass(frozen=True, repr=False)
class DiluteLimit(Outcome):
    """Spectra of one defect in an infinite sheet."""

    kind: ClassVar[str] = "dilute limit"

    frequency: FloatArray
    """(G) THz, from zero."""
    shell_ldos: FloatArray
    """(2, S, G) states/THz, local DOS of an average site of each shell, pristine and defect; its integral is 3."""
    difference: FloatArray
    """(G) states/THz, change of the total DOS by the defect."""
    n_sites: int
    """Number of sites whose force constants the defect changes."""
    lowest_frequency: float
    """THz, lowest mode near the defect; imaginary as a negative number."""
    ldos_peaks: list[LdosPeak]
    """Peaks that the defect adds to the local DOS of the innermost shell."""

    units = {"n_sites": "", "lowest_frequency": "THz", "removed_states": "states", **CLASS_UNITS}

    @property
    def metrics(self) -> dict[str, float]:
        """Size of the perturbed region, lowest frequency, integral of the change of the DOS, local modes and resonances."""
        return {
            "n_sites": float(self.n_sites),
            "lowest_frequency": self.lowest_frequency,
            "removed_states": float(np.trapezoid(self.difference, self.frequency)),
            **count_classes(self.ldos_peaks),
        }

    @property
    def problems(self) -> list[str]:
        """A local DOS with a wrong integral, or imaginary modes."""
        states = np.trapezoid(self.shell_ldos, self.frequency, axis=2)
        worst = float(states.ravel()[np.abs(states - 3).argmax()])
        problems = []
        if not abs(worst - 3) < STATE_TOLERANCE:
            problems.append(f"a local DOS integrates to {worst:.3f} states instead of 3")
        if self.lowest_frequency < IMAGINARY:
            problems.append(
                f"the defect has imaginary modes, {self.lowest_frequency:.3f} THz: its harmonic spectrum is meaningless"
            )
        return problems

    @property
    def details(self) -> dict[str, Any]:
        """Peaks of the local DOS."""
        return {"ldos_peaks": [peak.plain() for peak in self.ldos_peaks]}

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays that the figures need.

        Returns
        -------
        Name → array, under the names of `arrays.npz` in the result folder; shapes and units are those of the fields.
        """
        return {"frequency": self.frequency, "shell_ldos": self.shell_ldos, "difference": self.difference}
