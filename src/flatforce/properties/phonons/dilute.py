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
from flatforce.core.errors import GeometryError
from flatforce.core.progress import Progress, silent
from flatforce.core.units import FREQUENCY_FACTOR
from flatforce.properties.phonons.defect_cell import defect_shells
from flatforce.properties.phonons.lanczos import highest_frequency

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from flatforce.core.arrays import ComplexArray, FloatArray, IntArray
    from flatforce.properties.phonons.host import Host
    from flatforce.properties.phonons.sparse import SparseForceConstants
    from flatforce.structures.defects import DefectCell

HEIGHT: Final = 2.0
"""Height of the line over the broadening: the kernel grows by exp(2) and the mesh error falls by the same power twice."""

STEP: Final = 1 / 3
"""Grid step over the height: the trapezoid rule then errs by exp(−2π · 3) ≈ 1e-8."""

WIDTHS: Final = 8.0
"""Standard deviations of the kernel that are summed over."""

IMAGINARY: Final = 0.05
"""THz. A mode more imaginary than this is an instability, not round-off."""

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
class Dilute:
    """Spectra of one defect in an infinite sheet."""

    frequency: FloatArray
    """(G) THz, from zero."""
    shell_dos: FloatArray
    """(2, S, G) states/THz of one site of each shell, pristine and defect, mean over the shell; integral 3."""
    difference: FloatArray
    """(G) states/THz, what the defect adds to the whole spectrum."""
    n_sites: int
    """Sites at which the defect changes force constants."""

    @property
    def metrics(self) -> dict[str, float]:
        """Flat numbers for the record."""
        return {
            "n_sites": float(self.n_sites),
            "removed_states": float(np.trapezoid(self.difference, self.frequency)),
        }

    @property
    def units(self) -> dict[str, str]:
        """Unit of each metric."""
        return {"n_sites": "1", "removed_states": "states"}

    @property
    def problems(self) -> list[str]:
        """What is wrong with the physics."""
        states = np.trapezoid(self.shell_dos[1], self.frequency, axis=1)
        worst = float(states[np.abs(states - 3).argmax()])
        if abs(worst - 3) < STATES:
            return []
        return [f"the local DOS integrates to {worst:.3f}, not 3: the defect has imaginary modes"]

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return what the figures need.

        Returns
        -------
        Name → array.
        """
        return {"frequency": self.frequency, "shell_dos": self.shell_dos, "difference": self.difference}


def dilute_limit(
    constants: SparseForceConstants,
    cell: DefectCell,
    host: Host,
    config: DiluteConfig,
    *,
    radii: Sequence[float],
    broadening: float,
    progress: Progress = silent,
) -> Dilute:
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

    Raises
    ------
    GeometryError
        If the change reaches over the border of the supercell.
    """
    bands = _Bands(host, config.mesh)
    highest = max(bands.top, highest_frequency(constants.dynamical()))
    top = PARKED * highest
    count = len(cell.pristine)
    shells = defect_shells(cell, list(radii))
    place = _index_of(cell)
    near = place[shells < len(radii)]
    sites, change = perturbation(constants, cell, host, near, parked=top, tolerance=config.tolerance)
    cells = _cells(sites[sites < count], cell, host)
    wanted = [np.flatnonzero(np.isin(sites, place[shells == s])) for s in range(len(radii))]
    watched = np.concatenate(wanted)
    columns = (3 * watched[:, None] + np.arange(3)).ravel()
    height = HEIGHT * broadening
    line = np.arange(0.5, (highest + (MARGIN + WIDTHS) * broadening) / (STEP * height)) * STEP * height
    local = np.empty((2, len(line), len(watched)), dtype=complex)
    log_det = np.empty(len(line), dtype=complex)
    loose = (count <= sites).nonzero()[0]
    for k, frequency in enumerate(line):
        z = (frequency + 1j * height) ** 2 / FREQUENCY_FACTOR**2
        green = np.zeros((len(change), len(change)), dtype=complex)
        inner = 3 * len(cells)
        green[:inner, :inner] = bands.green(z, cells)
        for site in loose:
            green[3 * site : 3 * site + 3, 3 * site : 3 * site + 3] = np.eye(3) / (
                z - top**2 / FREQUENCY_FACTOR**2
            )
        factors = lu_factor(np.eye(len(change)) - green @ change, check_finite=False)
        found = lu_solve(factors, green[:, columns], check_finite=False)
        both = (green[columns, columns], found[columns, np.arange(len(columns))])
        local[:, k] = [one.reshape(-1, 3).sum(axis=1) for one in both]
        log_det[k] = _log_det(factors)
        progress(k + 1, len(line), "frequencies of the dilute limit")
    log_det = log_det.real + 1j * np.unwrap(log_det.imag)
    log_det -= 2j * np.pi * np.round(log_det.imag[0] / (2 * np.pi))
    grid = np.arange(0.0, highest + MARGIN * broadening, broadening / 5)
    local *= 2 * (line + 1j * height)[:, None] / FREQUENCY_FACTOR**2
    spectra = [-broadened(one, line, height, grid, broadening).imag / np.pi for one in local]
    slope = broadened(log_det[:, None], line, height, grid, broadening, slope=True).imag[:, 0]
    starts = np.cumsum([0, *(len(part) for part in wanted)])
    dos = [[one[:, a:b].mean(axis=1) for a, b in pairwise(starts)] for one in spectra]
    return Dilute(grid, np.array(dos), -slope / np.pi, len(sites))


