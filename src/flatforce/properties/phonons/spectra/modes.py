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
"""THz. A frequency below is an instability, not round-off."""


@dataclass(frozen=True)
class ModeSet:
    """Modes at some q points."""

    frequencies: FloatArray
    """(Q, 3N) THz; imaginary as negative."""
    vectors: ComplexArray
    """(Q, 3N, 3N) eigenvectors of D, columns."""
    weights: FloatArray
    """(Q) weight of each q point, sum 1."""


@dataclass(frozen=True)
class PathModes:
    """Modes along a path."""

    labels: tuple[str, ...]
    ticks: FloatArray
    distance: FloatArray
    modes: ModeSet


def modes_on_mesh(phonon: Phonopy, mesh: Sequence[int], rotations: IntArray) -> ModeSet:
    """Diagonalise on a Γ-centred mesh, at one q of each orbit.

    Parameters
    ----------
    phonon
        Phonopy's object, force constants set.
    mesh
        q points along the two reciprocal vectors.
    rotations
        (R, 3, 3) of the operations, fractional, a group, that what is made of the modes does not tell apart: weights of single
        atoms are those of one q, and only sums over the atoms that the operations exchange are right. Time reversal is
        always among them.

    Returns
    -------
    The modes, weighted by the size of the orbits.
    """
    shape = np.array([int(mesh[0]), int(mesh[1])])
    points = np.array([(i, j) for i in range(shape[0]) for j in range(shape[1])])
    least = np.arange(len(points))
    for rotation in rotations[:, :2, :2]:
        turned = points / shape @ np.linalg.inv(rotation) * shape  # R⁻ᵀ q
        onto = np.rint(turned).astype(int)
        if np.abs(turned - onto).max() > 1e-6:  # this operation does not keep the mesh
            continue
        for image in (onto % shape, -onto % shape):
            least = np.minimum(least, image[:, 0] * shape[1] + image[:, 1])
    orbits, sizes = np.unique(least, return_counts=True)
    q = np.pad(points[orbits] / shape, ((0, 0), (0, 1)))
    found = phonon.run_qpoints(q, with_eigenvectors=True)
    return ModeSet(np.asarray(found.frequencies), np.asarray(found.eigenvectors), sizes / len(points))


def modes_on_path(phonon: Phonopy, points_each: int) -> PathModes:
    """Diagonalise along the customary path of the cell.

    Parameters
    ----------
    phonon
        Phonopy's object, force constants set.
    points_each
        q points on each segment.

    Returns
    -------
    The modes and where they lie on the path.
    """
    cell = np.asarray(phonon.primitive.cell)
    path = standard_path(cell)
    q = np.concatenate(path.segments(points_each))
    reciprocal = np.linalg.inv(cell).T
    steps = np.linalg.norm(np.diff(q, axis=0) @ reciprocal, axis=1)
    distance = np.concatenate([[0.0], np.cumsum(steps)])
    found = phonon.run_qpoints(q, with_eigenvectors=True)
    modes = ModeSet(
        np.asarray(found.frequencies), np.asarray(found.eigenvectors), np.full(len(q), 1 / len(q))
    )
    ticks = np.append(distance[::points_each], distance[-1])
    return PathModes(path.labels, ticks, distance, modes)


def site_weights(modes: ModeSet) -> FloatArray:
    """Say where each mode lives.

    Parameters
    ----------
    modes
        Modes.

    Returns
    -------
    (Q, 3N, N), |e|² summed over axes; each row sums to 1.
    """
    squares = np.abs(modes.vectors) ** 2
    q, size, _ = squares.shape
    weights: FloatArray = squares.reshape(q, size // 3, 3, size).sum(axis=2).transpose(0, 2, 1)
    return weights * np.asarray(modes.weights)[:, None, None] * len(modes.weights)


def gaussian_dos(
    frequencies: FloatArray, weights: FloatArray, grid: FloatArray, broadening: float
) -> FloatArray:
    """Sum Gaussians.

    Parameters
    ----------
    frequencies
        (Q, M) THz.
    weights
        (Q, M) of each mode; a mean over q is taken.
    grid
        (G) THz.
    broadening
        THz, standard deviation.

    Returns
    -------
    (G) states/THz.
    """
    total = np.zeros_like(grid)
    norm = 1 / (broadening * np.sqrt(2 * np.pi) * len(frequencies))
    for row, weight in zip(frequencies, weights, strict=True):
        total += np.exp(-0.5 * ((grid[:, None] - row) / broadening) ** 2) @ weight * norm
    return total


def shell_of(positions: FloatArray, centre: FloatArray, cell: FloatArray, radii: Sequence[float]) -> IntArray:
    """Sort places into shells around a point.

    Parameters
    ----------
    positions
        (N, 3) Å.
    centre
        (3) Å.
    cell
        (3, 3) Å, rows; images in the plane count.
    radii
        Å, increasing.

    Returns
    -------
    (N) 0 for the innermost shell, len(radii) beyond the last radius.
    """
    offset = (positions - centre) @ np.linalg.inv(cell)
    offset[:, :2] -= np.round(offset[:, :2])
    distances = [
        np.linalg.norm((offset + np.array([a, b, 0])) @ cell, axis=1) for a in (-1, 0, 1) for b in (-1, 0, 1)
    ]
    shells: IntArray = np.searchsorted(np.asarray(radii), np.min(distances, axis=0)).astype(np.int64)
    return shells
