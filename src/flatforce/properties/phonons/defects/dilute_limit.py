"""The isolated defect in the infinite sheet, by Dyson's equation.

G = (1 − g₀V)⁻¹ g₀ on the sites that the defect changes, g₀ being the pristine lattice's and V = M^-1/2 ΔΦ M^-1/2 with
changed masses taken in. A vacant site is cut loose and moved out of the spectrum; an added atom is a loose site that V
couples in.

Everything is computed on a line above the real axis, where it is smooth, and brought back as a spectrum with Gaussian
broadening: for f analytic above the axis, ∫ f(x + i0) g(ω − x) dx = ∫ f(x + iη) g(ω − x − iη) dx exactly. The spectra
are thus broadened like those of supercells, and mesh and grid converge exponentially.
Source of the method: A. A. Maradudin et al., Theory of Lattice Dynamics in the Harmonic Approximation (1971), ch. 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import PositiveFloat, PositiveInt
from scipy.linalg import lu_factor, lu_solve

from flatforce.core.config import Config
from flatforce.core.progress import Progress, silent
from flatforce.core.units import FREQUENCY_FACTOR
from flatforce.properties.phonons.defects.perturbation import lattice_coordinates, perturbation, site_indices
from flatforce.properties.phonons.defects.relaxed_cell import defect_shells
from flatforce.properties.phonons.spectra.green_function import LatticeGreenFunction, broaden, log_det
from flatforce.properties.phonons.spectra.lanczos import highest_frequency, lowest_frequency
from flatforce.properties.phonons.spectra.modes import IMAGINARY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from flatforce.core.arrays import ComplexArray, FloatArray, IntArray
    from flatforce.properties.phonons.force_constants.pristine_host import Host
    from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants
    from flatforce.structures.defects import DefectCell

HEIGHT: Final = 2.0
"""Height of the line over the broadening: the kernel grows by exp(2) and the mesh error falls by the same power twice."""

STEP: Final = 1 / 3
"""Grid step over the height: the trapezoid rule then errs by exp(−2π · 3) ≈ 1e-8."""

WIDTHS: Final = 8.0
"""Standard deviations of the kernel that are summed over."""

MARGIN: Final = 5.0
"""Standard deviations by which the spectrum's grid goes beyond the highest frequency."""

STATES: Final = 0.02
"""Largest error of the three states of an atom; 2e-5 is usual."""

PARKED: Final = 3.0
"""Frequency of a loose site over the highest one of the bands."""


class DiluteConfig(Config):
    """Settings of the dilute limit."""

    mesh: PositiveInt = 128
    """q points along a reciprocal vector; for V_Se in WSe2 at 0.08 THz the local DOS of 96 and 192 agree to 3e-6."""
    tolerance: PositiveFloat = 1e-3
    """eV/Å²; a site belongs to the defect where a force constant has changed by more. For V_Se in WSe2 the local DOS
    differs by 3e-4 from that of a tenth of it."""


