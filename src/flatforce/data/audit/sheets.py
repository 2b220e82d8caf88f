"""Frames that are not isolated sheets: crystals, atoms on top of one another, atoms without a bond."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flatforce.core.errors import GeometryError
from flatforce.structures.contacts import MAX_CONTACT, has_bond
from flatforce.structures.isolated_sheet import check_contacts, check_isolated_sheet, gap_along_normal
from flatforce.structures.orientation import MIN_GAP, vacuum_gaps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

MAX_NAMED: Final = 5
"""Number of frames that a note names."""


def sheet_notes(frames: Sequence[Atoms]) -> list[str]:
    """Report labelled frames that are not isolated sheets of bound atoms, with what is assumed of them.

    Parameters
    ----------
    frames
        Labelled frames, without isolated atoms; a force field evaluates each as a sheet that is isolated along its third lattice
        vector.

    Returns
    -------
    One sentence for the frames without vacuum, and one for those that `check_isolated_sheet` refuses for another reason; empty if
    all are sheets.
    """
    crystals = [k for k, frame in enumerate(frames) if gap_along_normal(frame) < MIN_GAP]
    refused: dict[int, GeometryError] = {}
    for k in sorted(set(range(len(frames))) - set(crystals)):
        try:
            check_isolated_sheet(frames[k])
        except GeometryError as error:
            refused[k] = error
    notes = []
    if crystals:
        notes.append(
            f"less than {MIN_GAP:g} Å of vacuum along the third lattice vector: {_list(crystals)}; the force field sees an isolated "
            "sheet there, but the labels may be those of a crystal"
        )
    if refused:
        first = next(iter(refused.values()))
        notes.append(f"not a sheet of bound atoms: {_list(list(refused))}; the first: {first.what}")
    return notes


def check_before_labels(frames: Sequence[Atoms]) -> None:
    """Refuse structures on which a DFT calculation is wasted; crystals and isolated atoms are accepted, for reference energies.

    Parameters
    ----------
    frames
        Structures to label.

    Raises
    ------
    GeometryError
        If two atoms of a structure are on top of one another, or all its atoms too far apart to be bound.
    """
    for k, frame in enumerate(frames):
        try:
            check_contacts(frame)
        except GeometryError as error:
            raise GeometryError(f"Structure #{k}: {error.what}", why=error.why, fix=error.fix) from error
        if len(frame) > 1 and not has_bond(frame):
            raise GeometryError(
                f"Structure #{k}: no two atoms are near enough to be bound.",
                why=f"none is within {MAX_CONTACT:g} times the sum of covalent radii of another, periodic images included",
                fix="check that cell and positions are in Å; label isolated atoms one by one",
            )


def crystal_notes(frames: Sequence[Atoms]) -> list[str]:
    """Report structures that DFT sees as crystals.

    Parameters
    ----------
    frames
        Labelled structures.

    Returns
    -------
    One sentence; empty if each has vacuum along some axis.
    """
    crystals = [
        k
        for k, frame in enumerate(frames)
        if frame.cell.rank == 3 and frame.pbc.all() and vacuum_gaps(frame).max() < MIN_GAP
    ]
    if not crystals:
        return []
    return [
        f"no axis with {MIN_GAP:g} Å of vacuum: {_list(crystals)}; labelled as crystals, which `flatforce data import` accepts with --bulk"
    ]


def _list(indices: Sequence[int]) -> str:
    names = ", ".join(f"#{k}" for k in indices[:MAX_NAMED])
    more = f" and {len(indices) - MAX_NAMED} more" if len(indices) > MAX_NAMED else ""
    return f"{len(indices)} frame(s), {names}{more}"
