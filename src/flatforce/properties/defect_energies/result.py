"""Formation and binding energies of defects, as a result folder holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from flatforce.core.files import write_text
from flatforce.core.outcome import Outcome
from flatforce.core.units import BOLTZMANN
from flatforce.structures.defect_notation import parse_defect

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms
    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.defect_energies.chemical_potentials import Limit
    from flatforce.properties.defect_energies.energy import DefectEnergy
    from flatforce.properties.defect_energies.labelled import LabelledEnergies

CM2_IN_A2 = 1e16


@dataclass(frozen=True, repr=False)
class DefectEnergies(Outcome):
    """Formation energies at every limit, and binding energies of complexes."""

    kind: ClassVar[str] = "defect energies"

    defects: list[DefectEnergy]
    """All defects, parts of complexes included."""
    limits: list[Limit]
    """Limits of the chemical potentials."""
    temperatures: FloatArray
    """(T) K, of the concentrations."""
    area: float
    """Å², of the primitive cell."""
    structures: dict[str, Atoms] = field(default_factory=dict)
    """Defect and size → relaxed supercell."""
    labelled: LabelledEnergies | None = None
    """Energies of the smallest supercells by labels; None where none were asked for."""
    verify_tolerance: float = 0.1
    """eV, largest accepted error of the force field."""

    @property
    def units(self) -> dict[str, str]:  # type: ignore[override]  # the names hold the defects
        """Unit of each metric."""
        return dict.fromkeys(self.metrics, "eV") | {"n_defects": ""}

    @property
    def metrics(self) -> dict[str, float]:
        """Formation energy of each defect at each limit, its error by size, and the binding energy of each complex."""
        values: dict[str, float] = {"n_defects": float(len(self.defects))}
        for defect in self.defects:
            for limit in self.limits:
                suffix = f" {limit.name}" if limit.name else ""
                values[f"{defect.name}: formation_energy{suffix}"] = defect.formation_energy(limit)
            if np.isfinite(defect.size_error):
                values[f"{defect.name}: size_error"] = defect.size_error
            binding = self.binding_energy(defect)
            if binding is not None:
                values[f"{defect.name}: binding_energy"] = binding
            if self.labelled is not None and defect.name in self.labelled.differences:
                values[f"{defect.name}: label_error"] = self.labelled.error(defect)
        return values

    def relaxed(self, size: int) -> dict[str, Atoms]:
        """Return the relaxed supercells of one size.

        Parameters
        ----------
        size
            Primitive cells along each lattice vector.

        Returns
        -------
        Defect → its supercell; those whose relaxation failed are missing.
        """
        ending = f" {size}x{size}"
        return {
            name.removesuffix(ending): atoms
            for name, atoms in self.structures.items()
            if name.endswith(ending)
        }

    def binding_energy(self, defect: DefectEnergy) -> float | None:
        """Return how much less a complex costs than its parts far from one another.

        Parameters
        ----------
        defect
            One of the defects.

        Returns
        -------
        eV, positive where the parts attract one another; None for a point defect.
        """
        parts = [str(part).partition("~")[0] for part in parse_defect(defect.name)]
        if len(parts) < 2:
            return None
        single = {entry.name: entry.difference for entry in self.defects}
        if any(part not in single for part in parts):
            return None
        return sum(single[part] for part in parts) - defect.difference

    @property
    def problems(self) -> list[str]:
        """Defects whose relaxation failed, and energies that labels contradict."""
        return [*self._unrelaxed(), *self._contradicted()]

    def _unrelaxed(self) -> list[str]:
        return [
            f"{defect.name}: the relaxation did not converge in {int(np.isnan(defect.differences).sum())} of {len(defect.sizes)} supercells."
            for defect in self.defects
            if np.isnan(defect.differences).any()
        ]

    def _contradicted(self) -> list[str]:
        if self.labelled is None:
            return []
        texts = [f"{name}: there is no label: {reason}." for name, reason in self.labelled.failures.items()]
        if self.labelled.reason:
            texts.append(f"There are no formation energies by labels: {self.labelled.reason}.")
        for defect in self.defects:
            if defect.name not in self.labelled.differences:
                continue
            error = self.labelled.error(defect)
            if abs(error) > self.verify_tolerance:
                texts.append(
                    f"{defect.name}: the energy of the force field in {self.labelled.size} × {self.labelled.size} cells is {error:+.2f} eV off "
                    f"that of the labels, and verify_tolerance is {self.verify_tolerance:g} eV."
                )
        return texts

    @property
    def notes(self) -> list[str]:
        """Defects that form by themselves, and supercells that are too small."""
        texts = []
        for defect in self.defects:
            values = [defect.formation_energy(limit) for limit in self.limits]
            if values and min(values) < 0:
                texts.append(
                    f"{defect.name} has a negative formation energy ({min(values):.2f} eV): the sheet is not stable there, or the references "
                    "are not those of the force field"
                )
            if np.isfinite(defect.size_error) and defect.size_error > 0.1:
                texts.append(
                    f"{defect.name}: the largest supercell is {defect.size_error:.2f} eV from the extrapolation; add a larger size"
                )
        if self.labelled is not None:
            texts += [
                f"{name}: the labelled energy is higher than that of the minimum, {reason}"
                for name, reason in self.labelled.unrelaxed.items()
            ]
        return texts

    def concentration(self, defect: DefectEnergy, limit: Limit, temperature: float) -> float:
        """Return the equilibrium concentration of a defect, without vibrational entropy.

        Parameters
        ----------
        defect
            One of the defects.
        limit
            Limit of the chemical potentials.
        temperature
            K.

        Returns
        -------
        1/cm², sites of the sheet times the Boltzmann factor of the formation energy.
        """
        energy = defect.formation_energy(limit)
        density = defect.multiplicity / self.area * CM2_IN_A2
        return float(density * np.exp(min(0.0, -energy / (BOLTZMANN * temperature))))

    @property
    def details(self) -> dict[str, Any]:
        """Everything by defect, and the chemical potentials of the limits."""
        return {
            "labelled": None if self.labelled is None else self.labelled.details(),
            "limits": [{"name": limit.name, "potentials": dict(limit.potentials)} for limit in self.limits],
            "defects": [
                {
                    "name": defect.name,
                    "removed": defect.removed,
                    "sizes": defect.sizes,
                    "differences": [None if np.isnan(x) else float(x) for x in defect.differences],
                    "formation_energies": [defect.formation_energy(limit) for limit in self.limits],
                    "labelled_formation_energies": self._labelled(defect),
                    "binding_energy": self.binding_energy(defect),
                    "separation": defect.separation,
                    "multiplicity": defect.multiplicity,
                    "concentrations": [
                        [self.concentration(defect, limit, float(t)) for t in self.temperatures]
                        for limit in self.limits
                    ],
                }
                for defect in self.defects
            ],
        }

    def _labelled(self, defect: DefectEnergy) -> list[float | None] | None:
        if self.labelled is None or defect.name not in self.labelled.differences:
            return None
        values = self.labelled.formation_energies(defect)
        return [None if np.isnan(value) else value for value in values]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return formation energies (D, L) in eV and temperatures."""
        energies = [[defect.formation_energy(limit) for limit in self.limits] for defect in self.defects]
        return {"formation_energies": np.array(energies), "temperatures": self.temperatures}

    def files(self, folder: Path) -> None:
        """Write `formation_energies.csv` and `relaxed.extxyz`, and `labelled.extxyz` where there are labels.

        Parameters
        ----------
        folder
            Result folder.
        """
        from flatforce.data.frame_files import write_frames

        heads = [f"formation_energy_{limit.name}_eV".replace("__", "_") for limit in self.limits]
        lines = [",".join(["defect", *heads, "binding_energy_eV", "separation_A"])]
        for defect in self.defects:
            binding = self.binding_energy(defect)
            energies = [f"{defect.formation_energy(limit):.4f}" for limit in self.limits]
            lines.append(
                ",".join(
                    [
                        defect.name,
                        *energies,
                        "" if binding is None else f"{binding:.4f}",
                        f"{defect.separation:.3f}",
                    ]
                )
            )
        write_text(folder / "formation_energies.csv", "\n".join(lines) + "\n")
        frames = []
        for name, atoms in self.structures.items():
            frame = atoms.copy()
            frame.info = {"name": name}
            frames.append(frame)
        write_frames(folder / "relaxed.extxyz", frames)
        if self.labelled is not None:
            write_frames(folder / "labelled.extxyz", self.labelled.frames)
