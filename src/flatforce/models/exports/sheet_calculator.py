"""ASE calculator of a MACE model for sheets. It needs `pip install ase mace-torch`, and the file `model.model` beside it.

>>> from calculator import SheetCalculator          # doctest: +SKIP
>>> atoms.calc = SheetCalculator()                  # doctest: +SKIP

Whatever the vacuum and the periodicity of a structure are, the model sees a cell with three periodic axes and more vacuum than its cutoff,
so that a sheet does not interact with its image. The stress is that of the sheet: components out of the plane are zero.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from ase.calculators.calculator import Calculator, all_changes

if TYPE_CHECKING:
    from ase import Atoms

MODEL = Path(__file__).with_name("model.model")
"""The model, a pickle of mace-torch."""

VACUUM_MARGIN = 1.0
"""Å of vacuum beyond the cutoff."""

PLANE = [0, 1, 5]
"""Voigt components xx, yy and xy."""


class SheetCalculator(Calculator):  # type: ignore[misc]  # ASE carries no types
    """Energy (eV), forces (eV/Å) and in-plane stress (eV/Å³) of a sheet normal to its third lattice vector.

    Parameters
    ----------
    device
        `cpu` or `cuda`.
    model
        Path of the model.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, device: str = "cpu", model: Path = MODEL) -> None:
        super().__init__()
        import mace.modules  # noqa: F401  # before torch, which e3nn 0.4 needs
        import torch
        from mace.calculators import MACECalculator

        module = torch.load(model, map_location=device, weights_only=False)
        heads = list(getattr(module, "heads", None) or ["Default"])
        self.cutoff = float(module.r_max)
        self.mace = MACECalculator(models=[module], device=device, default_dtype="float64", head=heads[-1])

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
        slab = _pad(self.atoms, self.cutoff + VACUUM_MARGIN)
        self.mace.calculate(slab)
        energy = float(self.mace.results["energy"])
        stress: Any = np.zeros(6)
        height = abs(self.atoms.cell[2, 2]) or slab.cell[2, 2]
        stress[PLANE] = np.asarray(self.mace.results["stress"])[PLANE] * slab.cell[2, 2] / height
        forces = np.asarray(self.mace.results["forces"])
        self.results = {"energy": energy, "free_energy": energy, "forces": forces, "stress": stress}


def _pad(atoms: Atoms, min_gap: float) -> Atoms:
    """Return a fully periodic copy whose vacuum is at least as thick as asked for, also where the boundary cuts the sheet."""
    z, height = atoms.positions[:, 2].copy(), abs(atoms.cell[2, 2])
    if height > 0 and atoms.pbc[2]:
        z %= height
        levels = np.sort(z)
        above = levels[np.argmax(np.diff(np.append(levels, levels[0] + height)))]
        z[z > above + 1e-9] -= height
    extent = np.ptp(z)
    gap = max(height - extent, min_gap)
    slab = atoms.copy()
    slab.set_constraint()
    slab.positions[:, 2] = z - z.min() + gap / 2
    slab.set_cell([*slab.cell[:2], [0.0, 0.0, extent + gap]])
    slab.pbc = True
    return slab
