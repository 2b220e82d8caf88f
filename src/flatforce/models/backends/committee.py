"""Several models as one: `committee:a.model,b.model` — the mean predicts, the spread doubts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import ModelError
from flatforce.models.protocols import RawPrediction
from flatforce.models.spec import Precision, committee_members
from flatforce.models.spec import load as load_one

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.models.potential import Potential
    from flatforce.models.protocols import HessianRows


def load(name: str, *, device: str, dtype: Precision) -> CommitteeBackend:
    """Load the members of a committee.

    Parameters
    ----------
    name
        Specs joined by commas; a bare path is a MACE model.
    device
        For each member.
    dtype
        For each member.

    Returns
    -------
    The backend.

    Raises
    ------
    ModelError
        If there are fewer than two, or they have no element in common.
    """
    specs = committee_members(f"committee:{name}")
    members = [load_one(one, device=device, dtype=dtype) for one in specs]
    if len(members) < 2:
        raise ModelError("A committee needs two models or more.", fix="join their paths by commas")
    if not frozenset.intersection(*(member.elements for member in members)):
        raise ModelError(
            "The members of the committee have no element in common.", fix="choose models of one material"
        )
    return CommitteeBackend(members)


class CommitteeBackend:
    """The mean of several models; `predict_each` gives every member's word.

    Parameters
    ----------
    members
        The models.
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
        """Evaluate every member.

        Parameters
        ----------
        frames
            Fully periodic cells.
        stress
            Whether the stress is wanted.

        Returns
        -------
        One list a member.
        """
        return [member.backend.predict(frames, stress=stress) for member in self.members]

    def predict(self, frames: Sequence[Atoms], *, stress: bool) -> list[RawPrediction]:
        """Average the members.

        Parameters
        ----------
        frames
            Fully periodic cells.
        stress
            Whether the stress is wanted.

        Returns
        -------
        One prediction a frame.
        """
        each = self.predict_each(frames, stress=stress)
        return [_mean(said) for said in zip(*each, strict=True)]

    def hessian(self, slab: Atoms) -> CommitteeHessian | None:
        """Prepare rows of the Hessian of one cell.

        Parameters
        ----------
        slab
            A fully periodic cell.

        Returns
        -------
        What computes the mean of the members' rows; None if one of them cannot.
        """
        each = [member.hessian(slab) for member in self.members]
        known = [one for one in each if one is not None]
        return CommitteeHessian(known) if len(known) == len(each) else None


class CommitteeHessian:
    """Mean of the members' rows.

    Parameters
    ----------
    members
        Rows of one cell by each member.
    """

    def __init__(self, members: Sequence[HessianRows]) -> None:
        self.members = list(members)
        self.how = f"{members[0].how}, mean of {len(members)} models"

    def reach(self, centre: int) -> int:
        """Count the atoms that a row takes in.

        Parameters
        ----------
        centre
            An atom.

        Returns
        -------
        That of the member that reaches furthest.
        """
        return max(member.reach(centre) for member in self.members)

    def rows(self, centre: int) -> tuple[IntArray, FloatArray]:
        """Average the rows of one atom.

        Parameters
        ----------
        centre
            An atom.

        Returns
        -------
        (M,) atoms within reach of any member, and (M, 3, 3) eV/Å².
        """
        each = [member.rows(centre) for member in self.members]
        atoms = np.unique(np.concatenate([members for members, _ in each]))
        blocks = np.zeros((len(atoms), 3, 3))
        for members, found in each:
            blocks[np.searchsorted(atoms, members)] += found / len(each)
        return atoms, blocks

    def rows_of(self, centres: Sequence[int]) -> Generator[tuple[IntArray, FloatArray]]:
        """Compute the rows of several atoms, one after the other.

        Parameters
        ----------
        centres
            Atoms.

        Yields
        ------
        What `rows` returns, in their order.
        """
        yield from map(self.rows, centres)

    def whole_row(self, centre: int, axis: int) -> FloatArray:
        """Average one row of one atom, computed from the whole cell.

        Parameters
        ----------
        centre
            An atom.
        axis
            0, 1 or 2.

        Returns
        -------
        (N, 3) eV/Å².
        """
        found: FloatArray = np.mean([member.whole_row(centre, axis) for member in self.members], axis=0)
        return found


def _mean(said: Sequence[RawPrediction]) -> RawPrediction:
    energies = np.array([one.energy for one in said])
    forces = np.array([one.forces for one in said])
    stresses = [one.stress for one in said if one.stress is not None]
    stress = np.mean(stresses, axis=0) if len(stresses) == len(said) else None
    return RawPrediction(
        float(energies.mean()),
        forces.mean(axis=0),
        stress,
        energy_std=float(energies.std(ddof=1)),
        forces_std=forces.std(axis=0, ddof=1),
    )
