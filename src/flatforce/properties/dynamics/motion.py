"""Where atoms go: pair distribution in the plane, mean square displacement, hops between sites."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.properties.dynamics.samples import Samples

BIN: Final = 0.05
"""Å, width of a bin of the pair distribution."""

MAX_FRAMES: Final = 200
"""Frames that the pair distribution is averaged over: more change it by less than its noise."""

HOP_FRACTION: Final = 0.6
"""Part of the shortest distance between like atoms by which an atom leaves its site in a hop."""


@dataclass(frozen=True)
class Hop:
    """An atom that left its site."""

    trajectory: str
    """Name of the trajectory."""
    atom: int
    """Index of the atom."""
    symbol: str
    """Its chemical symbol."""
    time: float
    """fs, of the first frame at the new site."""
    distance: float
    """Å, between the two sites."""


def pair_distribution(samples: list[Samples], symbols: list[str]) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Compute the distribution of in-plane distances, pair of elements by pair of elements.

    Parameters
    ----------
    samples
        Trajectories at one temperature.
    symbols
        (N) chemical symbols.

    Returns
    -------
    (R) Å, distances; and for each pair such as `Se-W` (R) g(r), 1 where atoms are independent. Distances go up to the in-circle of the
    cell.
    """
    cells = np.concatenate([trajectory.read("cell") for trajectory in samples])
    cell = cells.mean(axis=0)
    heights = abs(np.linalg.det(cell)) / np.linalg.norm(cell, axis=1)
    edges = np.arange(0.0, max(heights.min() / 2, 2 * BIN), BIN)
    names = np.array(symbols)
    pairs = list(combinations_with_replacement(sorted(set(symbols)), 2))
    counts = {pair: np.zeros(len(edges) - 1) for pair in pairs}
    n_frames = 0
    for trajectory in samples:
        positions = trajectory.read("positions")[..., :2]
        every = max(1, len(positions) // MAX_FRAMES)
        for frame, box in zip(positions[::every], trajectory.read("cell")[::every], strict=True):
            fractions = frame @ np.linalg.inv(box)
            n_frames += 1
            for first, second in pairs:
                offset = fractions[names == first][:, None] - fractions[names == second]
                distances = np.linalg.norm((offset - np.round(offset)) @ box, axis=-1).ravel()
                counts[first, second] += np.histogram(distances[distances > BIN], edges)[0]
    shells = np.pi * (edges[1:] ** 2 - edges[:-1] ** 2) / abs(np.linalg.det(cell))
    result = {}
    for (first, second), count in counts.items():
        n_pairs = int((names == first).sum()) * int((names == second).sum())
        result[f"{first}-{second}"] = count / (max(n_frames, 1) * n_pairs * shells)
    return (edges[1:] + edges[:-1]) / 2, result


def mean_square_displacement(
    samples: list[Samples], symbols: list[str]
) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Compute the mean square displacement of each element, relative to the centre of the sheet.

    Parameters
    ----------
    samples
        Trajectories at one temperature, of the same length.
    symbols
        (N) chemical symbols.

    Returns
    -------
    (L) fs, times up to half of the trajectory; and for each element (L) Å², averaged over atoms, starts and trajectories.
    """
    names = np.array(symbols)
    length = min(len(trajectory.read("time")) for trajectory in samples)
    lags = max(1, length // 2)
    values = {symbol: np.zeros(lags) for symbol in sorted(set(symbols))}
    for trajectory in samples:
        centre = trajectory.read("positions").mean(axis=1, keepdims=True)
        for symbol in values:
            path = trajectory.read("positions", np.flatnonzero(names == symbol)) - centre
            values[symbol] += _lagged_squares(path[:length], lags) / len(samples)
    return samples[0].read("time")[:lags], values


def _lagged_squares(path: FloatArray, lags: int) -> FloatArray:
    """Mean of |r(t + lag) − r(t)|² over starts and atoms by Fourier transforms; path is (T, n, 3)."""
    steps = len(path)
    spectrum = np.fft.rfft(path, n=2 * steps, axis=0)
    overlap = np.fft.irfft((np.abs(spectrum) ** 2), axis=0)[:lags].sum(axis=2)
    squares = (path**2).sum(axis=2)
    sums = np.concatenate([np.zeros((1, path.shape[1])), squares.cumsum(axis=0)])
    lag = np.arange(lags)
    both = sums[steps - lag] + (sums[steps] - sums[lag])
    result: FloatArray = ((both - 2 * overlap) / (steps - lag)[:, None]).mean(axis=1)
    return np.maximum(result, 0.0)


def default_hop_distance(sheet: Atoms) -> float:
    """Choose how far an atom must go to have left its site.

    Parameters
    ----------
    sheet
        The sheet before the dynamics.

    Returns
    -------
    Å, 60 % of the shortest distance between like atoms.
    """
    names = np.array(sheet.get_chemical_symbols())
    distances = sheet.get_all_distances(mic=True) + np.where(np.eye(len(sheet)), np.inf, 0.0)
    like = distances[names[:, None] == names]
    lengths = np.linalg.norm(sheet.cell.array[:2], axis=1)
    return HOP_FRACTION * float(min(like[np.isfinite(like)].min(initial=np.inf), lengths.min()))


def find_hops(trajectory: Samples, symbols: list[str], *, distance: float) -> list[Hop]:
    """Find the atoms that left their sites, and when.

    Parameters
    ----------
    trajectory
        The trajectory.
    symbols
        (N) chemical symbols.
    distance
        Å, how far an atom must be from its last site to have a new one.

    Returns
    -------
    The hops in the order of time; an atom that comes back hops twice.
    """
    positions = trajectory.read("positions")
    positions = positions - positions.mean(axis=1, keepdims=True)
    times = trajectory.read("time")
    cells = trajectory.read("cell")
    scale = np.sqrt(np.abs(np.linalg.det(cells[0]) / np.linalg.det(cells)))[:, None, None]
    positions[..., :2] *= scale  # a cell that breathes moves no atom to another site
    far: IntArray = np.flatnonzero(np.linalg.norm(positions - positions[:1], axis=2).max(axis=0) > distance)
    hops = []
    for atom in far:
        site = positions[0, atom]
        for time, position in zip(times, positions[:, atom], strict=True):
            moved = float(np.linalg.norm(position - site))
            if moved > distance:
                hops.append(Hop(trajectory.group, int(atom), symbols[atom], float(time), moved))
                site = position
    return sorted(hops, key=lambda hop: hop.time)
