"""Result of the phonons of a defect cell, compared with the pristine supercell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from flatforce.core.outcome import Outcome
from flatforce.data.frame_files import write_frames
from flatforce.properties.phonons.force_constants.finite_displacements import make_phonopy
from flatforce.properties.phonons.force_constants.sparse import FILE_NAME
from flatforce.properties.phonons.phonopy_files import write_phonopy
from flatforce.properties.phonons.result import ENFORCED_RULES, residual_metrics, residual_units
from flatforce.properties.phonons.spectra.modes import IMAGINARY
from flatforce.properties.phonons.spectra.thermal import TEMPERATURES

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms
    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.phonons.defects.cell_modes import SpectraComparison
    from flatforce.properties.phonons.defects.imaginary_modes import FollowedMode
    from flatforce.properties.phonons.defects.relaxed_cell import RelaxedDefect
    from flatforce.properties.phonons.force_constants.engines import EngineReport
    from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants
    from flatforce.properties.phonons.force_constants.sum_rules import SumRuleResiduals
    from flatforce.properties.phonons.spectra.localisation import Mode
    from flatforce.properties.phonons.spectra.modes import ModeSet
    from flatforce.structures.defects import DefectCell


@dataclass(frozen=True, repr=False)
class DefectPhonons(Outcome):
    """Phonons of a defect cell, and spectra of the pristine supercell of the same size."""

    kind: ClassVar[str] = "defect phonons"

    relaxed_defect: RelaxedDefect
    """The defect cell before and after its relaxation."""
    labels: list[str]
    """(P) names of the special points of the band path."""
    ticks: FloatArray
    """(P) 1/Å, positions of the special points along the path."""
    distance: FloatArray
    """(Q) 1/Å, position of each q point along the path."""
    bands: FloatArray
    """(Q, 3N) THz, frequencies of the defect cell; imaginary ones as negative numbers."""
    shell_projection: FloatArray
    """(Q, 3N) 0…1, projection of each mode onto the innermost shell."""
    spectra: SpectraComparison
    """Spectra of the pristine and of the defect cell."""
    modes: list[Mode]
    """Modes at Γ that are localised, or have the largest weight near the defect."""
    gamma: ModeSet
    """All modes of the defect cell at Γ."""
    residuals_before: SumRuleResiduals
    """Residuals of the sum rules before they were enforced."""
    residuals_after: SumRuleResiduals
    """Residuals of the sum rules after they were enforced."""
    engine_report: EngineReport
    """How the force constants of the defect cell were computed."""
    constants: SparseForceConstants
    """Force constants of the defect cell, with the sum rules enforced where the settings ask for it."""
    lowest_frequency: float
    """THz, lowest frequency of the defect cell on the mesh and at Γ; imaginary as a negative number."""
    followed: FollowedMode | None = None
    """Where the lowest mode leads, if it is imaginary and was followed."""

    units = {
        "n_atoms": "",
        "n_rows": "",
        "n_displacements": "",
        "relaxation_energy": "eV",
        "min_frequency": "THz",
        "max_frequency": "THz",
        "removed_states": "states",
        "matched_site_difference": "states",
        "symmetry_shift": "Å",
        "residual_force": "eV/Å",
        "n_localised_modes": "",
        **residual_units(ENFORCED_RULES),
    }

    @property
    def cell(self) -> DefectCell:
        """The defect cell before its relaxation."""
        return self.relaxed_defect.cell

    @property
    def relaxed(self) -> Atoms:
        """The relaxed, symmetrised defect cell."""
        return self.relaxed_defect.atoms

    @property
    def point_group(self) -> str:
        """Point group of the relaxed defect cell."""
        return self.relaxed_defect.symmetry.point_group

    @property
    def ldos(self) -> FloatArray:
        """(2, G) states/THz, local DOS of an average site of the innermost shell, pristine and defect."""
        ldos: FloatArray = self.spectra.shell_ldos[:, 0] / self.spectra.shell_sites[:, :1]
        return ldos

    @property
    def removed_states(self) -> float:
        """Integral of the DOS of the defect cell minus that of the pristine cell; −3 for each atom missing."""
        return float(np.trapezoid(self.spectra.dos[1] - self.spectra.dos[0], self.spectra.frequency))

    @property
    def metrics(self) -> dict[str, float]:
        """Size, cost, relaxation energy, extreme frequencies, state counts, residual force, residuals of the sum rules."""
        difference = np.trapezoid(self.spectra.site_difference, self.spectra.frequency)
        return {
            "n_atoms": float(len(self.relaxed)),
            "n_rows": float(self.engine_report.n_rows),
            "n_displacements": float(self.engine_report.n_displacements),
            "relaxation_energy": self.relaxed_defect.energy_gain,
            "min_frequency": min(self.lowest_frequency, float(self.bands.min())),
            "max_frequency": float(self.bands.max()),
            "removed_states": self.removed_states,
            "matched_site_difference": float(difference),
            "symmetry_shift": self.relaxed_defect.symmetry_shift,
            "residual_force": self.engine_report.residual_force,
            "n_localised_modes": float(sum(mode.degeneracy for mode in self.modes if mode.localised)),
            **residual_metrics(self.residuals_before, "before", ENFORCED_RULES),
            **residual_metrics(self.residuals_after, "after", ENFORCED_RULES),
        }

    @property
    def problems(self) -> list[str]:
        """Imaginary modes and where they lead, or a relaxation that has not converged."""
        min_frequency = self.metrics["min_frequency"]
        problems = []
        if min_frequency < IMAGINARY:
            at_gamma = self.gamma.frequencies.min() < IMAGINARY
            where = "" if at_gamma else ", none with the period of this cell: follow them in a larger one"
            problems.append(f"imaginary modes down to {min_frequency:.3f} THz{where}")
        if not self.relaxed_defect.converged:
            problems.append("the relaxation did not converge")
        return problems + ([] if self.followed is None else [self.followed.description])

    @property
    def details(self) -> dict[str, Any]:
        """Listed modes, point group, centre of the defect, and how the force constants were computed."""
        return {
            "modes": [mode.plain() for mode in self.modes],
            "point_group": self.point_group,
            "centre": self.cell.centre.tolist(),
            "engine": self.engine_report.engine,
            "row_check_difference": self.engine_report.row_check_difference,
        }

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays that figures and comparisons need.

        Returns
        -------
        Name → array, under the names of `arrays.npz` in the result folder; shapes and units are those of the fields.
        """
        spectra = self.spectra
        return {
            "ticks": self.ticks,
            "labels": np.array(self.labels),
            "distance": self.distance,
            "bands": self.bands,
            "shell_projection": self.shell_projection,
            "frequency": spectra.frequency,
            "dos": spectra.dos,
            "shell_ldos": spectra.shell_ldos,
            "shell_sites": spectra.shell_sites,
            "site_difference": spectra.site_difference,
            "positions": self.relaxed.positions,
            "numbers": self.relaxed.numbers,
            "lattice": self.relaxed.cell.array,
            "centre": self.cell.centre,
            "temperature": TEMPERATURES,
            "free_energy": spectra.free_energy,
            "mean_square_displacement": spectra.mean_square_displacement,
            **self._mode_arrays(),
            **{f"dos_{symbol}": pair for symbol, pair in spectra.element_dos.items()},
        }

    def _mode_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Frequencies and vectors of the listed modes, and of all modes of their degenerate sets."""
        first = [mode.index for mode in self.modes]
        groups = [np.arange(mode.index, mode.index + mode.degeneracy) for mode in self.modes]
        vectors = self.gamma.vectors[0].real.T
        return {
            "mode_vectors": vectors[first].reshape(len(first), len(self.relaxed), 3),
            "set_index": np.repeat(np.arange(len(groups)), [len(group) for group in groups]),
            "set_vectors": vectors[np.concatenate([[], *groups]).astype(int)],
            "mode_frequencies": self.gamma.frequencies[0][first],
        }

    def files(self, folder: Path) -> None:
        """Write the structures, the force constants as a sparse matrix, and the files from which phonopy loads them.

        Parameters
        ----------
        folder
            Result folder.
        """
        write_frames(folder / "relaxed.extxyz", [self.relaxed])
        self.constants.save(folder / FILE_NAME)
        phonon = make_phonopy(self.constants.atoms, (1, 1))
        phonon.force_constants = self.constants.dense()
        write_phonopy(phonon, folder, with_constants=False)
        if self.followed is not None:
            write_frames(folder / "followed.extxyz", [self.followed.relaxed])
