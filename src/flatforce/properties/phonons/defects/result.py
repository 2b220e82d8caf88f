"""What the phonons of a defect cell beside the pristine one have to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.properties.phonons.defects.committee_uncertainty import set_owner
from flatforce.properties.phonons.spectra.modes import IMAGINARY

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.properties.phonons.force_constants.engines import EngineReport
    from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants
    from flatforce.properties.phonons.force_constants.sum_rules import SumRuleResiduals
    from flatforce.properties.phonons.spectra.localisation import Mode
    from flatforce.properties.phonons.spectra.modes import ModeSet
    from flatforce.structures.defects import DefectCell

METRIC_UNITS: Final = {
    "n_atoms": "1",
    "n_rows": "1",
    "n_displacements": "1",
    "relaxation_energy": "eV",
    "min_frequency": "THz",
    "max_frequency": "THz",
    "removed_states": "states",
    "matched_site_difference": "states",
    "n_localised_modes": "1",
    "symmetry_shift": "Å",
    "residual_force": "eV/Å",
    "left_translation": "eV/Å²",
    "left_rotation": "eV/Å",
    "raw_translation": "eV/Å²",
    "raw_rotation": "eV/Å",
}


@dataclass(frozen=True)
class DefectPhonons:
    """A defect cell and the pristine supercell of the same size, spectrum beside spectrum."""

    cell: DefectCell
    relaxed: Atoms
    """The relaxed, symmetrised defect cell."""
    relaxation_energy: float
    """eV gained."""
    relaxation_converged: bool
    point_group: str
    labels: list[str]
    ticks: FloatArray
    distance: FloatArray
    bands: FloatArray
    """(Q, 3N) THz, defect cell."""
    shell_projection: FloatArray
    """(Q, 3N) 0…1, weight of each mode in the innermost shell."""
    frequency: FloatArray
    """(G) THz."""
    dos: FloatArray
    """(2, G) states/THz per supercell: pristine, defect."""
    shell_ldos: FloatArray
    """(2, S, G) states/THz of the sites in each shell."""
    element_dos: dict[str, FloatArray]
    """Species → (2, G) states/THz."""
    site_difference: FloatArray
    """(G) states/THz, defect less pristine over the sites that both have."""
    shell_sites: IntArray
    """(2, S) sites in each shell."""
    modes: list[Mode]
    gamma: ModeSet
    """Modes of the defect cell at Γ."""
    residuals_before: SumRuleResiduals
    residuals_after: SumRuleResiduals
    symmetry_shift: float
    """Å, largest shift of an atom when the site symmetry was restored."""
    filled: EngineReport
    """How its force constants were obtained."""
    constants: SparseForceConstants
    """Of the defect cell, rules enforced where asked for."""
    temperature: FloatArray
    """(T) K."""
    free_energy: FloatArray
    """(2, T) eV per supercell, of the vibrations, zero-point energy included."""
    displacement: FloatArray
    """(2, 2, S, T) Å², mean-square displacement of an atom of each shell, in the plane (per axis) and along the normal,
    over the sites that both cells have."""

    lowest: float
    """THz, lowest mode of the defect on the mesh and at Γ; imaginary as negative."""

    @property
    def removed_states(self) -> float:
        """Integral of the difference of the two DOS; −3 for each atom missing."""
        return float(np.trapezoid(self.dos[1] - self.dos[0], self.frequency))

    @property
    def metrics(self) -> dict[str, float]:
        """Flat numbers for the record."""
        return {
            "n_atoms": float(len(self.relaxed)),
            "n_rows": float(self.engine_report.n_rows),
            "n_displacements": float(self.engine_report.n_displacements),
            "relaxation_energy": self.relaxation_energy,
            "min_frequency": min(self.lowest, float(self.bands.min())),
            "max_frequency": float(self.bands.max()),
            "removed_states": self.removed_states,
            "matched_site_difference": float(np.trapezoid(self.site_difference, self.frequency)),
            "symmetry_shift": self.symmetry_shift,
            "residual_force": self.engine_report.residual_force,
            "n_localised_modes": float(sum(mode.degeneracy for mode in self.modes if mode.localised)),
            "left_translation": self.residuals_after.translation,
            "left_rotation": self.residuals_after.rotation,
            "raw_translation": self.residuals_before.translation,
            "raw_rotation": self.residuals_before.rotation,
        }

    @property
    def units(self) -> dict[str, str]:
        """Unit of each metric."""
        return dict(METRIC_UNITS)

    @property
    def problems(self) -> list[str]:
        """What is wrong with the physics."""
        lowest = self.metrics["min_frequency"]
        said = []
        if lowest < IMAGINARY:
            here = self.gamma.frequencies.min() < IMAGINARY
            where = "" if here else ", none with the period of this cell: follow them in a larger one"
            said.append(f"imaginary modes down to {lowest:.3f} THz{where}")
        return said + ([] if self.relaxation_converged else ["the relaxation did not converge"])

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return what the figures need.

        Returns
        -------
        Name → array.
        """
        elements = {f"dos_{name}": pair for name, pair in self.element_dos.items()}
        chosen = [mode.index for mode in self.modes]
        groups = [np.arange(mode.index, mode.index + mode.degeneracy) for mode in self.modes]
        return {
            "ticks": self.ticks,
            "labels": np.array(self.labels),
            "distance": self.distance,
            "bands": self.bands,
            "shell_projection": self.shell_projection,
            "frequency": self.frequency,
            "dos": self.dos,
            "shell_ldos": self.shell_ldos,
            "shell_sites": self.shell_sites,
            "site_difference": self.site_difference,
            "positions": self.relaxed.positions,
            "numbers": self.relaxed.numbers,
            "lattice": self.relaxed.cell.array,
            "centre": self.cell.centre,
            "mode_vectors": self.gamma.vectors[0].real.T[chosen].reshape(len(chosen), len(self.relaxed), 3),
            "temperature": self.temperature,
            "free_energy": self.free_energy,
            "displacement": self.displacement,
            "set_index": set_owner(groups),
            "set_vectors": self.gamma.vectors[0].real.T[np.concatenate([[], *groups]).astype(int)],
            "mode_frequencies": self.gamma.frequencies[0][chosen],
            **elements,
        }
