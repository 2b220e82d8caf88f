"""Phonons of a pristine sheet: bands, DOS, projected DOS, flexural exponent, thermal properties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from phonopy.harmonic.force_constants import compact_fc_to_full_fc

from flatforce.core.errors import GeometryError
from flatforce.core.progress import Progress, silent
from flatforce.core.units import FREQUENCY_FACTOR
from flatforce.models.slab import pad_vacuum
from flatforce.properties.phonons.force_constants.engines import apply_sum_rules, fill_force_constants
from flatforce.properties.phonons.force_constants.finite_displacements import (
    check_supercell,
    make_phonopy,
    to_ase,
)
from flatforce.properties.phonons.force_constants.polar import born_charges, polar_constants, polar_term
from flatforce.properties.phonons.result import STRESS_TOLERANCE, PristinePhonons
from flatforce.properties.phonons.spectra.band_path import standard_path
from flatforce.structures.symmetry import find_symmetry

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms
    from phonopy import Phonopy

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential
    from flatforce.properties.phonons.config import PhononConfig, PolarConfig
    from flatforce.properties.phonons.force_constants.engines import EngineReport
    from flatforce.properties.phonons.force_constants.sum_rules import SumRuleResiduals

ZA_FIT_RANGE: Final = (0.02, 0.10)
"""Fractions of Γ–M between which the flexural exponent is fitted: above round-off, below where the quartic term matters."""

THERMAL_CUTOFF: Final = 1e-3
"""THz. Modes below this are rigid translations: all others on a 48 × 48 mesh lie above 0.01 THz."""

MAX_PRIMITIVE_LENGTH: Final = 4.0
"""Å. Lattice vectors of simple sheets are shorter; those of ordered alloys or special quasirandom structures are longer."""


def pristine_phonons(
    potential: Potential,
    atoms: Atoms,
    config: PhononConfig,
    *,
    scratch: Path,
    progress: Progress = silent,
) -> PristinePhonons:
    """Compute the phonons of a relaxed pristine sheet.

    Parameters
    ----------
    potential
        The force field.
    atoms
        A relaxed primitive cell.
    config
        Settings.
    scratch
        Folder of the force constants computed so far; an interrupted run continues from it.
    progress
        Called after each row or chunk of displacements.

    Returns
    -------
    Band structure, DOS and thermal properties of the sheet, with frequencies in THz.

    Raises
    ------
    GeometryError
        If the structure is not a primitive cell, or the supercell is too small for the cutoff.
    """
    potential.check([atoms])
    if config.polar is not None:
        born_charges(config.polar, len(atoms))
    sheet = pad_vacuum(atoms, potential.cutoff)
    membrane = potential.evaluate([sheet])[0].membrane_stress
    stress = float("nan") if membrane is None else float(np.abs(membrane).max())
    phonon = make_phonopy(sheet, config.supercell)
    check_supercell(to_ase(phonon.supercell), potential.cutoff)
    primitive = len(atoms) // find_symmetry(sheet).pure_translations
    if primitive != len(atoms):
        raise GeometryError(
            f"The structure has {len(atoms)} atoms, but its primitive cell has {primitive}.",
            why="the bands of a supercell are folded",
            fix="pass the primitive cell, and choose the supercell with --supercell N M",
        )
    engine_report = fill_force_constants(
        phonon,
        potential,
        engine=config.engine,
        displacement=config.displacement,
        scratch=scratch,
        progress=progress,
    )
    residuals = apply_sum_rules(phonon, enforce=config.sum_rules, huang=stress < STRESS_TOLERANCE)
    return _compute_spectra(
        phonon, config, residuals=residuals, engine_report=engine_report, membrane_stress=stress
    )


def _compute_spectra(
    phonon: Phonopy,
    config: PhononConfig,
    *,
    residuals: tuple[SumRuleResiduals, SumRuleResiduals],
    engine_report: EngineReport,
    membrane_stress: float,
) -> PristinePhonons:
    cell = np.asarray(phonon.primitive.cell)
    path = standard_path(cell)
    labels = ["$\\Gamma$" if name == "Γ" else name for name in path.labels]
    band = phonon.run_band_structure(path.segments(config.points_per_segment), labels=labels)
    bands = np.concatenate(band.frequencies)
    if config.polar is not None:
        bands = _polar_bands(phonon, np.concatenate(path.segments(config.points_per_segment)), config.polar)
        for segment, polar in zip(band.frequencies, np.split(bands, len(band.frequencies)), strict=True):
            segment[:] = polar  # so that band.yaml holds the dipole term too
    distance = np.concatenate(band.distances)
    ticks = np.array([0.0, *(segment[-1] for segment in band.distances)])
    mesh = phonon.run_mesh(
        [*mesh_points(cell, config.mesh), 1],
        with_eigenvectors=True,
        is_mesh_symmetry=False,
        is_gamma_center=True,
    )
    lowest, highest = float(mesh.frequencies.min()), float(mesh.frequencies.max())
    grid: dict[str, Any] = {
        "freq_min": min(0.0, lowest) - 5 * config.broadening,
        "freq_max": highest + 5 * config.broadening,
        "freq_pitch": config.broadening / 5,
        "sigma": config.broadening,
        "use_tetrahedron_method": False,
    }
    total = phonon.run_total_dos(**grid)
    projected = phonon.run_projected_dos(**grid, xyz_projection=True)
    thermal = phonon.run_thermal_properties(t_max=config.t_max, t_step=10, cutoff_frequency=THERMAL_CUTOFF)
    n = len(phonon.primitive)
    gamma = np.asarray(phonon.run_qpoints([[0, 0, 0]]).frequencies)[0]
    return PristinePhonons(
        phonon=phonon,
        labels=list(path.labels),
        ticks=ticks,
        distance=distance,
        bands=bands,
        frequency=np.asarray(total.frequency_points),
        dos=np.asarray(total.dos),
        pdos=np.asarray(projected.projected_dos).reshape(n, 3, -1),
        symbols=list(phonon.primitive.symbols),
        gamma=gamma,
        za_exponent=flexural_exponent(phonon, path.points[1]),
        min_frequency=min(lowest, float(bands.min())),
        thermal=np.column_stack(thermal.thermal_properties or ()),
        residuals_before=residuals[0],
        residuals_after=residuals[1],
        engine_report=engine_report,
        membrane_stress=membrane_stress,
    )


def mesh_points(cell: FloatArray, count: int) -> list[int]:
    """Choose the number of q points along both reciprocal vectors; fewer where the zone of a long cell is folded.

    Parameters
    ----------
    cell
        (3, 3) Å, rows are lattice vectors.
    count
        Number of q points along a reciprocal vector of a simple sheet.

    Returns
    -------
    Number of q points along each of the two reciprocal vectors.
    """
    lengths = np.linalg.norm(cell[:2], axis=1)
    return [int(np.ceil(count * min(1.0, MAX_PRIMITIVE_LENGTH / length))) for length in lengths]


def _polar_bands(phonon: Phonopy, q: FloatArray, config: PolarConfig) -> FloatArray:
    """Bands with the dipole term; at wave vectors commensurate with the supercell, they are those of its force constants."""
    cell = to_ase(phonon.primitive)
    charges = born_charges(config, len(cell))
    repeats = np.diag(phonon.supercell_matrix)[:2]
    short_range = make_phonopy(cell, (int(repeats[0]), int(repeats[1])))
    dipole = polar_constants(short_range, charges, config.screening_length)
    short_range.force_constants = np.asarray(phonon.force_constants) - compact_fc_to_full_fc(
        short_range.primitive, dipole
    )
    matrices = np.asarray(short_range.run_qpoints(q, with_dynamical_matrices=True).dynamical_matrices)
    squares = np.linalg.eigvalsh(matrices + polar_term(q, cell, charges, config.screening_length))
    frequencies: FloatArray = np.sign(squares) * np.sqrt(np.abs(squares)) * FREQUENCY_FACTOR
    return frequencies


def flexural_exponent(phonon: Phonopy, end: FloatArray) -> float:
    """Fit ω ∝ q^p to the branch that moves out of plane.

    Parameters
    ----------
    phonon
        The phonopy object, with its force constants.
    end
        (3) special point at the end of the line from Γ, in reciprocal-lattice coordinates.

    Returns
    -------
    The exponent p, which is 2 for a sheet without stress; NaN where the branch is imaginary.
    """
    fractions = np.geomspace(*ZA_FIT_RANGE, 6)
    qpoints = phonon.run_qpoints(np.outer(fractions, end), with_dynamical_matrices=True)
    frequencies = []
    for matrix in np.asarray(qpoints.dynamical_matrices):
        squares, vectors = np.linalg.eigh(matrix)
        out_of_plane = (np.abs(vectors[2::3]) ** 2).sum(axis=0)[:3]
        square = float(squares[int(np.argmax(out_of_plane))])
        frequencies.append(np.sign(square) * np.sqrt(abs(square)) * FREQUENCY_FACTOR)
    if min(frequencies) <= 0:
        return float("nan")
    return float(np.polyfit(np.log(fractions), np.log(frequencies), 1)[0])
