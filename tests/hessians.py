"""Rows of the Hessian from the whole cell, to check others by."""

from __future__ import annotations

import numpy as np

from flatforce.core.arrays import FloatArray
from flatforce.models.protocols import HessianRows


def whole_rows(hessian: HessianRows, centre: int) -> FloatArray:
    """(N, 3, 3) eV/Å²."""
    return np.stack([hessian.whole_row(centre, axis) for axis in range(3)], axis=1)
