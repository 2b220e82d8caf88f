"""A smaller set that still reaches everywhere: farthest-point sampling on SOAP descriptors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray


def descriptors(frames: Sequence[Atoms], *, cutoff: float = 5.0) -> FloatArray:
    """Compute the mean SOAP vector of each frame, by dscribe.

    Parameters
    ----------
    frames
        Structures.
    cutoff
        Å.

    Returns
    -------
    (F, D), unit length.

    Raises
    ------
    MissingDependencyError
        If dscribe is not installed.
    """
    try:
        from dscribe.descriptors import SOAP
    except ImportError as error:
        raise MissingDependencyError(
            "Descriptors need dscribe.", why=str(error), fix="pip install 'flatforce[data]'"
        ) from error
    species = sorted({symbol for frame in frames for symbol in frame.get_chemical_symbols()})
    soap = SOAP(
        species=species,
        r_cut=cutoff,
        n_max=6,
        l_max=4,
        sigma=0.4,
        periodic=True,
        average="inner",
        compression={"mode": "mu1nu1"},
    )
    found = np.atleast_2d(np.asarray(soap.create(list(frames)), dtype=float))
    unit: FloatArray = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit


def farthest_points(points: FloatArray, count: int, *, start: int = 0) -> IntArray:
    """Choose points one by one, each the farthest from those chosen before.

    Parameters
    ----------
    points
        (F, D).
    count
        How many.
    start
        The first.

    Returns
    -------
    (count) indices in the order chosen.
    """
    chosen = np.empty(min(count, len(points)), dtype=np.int64)
    chosen[0] = start
    distance = np.linalg.norm(points - points[start], axis=1)
    for k in range(1, len(chosen)):
        chosen[k] = int(distance.argmax())
        np.minimum(distance, np.linalg.norm(points - points[chosen[k]], axis=1), out=distance)
    return chosen
