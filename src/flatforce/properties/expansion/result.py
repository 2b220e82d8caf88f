"""Thermal expansion of a sheet, as a result folder holds it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from flatforce.core.files import write_text
from flatforce.core.outcome import Outcome
from flatforce.core.units import EV_PER_A2_IN_N_PER_M
from flatforce.properties.expansion.grueneisen import area_shift, linear_expansion, long_wave_rest
from flatforce.properties.phonons.result import STRESS_TOLERANCE

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.core.arrays import FloatArray

REFERENCE_TEMPERATURE: Final = 300.0
"""K, of the metrics."""

POISSON_RATIO: Final = 0.2
"""Ratio with which Young's modulus is estimated from the area modulus for the crossover of long waves, Y = 2 B (1 − ν): the crossover enters a
logarithm."""


@dataclass(frozen=True, repr=False)
class Expansion(Outcome):
    """Lattice constant and thermal expansion in the quasi-harmonic approximation."""

    kind: ClassVar[str] = "thermal expansion"

    frequencies: FloatArray
    """(Q, M) THz."""
    parameters: FloatArray
    """(Q, M) Grüneisen parameters with respect to the area."""
    points: FloatArray
    """(Q, 3) q points in units of the reciprocal lattice vectors."""
    wave_numbers: FloatArray
    """(Q) 1/Å."""
    lattice: FloatArray
    """(2) Å, lattice constants without vibrations."""
    area: float
    """Å², of the primitive cell without vibrations."""
    modulus: float
    """eV/Å², area modulus B."""
    bending: float
    """eV, bending rigidity from the flexural branch; NaN where it is imaginary."""
    residual_tension: float
    """N/m, membrane tension of the sheet as given."""
    temperatures: FloatArray
    """(T) K."""

    units = {
        "a_0K": "Å",
        "a_300K": "Å",
        "b_0K": "Å",
        "b_300K": "Å",
        "alpha_300K": "1/K",
        "rest_alpha_300K": "1/K",
        "min_alpha": "1/K",
        "min_alpha_temperature": "K",
        "area_modulus": "N/m",
        "bending_rigidity": "eV",
        "min_frequency": "THz",
    }

    @property
    def rigidity(self) -> float:
        """Area of the primitive cell times its area modulus (eV)."""
        return self.area * self.modulus

    @cached_property
    def shifts(self) -> FloatArray:
        """(T) relative change of the area by vibrations."""
        return np.array(
            [
                area_shift(self.frequencies, self.parameters, temperature=float(t), rigidity=self.rigidity)
                for t in self.temperatures
            ]
        )

    @cached_property
    def alpha(self) -> FloatArray:
        """(T) 1/K, coefficient of linear expansion."""
        return np.array(
            [
                linear_expansion(
                    self.frequencies, self.parameters, temperature=float(t), rigidity=self.rigidity
                )
                for t in self.temperatures
            ]
        )

    @property
    def metrics(self) -> dict[str, float]:
        """Lattice constants and expansion at 300 K, and the most negative expansion."""
        at_300 = int(np.argmin(np.abs(self.temperatures - REFERENCE_TEMPERATURE)))
        scale = np.sqrt(1 + self.shifts)
        lowest = int(np.argmin(self.alpha))
        values = {
            "a_0K": self.lattice[0] * scale[0],
            "a_300K": self.lattice[0] * scale[at_300],
            "b_0K": self.lattice[1] * scale[0],
            "b_300K": self.lattice[1] * scale[at_300],
            "alpha_300K": self.alpha[at_300],
            "min_alpha": self.alpha[lowest],
            "min_alpha_temperature": self.temperatures[lowest],
            "area_modulus": self.modulus * EV_PER_A2_IN_N_PER_M,
            "min_frequency": self.frequencies[self.wave_numbers > 0].min(),
        }
        if np.isfinite(self.bending):
            values["bending_rigidity"] = self.bending
            values["rest_alpha_300K"], _ = long_wave_rest(
                temperature=REFERENCE_TEMPERATURE,
                bending=self.bending,
                young=2 * self.modulus * (1 - POISSON_RATIO),
                longest=float(self.wave_numbers[self.wave_numbers > 0].min()),
            )
        return {name: float(value) for name, value in values.items()}

    @property
    def problems(self) -> list[str]:
        """Imaginary modes, which have no Grüneisen parameter, and a sheet that yields to strain."""
        texts = []
        unstable = int((self.frequencies < -0.05).sum())
        if unstable:
            texts.append(
                f"{unstable} modes are imaginary, down to {self.frequencies.min():.2f} THz: the sheet is no minimum, and these modes are left out."
            )
        if self.modulus <= 0:
            texts.append("The area modulus is negative: the sheet is unstable against in-plane strain.")
        return texts

    @property
    def notes(self) -> list[str]:
        """A sheet that is not relaxed."""
        if abs(self.residual_tension) < STRESS_TOLERANCE:
            return []
        return [
            (
                f"the sheet carries a tension of {self.residual_tension:.3g} N/m, and its lattice constants are not those without vibrations: relax "
                "it first: flatforce relax"
            )
        ]

    def arrays(self) -> dict[str, FloatArray]:
        """Return lattice constants and expansion against temperature, and the parameters of all modes."""
        scale = np.sqrt(1 + self.shifts)
        return {
            "temperature": self.temperatures,
            "alpha": self.alpha,
            "a": self.lattice[0] * scale,
            "b": self.lattice[1] * scale,
            "mode_frequency": self.frequencies,
            "grueneisen": self.parameters,
            "qpoints": self.points,
            "wave_number": self.wave_numbers,
        }

    def files(self, folder: Path) -> None:
        """Write `expansion.csv`.

        Parameters
        ----------
        folder
            Result folder.
        """
        arrays = self.arrays()
        rows = zip(arrays["temperature"], arrays["a"], arrays["b"], arrays["alpha"], strict=True)
        lines = [f"{t:.0f},{a:.6f},{b:.6f},{alpha:.5e}" for t, a, b, alpha in rows]
        write_text(folder / "expansion.csv", "temperature_K,a_A,b_A,alpha_per_K\n" + "\n".join(lines) + "\n")
