"""Result of an embedding: force constants of the large cell and local spectra around the defect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from flatforce.core.outcome import Outcome
from flatforce.data.frame_files import write_frames
from flatforce.properties.phonons.force_constants.sparse import FILE_NAME
from flatforce.properties.phonons.result import ENFORCED_RULES, residual_metrics, residual_units
from flatforce.properties.phonons.spectra.modes import IMAGINARY

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.properties.phonons.force_constants.embedding import Embedding

CONVERGENCE_TOLERANCE: Final = 0.01
"""Largest change of a spectrum over the last quarter of the Lanczos chains that counts as converged."""

RESIDUAL_TOLERANCE: Final = 1e-8
"""eV/Å² and eV/Å, largest residual of a sum rule that counts as zero."""


@dataclass(frozen=True, repr=False)
class EmbeddedSpectra(Outcome):
    """Local spectra around an embedded defect."""

    kind: ClassVar[str] = "embedded defect"

    frequency: FloatArray
    """(G) THz, grid of the densities of states."""
    shell_ldos: FloatArray
    """(S, G) states/THz, local DOS of an average site of each shell; its integral is 3."""
    shell_ldos_out_of_plane: FloatArray
    """(S, G) states/THz, the part of out-of-plane motion; its integral is 1."""
    shell_sites: IntArray
    """(S) number of atoms in each shell."""
    element_dos: dict[str, FloatArray]
    """Species → (2, G) states/THz: DOS of an average atom of the whole cell, estimated with random vectors, and its standard
    error."""
    steps: int
    """Number of steps of the Lanczos chains."""
    lowest_frequency: float
    """THz, lowest mode with weight in the shells; imaginary as a negative number."""
    convergence_error: float
    """Largest L1 change of a spectrum over the last quarter of the steps, relative to its integral."""
    embedding: Embedding
    """Force constants of the large cell."""

    units = {
        "n_atoms": "",
        "n_exact_rows": "",
        "truncation_error": "eV/Å²",
        "border_shift": "Å",
        "lanczos_steps": "",
        "lowest_frequency": "THz",
        "convergence_error": "",
        **residual_units(ENFORCED_RULES),
    }

    @property
    def metrics(self) -> dict[str, float]:
        """Size, errors of the embedding, residuals of the sum rules, and convergence of the Lanczos chains."""
        return {
            "n_atoms": float(len(self.embedding.cell.atoms)),
            "n_exact_rows": float(len(self.embedding.row_distances)),
            "truncation_error": self.embedding.truncation_error,
            "border_shift": self.embedding.border_shift,
            **residual_metrics(self.embedding.residuals_before, "before", ENFORCED_RULES),
            **residual_metrics(self.embedding.residuals_after, "after", ENFORCED_RULES),
            "lanczos_steps": float(self.steps),
            "lowest_frequency": self.lowest_frequency,
            "convergence_error": self.convergence_error,
        }

    @property
    def problems(self) -> list[str]:
        """Imaginary modes, Lanczos chains that are too short, or sum rules that do not hold."""
        problems = []
        if self.lowest_frequency < IMAGINARY:
            problems.append(f"imaginary modes down to {self.lowest_frequency:.3f} THz")
        if self.convergence_error > CONVERGENCE_TOLERANCE:
            problems.append(
                f"the Lanczos chains are too short: the spectrum still changes by {self.convergence_error:.1%}"
            )
        residuals = self.embedding.residuals_after
        largest = max(residuals.translation, residuals.rotation)
        if self.embedding.sum_rules and largest > RESIDUAL_TOLERANCE:
            problems.append(f"the sum rules do not hold: their largest residual is {largest:.1e}")
        return problems

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays that figures, dilute limit, unfolding and line shape need.

        Returns
        -------
        Name → array, under the names of `arrays.npz` in the result folder; shapes and units are those of the fields.
        """
        return {
            "frequency": self.frequency,
            "shell_ldos": self.shell_ldos,
            "shell_ldos_out_of_plane": self.shell_ldos_out_of_plane,
            "shell_sites": self.shell_sites,
            **{f"dos_{symbol}": pair for symbol, pair in self.element_dos.items()},
            "row_distance": self.embedding.row_distances,
            "row_change": self.embedding.row_changes,
            "small_atom": self.embedding.small_atom,
            **self.embedding.host.arrays(),
        }

    def files(self, folder: Path) -> None:
        """Write `sparse_force_constants.hdf5` of the large cell, and `primitive.extxyz`.

        Parameters
        ----------
        folder
            Result folder.
        """
        self.embedding.force_constants.save(folder / FILE_NAME)
        write_frames(folder / "primitive.extxyz", [self.embedding.host.primitive])
