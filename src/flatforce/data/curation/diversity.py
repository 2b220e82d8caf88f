"""A smaller set that still reaches everywhere: farthest-point sampling on SOAP descriptors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.core.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray


COARSE: Final = {"n_max": 4, "l_max": 3}
"""Radial and angular functions of descriptors that are differentiated."""


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
    """
    species = {symbol for frame in frames for symbol in frame.get_chemical_symbols()}
    return _unit(_soap(species, cutoff, average="inner").create(list(frames)))


def atom_descriptors(frame: Atoms, species: Iterable[str], *, cutoff: float = 5.0) -> FloatArray:
    """Compute the SOAP vector of each atom, by dscribe.

    Parameters
    ----------
    frame
        A structure.
    species
        All that may occur in frames that are compared with this one.
    cutoff
        Å.

    Returns
    -------
    (N, D), unit length.
    """
    return _unit(_soap(set(species), cutoff, average="off").create(frame))


def sum_descriptors(frame: Atoms, species: Sequence[str], *, cutoff: float = 5.0) -> FloatArray:
    """Sum the SOAP vectors of the atoms of each species: the features of an energy that is linear in them.

    Parameters
    ----------
    frame
        A structure.
    species
        All that may occur.
    cutoff
        Å.

    Returns
    -------
    (species × D,), not normalised; coarser than the other descriptors.
    """
    rows = np.asarray(_soap(set(species), cutoff, average="off", **COARSE).create(frame))
    symbols = np.array(frame.get_chemical_symbols())
    return np.concatenate([rows[symbols == one].sum(axis=0) for one in species])


def descriptor_gradients(frame: Atoms, species: Sequence[str], *, cutoff: float = 5.0) -> FloatArray:
    """Differentiate `sum_descriptors` by the positions.

    Parameters
    ----------
    frame
        A structure.
    species
        All that may occur.
    cutoff
        Å.

    Returns
    -------
    (3N, species × D) 1/Å.
    """
    soap = _soap(set(species), cutoff, average="off", **COARSE)
    found = soap.derivatives(frame, method="numerical", attach=True, return_descriptor=False)
    symbols = np.array(frame.get_chemical_symbols())  # (centre, atom, axis, D)
    each = [np.asarray(found)[symbols == one].sum(axis=0).reshape(3 * len(frame), -1) for one in species]
    return np.concatenate(each, axis=1)


def _soap(species: set[str], cutoff: float, *, average: str, n_max: int = 6, l_max: int = 4) -> Any:
    try:
        from dscribe.descriptors import SOAP
    except ImportError as error:
        raise MissingDependencyError(
            "Descriptors need dscribe.", why=str(error), fix="pip install 'flatforce[data]'"
        ) from error
    return SOAP(
        species=sorted(species),
        r_cut=cutoff,
        n_max=n_max,
        l_max=l_max,
        sigma=0.4,
        periodic=True,
        average=average,
        compression={"mode": "mu1nu1"},
    )


def _unit(found: Any) -> FloatArray:
    rows = np.atleast_2d(np.asarray(found, dtype=float))
    unit: FloatArray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
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
