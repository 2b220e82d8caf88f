"""A `Potential` as an ASE calculator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.models.potential import Potential


class SheetCalculator(Calculator):  # type: ignore[misc]  # ase carries no types
    """ASE calculator of the energy, the forces and the in-plane stress of a sheet.

    `atoms.get_potential_energy()` is the energy of the cell (eV), `atoms.get_forces()` is (N, 3) eV/Å, and `atoms.get_stress()` is
    (6) eV/Å³ in Voigt order, tension positive, out-of-plane components zero.

    Parameters
    ----------
    potential
        The force field.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, potential: Potential) -> None:
        super().__init__()
        self.potential = potential

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Evaluate one structure.

        Parameters
        ----------
        atoms
            The structure.
        properties
            Properties that ASE asks for; all of them are computed at once.
        system_changes
            Changes since the last calculation, as ASE reports them.
        """
        super().calculate(atoms, properties, system_changes)
        (prediction,) = self.potential.evaluate([self.atoms])
        results: dict[str, Any] = {
            "energy": prediction.energy,
            "free_energy": prediction.energy,
            "forces": prediction.forces,
        }
        if prediction.stress is not None:
            results["stress"] = np.asarray(full_3x3_to_voigt_6_stress(prediction.stress))
        self.results = results
