"""Green functions of a lattice, off the real axis and back to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import GeometryError
from flatforce.core.units import FREQUENCY_FACTOR
from flatforce.properties.phonons.spectra.modes import IMAGINARY

if TYPE_CHECKING:
    from flatforce.core.arrays import ComplexArray, FloatArray, IntArray
    from flatforce.properties.phonons.force_constants.pristine_host import Host


class LatticeGreen:
    """Green function of the pristine lattice from its bands.

    Parameters
    ----------
    host
        The pristine sheet.
    mesh
        q points along a reciprocal vector.

    Raises
    ------
    GeometryError
        If the sheet has imaginary modes.
    """

    def __init__(self, host: Host, mesh: int) -> None:
        self.mesh, self.basis = mesh, len(host.primitive)
        steps = np.arange(mesh) / mesh
        q = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
        self.squares, self.vectors = np.linalg.eigh(host.dynamical(q))
        if self.squares.min() < -((IMAGINARY / FREQUENCY_FACTOR) ** 2):
            raise GeometryError(
                "The pristine sheet has imaginary modes.",
                why="a spectrum is defined about a minimum of the energy",
                fix="relax it, or use a force field for which it is stable",
            )
        self.top = float(np.sqrt(self.squares.max())) * FREQUENCY_FACTOR

    def among(self, z: complex, cells: IntArray) -> ComplexArray:
        """Compute (z − D)⁻¹ among some sites.

        Parameters
        ----------
        z
            eV/Å²/amu, off the real axis.
        cells
            (S, 3) cell x, cell y and sublattice of each site.

        Returns
        -------
        (3S, 3S) Å² amu/eV.
        """
        size = 3 * self.basis
        spectral = (self.vectors / (z - self.squares)[:, None, :]) @ self.vectors.conj().transpose(0, 2, 1)
        lattice = np.fft.ifft2(spectral.reshape(self.mesh, self.mesh, size, size), axes=(0, 1))
        lattice = lattice.reshape(self.mesh, self.mesh, self.basis, 3, self.basis, 3)
        x, y, kind = cells.T
        dx = (x[:, None] - x[None]) % self.mesh
        dy = (y[:, None] - y[None]) % self.mesh
        found: ComplexArray = lattice[dx, dy, kind[:, None], :, kind[None], :].transpose(0, 2, 1, 3)
        return found.reshape(3 * len(cells), 3 * len(cells))


def broadened(
    values: ComplexArray,
    line: FloatArray,
    height: float,
    grid: FloatArray,
    width: float,
    *,
    slope: bool = False,
) -> ComplexArray:
    """Carry a function from a line above the real axis to the axis, with Gaussian broadening.

    Parameters
    ----------
    values
        (L, K) at line + i height, of functions with f(−z*) = −f(z)*, or f(−z*) = f(z)* for a slope.
    line
        (L) THz, evenly spaced from half a step.
    height
        THz.
    grid
        (G) THz.
    width
        THz, standard deviation.
    slope
        Whether the derivative is wanted.

    Returns
    -------
    (G, K).
    """
    sign = 1.0 if slope else -1.0
    points = np.concatenate([-line[::-1], line])
    whole = np.concatenate([sign * values[::-1].conj(), values])
    offset = grid[:, None] - points - 1j * height
    kernel = np.exp(-0.5 * (offset / width) ** 2) / (width * np.sqrt(2 * np.pi))
    if slope:
        kernel = -kernel * offset / width**2
    found: ComplexArray = kernel @ whole * (line[1] - line[0])
    return found


def log_det(factors: tuple[ComplexArray, IntArray]) -> complex:
    """Take the logarithm of a determinant.

    Parameters
    ----------
    factors
        As `scipy.linalg.lu_factor` gives them.

    Returns
    -------
    Its imaginary part is known but for multiples of 2π.
    """
    diagonal, pivots = np.diagonal(factors[0]), factors[1]
    swaps = int((pivots != np.arange(len(pivots))).sum())
    return complex(np.log(diagonal.astype(complex)).sum() + 1j * np.pi * swaps)
