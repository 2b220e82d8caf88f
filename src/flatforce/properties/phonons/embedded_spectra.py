"""Local spectra of a defect in a supercell too large to diagonalise."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.progress import Progress, silent
from flatforce.properties.phonons.defect_cell import defect_shells
from flatforce.properties.phonons.lanczos import highest_frequency, lanczos, steps_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.properties.phonons.embedding import Embedded


@dataclass(frozen=True)
class EmbeddedSpectra:
    """Spectra of the shells around an embedded defect."""

    frequency: FloatArray
    """(G) THz."""
    shell_dos: FloatArray
    """(S, G) states/THz of one site of each shell, mean over the shell; integral 3."""
    shell_sites: IntArray
    """(S) atoms in each shell."""
    steps: int
    """Of the Lanczos chains."""
    unconverged: float
    """L1 change of a spectrum over the last quarter of the steps, relative to its integral."""
    embedded: Embedded

    @property
    def metrics(self) -> dict[str, float]:
        """Flat numbers for the record."""
        return {
            "n_atoms": float(len(self.embedded.cell.atoms)),
            "n_exact_rows": float(len(self.embedded.distance)),
            "rim_error": self.embedded.rim_error,
            "border_shift": self.embedded.border_shift,
            "raw_translation": self.embedded.raw_residuals.translation,
            "raw_rotation": self.embedded.raw_residuals.rotation,
            "left_translation": self.embedded.left_residuals.translation,
            "left_rotation": self.embedded.left_residuals.rotation,
            "lanczos_steps": float(self.steps),
            "unconverged": self.unconverged,
        }

    @property
    def units(self) -> dict[str, str]:
        """Unit of each metric."""
        named = {"rim_error": "eV/Å²", "border_shift": "Å"}
        rules = {"translation": "eV/Å²", "rotation": "eV/Å"}
        return {name: named.get(name) or rules.get(name.partition("_")[2], "1") for name in self.metrics}

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return what the figures need.

        Returns
        -------
        Name → array.
        """
        return {
            "frequency": self.frequency,
            "shell_dos": self.shell_dos,
            "shell_sites": self.shell_sites,
            "row_distance": self.embedded.distance,
            "row_change": self.embedded.change,
            "small_atom": self.embedded.small_atom,
        }


def embedded_spectra(
    embedded: Embedded,
    *,
    radii: Sequence[float],
    broadening: float,
    progress: Progress = silent,
) -> EmbeddedSpectra:
    """Compute the local DOS of each shell by Lanczos chains, one a distinct atom and axis.

    Parameters
    ----------
    embedded
        Force constants of the large cell.
    radii
        Å. Shells around the defect; the rest beyond the last is left out.
    broadening
        THz, standard deviation of the Gaussian on each node.
    progress
        Told after each step.

    Returns
    -------
    The spectra.
    """
    matrix = embedded.force_constants.dynamical()
    shells = defect_shells(embedded.cell, list(radii))
    inner = np.flatnonzero(shells < len(radii))
    distinct, which = np.unique(embedded.orbit[inner], return_inverse=True)
    vectors = np.zeros((matrix.shape[0], 3 * len(distinct)))
    vectors[(3 * distinct[:, None] + np.arange(3)).ravel(), np.arange(vectors.shape[1])] = 1.0
    top = highest_frequency(matrix)
    steps = steps_for(broadening, top=top)
    chains = lanczos(matrix, vectors, steps, threads=os.cpu_count() or 1, progress=progress)
    grid = np.arange(-5 * broadening, top + 5 * broadening, broadening / 5)
    of_atom = chains.dos(grid, broadening).reshape(len(distinct), 3, -1).sum(axis=1)[which]
    counts = np.array([int((shells == s).sum()) for s in range(len(radii))])
    dos = np.array([of_atom[shells[inner] == s].mean(axis=0) for s in range(len(radii))])
    return EmbeddedSpectra(grid, dos, counts, steps, chains.unconverged(grid, broadening), embedded)
