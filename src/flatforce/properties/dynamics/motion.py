"""Where atoms go: pair distribution in the plane, mean square displacement, hops between sites."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Final

import numpy as np
from ase.neighborlist import neighbor_list, primitive_neighbor_list
from scipy.sparse import csr_matrix, diags

from flatforce.properties.dynamics.samples import Samples, long_enough

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray

BIN: Final = 0.05
"""Å, width of a bin of the pair distribution."""

MAX_FRAMES: Final = 50
"""Frames that the pair distribution is averaged over: more change it by less than its noise."""

MAX_ATOM_FRAMES: Final = 200_000
"""Atoms times frames of the pair distribution: a large sheet needs fewer frames."""

MAX_DISTANCE: Final = 15.0
"""Å, of the pair distribution."""

MAX_SITE_DISTANCE: Final = 8.0
"""Å, within which every sheet has two like atoms."""

RIPPLE_RADIUS: Final = 8.0
"""Å, of the surroundings whose mean height a hop does not count."""

ATOMS_AT_A_TIME: Final = 256
"""Atoms whose paths are in memory together."""

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
    edges = np.arange(0.0, max(min(heights.min() / 2, MAX_DISTANCE), 2 * BIN), BIN)
    names = np.array(symbols)
    pairs = list(combinations_with_replacement(sorted(set(symbols)), 2))
    counts = {pair: np.zeros(len(edges) - 1) for pair in pairs}
    n_frames = 0
    max_frames = max(1, min(MAX_FRAMES, MAX_ATOM_FRAMES // len(symbols)))
    for trajectory in samples:
        every = max(1, len(trajectory.read("time")) // max_frames)
        boxes = trajectory.read("cell")
        for index in range(0, len(boxes), every):
            n_frames += 1
            first, second, distances = _in_plane_pairs(
                trajectory.frame("positions", index), boxes[index], edges[-1]
            )
            for element, partner in pairs:
                is_pair = (names[first] == element) & (names[second] == partner)
                counts[element, partner] += np.histogram(distances[is_pair], edges)[0]
    shells = np.pi * (edges[1:] ** 2 - edges[:-1] ** 2) / abs(np.linalg.det(cell))
    result = {}
    for (element, partner), count in counts.items():
        n_pairs = int((names == element).sum()) * int((names == partner).sum())
        result[f"{element}-{partner}"] = count / (max(n_frames, 1) * n_pairs * shells)
    return (edges[1:] + edges[:-1]) / 2, result


def _in_plane_pairs(
    positions: FloatArray, box: FloatArray, cutoff: float
) -> tuple[IntArray, IntArray, FloatArray]:
    """List pairs of atoms by their distance in the plane: indices of both, and Å."""
    flat = positions.copy()
    flat[:, 2] = 0.0
    cell = np.zeros((3, 3))
    cell[:2, :2], cell[2, 2] = box, 2 * cutoff + 1.0
    return primitive_neighbor_list("ijd", (True, True, False), cell, flat, cutoff)  # type: ignore[no-any-return]


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
    names, samples = np.array(symbols), long_enough(samples, 1)
    length = min(len(trajectory.read("time")) for trajectory in samples)
    lags = max(1, length // 2)
    values = {symbol: np.zeros(lags) for symbol in sorted(set(symbols))}
    for trajectory in samples:
        for atoms, block in trajectory.blocks_of_atoms("positions", ATOMS_AT_A_TIME):
            path = in_first_cell(trajectory, block)[:length]
            for symbol in set(symbols[atoms]):
                members = np.flatnonzero(names[atoms] == symbol)
                share = len(members) / int((names == symbol).sum()) / len(samples)
                values[symbol] += share * _lagged_squares(path[:, members], lags)
    return samples[0].read("time")[:lags], values


def in_first_cell(trajectory: Samples, positions: FloatArray) -> FloatArray:
    """Map positions to the cell of the first frame, relative to the centre of the sheet: a cell that changes moves no atom to another site.

    Parameters
    ----------
    trajectory
        The trajectory.
    positions
        (T, n, 3) Å, of some of its atoms.

    Returns
    -------
    (T, n, 3) Å.
    """
    cells = trajectory.read("cell")
    paths = positions - trajectory.centres()[:, None]
    paths[..., :2] = paths[..., :2] @ (np.linalg.inv(cells) @ cells[0])
    return paths


def _ripples(trajectory: Samples) -> FloatArray:
    """(T, N) Å, mean height of the surroundings of each atom in each frame, relative to the centre of the sheet."""
    heights = np.concatenate(
        [block[..., 2] for _, block in trajectory.blocks_of_atoms("positions", ATOMS_AT_A_TIME)], axis=1
    )
    heights = heights - heights.mean(axis=1, keepdims=True)
    n_atoms = heights.shape[1]
    box = trajectory.frame("cell", 0)
    first, second, _ = _in_plane_pairs(trajectory.frame("positions", 0), box, RIPPLE_RADIUS)
    rows, columns = np.append(first, np.arange(n_atoms)), np.append(second, np.arange(n_atoms))
    mean = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(n_atoms, n_atoms))
    mean = diags(1 / np.asarray(mean.sum(axis=1)).ravel()) @ mean
    return np.asarray((mean @ heights.T).T)


def _lagged_squares(path: FloatArray, lags: int) -> FloatArray:
    """Mean of |r(t + lag) − r(t)|² over starts and atoms by Fourier transforms; path is (T, n, 3)."""
    steps = len(path)
    spectrum = np.fft.rfft(path, n=2 * steps, axis=0)
    overlap = np.fft.irfft((np.abs(spectrum) ** 2), axis=0)[:lags].sum(axis=2)
    squares = (path**2).sum(axis=2)
    sums = np.concatenate([np.zeros((1, path.shape[1])), squares.cumsum(axis=0)])
    lag = np.arange(lags)
    square_sums = sums[steps - lag] + (sums[steps] - sums[lag])
    result: FloatArray = ((square_sums - 2 * overlap) / (steps - lag)[:, None]).mean(axis=1)
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
    lengths = np.linalg.norm(sheet.cell.array[:2], axis=1)
    first, second, distances = neighbor_list("ijd", sheet, MAX_SITE_DISTANCE)
    like = distances[sheet.numbers[first] == sheet.numbers[second]]
    return HOP_FRACTION * float(min(like.min(initial=np.inf), lengths.min()))


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
    times, ripples = trajectory.read("time"), _ripples(trajectory)
    hops = []
    for atoms, block in trajectory.blocks_of_atoms("positions", ATOMS_AT_A_TIME):
        paths = in_first_cell(trajectory, block)
        paths[..., 2] -= ripples[:, atoms]
        far = np.flatnonzero(np.linalg.norm(paths - paths[:1], axis=2).max(axis=0) > distance)
        for column in far:
            atom, site = int(atoms.start + column), paths[0, column]
            for time, position in zip(times, paths[:, column], strict=True):
                step_length = float(np.linalg.norm(position - site))
                if step_length > distance:
                    hops.append(Hop(trajectory.group, atom, symbols[atom], float(time), step_length))
                    site = position
    return sorted(hops, key=lambda hop: hop.time)
