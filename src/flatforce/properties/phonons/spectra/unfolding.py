"""Bands of a defect in a large supercell, unfolded to the primitive cell without diagonalisation.

A(k, ω) = Σ_κα ⟨kκα|δ(ω − √D)|kκα⟩, |kκα⟩ being the plane wave of k on the sites of sublattice κ that are occupied,
normalised by all sites of it. Real and imaginary part are a Lanczos chain each: D is real, and their cross terms cancel.
Source: P. B. Allen et al., Phys. Rev. B 87, 085322 (2013); a site that is missing takes its share of weight with it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.progress import Progress, silent
from flatforce.core.units import FREQUENCY_FACTOR
from flatforce.models.sparse_products import torch_product
from flatforce.properties.phonons.spectra.lanczos import highest_frequency, lanczos, required_steps
from flatforce.properties.phonons.spectra.band_path import standard_path

if TYPE_CHECKING:
    from flatforce.properties.phonons.config import UnfoldConfig
    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.phonons.force_constants.pristine_host import Host
    from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants
    from flatforce.structures.defects import DefectCell

PARTS = 6
"""A corner of the path is a multiple of 1/6 of a reciprocal vector at the finest."""

ROUND_OFF = 1e-9
"""Of coordinates and amplitudes."""

TOGETHER = 3
"""k points whose chains run side by side: 54 vectors keep a product of 30,000 atoms within 100 MB."""


@dataclass(frozen=True)
class UnfoldedBands:
    """Spectral function along a path."""

    labels: list[str]
    ticks: FloatArray
    distance: FloatArray
    """(K) 1/Å."""
    points: FloatArray
    """(K, 2) reciprocal-lattice coordinates."""
    frequency: FloatArray
    """(G) THz."""
    weight: FloatArray
    """(K, G) states/THz; integral 3 per atom of the primitive cell, less the share of missing sites."""
    bands: FloatArray
    """(K, 3n) THz, pristine."""

    @property
    def metrics(self) -> dict[str, float]:
        """Flat numbers for the record."""
        states = np.trapezoid(self.weight, self.frequency, axis=1)
        return {
            "n_points": float(len(self.points)),
            "min_weight": float(states.min()),
            "max_weight": float(states.max()),
        }

    @property
    def units(self) -> dict[str, str]:
        """Unit of each metric."""
        return {"n_points": "1", "min_weight": "states", "max_weight": "states"}

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return what the figures need.

        Returns
        -------
        Name → array.
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
    constants: SparseForceConstants,
    cell: DefectCell,
    host: Host,
    config: UnfoldConfig,
    *,
    progress: Progress = silent,
) -> UnfoldedBands:
    """Compute the spectral function along the path of the primitive cell.

    Parameters
    ----------
    constants
        Of a large supercell.
    cell
        That supercell.
    host
        The pristine sheet.
    config
        Settings.
    progress
        Told after each group of k points.

    Returns
    -------
    The spectral function.
    """
    basis = len(host.primitive)
    size = round(np.sqrt(len(cell.pristine) / basis))
    path = standard_path(host.primitive.cell.array)
    points, distance, ticks = _commensurate(path.points[:, :2], host, size, config.points)
    matrix = constants.dynamical()
    top = highest_frequency(matrix)
    steps = required_steps(config.broadening, top=top)
    product = torch_product(matrix)
    grid = np.arange(-5 * config.broadening, top + 5 * config.broadening, config.broadening / 5)
    weight = np.empty((len(points), len(grid)))
    for first in range(0, len(points), TOGETHER):
        some = points[first : first + TOGETHER]
        vectors = np.concatenate([_plane_waves(k, cell, basis, size) for k in some], axis=1)
        there = np.flatnonzero(np.abs(vectors).max(axis=0))
        chains = lanczos(matrix, vectors[:, there], steps, threads=os.cpu_count() or 1, product=product)
        owner = there // (vectors.shape[1] // len(some))
        dos = chains.dos(grid, config.broadening)
        for k in range(len(some)):
            weight[first + k] = dos[owner == k].sum(axis=0)
        progress(first + len(some), len(points), "k points unfolded")
    squares = np.linalg.eigvalsh(host.dynamical(points))
    bands = np.sign(squares) * np.sqrt(np.abs(squares)) * FREQUENCY_FACTOR
    return UnfoldedBands(list(path.labels), ticks, distance, points, grid, weight, bands)


def _plane_waves(k: FloatArray, cell: DefectCell, basis: int, size: int) -> FloatArray:
    """(3N, 6n) real and imaginary parts, one column a sublattice, axis and part; zero where there is none."""
    on_site = np.flatnonzero(cell.site_of >= 0)
    sites = cell.site_of[on_site]
    cells = sites // basis
    phase = 2 * np.pi * (k[0] * (cells // size) + k[1] * (cells % size))
    found = np.zeros((len(cell.atoms), 3, basis, 3, 2))
    for axis in range(3):
        found[on_site, axis, sites % basis, axis, 0] = np.cos(phase) / size
        found[on_site, axis, sites % basis, axis, 1] = np.sin(phase) / size
    waves: FloatArray = found.reshape(3 * len(cell.atoms), 6 * basis)
    waves[np.abs(waves) < ROUND_OFF] = 0.0
    return waves


def _commensurate(
    corners: FloatArray, host: Host, size: int, limit: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Find points of a path that fit an n × n supercell: points, distance along the path in 1/Å, and its corners'."""
    reciprocal = np.linalg.inv(host.primitive.cell.array).T[:2]
    lengths = [float(np.linalg.norm((b - a) @ reciprocal)) for a, b in pairwise(corners)]
    ticks = np.concatenate([[0.0], np.cumsum(lengths)])
    fractions = np.arange(PARTS * size + 1) / (PARTS * size)
    points, distance = [], []
    for start, end, begun, length in zip(corners, corners[1:], ticks, lengths, strict=False):
        on_line = start + np.outer(fractions, end - start)
        fits = np.abs(on_line * size - np.round(on_line * size)).max(axis=1) < ROUND_OFF * size
        points.append(on_line[fits])
        distance.append(begun + fractions[fits] * length)
    along, first = np.unique(np.round(np.concatenate(distance), 9), return_index=True)
    chosen = np.unique(np.linspace(0, len(along) - 1, min(limit, len(along))).round().astype(int))
    return np.concatenate(points)[first[chosen]], along[chosen], ticks
