"""Atomic reference energies that align a force field with labels of other DFT settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flatforce.core.errors import DataError
from flatforce.data.frames import get_labels, material_of
from flatforce.models.atomic_energies import fit_energies
from flatforce.models.resumable import evaluate_resumably

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.models.potential import Potential


def energy_shifts_from_other_materials(
    potential: Potential,
    relaxed: Sequence[Atoms],
    align: Sequence[Atoms],
    *,
    checkpoint: Path | None = None,
) -> tuple[dict[str, float], list[str]]:
    """Fit energy shifts of the elements to frames of materials that are not benchmarked.

    Parameters
    ----------
    potential
        The force field.
    relaxed
        Relaxed frames of the benchmarked materials.
    align
        Labelled frames to fit to; those of benchmarked materials are left out. Empty for no fit.
    checkpoint
        File of the predictions of an interrupted run, which are not computed again; None to keep nothing.

    Returns
    -------
    Element → energy shift in eV per atom, empty without frames to fit to; and warnings.

    Raises
    ------
    DataError
        If no frame is left to fit to.
    """
    if not align:
        return {}, []
    benchmarked = {material_of(frame) for frame in relaxed}
    usable = [frame for frame in align if material_of(frame) not in benchmarked]
    notes = []
    if len(usable) < len(align):
        notes.append(
            f"{len(align) - len(usable)} of {len(align)} frames for the fit of reference energies belong to benchmarked "
            "materials and were left out"
        )
    shifts = fit_energy_shifts(potential, usable, checkpoint=checkpoint)
    if not shifts:
        raise DataError(
            "No frame is left to fit reference energies to.",
            why=notes[0] if notes else "the force field knows none of their elements",
            fix="set align to frames of other materials, such as those of the training set: --align FRAMES",
        )
    species = {symbol for frame in relaxed for symbol in frame.get_chemical_symbols()}
    if unknown := sorted(species - shifts.keys()):
        notes.append(
            f"no frame for the fit of reference energies contains {', '.join(unknown)}: energies of materials with these "
            "elements are not compared"
        )
    return shifts, notes


def fit_energy_shifts(
    potential: Potential, frames: Sequence[Atoms], *, checkpoint: Path | None = None
) -> dict[str, float]:
    """Fit the energy shift of each element that aligns a force field with the labels of some frames.

    Parameters
    ----------
    potential
        The force field.
    frames
        Labelled frames; those with elements that the force field does not know are left out.
    checkpoint
        As in `energy_shifts_from_other_materials`.

    Returns
    -------
    Element → energy in eV per atom to add to the energies of the force field; empty without frames.
    """
    supported = [frame for frame in frames if potential.elements >= set(frame.get_chemical_symbols())]
    if not supported:
        return {}
    predictions = evaluate_resumably(potential, supported, checkpoint=checkpoint, stress=False)
    differences = [
        get_labels(frame, need_forces=False).energy - prediction.energy
        for frame, prediction in zip(supported, predictions, strict=True)
    ]
    species = sorted({symbol for frame in supported for symbol in frame.get_chemical_symbols()})
    return fit_energies(supported, differences, species)
