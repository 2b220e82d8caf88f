"""Paths through the two-dimensional Brillouin zone of a sheet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from flatforce.core.arrays import FloatArray

ANGLE_TOLERANCE = 0.5
"""Degrees within which the angle of a cell counts as 60° or 120°."""


@dataclass(frozen=True)
class BandPath:
    """Straight segments between high-symmetry points."""

    labels: tuple[str, ...]
    """(P) names of the high-symmetry points."""
    points: FloatArray
    """(P, 3) high-symmetry points in units of the reciprocal lattice vectors."""

    def segments(self, points_each: int) -> list[FloatArray]:
        """Sample the segments with evenly spaced q points.

        Parameters
        ----------
        points_each
            Number of q points on each segment, both ends included.

        Returns
        -------
        For each segment (points_each, 3) q points in units of the reciprocal lattice vectors.
        """
        return [
            np.linspace(start, end, points_each)
            for start, end in zip(self.points[:-1], self.points[1:], strict=True)
        ]


def standard_path(cell: FloatArray) -> BandPath:
    """Choose the conventional path of a cell.

    Parameters
    ----------
    cell
        (3, 3) Å, rows are lattice vectors; the sheet lies in the plane of the first two.

    Returns
    -------
    Γ–M–K–Γ for a hexagonal cell with an angle of 120° or 60°, Γ–X–S–Y–Γ for any other cell.
    """
    lengths = np.linalg.norm(cell[:2], axis=1)
    angle = np.degrees(np.arccos(np.clip(cell[0] @ cell[1] / lengths.prod(), -1, 1)))
    equal = abs(lengths[0] - lengths[1]) < 1e-3 * lengths[0]
    if equal and abs(angle - 120) < ANGLE_TOLERANCE:
        return _path("ΓMKΓ", [(0, 0), (1 / 2, 0), (1 / 3, 1 / 3), (0, 0)])
    if equal and abs(angle - 60) < ANGLE_TOLERANCE:
        return _path("ΓMKΓ", [(0, 0), (1 / 2, 0), (2 / 3, 1 / 3), (0, 0)])
    return _path("ΓXSYΓ", [(0, 0), (1 / 2, 0), (1 / 2, 1 / 2), (0, 1 / 2), (0, 0)])


def _path(labels: str, points: list[tuple[float, float]]) -> BandPath:
    return BandPath(tuple(labels), np.array([(*point, 0.0) for point in points]))
