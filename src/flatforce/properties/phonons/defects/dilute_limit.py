"""The dilute limit: one isolated defect in the infinite sheet, by Dyson's equation.

G = (1 − g₀V)⁻¹ g₀ on the sites that the defect changes, with the Green function g₀ of the pristine lattice and the
perturbation V = M^-1/2 ΔΦ M^-1/2, which includes changed masses. A vacant site is decoupled and its frequency is moved
above the spectrum; an added atom is a decoupled site that V couples to the lattice.

Everything is computed on a line above the real axis, where the functions are smooth, and continued to a spectrum with
Gaussian broadening: for f analytic above the axis, ∫ f(x + i0) g(ω − x) dx = ∫ f(x + iη) g(ω − x − iη) dx exactly. The
spectra thus have the same broadening as those of supercells, and converge exponentially with mesh and grid.
Source of the method: A. A. Maradudin et al., Theory of Lattice Dynamics in the Harmonic Approximation (1971), ch. 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.linalg import lu_factor, lu_solve

from flatforce.core.progress import Progress, silent
from flatforce.core.units import FREQUENCY_FACTOR
from flatforce.properties.phonons.defects.dilute_result import DiluteLimit
from flatforce.properties.phonons.defects.perturbation import lattice_coordinates, perturbation, site_indices
from flatforce.properties.phonons.defects.relaxed_cell import defect_shells
from flatforce.properties.phonons.spectra.green_function import LatticeGreenFunction, broaden, log_det
from flatforce.properties.phonons.spectra.lanczos import highest_frequency, lowest_frequency
from flatforce.properties.phonons.spectra.mode_classes import find_ldos_peaks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.core.arrays import BoolArray, ComplexArray, FloatArray, IntArray
    from flatforce.properties.phonons.config import DiluteConfig
    from flatforce.properties.phonons.force_constants.embedded_defect import EmbeddedDefect

LINE_HEIGHT: Final = 2.0
"""Height of the line above the real axis, relative to the broadening: the kernel grows by exp(2), and the error of the mesh
decreases by twice that power."""

LINE_STEP: Final = 1 / 3
"""Step along the line, relative to its height: the error of the trapezoidal rule is then exp(−2π · 3) ≈ 1e-8."""

KERNEL_WIDTHS: Final = 8.0
"""Standard deviations of the kernel that are integrated over."""

GRID_MARGIN: Final = 5.0
"""Standard deviations by which the frequency grid extends beyond the highest frequency."""

DECOUPLED_RATIO: Final = 3.0
"""Frequency of a decoupled site, relative to the highest frequency of the bands."""


@dataclass(frozen=True)
class _Region:
    """Sites near the defect, in the order of the rows of the perturbation."""

    perturbation: FloatArray
    """(3S, 3S) eV/Å²/amu, V."""
    on_lattice: BoolArray
    """(S) whether the site belongs to the pristine lattice; added atoms do not, and come last."""
    coordinates: IntArray
    """(S', 3) indices of cell and sublattice of the sites of the lattice."""
    shells: list[IntArray]
    """For each shell, the positions of its sites among the S."""
    decoupled_frequency: float
    """THz, of the sites that are decoupled from the lattice."""

    @property
    def observed(self) -> IntArray:
        """(K) positions of the sites of all shells, one shell after the other."""
        return np.concatenate(self.shells)


@dataclass(frozen=True)
class _Line:
    """Line above the real axis."""

    height: float
    """THz, imaginary part."""
    frequencies: FloatArray
    """(L) THz, real parts."""

    @classmethod
    def above(cls, highest: float, broadening: float) -> _Line:
        """Cover all frequencies up to the highest one, and the width of the kernel."""
        height = LINE_HEIGHT * broadening
        end = (highest + (GRID_MARGIN + KERNEL_WIDTHS) * broadening) / (LINE_STEP * height)
        return cls(height, np.arange(0.5, end) * LINE_STEP * height)


def dilute_limit(
    defect: EmbeddedDefect,
    config: DiluteConfig,
    *,
    radii: Sequence[float],
    broadening: float,
    progress: Progress = silent,
) -> DiluteLimit:
    """Compute the local DOS of each shell, and the change of the total DOS, without a supercell.

    Parameters
    ----------
    defect
        The defect in a supercell that contains everything that it changes.
    config
        Settings.
    radii
        Å, outer radii of the shells around the defect; sites beyond the last are left out.
    broadening
        THz, standard deviation of the Gaussian.
    progress
        Called after each frequency.

    Returns
    -------
    Local DOS of an average site of each shell, and the change of the total DOS, in states/THz on one frequency grid.
    """
    lattice = LatticeGreenFunction(defect.host, config.mesh)
    matrix = defect.force_constants.dynamical_matrix()
    highest = max(lattice.top, highest_frequency(matrix))
    shells = defect_shells(defect.cell, list(radii))
    region = _perturbed_region(
        defect,
        shells=[np.flatnonzero(shells == shell) for shell in range(len(radii))],
        decoupled_frequency=DECOUPLED_RATIO * highest,
        tolerance=config.tolerance,
    )
    line = _Line.above(highest, broadening)
    traces, log_dets = _solve_along_line(lattice, region, line, progress)
    grid = np.arange(0.0, highest + GRID_MARGIN * broadening, broadening / 5)
    traces *= 2 * (line.frequencies + 1j * line.height)[:, None] / FREQUENCY_FACTOR**2
    spectra = [
        -broaden(trace, line.frequencies, line.height, grid, broadening).imag / np.pi for trace in traces
    ]
    slope = broaden(log_dets[:, None], line.frequencies, line.height, grid, broadening, slope=True).imag[:, 0]
    shell_ldos = np.array(_average_over_shells(spectra, region))
    peaks = find_ldos_peaks(
        grid, shell_ldos[1, 0], shell_ldos[0, 0], n_sites=len(region.shells[0]), bands=lattice.frequencies
    )
    return DiluteLimit(
        frequency=grid,
        shell_ldos=shell_ldos,
        difference=-slope / np.pi,
        n_sites=len(region.on_lattice),
        lowest_frequency=lowest_frequency(matrix, np.flatnonzero(shells < len(radii))),
        ldos_peaks=peaks,
    )


def _perturbed_region(
    defect: EmbeddedDefect,
    *,
    shells: list[IntArray],
    decoupled_frequency: float,
    tolerance: float,
) -> _Region:
    """Find the sites that the defect changes; those of the shells are always among them."""
    site_of = site_indices(defect.cell)
    in_shells = np.zeros(len(site_of), dtype=bool)
    in_shells[np.concatenate(shells)] = True
    sites, matrix = perturbation(
        defect, site_of[in_shells], decoupled_frequency=decoupled_frequency, tolerance=tolerance
    )
    on_lattice = sites < len(defect.cell.pristine)
    return _Region(
        perturbation=matrix,
        on_lattice=on_lattice,
        coordinates=lattice_coordinates(sites[on_lattice], defect.cell, defect.host),
        shells=[np.flatnonzero(np.isin(sites, site_of[shell])) for shell in shells],
        decoupled_frequency=decoupled_frequency,
    )


def _solve_along_line(
    lattice: LatticeGreenFunction, region: _Region, line: _Line, progress: Progress
) -> tuple[ComplexArray, ComplexArray]:
    """Solve Dyson's equation along the line.

    Returns (2, L, K) traces of the pristine and of the perturbed Green function at the sites of the shells, and (L)
    ln det(1 − g₀V), made continuous.
    """
    observed = region.observed
    traces = np.empty((2, len(line.frequencies), len(observed)), dtype=complex)
    log_dets = np.empty(len(line.frequencies), dtype=complex)
    for k, frequency in enumerate(line.frequencies):
        z = (frequency + 1j * line.height) ** 2 / FREQUENCY_FACTOR**2
        decoupled = 1 / (z - region.decoupled_frequency**2 / FREQUENCY_FACTOR**2)
        green = np.diag(np.where(np.repeat(region.on_lattice, 3), 0.0, decoupled))
        size = 3 * len(region.coordinates)
        green[:size, :size] = lattice.between_sites(z, region.coordinates)
        traces[:, k], log_dets[k] = _dyson(green, region.perturbation, observed)
        progress(k + 1, len(line.frequencies), "frequencies of the dilute limit")
    log_dets = log_dets.real + 1j * np.unwrap(log_dets.imag)
    log_dets -= 2j * np.pi * np.round(log_dets.imag[0] / (2 * np.pi))
    return traces, log_dets


def _dyson(green: ComplexArray, matrix: FloatArray, observed: IntArray) -> tuple[list[ComplexArray], complex]:
    """Traces over the axes of g₀ and of (1 − g₀V)⁻¹ g₀ at some sites, and ln det(1 − g₀V)."""
    columns = (3 * observed[:, None] + np.arange(3)).ravel()
    factors = lu_factor(np.eye(len(matrix)) - green @ matrix, check_finite=False)
    perturbed = lu_solve(factors, green[:, columns], check_finite=False)
    diagonals = (green[columns, columns], perturbed[columns, np.arange(len(columns))])
    return [diagonal.reshape(-1, 3).sum(axis=1) for diagonal in diagonals], log_det(factors)


def _average_over_shells(spectra: list[FloatArray], region: _Region) -> list[list[FloatArray]]:
    """Average the spectra over the sites of each shell; of the pristine lattice, over its own sites only."""
    starts = np.cumsum([0, *(len(shell) for shell in region.shells)])
    observed = region.observed
    on_lattice = [a + np.flatnonzero(region.on_lattice[observed[a:b]]) for a, b in pairwise(starts)]
    return [
        [spectra[0][:, sites].mean(axis=1) for sites in on_lattice],
        [spectra[1][:, a:b].mean(axis=1) for a, b in pairwise(starts)],
    ]
