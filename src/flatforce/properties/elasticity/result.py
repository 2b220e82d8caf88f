"""Elastic constants and bending rigidity of a sheet, as a result folder holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from flatforce.core.files import write_text
from flatforce.core.outcome import Outcome
from flatforce.properties.elasticity.stiffness import christoffel_velocities, moduli_by_direction
from flatforce.properties.phonons.result import STRESS_TOLERANCE

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.core.arrays import FloatArray

ANGLES: Final = np.radians(np.arange(0.0, 180.0, 2.5))
"""Directions of the moduli; those of the other half are the same."""

VELOCITY_TOLERANCE: Final = 0.02
"""Largest relative difference between sound velocities from strains and from phonons that is not reported: the fits of both
agree within 0.5 % for the bundled models."""

COMPONENTS: Final = ("xx", "yy", "xy")


@dataclass(frozen=True, repr=False)
class Elasticity(Outcome):
    """Second-order elastic constants, third-order ones where they were asked for, and bending rigidity."""

    kind: ClassVar[str] = "elastic"

    stiffness: FloatArray
    """(3, 3) N/m, relaxed ions; Voigt order xx, yy, xy."""
    clamped: FloatArray
    """(3, 3) N/m, ions at their fractional positions."""
    asymmetry: float
    """N/m, largest difference between C_ij and C_ji before they were averaged."""
    third_order: dict[str, float]
    """N/m, by name such as C111; empty unless they were asked for."""
    strains: FloatArray
    """(3, K) Lagrangian strains along xx, yy and xy, in ascending order."""
    stresses: FloatArray
    """(3, K, 3) N/m, second Piola–Kirchhoff stress at these strains, relaxed ions."""
    residual_stress: FloatArray
    """(2, 2) N/m, membrane stress of the unstrained sheet."""
    density: float
    """kg/m²."""
    max_force: float
    """eV/Å, largest force left in a strained cell."""
    n_unconverged: int
    """Number of strained cells whose ions did not converge."""
    rigidity: FloatArray | None = None
    """(2) eV, from the flexural branch, for waves along x and y."""
    velocities: FloatArray | None = None
    """(2, 2) m/s, transverse and longitudinal, from phonons, for waves along x and y."""
    tubes: dict[str, Any] = field(default_factory=dict)
    """`radii` (Å), `energies` (eV/Å²), `rigidity` (eV), `spontaneous_curvature` (1/Å), `converged`; empty without tubes."""

    units = {
        **dict.fromkeys(("C11", "C12", "C22", "C66", "C16", "C26"), "N/m"),
        **{f"clamped_{name}": "N/m" for name in ("C11", "C12", "C22", "C66")},
        **dict.fromkeys(("C111", "C112", "C122", "C222"), "N/m"),
        "youngs_modulus_x": "N/m",
        "youngs_modulus_y": "N/m",
        "poisson_ratio_xy": "",
        "poisson_ratio_yx": "",
        "min_stiffness": "N/m",
        "residual_stress": "N/m",
        "stiffness_asymmetry": "N/m",
        "bending_rigidity": "eV",
        "bending_rigidity_x": "eV",
        "bending_rigidity_y": "eV",
        "bending_rigidity_tubes": "eV",
        "spontaneous_curvature": "1/Å",
        "velocity_ta": "km/s",
        "velocity_la": "km/s",
        "velocity_difference": "",
        "max_force": "eV/Å",
    }

    @property
    def metrics(self) -> dict[str, float]:
        """Constants, moduli along x and y, stability, and what was computed of bending and sound."""
        full, clamped = self.stiffness, self.clamped
        values = {
            "C11": full[0, 0],
            "C12": full[0, 1],
            "C22": full[1, 1],
            "C66": full[2, 2],
            "C16": full[0, 2],
            "C26": full[1, 2],
            "clamped_C11": clamped[0, 0],
            "clamped_C12": clamped[0, 1],
            "clamped_C22": clamped[1, 1],
            "clamped_C66": clamped[2, 2],
            "min_stiffness": self.min_stiffness,
        }
        if self.min_stiffness > 0:
            young, poisson = moduli_by_direction(full, np.radians([0.0, 90.0]))
            values |= {
                "youngs_modulus_x": young[0],
                "youngs_modulus_y": young[1],
                "poisson_ratio_xy": poisson[0],
                "poisson_ratio_yx": poisson[1],
            }
        values |= self.third_order | self._bending_metrics()
        values |= {
            "residual_stress": np.abs(self.residual_stress).max(),
            "stiffness_asymmetry": self.asymmetry,
            "max_force": self.max_force,
        }
        return {name: float(value) for name, value in values.items()}

    def _bending_metrics(self) -> dict[str, float]:
        values: dict[str, float] = {}
        if self.rigidity is not None and self.velocities is not None:
            values = {
                "bending_rigidity": float(self.rigidity.mean()),
                "bending_rigidity_x": float(self.rigidity[0]),
                "bending_rigidity_y": float(self.rigidity[1]),
                "velocity_ta": float(self.velocities[0, 0]) / 1e3,
                "velocity_la": float(self.velocities[0, 1]) / 1e3,
                "velocity_difference": self.velocity_difference,
            }
        if self.tubes:
            values["bending_rigidity_tubes"] = self.tubes["rigidity"]
            values["spontaneous_curvature"] = self.tubes["spontaneous_curvature"]
        return values

    @property
    def min_stiffness(self) -> float:
        """Smallest eigenvalue of the stiffness (N/m): the sheet is stable against in-plane strain if it is positive."""
        return float(np.linalg.eigvalsh(self.stiffness).min())

    @property
    def velocity_difference(self) -> float:
        """Largest relative difference between the sound velocities of the strains and of the phonons; NaN without phonons."""
        if self.velocities is None:
            return float("nan")
        expected = [
            christoffel_velocities(self.stiffness, self.density, np.array(direction))
            for direction in ((1.0, 0.0), (0.0, 1.0))
        ]
        return float(np.abs(self.velocities / np.array(expected) - 1).max())

    @property
    def problems(self) -> list[str]:
        """An unstable sheet, ions or tubes that did not converge, an imaginary flexural branch."""
        texts = []
        if self.min_stiffness <= 0:
            texts.append(
                f"The sheet is unstable against in-plane strain: the smallest eigenvalue of its stiffness is {self.min_stiffness:.2f} N/m."
            )
        if self.n_unconverged:
            texts.append(f"The ions of {self.n_unconverged} strained cells have not converged.")
        if self.tubes and not self.tubes["converged"]:
            texts.append("A tube has not converged.")
        if self.rigidity is not None and not np.isfinite(self.rigidity).all():
            texts.append("The flexural branch is imaginary near Γ: there is no bending rigidity.")
        return texts

    @property
    def notes(self) -> list[str]:
        """A sheet that is not relaxed, and strains and phonons that disagree."""
        texts = []
        stress = float(np.abs(self.residual_stress).max())
        if stress > STRESS_TOLERANCE:
            texts.append(
                f"the sheet carries a membrane stress of {stress:.3g} N/m: its constants are those of a sheet under that stress, and its "
                "flexural branch is not quadratic; relax it first: flatforce relax"
            )
        if self.velocity_difference > VELOCITY_TOLERANCE:
            texts.append(
                f"sound velocities from strains and from phonons differ by {100 * self.velocity_difference:.1f} %: a larger supercell, or a "
                "smaller strain, tells which of them has not converged"
            )
        return texts

    @property
    def details(self) -> dict[str, Any]:
        """Radii and energies of the tubes."""
        return {"tubes": self.tubes} if self.tubes else {}

    def arrays(self) -> dict[str, FloatArray]:
        """Return stiffness, stresses against strains, and moduli by direction."""
        arrays = {
            "stiffness": self.stiffness,
            "clamped": self.clamped,
            "strain": self.strains,
            "stress": self.stresses,
        }
        if self.min_stiffness > 0:
            young, poisson = moduli_by_direction(self.stiffness, ANGLES)
            arrays |= {"angle": ANGLES, "youngs_modulus": young, "poisson_ratio": poisson}
        return arrays

    def files(self, folder: Path) -> None:
        """Write `stress_strain.csv`.

        Parameters
        ----------
        folder
            Result folder.
        """
        lines = ["strain_component,strain,stress_xx_N_per_m,stress_yy_N_per_m,stress_xy_N_per_m"]
        for name, strains, stresses in zip(COMPONENTS, self.strains, self.stresses, strict=True):
            lines += [
                f"{name},{strain:.6f}," + ",".join(f"{value:.6f}" for value in row)
                for strain, row in zip(strains, stresses, strict=True)
            ]
        write_text(folder / "stress_strain.csv", "\n".join(lines) + "\n")
