"""Relaxation of many materials by a force field, compared with relaxations by DFT."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import GeometryError
from flatforce.core.progress import Progress, silent
from flatforce.data.audit.sheets import sheet_notes
from flatforce.data.frames import get_labels
from flatforce.properties.benchmark.reference_energies import energy_shifts_from_other_materials
from flatforce.properties.benchmark.score import MaterialResult, RelaxationScore
from flatforce.properties.relax import relax_many
from flatforce.properties.relaxation import FailedRelaxation, Relaxation
from flatforce.structures.sheet import area
from flatforce.structures.symmetry import RELAXED_SYMPREC, find_symmetry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.models.potential import Potential
    from flatforce.properties.benchmark.config import RelaxationBenchmarkConfig
    from flatforce.properties.benchmark.materials import Material


def score_relaxations(
    potential: Potential,
    materials: Sequence[Material],
    config: RelaxationBenchmarkConfig,
    *,
    align: Sequence[Atoms] = (),
    progress: Progress = silent,
) -> RelaxationScore:
    """Relax each material and compare its energy and area with those of DFT.

    Parameters
    ----------
    potential
        The force field.
    materials
        Materials to relax.
    config
        Settings.
    align
        Labelled frames to which the reference energies of the elements are fitted; empty for no fit.
    progress
        Called after each material.

    Returns
    -------
    Errors of energies and areas, with the materials in their order.
    """
    shifts, notes = energy_shifts_from_other_materials(
        potential, [material.relaxed for material in materials], align
    )
    starts = [material.relaxed if config.start == "relaxed" else material.start for material in materials]
    relaxations = relax_many(potential, starts, config.relax, progress=progress)
    notes += sheet_notes(starts)
    rows = [
        _compare_with_dft(material, relaxation, shifts)
        for material, relaxation in zip(materials, relaxations, strict=True)
    ]
    return RelaxationScore(potential.spec, rows, shifts, notes)


def _compare_with_dft(
    material: Material, relaxation: Relaxation | FailedRelaxation, shifts: dict[str, float]
) -> MaterialResult:
    n_atoms = len(material.relaxed)
    symbols = material.relaxed.get_chemical_symbols()
    dft_energy = get_labels(material.relaxed, need_forces=False).energy
    result = partial(
        MaterialResult,
        material=material.name,
        elements=sorted(set(symbols)),
        space_group=_space_group(material.relaxed),
        dft=(dft_energy / n_atoms, area(material.relaxed) / n_atoms),
    )
    if isinstance(relaxation, FailedRelaxation):
        return result(predicted=None, converged=False, n_steps=0, reason=relaxation.error.what)
    missing_shift = np.nan if shifts else 0.0
    energy = relaxation.energy + sum(shifts.get(symbol, missing_shift) for symbol in symbols)
    return result(
        predicted=(energy / n_atoms, area(relaxation.atoms) / n_atoms),
        converged=relaxation.converged,
        n_steps=relaxation.n_steps,
    )


def _space_group(sheet: Atoms) -> str:
    try:
        return find_symmetry(sheet, symprec=RELAXED_SYMPREC).international
    except GeometryError:
        return "unknown"
