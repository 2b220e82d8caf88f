"""Spectra of the pristine sheet on the sites around an embedded defect, and its bands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.units import FREQUENCY_FACTOR
from flatforce.properties.phonons.defects.perturbation import count_repeats
from flatforce.properties.phonons.spectra.mode_classes import BAND_MESH
from flatforce.properties.phonons.spectra.modes import gaussian_dos

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.core.arrays import ComplexArray, FloatArray, IntArray
    from flatforce.properties.phonons.force_constants.embedded_defect import EmbeddedDefect
    from flatforce.properties.phonons.force_constants.pristine_host import Host


def pristine_shell_ldos(
    defect: EmbeddedDefect, shells: Sequence[IntArray], grid: FloatArray, broadening: float
) -> FloatArray:
    """Average the local DOS of the pristine supercell over the sites that the atoms of each shell occupy.

    Parameters
    ----------
    defect
        The defect in a large supercell.
    shells
        For each shell, indices of its atoms in the large cell; added atoms, which have no site, are left out.
    grid
        (G) THz.
    broadening
        THz, standard deviation of the Gaussian on each mode.

    Returns
    -------
    (S, G) states/THz; the integral is 3.
    """
    basis = len(defect.host.primitive)
    squares, vectors = np.linalg.eigh(_matrices(defect.host, count_repeats(defect.cell, defect.host)))
    frequencies = np.sign(squares) * np.sqrt(np.abs(squares)) * FREQUENCY_FACTOR
    weights = (np.abs(vectors) ** 2).reshape(len(vectors), basis, 3, -1).sum(axis=2)
    by_sublattice = np.array(
        [gaussian_dos(frequencies, weights[:, k], grid, broadening) for k in range(basis)]
    )
    sites = [defect.cell.site_of[atoms] for atoms in shells]
    return np.array([by_sublattice[of_shell[of_shell >= 0] % basis].mean(axis=0) for of_shell in sites])


def host_bands(host: Host) -> FloatArray:
    """Compute the frequencies of the pristine sheet on a dense mesh, which separate bands from gaps.

    Parameters
    ----------
    host
        The pristine sheet.

    Returns
    -------
    (Q, 3n) THz; imaginary frequencies as negative numbers.
    """
    squares = np.linalg.eigvalsh(_matrices(host, BAND_MESH))
    frequencies: FloatArray = np.sign(squares) * np.sqrt(np.abs(squares)) * FREQUENCY_FACTOR
    return frequencies


def _matrices(host: Host, mesh: int) -> ComplexArray:
    """Compute the dynamical matrices on a mesh of q points around Γ."""
    steps = np.arange(mesh) / mesh
    q = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    return host.dynamical_matrices(q)
