"""Phonons of a sheet with a defect, compared with the pristine sheet in the same supercell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import GeometryError
from flatforce.core.progress import Progress, silent
from flatforce.models.slab import pad_vacuum
from flatforce.properties.phonons.defects.cell_modes import compare_cells, modes_of_cells
from flatforce.properties.phonons.defects.imaginary_modes import follow_lowest_mode
from flatforce.properties.phonons.defects.relaxed_cell import (
    RelaxedDefect,
    defect_shells,
    relax_defect,
    set_masses,
)
from flatforce.properties.phonons.defects.result import DefectPhonons
from flatforce.properties.phonons.force_constants.engines import apply_sum_rules, fill_force_constants
from flatforce.properties.phonons.force_constants.finite_displacements import (
    check_supercell,
    make_phonopy,
    to_ase,
)
from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants
from flatforce.properties.phonons.spectra.defect_modes import list_defect_modes
from flatforce.properties.phonons.spectra.irreps import assign_irreps
from flatforce.properties.phonons.spectra.mode_classes import BAND_MESH, find_ldos_peaks
from flatforce.properties.phonons.spectra.modes import (
    ModeSet,
    PathModes,
    modes_on_mesh,
    modes_on_path,
    site_weights,
)
from flatforce.structures.defects import DefectCell, build_defect

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms
    from phonopy import Phonopy

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential
    from flatforce.properties.phonons.config import DefectPhononConfig
    from flatforce.properties.phonons.force_constants.engines import EngineReport
    from flatforce.properties.phonons.force_constants.sum_rules import SumRuleResiduals


@dataclass(frozen=True)
class _PristineCell:
    """The pristine supercell."""

    phonon: Phonopy
    """The phonopy object of the supercell, taken as a primitive cell of its own."""
    bands: FloatArray
    """(Q, 3n) THz, frequencies of the primitive cell on a dense mesh; they separate bands from gaps."""
    primitive: Phonopy
    """The phonopy object of the primitive cell, with its force constants."""

    def folded_bands(self, q: FloatArray, supercell: tuple[int, int]) -> FloatArray:
        """(Q, 3N) THz, frequencies at wave vectors of the supercell's Brillouin zone."""
        repeats = np.array([*supercell, 1])
        images = np.array([(i, j, 0) for i in range(supercell[0]) for j in range(supercell[1])])
        unfolded = ((q[:, None] + images) / repeats).reshape(-1, 3)
        frequencies = np.asarray(self.primitive.run_qpoints(unfolded).frequencies)
        folded: FloatArray = np.sort(frequencies.reshape(len(q), -1), axis=1)
        return folded


@dataclass(frozen=True)
class _DefectForceConstants:
    """Force constants of the relaxed defect cell."""

    phonon: Phonopy
    """The phonopy object, with its force constants."""
    residuals: tuple[SumRuleResiduals, SumRuleResiduals]
    """Residuals of the sum rules before and after they were enforced."""
    engine_report: EngineReport
    """How the force constants were computed."""


def defect_phonons(
    potential: Potential,
    primitive: Atoms,
    defect: str,
    config: DefectPhononConfig,
    *,
    scratch: Path,
    progress: Progress = silent,
) -> DefectPhonons:
    """Relax a defect, compute its phonons, and compare them with those of the pristine supercell.

    An imaginary mode at Γ is followed downhill.

    Parameters
    ----------
    potential
        The force field.
    primitive
        The relaxed primitive cell.
    defect
        Name of the defect, see `structures.defects.parse_defect`.
    config
        Settings.
    scratch
        Folder of the parts computed so far; an interrupted run continues from it.
    progress
        Called after each step.

    Returns
    -------
    Modes and spectra of the defect cell, and the spectra of the pristine supercell.
    """
    primitive = set_masses(pad_vacuum(primitive, potential.cutoff), config.masses)
    cell = build_defect(primitive, config.supercell, defect)
    set_masses(cell.atoms, config.masses)
    potential.check([cell.atoms])
    _check_shells(cell, config.shells)
    check_supercell(cell.pristine, potential.cutoff)
    relaxed = relax_defect(potential, cell, config.relaxation, scratch / "relaxation.npz", progress)
    pristine = _compute_pristine(potential, primitive, config, scratch / "pristine", progress)
    constants = _compute_defect(potential, relaxed.atoms, config, scratch / "defect", progress)
    phonons = _compare(relaxed, pristine, constants, config)
    return follow_lowest_mode(potential, phonons, config.relaxation, progress=progress)


