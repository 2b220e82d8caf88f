"""Energy of one defect at several sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flatforce.core.arrays import FloatArray
    from flatforce.properties.defect_energies.chemical_potentials import Limit


@dataclass(frozen=True)
class DefectEnergy:
    """Energy of one defect, without the chemical potentials of its atoms."""

    name: str
    """Canonical notation."""
    removed: dict[str, int]
    """Element → atoms that the defect removes; negative where it adds them."""
    sizes: list[int]
    """Supercells, in primitive cells along each lattice vector."""
    differences: FloatArray
    """(K) eV, energy of the relaxed supercell minus that of the pristine one; NaN where the relaxation failed."""
    difference: float
    """eV, the same for an infinite sheet."""
    size_error: float
    """eV, difference from the largest supercell; NaN for one size."""
    multiplicity: float
    """Equivalent defects in a primitive cell."""
    separation: float
    """Å, largest distance between two sites of a complex."""

    def formation_energy(self, limit: Limit) -> float:
        """Return the formation energy at a limit of the chemical potentials.

        Parameters
        ----------
        limit
            The limit.

        Returns
        -------
        eV, E(defect) − E(pristine) + Σ n_i μ_i.
        """
        return self.difference + self.exchange_energy(limit)

    def exchange_energy(self, limit: Limit) -> float:
        """Return what the reservoirs gain or lose by the atoms that the defect removes or adds.

        Parameters
        ----------
        limit
            The limit.

        Returns
        -------
        eV, Σ n_i μ_i over the elements.
        """
        return sum(n * limit.potentials[element] for element, n in self.removed.items())