@dataclass(frozen=True)
class DiluteLimit:
    """Spectra of one defect in an infinite sheet."""

    frequency: FloatArray
    """(G) THz, from zero."""
    shell_ldos: FloatArray
    """(2, S, G) states/THz of one site of each shell, pristine and defect, mean over the shell; integral 3."""
    difference: FloatArray
    """(G) states/THz, what the defect adds to the whole spectrum."""
    n_sites: int
    """Sites at which the defect changes force constants."""
    lowest: float
    """THz, lowest mode near the defect, imaginary as negative."""

    @property
    def metrics(self) -> dict[str, float]:
        """Flat numbers for the record."""
        return {
            "n_sites": float(self.n_sites),
            "lowest_frequency": self.lowest,
            "removed_states": float(np.trapezoid(self.difference, self.frequency)),
        }

    @property
    def units(self) -> dict[str, str]:
        """Unit of each metric."""
        return {"n_sites": "1", "lowest_frequency": "THz", "removed_states": "states"}

    @property
    def problems(self) -> list[str]:
        """What is wrong with the physics."""
        states = np.trapezoid(self.shell_ldos, self.frequency, axis=2)
        worst = float(states.ravel()[np.abs(states - 3).argmax()])
        said = [] if abs(worst - 3) < STATES else [f"a local DOS integrates to {worst:.3f} states, not 3"]
        if self.lowest < IMAGINARY:
            said.append(f"the defect has imaginary modes, {self.lowest:.3f} THz: its spectrum means nothing")
        return said

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return what the figures need.

        Returns
        -------
        Name → array.
        """
        return {"frequency": self.frequency, "shell_ldos": self.shell_ldos, "difference": self.difference}


def dilute_limit(
    constants: SparseForceConstants,
    cell: DefectCell,
    host: Host,
    config: DiluteConfig,
    *,
    radii: Sequence[float],
    broadening: float,
    progress: Progress = silent,
) -> DiluteLimit:
    """Compute the local DOS of each shell, and the change of the whole DOS, without a supercell.

    Parameters
    ----------
    constants
        Of a supercell that holds all that the defect changes.
    cell
        That supercell.
    host
        The pristine sheet.
    config
        Settings.
    radii
        Å. Shells around the defect; the rest beyond the last is left out.
    broadening
        THz, standard deviation.
    progress
        Told after each frequency.

    Returns
    -------
    The spectra.
    """
    lattice = LatticeGreenFunction(host, config.mesh)
    matrix = constants.dynamical_matrix()
    highest = max(lattice.top, highest_frequency(matrix))
    parked = PARKED * highest
    shells = defect_shells(cell, list(radii))
    place = site_indices(cell)
    near = place[shells < len(radii)]
    sites, change = perturbation(constants, cell, host, near, parked=parked, tolerance=config.tolerance)
    on_lattice = sites < len(cell.pristine)
    places = lattice_coordinates(sites[on_lattice], cell, host)
    wanted = [np.flatnonzero(np.isin(sites, place[shells == s])) for s in range(len(radii))]
    watched = np.concatenate(wanted)

    height = HEIGHT * broadening
    line = np.arange(0.5, (highest + (MARGIN + WIDTHS) * broadening) / (STEP * height)) * STEP * height
    local = np.empty((2, len(line), len(watched)), dtype=complex)
    phase = np.empty(len(line), dtype=complex)
    for k, frequency in enumerate(line):
        z = (frequency + 1j * height) ** 2 / FREQUENCY_FACTOR**2
        loose = np.where(np.repeat(on_lattice, 3), 0.0, 1 / (z - parked**2 / FREQUENCY_FACTOR**2))
        green = np.diag(loose)
        inner = 3 * len(places)
        green[:inner, :inner] = lattice.between_sites(z, places)
        local[:, k], phase[k] = _dyson(green, change, watched)
        progress(k + 1, len(line), "frequencies of the dilute limit")
    phase = phase.real + 1j * np.unwrap(phase.imag)
    phase -= 2j * np.pi * np.round(phase.imag[0] / (2 * np.pi))

    grid = np.arange(0.0, highest + MARGIN * broadening, broadening / 5)
    local *= 2 * (line + 1j * height)[:, None] / FREQUENCY_FACTOR**2
    spectra = [-broaden(one, line, height, grid, broadening).imag / np.pi for one in local]
    slope = broaden(phase[:, None], line, height, grid, broadening, slope=True).imag[:, 0]
    starts = np.cumsum([0, *(len(part) for part in wanted)])
    pristine = [a + np.flatnonzero(on_lattice[watched[a:b]]) for a, b in pairwise(starts)]
    dos = [
        [spectra[0][:, part].mean(axis=1) for part in pristine],
        [spectra[1][:, a:b].mean(axis=1) for a, b in pairwise(starts)],
    ]
    lowest = lowest_frequency(matrix, np.flatnonzero(shells < len(radii)))
    return DiluteLimit(grid, np.array(dos), -slope / np.pi, len(sites), lowest)


def _dyson(green: ComplexArray, change: FloatArray, watched: IntArray) -> tuple[list[ComplexArray], complex]:
    """Traces over the axes of g₀ and of (1 − g₀V)⁻¹ g₀ at some sites, and ln det(1 − g₀V)."""
    columns = (3 * watched[:, None] + np.arange(3)).ravel()
    factors = lu_factor(np.eye(len(change)) - green @ change, check_finite=False)
    found = lu_solve(factors, green[:, columns], check_finite=False)
    both = (green[columns, columns], found[columns, np.arange(len(columns))])
    return [one.reshape(-1, 3).sum(axis=1) for one in both], log_det(factors)
