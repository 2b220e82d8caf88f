"""Screening: many unlabelled sheets relaxed by a force field, compared and ranked."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.progress import Progress, silent
from flatforce.data.curation.duplicates import find_near_duplicates
from flatforce.properties.screening.candidates import checked, generate_candidates, join_candidates
from flatforce.properties.screening.hull import compositions_of, energies_above_hull, formation_energies
from flatforce.properties.screening.references import References, reference_energies
from flatforce.properties.screening.relaxations import relax_sheets
from flatforce.properties.screening.result import ScreenedSheet, Screening
from flatforce.structures.bonding import compare_bonds
from flatforce.structures.sheet import area

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.models.potential import Potential
    from flatforce.properties.screening.candidates import Candidate
    from flatforce.properties.screening.config import ScreenConfig
    from flatforce.properties.screening.tasks import Verdict


def screen(
    potential: Potential,
    candidates: Sequence[Candidate],
    config: ScreenConfig,
    *,
    folder: Path,
    references: Sequence[Atoms] = (),
    progress: Progress = silent,
) -> Screening:
    """Relax sheets, find those that are the same, and rank them by their energies above the convex hull.

    Parameters
    ----------
    potential
        The force field.
    candidates
        Sheets from files; those that the settings generate are added.
    config
        Settings.
    folder
        Folder of the state of an interrupted run, which continues from it.
    references
        Competing phases: with a label, or relaxed by the force field as well.
    progress
        Called after each sheet.

    Returns
    -------
    Every sheet with its verdict and, where it converged, its rank.
    """
    generated: list[Candidate] = []
    if config.candidates is not None:
        folder.mkdir(parents=True, exist_ok=True)
        generated = generate_candidates(
            potential, config.candidates, checkpoint=folder / "scales.checkpoint", progress=progress
        )
    relax = partial(relax_sheets, config=config, folder=folder / "relaxations", progress=progress)
    competing = reference_energies(
        potential, references, config, folder=folder / "relaxations", progress=progress
    )
    everything = [checked(candidate, potential) for candidate in join_candidates(candidates, generated)]
    usable = [
        candidate.atoms for candidate in everything if candidate.atoms is not None and not candidate.failure
    ]
    verdicts = iter(relax(potential, usable))
    sheets = [
        _failed(candidate)
        if candidate.failure or candidate.atoms is None
        else _judge(candidate, candidate.atoms, next(verdicts))
        for candidate in everything
    ]
    return Screening(
        potential.spec,
        rank(sheets, competing, config),
        competing,
        config.max_energy_above_hull,
        [candidate.atoms for candidate in generated if candidate.atoms is not None],
    )


def _failed(candidate: Candidate) -> ScreenedSheet:
    formula = "" if candidate.atoms is None else candidate.atoms.get_chemical_formula()
    return ScreenedSheet(candidate.name, candidate.source, "failed", candidate.failure, formula)


def _judge(candidate: Candidate, initial: Atoms, verdict: Verdict) -> ScreenedSheet:
    """Add to the verdict of a relaxation what happened to the bonds; a sheet that fell apart failed."""
    sheet = replace(
        _failed(candidate),
        status=verdict.status,
        reason=verdict.reason,
        initial_area=area(initial) / len(initial),
        n_steps=verdict.n_steps,
    )
    if verdict.atoms is None:
        return sheet
    change = compare_bonds(initial, verdict.atoms)
    if change.fell_apart:
        return replace(sheet, status="failed", reason=f"the sheet fell apart: {change.text}")
    return replace(
        sheet,
        relaxed=verdict.atoms,
        energy=verdict.energy / len(initial),
        max_force=verdict.max_force,
        bonds=change.text,
    )


def rank(
    sheets: Sequence[ScreenedSheet], references: References, config: ScreenConfig
) -> list[ScreenedSheet]:
    """Find duplicates, compute energies above the hull, and sort.

    Parameters
    ----------
    sheets
        Sheets with their verdicts.
    references
        Competing phases.
    config
        Tolerances of duplicates.

    Returns
    -------
    Converged sheets by energy above hull, then by formation energy and energy; then the others in their order.
    """
    converged = [sheet for sheet in sheets if sheet.status == "converged"]
    others = [sheet for sheet in sheets if sheet.status != "converged"]
    converged.sort(key=lambda sheet: sheet.energy)
    originals = _find_duplicates(converged, config)
    structures = [sheet.relaxed for sheet in converged if sheet.relaxed is not None]
    distinct = [k for k in range(len(converged)) if k not in originals]
    phases = [*(structures[k] for k in distinct), *references.structures]
    elements = sorted({symbol for atoms in phases for symbol in atoms.symbols})
    compositions = compositions_of(phases, elements)
    energies = np.array([*(converged[k].energy for k in distinct), *references.energies])
    above = energies_above_hull(compositions, energies, count=len(distinct))
    formation = formation_energies(compositions, energies, references.elemental(elements))
    ranked = dict(zip(distinct, zip(above, formation, strict=False), strict=True))
    rows = []
    for k, sheet in enumerate(converged):
        original = originals.get(k, k)
        excess = sheet.energy - converged[original].energy
        hull, formed = (float(value) + excess for value in ranked[original])
        name = converged[original].name if k in originals else ""
        rows.append(replace(sheet, duplicate_of=name, formation_energy=formed, energy_above_hull=hull))
    rows.sort(key=_order)
    return [*rows, *others]


def _order(sheet: ScreenedSheet) -> tuple[float, ...]:
    """Sort by energy above hull, formation energy, energy; unknown numbers last."""
    values = (sheet.energy_above_hull, sheet.formation_energy, sheet.energy)
    return tuple(float("inf") if np.isnan(value) else value for value in values)


def _find_duplicates(sheets: Sequence[ScreenedSheet], config: ScreenConfig) -> dict[int, int]:
    """Return index of each duplicate → index of the sheet with lower energy that it repeats."""
    structures = [sheet.relaxed for sheet in sheets if sheet.relaxed is not None]
    pairs = find_near_duplicates(structures, tolerance=config.duplicate_distance, with_supercells=True)
    originals: dict[int, int] = {}
    for duplicate, original in sorted(pairs.items()):
        first = originals.get(original, original)
        if abs(sheets[duplicate].energy - sheets[first].energy) < config.duplicate_energy:
            originals[duplicate] = first
    return originals
