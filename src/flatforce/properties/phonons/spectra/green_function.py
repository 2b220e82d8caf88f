"""Lattice Green functions at complex frequencies, and their continuation back to the real axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import GeometryError
from flatforce.core.units import FREQUENCY_FACTOR
from flatforce.properties.phonons.spectra.modes import IMAGINARY

if TYPE_CHECKING:
    from flatforce.core.arrays import ComplexArray, FloatArray, IntArray
    from flatforce.properties.phonons.force_constants.pristine_host import Host


class LatticeGreenFunction:
    """Green function of the pristine lattice, computed from its phonon bands.

    Parameters
    ----------
    host
        The pristine sheet.
    mesh
        Number of q points along each reciprocal lattice vector.

    Raises
    ------
    GeometryError
        If the sheet has imaginary modes.
    """

    def __init__(self, host: Host, mesh: int) -> None:
        self.mesh, self.basis = mesh, len(host.primitive)
        steps = np.arange(mesh) / mesh
        q = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
        self.squares, self.vectors = np.linalg.eigh(host.dynamical_matrices(q))
        if self.squares.min() < -((IMAGINARY / FREQUENCY_FACTOR) ** 2):
            raise GeometryError(
                "The pristine sheet has imaginary modes.",
                why="harmonic spectra are defined only at a minimum of the energy",
                fix="relax the sheet first: flatforce relax MODEL STRUCTURE -o DIR, or use a force field for which it is stable",
            )
        self.frequencies: FloatArray = np.sqrt(np.clip(self.squares, 0.0, None)) * FREQUENCY_FACTOR
        self.top = float(self.frequencies.max())

    def between_sites(self, z: complex, cells: IntArray) -> ComplexArray:
        """Compute the block of (z − D)⁻¹ that connects some sites.

        Parameters
        ----------
        z
            eV/Å²/amu, square of the complex frequency, off the real axis.
        cells
            (S, 3) indices of the cell along both lattice vectors, and of the sublattice, of each site.

        Returns
        -------
        (3S, 3S) Å² amu/eV, Green function between the sites.
        """
        size = 3 * self.basis
        spectral = (self.vectors / (z - self.squares)[:, None, :]) @ self.vectors.conj().transpose(0, 2, 1)
        lattice = np.fft.ifft2(spectral.reshape(self.mesh, self.mesh, size, size), axes=(0, 1))
        lattice = lattice.reshape(self.mesh, self.mesh, self.basis, 3, self.basis, 3)
        x, y, kind = cells.T
        dx = (x[:, None] - x[None]) % self.mesh
        dy = (y[:, None] - y[None]) % self.mesh
        blocks: ComplexArray = lattice[dx, dy, kind[:, None], :, kind[None], :].transpose(0, 2, 1, 3)
        return blocks.reshape(3 * len(cells), 3 * len(cells))


def broaden(
    values: ComplexArray,
    line: FloatArray,
    height: float,
    grid: FloatArray,
    width: float,
    *,
    slope: bool = False,
) -> ComplexArray:
    """Continue a function from a line above the real axis to the real axis, with Gaussian broadening.

    Parameters
    ----------
    values
        (L, K) values at line + i height of K functions with f(−z*) = −f(z)*, or f(−z*) = f(z)* where `slope` is true.
    line
        (L) THz, real parts, evenly spaced; the first is half a step.
    height
        THz, imaginary part.
    grid
        (G) THz, real frequencies at which the function is returned.
    width
        THz, standard deviation of the Gaussian.
    slope
        Whether the derivative with respect to frequency is returned in place of the function.

    Returns
    -------
    (G, K) broadened functions on the real axis.
    """
    sign = 1.0 if slope else -1.0
    points = np.concatenate([-line[::-1], line])
    mirrored = np.concatenate([sign * values[::-1].conj(), values])
    offset = grid[:, None] - points - 1j * height
    kernel = np.exp(-0.5 * (offset / width) ** 2) / (width * np.sqrt(2 * np.pi))
    if slope:
        kernel = -kernel * offset / width**2
    continued: ComplexArray = kernel @ mirrored * (line[1] - line[0])
    return continued


def log_det(factors: tuple[ComplexArray, IntArray]) -> complex:
    """Compute the logarithm of a determinant from an LU factorisation.

    Parameters
    ----------
    factors
        LU factors and pivots, as `scipy.linalg.lu_factor` returns them.

    Returns
    -------
    Logarithm of the determinant; its imaginary part is defined up to multiples of 2π.
    """
    diagonal, pivots = np.diagonal(factors[0]), factors[1]
    swaps = int((pivots != np.arange(len(pivots))).sum())
    return complex(np.log(diagonal.astype(complex)).sum() + 1j * np.pi * swaps)
