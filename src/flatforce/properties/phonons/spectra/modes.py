"""Modes of a supercell: frequencies, site weights, densities of states, shells around a point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.properties.phonons.spectra.band_path import standard_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from phonopy import Phonopy

    from flatforce.core.arrays import ComplexArray, FloatArray, IntArray


IMAGINARY: Final = -0.05
"""THz. A frequency below this is an instability rather than round-off; imaginary frequencies are negative numbers."""


@dataclass(frozen=True)
class ModeSet:
    """Phonon modes at a set of q points."""

    frequencies: FloatArray
    """(Q, 3N) THz; imaginary frequencies as negative numbers."""
    vectors: ComplexArray
    """(Q, 3N, 3N) eigenvectors of the dynamical matrix, one a column."""
    weights: FloatArray
    """(Q) weight of each q point; the sum is 1."""


@dataclass(frozen=True)
class PathModes:
    """Modes along a path through the Brillouin zone."""

    labels: tuple[str, ...]
    """(P) names of the high-symmetry points."""
    ticks: FloatArray
    """(P) 1/Å, distance of each high-symmetry point along the path."""
    distance: FloatArray
    """(Q) 1/Å, distance of each q point along the path."""
    q: FloatArray
    """(Q, 3) the q points in reciprocal-lattice coordinates."""
    modes: ModeSet
    """Modes at the q points."""


def modes_on_mesh(phonon: Phonopy, mesh: Sequence[int], rotations: IntArray) -> ModeSet:
    """Compute the modes on a Γ-centred mesh, at one q point of each symmetry orbit.

    Parameters
    ----------
    phonon
        A phonopy object whose force constants are set.
    mesh
        Number of q points along each of the two reciprocal lattice vectors.
    rotations
        (R, 3, 3) rotations of a symmetry group in units of the lattice vectors. The q points of an orbit are represented by
        one of them, so that only sums over symmetry-equivalent atoms are meaningful, not the weights of single atoms. Time
        reversal is always included.

    Returns
    -------
    The modes; each q point is weighted by the size of its orbit.
    """
    shape = np.array([int(mesh[0]), int(mesh[1])])
    points = np.array([(i, j) for i in range(shape[0]) for j in range(shape[1])])
    representative = np.arange(len(points))
    for rotation in rotations[:, :2, :2]:
        rotated = points / shape @ np.linalg.inv(rotation) * shape  # R⁻ᵀ q
        rounded = np.rint(rotated).astype(int)
        if np.abs(rotated - rounded).max() > 1e-6:  # this operation does not map the mesh onto itself
            continue
        for image in (rounded % shape, -rounded % shape):
            representative = np.minimum(representative, image[:, 0] * shape[1] + image[:, 1])
    orbits, sizes = np.unique(representative, return_counts=True)
    q = np.pad(points[orbits] / shape, ((0, 0), (0, 1)))
    solution = phonon.run_qpoints(q, with_eigenvectors=True)
    return ModeSet(np.asarray(solution.frequencies), np.asarray(solution.eigenvectors), sizes / len(points))


def modes_on_path(phonon: Phonopy, points_each: int) -> PathModes:
    """Compute the modes along the conventional path of the cell.

    Parameters
    ----------
    phonon
        A phonopy object whose force constants are set.
    points_each
        Number of q points on each segment, both ends included.

    Returns
    -------
    The modes, and the positions of their q points along the path.
    """
    cell = np.asarray(phonon.primitive.cell)
    path = standard_path(cell)
    q = np.concatenate(path.segments(points_each))
    reciprocal = np.linalg.inv(cell).T
    steps = np.linalg.norm(np.diff(q, axis=0) @ reciprocal, axis=1)
    distance = np.concatenate([[0.0], np.cumsum(steps)])
    solution = phonon.run_qpoints(q, with_eigenvectors=True)
    modes = ModeSet(
        np.asarray(solution.frequencies), np.asarray(solution.eigenvectors), np.full(len(q), 1 / len(q))
    )
    ticks = np.append(distance[::points_each], distance[-1])
    return PathModes(path.labels, ticks, distance, q, modes)


def site_weights(modes: ModeSet) -> FloatArray:
    """Compute the weight of each atom in each mode.

    Parameters
    ----------
    modes
        Phonon modes.

    Returns
    -------
    (Q, 3N, N), |e|² summed over the Cartesian axes and times the relative weight of the q point; where all q points weigh the
    same, the sum over atoms is 1.
    """
    squares = np.abs(modes.vectors) ** 2
    q, size, _ = squares.shape
    weights: FloatArray = squares.reshape(q, size // 3, 3, size).sum(axis=2).transpose(0, 2, 1)
    return weights * np.asarray(modes.weights)[:, None, None] * len(modes.weights)


def gaussian_dos(
    frequencies: FloatArray, weights: FloatArray, grid: FloatArray, broadening: float
) -> FloatArray:
    """Compute a density of states by Gaussian broadening.

    Parameters
    ----------
    frequencies
        (Q, M) THz, frequencies of the modes.
    weights
        (Q, M) weight of each mode; the result is the mean over q points.
    grid
        (G) THz, frequencies of the spectrum.
    broadening
        THz, standard deviation of the Gaussian.

    Returns
    -------
    (G) states/THz, density of states.
    """
    total = np.zeros_like(grid)
    norm = 1 / (broadening * np.sqrt(2 * np.pi) * len(frequencies))
    for row, weight in zip(frequencies, weights, strict=True):
        total += np.exp(-0.5 * ((grid[:, None] - row) / broadening) ** 2) @ weight * norm
    return total


def spectrum_grid(lowest: float, highest: float, broadening: float) -> FloatArray:
    """Choose the frequencies at which densities of states are computed.

    Parameters
    ----------
    lowest
        THz, lowest frequency; imaginary as a negative number.
    highest
        THz, highest frequency.
    broadening
        THz, standard deviation of the Gaussian on each mode.

    Returns
    -------
    (G) THz, five points for each standard deviation, zero among them; five standard deviations beyond both ends.
    """
    step = broadening / 5
    below = int(np.ceil(25 - min(0.0, lowest) / step))
    above = int(np.ceil(25 + highest / step))
    return np.arange(-below, above + 1).astype(float) * step


def fold_at_zero(frequency: FloatArray, *spectra: FloatArray, lowest: float) -> tuple[FloatArray, ...]:
    """Remove negative frequencies from the spectra of a sheet without imaginary modes.

    The broadening moves part of the acoustic modes below zero, where a stable sheet has no states. That part is added at the
    opposite frequency, as if each mode at f had an image at −f: the number of states is conserved, and the flexural branch of
    a sheet has its constant density of states down to zero.

    Parameters
    ----------
    frequency
        (G) THz, ascending, evenly spaced, with zero among them.
    *spectra
        (..., G) densities of states on that grid.
    lowest
        THz, lowest frequency of the sheet; below `IMAGINARY`, nothing is changed.

    Returns
    -------
    (G') THz, the frequencies from zero, and the (..., G') spectra at them.
    """
    if lowest < IMAGINARY or frequency[0] >= 0:
        return (frequency, *spectra)
    zero = int(np.abs(frequency).argmin())
    folded = []
    for spectrum in spectra:
        positive = spectrum[..., zero:].copy()
        n_images = min(zero + 1, positive.shape[-1])
        positive[..., :n_images] += spectrum[..., zero - n_images + 1 : zero + 1][..., ::-1]
        folded.append(positive)
    positive_frequency: FloatArray = np.abs(frequency[zero:])
    return (positive_frequency, *folded)


def assign_shells(
    positions: FloatArray, centre: FloatArray, cell: FloatArray, radii: Sequence[float]
) -> IntArray:
    """Assign positions to shells around a point.

    Parameters
    ----------
    positions
        (N, 3) Å.
    centre
        (3) Å, the common centre of the shells.
    cell
        (3, 3) Å, rows are lattice vectors; distances are to the nearest periodic image in the plane.
    radii
        Å, outer radii of the shells, increasing.

    Returns
    -------
    (N) index of the shell of each position: 0 for the innermost shell, len(radii) beyond the last radius.
    """
    offset = (positions - centre) @ np.linalg.inv(cell)
    offset[:, :2] -= np.round(offset[:, :2])
    distances = [
        np.linalg.norm((offset + np.array([a, b, 0])) @ cell, axis=1) for a in (-1, 0, 1) for b in (-1, 0, 1)
    ]
    shells: IntArray = np.searchsorted(np.asarray(radii), np.min(distances, axis=0)).astype(np.int64)
    return shells