def perturbation(
    constants: SparseForceConstants,
    cell: DefectCell,
    host: Host,
    near: IntArray,
    *,
    parked: float,
    tolerance: float,
) -> tuple[IntArray, FloatArray]:
    """Take the pristine dynamical matrix from that of the defect.

    Parameters
    ----------
    constants
        Of the defect in a large supercell.
    cell
        That supercell.
    host
        The pristine sheet.
    near
        (K,) sites that are taken in, changed or not.
    parked
        THz, where loose sites are put.
    tolerance
        eV/Å²; sites that change by less are left out.

    Returns
    -------
    (S,) sites of the pristine supercell, added atoms numbered on beyond them, and (3S, 3S) V in eV/Å²/amu.
    """
    count = len(cell.pristine)
    place = _index_of(cell)
    total = max(count, int(place.max()) + 1)
    size = round(np.sqrt(count / len(host.primitive)))
    pristine = host.constants(size)
    masses = np.ones(total)
    masses[:count] = cell.pristine.get_masses()
    changed = masses.copy()
    changed[place] = cell.atoms.get_masses()
    first, second = constants.pairs
    before = pristine.pairs
    plus = constants.blocks / np.sqrt(changed[place[first]] * changed[place[second]])[:, None, None]
    minus = pristine.blocks / np.sqrt(masses[before[0]] * masses[before[1]])[:, None, None]
    places = np.concatenate([place[first] * total + place[second], before[0] * total + before[1]])
    pairs, which = np.unique(places, return_inverse=True)
    blocks = np.zeros((len(pairs), 3, 3))
    np.add.at(blocks, which, np.concatenate([plus, -minus]))
    rows, columns = pairs // total, pairs % total
    weight = np.sqrt(changed[rows] * changed[columns])
    kept = np.abs(blocks).max(axis=(1, 2)) * weight > tolerance
    rows, columns, blocks = rows[kept], columns[kept], blocks[kept]
    vacant = cell.vacant
    sites = np.unique(np.concatenate([rows, vacant, near, np.arange(count, total)]))
    local = np.full(total, -1)
    local[sites] = np.arange(len(sites))
    whole = np.zeros((len(sites), 3, len(sites), 3))
    whole[local[rows], :, local[columns], :] = blocks
    matrix: FloatArray = whole.reshape(3 * len(sites), 3 * len(sites))
    square = parked**2 / FREQUENCY_FACTOR**2
    for site in local[vacant]:
        matrix[3 * site : 3 * site + 3, 3 * site : 3 * site + 3] += square * np.eye(3)
    for site in local[count:total]:
        matrix[3 * site : 3 * site + 3, 3 * site : 3 * site + 3] -= square * np.eye(3)
    return sites, (matrix + matrix.T) / 2


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


class _Bands:
    """Green function of the pristine lattice from its bands."""

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

    def green(self, z: complex, cells: IntArray) -> ComplexArray:
        """(3S, 3S) Å² amu/eV among sites given as (S, 3) of cell x, cell y and sublattice."""
        size = 3 * self.basis
        spectral = (self.vectors / (z - self.squares)[:, None, :]) @ self.vectors.conj().transpose(0, 2, 1)
        lattice = np.fft.ifft2(spectral.reshape(self.mesh, self.mesh, size, size), axes=(0, 1))
        lattice = lattice.reshape(self.mesh, self.mesh, self.basis, 3, self.basis, 3)
        x, y, kind = cells.T
        dx = (x[:, None] - x[None]) % self.mesh
        dy = (y[:, None] - y[None]) % self.mesh
        found: ComplexArray = lattice[dx, dy, kind[:, None], :, kind[None], :].transpose(0, 2, 1, 3)
        return found.reshape(3 * len(cells), 3 * len(cells))


def _cells(sites: IntArray, cell: DefectCell, host: Host) -> IntArray:
    """(S, 3) cell x, cell y and sublattice of each site, cells counted from the defect."""
    basis = len(host.primitive)
    size = round(np.sqrt(len(cell.pristine) / basis))
    cells = sites // basis
    centre = cell.centre @ np.linalg.inv(host.primitive.cell.array)
    at = np.column_stack([cells // size, cells % size]) - np.floor(centre[:2]).astype(int)
    at = (at + size // 2) % size - size // 2
    if len(at) and np.abs(at).max() > (size - 1) // 2 - 1:
        raise GeometryError(
            "What the defect changes reaches over the border of the supercell.",
            fix="embed in a larger one, or take a smaller radius",
        )
    return np.column_stack([at, sites % basis])


def _index_of(cell: DefectCell) -> IntArray:
    """(N,) site of each atom, added atoms numbered on beyond the sites."""
    site_of = cell.site_of.copy()
    added = site_of < 0
    site_of[added] = len(cell.pristine) + np.arange(int(added.sum()))
    return site_of


def _log_det(factors: tuple[ComplexArray, IntArray]) -> complex:
    diagonal, pivots = np.diagonal(factors[0]), factors[1]
    swaps = int((pivots != np.arange(len(pivots))).sum())
    return complex(np.log(diagonal.astype(complex)).sum() + 1j * np.pi * swaps)