def _check_shells(cell: DefectCell, radii: list[float]) -> None:
    empty = set(range(len(radii))) - set(defect_shells(cell, radii).tolist())
    if empty:
        inner = [0.0, *radii][min(empty)]
        raise GeometryError(
            f"No atom lies between {inner} and {radii[min(empty)]} Å from the defect.",
            fix="choose other radii: shells: [4.0, 7.0]",
        )


def _compute_pristine(
    potential: Potential, primitive: Atoms, config: DefectPhononConfig, scratch: Path, progress: Progress
) -> _PristineCell:
    """Compute pristine force constants with the full symmetry of the lattice, then treat the supercell as a cell of its own."""
    phonon = make_phonopy(primitive, config.supercell)
    fill_force_constants(
        phonon,
        potential,
        engine=config.engine,
        displacement=config.displacement,
        scratch=scratch,
        progress=progress,
    )
    apply_sum_rules(phonon, enforce=config.sum_rules, huang=False)
    supercell = make_phonopy(to_ase(phonon.supercell), (1, 1))
    supercell.force_constants = np.asarray(phonon.force_constants)
    bands = phonon.run_mesh((BAND_MESH, BAND_MESH, 1), is_gamma_center=True)
    return _PristineCell(supercell, np.asarray(bands.frequencies), phonon)


def _compute_defect(
    potential: Potential, relaxed: Atoms, config: DefectPhononConfig, scratch: Path, progress: Progress
) -> _DefectForceConstants:
    """Compute the force constants of the relaxed defect cell.

    The Huang conditions are not enforced, since the cell is the pristine one and the defect puts it under stress. The
    pristine cell obeys the same rules, so that no defect means no difference.
    """
    phonon = make_phonopy(relaxed, (1, 1))
    engine_report = fill_force_constants(
        phonon,
        potential,
        engine=config.engine,
        displacement=config.displacement,
        scratch=scratch,
        progress=progress,
    )
    residuals = apply_sum_rules(phonon, enforce=config.sum_rules, huang=False)
    return _DefectForceConstants(phonon, residuals, engine_report)


def _compare(
    relaxed: RelaxedDefect,
    pristine: _PristineCell,
    constants: _DefectForceConstants,
    config: DefectPhononConfig,
) -> DefectPhonons:
    """Diagonalise both cells and compute their spectra."""
    mesh = tuple(int(np.ceil(config.mesh / n)) for n in config.supercell)
    pristine_modes, defect_modes = modes_of_cells(
        relaxed, pristine.phonon, constants.phonon, mesh=mesh, radii=config.shells
    )
    n_shells = len(config.shells) + 1
    spectra = compare_cells(pristine_modes, defect_modes, n_shells=n_shells, broadening=config.broadening)
    symmetry = relaxed.symmetry
    gamma = (
        defect_modes.modes if mesh == (1, 1) else modes_on_mesh(constants.phonon, (1, 1), symmetry.rotations)
    )
    path = _modes_on_path(constants.phonon, gamma, config, n_atoms=len(relaxed.atoms))
    innermost = defect_modes.shells == 0
    lattice = relaxed.atoms.cell.array
    peaks = find_ldos_peaks(
        spectra.frequency,
        spectra.ldos[1],
        spectra.ldos[0],
        n_sites=int(spectra.shell_sites[1, 0]),
        bands=pristine.bands,
    )
    modes = list_defect_modes(
        gamma,
        defect_modes.shells,
        n_shells=n_shells,
        bands=pristine.bands,
        peaks=peaks,
        assign_irreps=lambda groups: assign_irreps(gamma.vectors[0].real, groups, symmetry, lattice),
    )
    return DefectPhonons(
        relaxed_defect=relaxed,
        labels=list(path.labels),
        ticks=path.ticks,
        distance=path.distance,
        bands=path.modes.frequencies,
        pristine_bands=pristine.folded_bands(path.q, config.supercell),
        shell_projection=site_weights(path.modes)[:, :, innermost].sum(axis=2),
        spectra=spectra,
        modes=modes,
        ldos_peaks=peaks,
        gamma=gamma,
        residuals_before=constants.residuals[0],
        residuals_after=constants.residuals[1],
        engine_report=constants.engine_report,
        constants=SparseForceConstants.from_dense(
            relaxed.atoms, np.asarray(constants.phonon.force_constants)
        ),
        lowest_frequency=float(min(defect_modes.modes.frequencies.min(), gamma.frequencies.min())),
    )


def _modes_on_path(phonon: Phonopy, gamma: ModeSet, config: DefectPhononConfig, *, n_atoms: int) -> PathModes:
    """Modes along the band path; of a large cell, those at Γ alone."""
    if n_atoms <= config.max_band_atoms:
        return modes_on_path(phonon, config.points_per_segment)
    return PathModes(("Γ",), np.zeros(1), np.zeros(1), np.zeros((1, 3)), gamma)
