"""Bands of a defect in a large supercell, unfolded to the primitive cell without diagonalisation.

A(k, ω) = Σ_κα ⟨kκα|δ(ω − √D)|kκα⟩, where |kκα⟩ is the plane wave of k on the occupied sites of sublattice κ, normalised by the
number of all its sites. Its real and imaginary parts need one Lanczos chain each: D is real, and their cross terms cancel.
Source: P. B. Allen et al., Phys. Rev. B 87, 085322 (2013). A vacant site reduces the integrated weight by its fraction.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from flatforce.core.outcome import Outcome
from flatforce.core.progress import Progress, silent
from flatforce.core.units import FREQUENCY_FACTOR
from flatforce.models.sparse_products import torch_product
from flatforce.properties.phonons.spectra.band_path import standard_path
from flatforce.properties.phonons.spectra.lanczos import highest_frequency, lanczos, required_steps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.phonons.config import UnfoldConfig
    from flatforce.properties.phonons.force_constants.embedded_defect import EmbeddedDefect
    from flatforce.properties.phonons.force_constants.pristine_host import Host
    from flatforce.structures.defects import DefectCell

SUBDIVISION = 6
"""The coordinates of the high-symmetry points are multiples of 1/6 of a reciprocal lattice vector."""

ROUND_OFF = 1e-9
"""Tolerance of coordinates and amplitudes."""

POINTS_PER_BATCH = 3
"""k points whose Lanczos chains run at once: 54 vectors keep a product with 30,000 atoms below 100 MB."""


@dataclass(frozen=True, repr=False)
class UnfoldedBands(Outcome):
    """Spectral function of a sheet with a defect along the band path of the primitive cell."""

    kind: ClassVar[str] = "unfolded bands"

    labels: list[str]
    """(P) names of the high-symmetry points."""
    ticks: FloatArray
    """(P) 1/Å, distance of each high-symmetry point along the path."""
    distance: FloatArray
    """(K) 1/Å, distance of each k point along the path."""
    points: FloatArray
    """(K, 2) k points in units of the reciprocal lattice vectors."""
    frequency: FloatArray
    """(G) THz, frequency grid of the spectral function."""
    weight: FloatArray
    """(K, G) states/THz, spectral function; its integral is 3 per atom of the primitive cell, reduced by the fraction of vacant
    sites."""
    bands: FloatArray
    """(K, 3n) THz, bands of the pristine sheet."""

    units = {"n_points": "", "min_weight": "states", "max_weight": "states"}

    @property
    def metrics(self) -> dict[str, float]:
        """Number of k points; smallest and largest integrated weight of a k point."""
        states = np.trapezoid(self.weight, self.frequency, axis=1)
        return {
            "n_points": float(len(self.points)),
            "min_weight": float(states.min()),
            "max_weight": float(states.max()),
        }

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays of the figure.

        Returns
        -------
        Field name → array, with shapes and units as in the fields.
        """
        return {
            "labels": np.array(self.labels),
            "ticks": self.ticks,
            "distance": self.distance,
            "points": self.points,
            "frequency": self.frequency,
            "weight": self.weight,
            "bands": self.bands,
        }


def unfold_bands(
    defect: EmbeddedDefect, config: UnfoldConfig, *, progress: Progress = silent
) -> UnfoldedBands:
    """Compute the spectral function along the band path of the primitive cell.

    Parameters
    ----------
    defect
        The defect in a large supercell.
    config
        Settings.
    progress
        Called after each batch of k points.

    Returns
    -------
    The spectral function, and the bands of the pristine sheet at the same k points.
    """
    cell, host = defect.cell, defect.host
    basis = len(host.primitive)
    size = round(np.sqrt(len(cell.pristine) / basis))
    path = standard_path(host.primitive.cell.array)
    points, distance, ticks = _commensurate(path.points[:, :2], host, size, config.points)
    matrix = defect.force_constants.dynamical_matrix()
    top = highest_frequency(matrix)
    steps = required_steps(config.broadening, top=top)
    product = torch_product(matrix)
    grid = np.arange(-5 * config.broadening, top + 5 * config.broadening, config.broadening / 5)
    weight = np.empty((len(points), len(grid)))
    for first in range(0, len(points), POINTS_PER_BATCH):
        batch = points[first : first + POINTS_PER_BATCH]
        vectors = np.concatenate([_plane_waves(k, cell, basis, size) for k in batch], axis=1)
        nonzero = np.flatnonzero(np.abs(vectors).max(axis=0))
        chains = lanczos(matrix, vectors[:, nonzero], steps, threads=os.cpu_count() or 1, product=product)
        owner = nonzero // (vectors.shape[1] // len(batch))
        dos = chains.dos(grid, config.broadening)
        for k in range(len(batch)):
            weight[first + k] = dos[owner == k].sum(axis=0)
        progress(first + len(batch), len(points), "k points unfolded")
    squares = np.linalg.eigvalsh(host.dynamical_matrices(points))
    bands = np.sign(squares) * np.sqrt(np.abs(squares)) * FREQUENCY_FACTOR
    return UnfoldedBands(list(path.labels), ticks, distance, points, grid, weight, bands)


def _plane_waves(k: FloatArray, cell: DefectCell, basis: int, size: int) -> FloatArray:
    """Return (3N, 6n) plane waves, one column for each sublattice, axis, and real or imaginary part; zero on vacant sites."""
    on_site = np.flatnonzero(cell.site_of >= 0)
    sites = cell.site_of[on_site]
    cells = sites // basis
    phase = 2 * np.pi * (k[0] * (cells // size) + k[1] * (cells % size))
    amplitudes = np.zeros((len(cell.atoms), 3, basis, 3, 2))
    for axis in range(3):
        amplitudes[on_site, axis, sites % basis, axis, 0] = np.cos(phase) / size
        amplitudes[on_site, axis, sites % basis, axis, 1] = np.sin(phase) / size
    waves: FloatArray = amplitudes.reshape(3 * len(cell.atoms), 6 * basis)
    waves[np.abs(waves) < ROUND_OFF] = 0.0
    return waves


def _commensurate(
    corners: FloatArray, host: Host, size: int, limit: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Find k points on a path that are commensurate with an n × n supercell.

    Returned are the k points, their distances along the path and those of its corners, both in 1/Å.
    """
    reciprocal = np.linalg.inv(host.primitive.cell.array).T[:2]
    lengths = [float(np.linalg.norm((b - a) @ reciprocal)) for a, b in pairwise(corners)]
    ticks = np.concatenate([[0.0], np.cumsum(lengths)])
    fractions = np.arange(SUBDIVISION * size + 1) / (SUBDIVISION * size)
    points, distance = [], []
    for start, end, offset, length in zip(corners, corners[1:], ticks, lengths, strict=False):
        on_line = start + np.outer(fractions, end - start)
        commensurate = np.abs(on_line * size - np.round(on_line * size)).max(axis=1) < ROUND_OFF * size
        points.append(on_line[commensurate])
        distance.append(offset + fractions[commensurate] * length)
    unique_distance, first = np.unique(np.round(np.concatenate(distance), 9), return_index=True)
    count = len(unique_distance)
    selected = np.unique(np.linspace(0, count - 1, min(limit, count)).round().astype(int))
    return np.concatenate(points)[first[selected]], unique_distance[selected], ticks
