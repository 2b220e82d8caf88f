"""What a force field predicts for one sheet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flatforce.core.arrays import FloatArray


@dataclass(frozen=True)
class Prediction:
    """Energy, forces and in-plane stress of a sheet, with standard deviations if a committee predicted them."""

    energy: float
    """eV, potential energy of the whole cell."""
    forces: FloatArray
    """(N, 3) eV/Å, force on each atom."""
    stress: FloatArray | None
    """(3, 3) eV/Å³ in the cell as given, tension positive, out-of-plane components zero; None if not computed."""
    membrane_stress: FloatArray | None
    """(2, 2) N/m, in-plane stress times the height of the cell; None if not computed."""
    energy_std: float | None = None
    """eV, standard deviation of the committee's energies; None for a single model."""
    forces_std: FloatArray | None = None
    """(N, 3) eV/Å, standard deviation of the committee's force components; None for a single model."""
