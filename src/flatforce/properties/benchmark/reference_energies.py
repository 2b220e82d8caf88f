"""Reference energies of the species, for labels of other DFT settings than a force field learnt from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flatforce.core.errors import DataError
from flatforce.data.frames import get_labels, material_of
from flatforce.models.atomic_energies import fit_energies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.models.potential import Potential


def energy_shifts_from_other_materials(
    potential: Potential, relaxed: Sequence[Atoms], align: Sequence[Atoms]
) -> tuple[dict[str, float], list[str]]:
    """Fit reference energies to frames of other materials than those that are judged.

    Parameters
    ----------
    potential
        The force field.
    relaxed
        What is judged.
    align
        Labelled frames; none for no fit.

    Returns
    -------
    Species → eV, and what a reader must know.

    Raises
    ------
    DataError
        If no frame is left.
    """
    if not align:
        return {}, []
    judged = {material_of(frame) for frame in relaxed}
    kept = [frame for frame in align if material_of(frame) not in judged]
    notes = []
    if len(kept) < len(align):
        notes.append(
            f"{len(align) - len(kept)} of {len(align)} frames to align by belong to materials that are judged: left out"
        )
    references = fit_energy_shifts(potential, kept)
    if not references:
        raise DataError(
            "No frame is left to fit reference energies to.",
            why=notes[0] if notes else "the force field knows none of their species",
            fix="align by the frames of other materials, such as those that were learnt",
        )
    species = {symbol for frame in relaxed for symbol in frame.get_chemical_symbols()}
    if unknown := sorted(species - references.keys()):
        notes.append(f"no frame to align by holds {', '.join(unknown)}: energies with it are not compared")
    return references, notes


def fit_energy_shifts(potential: Potential, frames: Sequence[Atoms]) -> dict[str, float]:
    """Fit what has to be added to a force field's energies so that they suit labels of other DFT settings.

    Parameters
    ----------
    potential
        The force field.
    frames
        Labelled frames.

    Returns
    -------
    Species → eV; empty without frames.
    """
    known = [frame for frame in frames if potential.elements >= set(frame.get_chemical_symbols())]
    if not known:
        return {}
    found = potential.evaluate(known, stress=False)
    left = [
        get_labels(frame, need_forces=False).energy - one.energy
        for frame, one in zip(known, found, strict=True)
    ]
    species = sorted({symbol for frame in known for symbol in frame.get_chemical_symbols()})
    return fit_energies(known, left, species)
