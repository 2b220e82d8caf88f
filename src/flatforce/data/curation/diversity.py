"""SOAP descriptors of frames and atoms, and farthest-point sampling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.core.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray


SMALL_BASIS: Final = {"n_max": 4, "l_max": 3}
"""Numbers of radial and angular functions of descriptors that are differentiated."""


def descriptors(frames: Sequence[Atoms], *, cutoff: float = 5.0) -> FloatArray:
    """Compute the mean SOAP vector of each frame, by dscribe.

    Parameters
    ----------
    frames
        Structures.
    cutoff
        Cutoff radius of an atom's environment, in Å.

    Returns
    -------
    (F, D), normalised to unit length.
    """
    species = {symbol for frame in frames for symbol in frame.get_chemical_symbols()}
    return _normalise(_soap(species, cutoff, average="inner").create(list(frames)))


def atom_descriptors(frame: Atoms, species: Iterable[str], *, cutoff: float = 5.0) -> FloatArray:
    """Compute the SOAP vector of each atom, by dscribe.

    Parameters
    ----------
    frame
        A structure.
    species
        All species of the frames that are compared with this one.
    cutoff
        Cutoff radius of an atom's environment, in Å.

    Returns
    -------
    (N, D), each row normalised to unit length.
    """
    return _normalise(_soap(set(species), cutoff, average="off").create(frame))


def sum_descriptors(frame: Atoms, species: Sequence[str], *, cutoff: float = 5.0) -> FloatArray:
    """Sum the SOAP vectors of the atoms of each species.

    They are the features of a model whose energy is linear in them.

    Parameters
    ----------
    frame
        A structure.
    species
        All species of the frames that are compared with this one.
    cutoff
        Cutoff radius of an atom's environment, in Å.

    Returns
    -------
    (species × D,), not normalised, with a smaller basis than the other descriptors.
    """
    rows = np.asarray(_soap(set(species), cutoff, average="off", **SMALL_BASIS).create(frame))
    symbols = np.array(frame.get_chemical_symbols())
    return np.concatenate([rows[symbols == symbol].sum(axis=0) for symbol in species])


def descriptor_gradients(frame: Atoms, species: Sequence[str], *, cutoff: float = 5.0) -> FloatArray:
    """Differentiate `sum_descriptors` with respect to the positions.

    Parameters
    ----------
    frame
        A structure.
    species
        All species of the frames that are compared with this one.
    cutoff
        Cutoff radius of an atom's environment, in Å.

    Returns
    -------
    (3N, species × D) 1/Å.
    """
    soap = _soap(set(species), cutoff, average="off", **SMALL_BASIS)
    derivatives = soap.derivatives(frame, method="numerical", attach=True, return_descriptor=False)
    symbols = np.array(frame.get_chemical_symbols())  # (centre, atom, axis, D)
    gradients = [
        np.asarray(derivatives)[symbols == symbol].sum(axis=0).reshape(3 * len(frame), -1)
        for symbol in species
    ]
    return np.concatenate(gradients, axis=1)


def _soap(species: set[str], cutoff: float, *, average: str, n_max: int = 6, l_max: int = 4) -> Any:
    try:
        from dscribe.descriptors import SOAP
    except ImportError as error:
        raise MissingDependencyError(
            "SOAP descriptors need dscribe.", why=str(error), fix="pip install 'flatforce[data]'"
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


def _normalise(vectors: Any) -> FloatArray:
    rows = np.atleast_2d(np.asarray(vectors, dtype=float))
    normalised: FloatArray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return normalised


def distances_to_nearest(points: FloatArray, references: FloatArray) -> FloatArray:
    """Compute the distance of each point to the nearest of a set of reference points.

    Parameters
    ----------
    points
        (F, D).
    references
        (R, D); may be empty.

    Returns
    -------
    (F,) Euclidean distances; infinite without reference points.
    """
    nearest = np.full(len(points), np.inf)
    for reference in references:
        np.minimum(nearest, np.linalg.norm(points - reference, axis=1), out=nearest)
    return nearest


def farthest_points(
    points: FloatArray, count: int, *, first: int | None = None, references: FloatArray | None = None
) -> tuple[IntArray, FloatArray]:
    """Select points one by one, each the farthest from the reference points and from those selected before.

    Parameters
    ----------
    points
        (F, D) candidates.
    count
        Number of points to select; all are selected if there are fewer.
    first
        Index of the point that is selected first; None for the one farthest from the references.
    references
        (R, D) points from which the selected ones shall be far; None for none.

    Returns
    -------
    (count,) int, indices in the order of selection; and (count,) the distance of each to the nearest reference or point
    selected before it, infinite for the first one without references.
    """
    count = min(count, len(points))
    nearest = distances_to_nearest(points, np.empty((0, 0)) if references is None else references)
    selected, distances = np.empty(count, dtype=np.int64), np.empty(count)
    for k in range(count):
        index = first if k == 0 and first is not None else int(nearest.argmax())
        selected[k], distances[k] = index, nearest[index]
        np.minimum(nearest, np.linalg.norm(points - points[index], axis=1), out=nearest)
        nearest[index] = -np.inf  # a selected point is not selected again
    return selected, distances
