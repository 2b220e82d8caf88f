"""What ranks the errors of forces: the spread of a committee, or the distance from what was learnt.

The distance of an atom's surroundings from those that were learnt (Janet et al., Chem. Sci. 10, 7913, 2019) needs one model
only. Either ranks errors well and sizes them badly: `calibration` sizes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from flatforce.core.errors import ModelError
from flatforce.data.curation.diversity import atom_descriptors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Prediction


class Spread(Protocol):
    """What ranks the errors of atoms."""

    def __call__(self, frames: Sequence[Atoms], said: Sequence[Prediction]) -> list[FloatArray]:
        """Return it for each atom.

        Parameters
        ----------
        frames
            Structures.
        said
            One prediction a frame.

        Returns
        -------
        (N,) of each frame; eV/Å of a committee, without a unit for a distance.
        """
        ...


def committee_spread(frames: Sequence[Atoms], said: Sequence[Prediction]) -> list[FloatArray]:
    """Take the spread of the members: a `Spread`.

    Parameters
    ----------
    frames
        Structures.
    said
        Of a committee.

    Returns
    -------
    (N,) eV/Å of each frame.
    """
    del frames
    return [atom_spread(one) for one in said]


class DescriptorDistance:
    """Distance of each atom's SOAP vector from the nearest one of its species that was learnt: a `Spread`."""

    def __init__(self, learnt: Sequence[Atoms]) -> None:
        """Keep the vectors of what was learnt.

        Parameters
        ----------
        learnt
            Frames that the model has fitted.
        """
        self.species = sorted({symbol for frame in learnt for symbol in frame.symbols})
        rows = np.concatenate([atom_descriptors(frame, self.species) for frame in learnt])
        numbers = np.concatenate([frame.numbers for frame in learnt])
        self.known = {int(z): rows[numbers == z] for z in np.unique(numbers)}

    def __call__(self, frames: Sequence[Atoms], said: Sequence[Prediction]) -> list[FloatArray]:
        """Return the distances.

        Parameters
        ----------
        frames
            Structures of species that were learnt.
        said
            Not read.

        Returns
        -------
        (N,) of each frame, between 0 and √2.
        """
        del said
        return [self._nearest(frame) for frame in frames]

    def _nearest(self, frame: Atoms) -> FloatArray:
        rows, found = atom_descriptors(frame, self.species), np.empty(len(frame))
        for z in np.unique(frame.numbers):
            these = frame.numbers == z
            cosine = (rows[these] @ self.known[int(z)].T).max(axis=1)
            found[these] = np.sqrt(np.maximum(2 - 2 * cosine, 0.0))
        return found


def atom_spread(prediction: Prediction) -> FloatArray:
    """Return the spread of a committee's forces, atom by atom.

    Parameters
    ----------
    prediction
        Of a committee.

    Returns
    -------
    (N,) eV/Å, root of the summed variances of the components.

    Raises
    ------
    ModelError
        If a single model made it.
    """
    if prediction.forces_std is None:
        raise ModelError(
            "A single model has no spread.",
            fix="give a committee: committee:a.model,b.model, or n_models: 4; or take `doubt: distance`",
        )
    return np.asarray(np.linalg.norm(prediction.forces_std, axis=1))
