"""Several models as one, `committee:a.model,b.model`: the mean is the prediction, the standard deviation its uncertainty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from flatforce.core.errors import ModelError
from flatforce.models.loading import Precision
from flatforce.models.loading import load as load_model
from flatforce.models.protocols import HessianRows, RawPrediction
from flatforce.models.spec import committee_members

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.models.potential import Potential


def load(name: str, *, device: str, dtype: Precision) -> CommitteeBackend:
    """Load the members of a committee.

    Parameters
    ----------
    name
        Specs of the members, joined by commas; a bare path is a MACE model.
    device
        Device of each member.
    dtype
        Arithmetic of each member.

    Returns
    -------
    The backend, whose predictions are means over the members.

    Raises
    ------
    ModelError
        If there are fewer than two, or they have no element in common.
    """
    specs = committee_members(f"committee:{name}")
    members = [load_model(spec, device=device, dtype=dtype) for spec in specs]
    if len(members) < 2:
        raise ModelError(
            "A committee needs at least two models.",
            fix="join their specs by commas: committee:a.model,b.model",
        )
    if not frozenset.intersection(*(member.elements for member in members)):
        raise ModelError(
            "The members of the committee have no element in common.",
            fix="choose models that were trained on a common material",
        )
    return CommitteeBackend(members)


class CommitteeBackend:
    """The mean of several models; `predict_each` returns the predictions of every member.

    Parameters
    ----------
    members
        The models of the committee.
    """

    def __init__(self, members: Sequence[Potential]) -> None:
        self.members = list(members)
        self.elements = frozenset.intersection(*(member.elements for member in members))
        self.cutoff = max(member.cutoff for member in members)
        self.layers = max(member.backend.layers for member in members)
        self.local = all(member.backend.local for member in members)
        self.dtype, self.device = members[0].dtype, members[0].device
        self.batch_atoms = min(member.backend.batch_atoms for member in members)

    def predict_each(self, frames: Sequence[Atoms], *, stress: bool) -> list[list[RawPrediction]]:
        """Evaluate frames with every member.

        Parameters
        ----------
        frames
            Fully periodic cells.
        stress
            Whether the stress is computed.

        Returns
        -------
        One list of predictions for each member.
        """
        return [member.backend.predict(frames, stress=stress) for member in self.members]

    def predict(self, frames: Sequence[Atoms], *, stress: bool) -> list[RawPrediction]:
        """Average the predictions of the members.

        Parameters
        ----------
        frames
            Fully periodic cells.
        stress
            Whether the stress is computed.

        Returns
        -------
        One prediction for each frame, with the standard deviations of the members.
        """
        members = self.predict_each(frames, stress=stress)
        return [_average(predictions) for predictions in zip(*members, strict=True)]

    def hessian(self, slab: Atoms) -> CommitteeHessian | None:
        """Prepare single rows of the Hessian of one cell.

        Parameters
        ----------
        slab
            A fully periodic cell.

        Returns
        -------
        An object that computes the mean of the members' rows; None if one of them cannot.
        """
        hessians = [member.hessian(slab) for member in self.members]
        available = [hessian for hessian in hessians if hessian is not None]
        return CommitteeHessian(available) if len(available) == len(hessians) else None


class CommitteeHessian(HessianRows):
    """Mean of the members' rows of the Hessian, over the atoms in the receptive field of any member.

    Parameters
    ----------
    members
        Rows of the Hessian of one cell, by each member.
    """

    def __init__(self, members: Sequence[HessianRows]) -> None:
        self.members = list(members)
        self.method = f"{members[0].method}, mean of {len(members)} models"

    @override
    def count_row_atoms(self, centre: int) -> int:
        return max(member.count_row_atoms(centre) for member in self.members)

    @override
    def rows(self, centre: int) -> tuple[IntArray, FloatArray]:
        member_rows = [member.rows(centre) for member in self.members]
        atoms = np.unique(np.concatenate([member_atoms for member_atoms, _ in member_rows]))
        blocks = np.zeros((len(atoms), 3, 3))
        for member_atoms, member_blocks in member_rows:
            blocks[np.searchsorted(atoms, member_atoms)] += member_blocks / len(member_rows)
        return atoms, blocks

    @override
    def whole_row(self, centre: int, axis: int) -> FloatArray:
        mean_row: FloatArray = np.mean([member.whole_row(centre, axis) for member in self.members], axis=0)
        return mean_row


def _average(predictions: Sequence[RawPrediction]) -> RawPrediction:
    energies = np.array([prediction.energy for prediction in predictions])
    forces = np.array([prediction.forces for prediction in predictions])
    stresses = [prediction.stress for prediction in predictions if prediction.stress is not None]
    stress = np.mean(stresses, axis=0) if len(stresses) == len(predictions) else None
    return RawPrediction(
        float(energies.mean()),
        forces.mean(axis=0),
        stress,
        energy_std=float(energies.std(ddof=1)),
        forces_std=forces.std(axis=0, ddof=1),
    )
