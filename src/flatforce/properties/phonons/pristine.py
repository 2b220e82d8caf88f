"""Phonons of a pristine sheet: bands, DOS, PDOS, flexural exponent, thermal properties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from phonopy.harmonic.force_constants import compact_fc_to_full_fc
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from flatforce.core.config import Config
from flatforce.core.errors import GeometryError
from flatforce.core.progress import Progress, silent
from flatforce.core.units import FREQUENCY_FACTOR
from flatforce.models.potential import padded
from flatforce.properties.phonons.config import Engine
from flatforce.properties.phonons.force_constants.engines import Filled, apply_rules, fill_force_constants
from flatforce.properties.phonons.spectra.band_path import standard_path
from flatforce.properties.phonons.config import PolarConfig
from flatforce.properties.phonons.force_constants.polar import born_charges, polar_constants, polar_term
from flatforce.properties.phonons.result import SLACK, PristinePhonons
from flatforce.properties.phonons.force_constants.sum_rules import Residuals
from flatforce.properties.phonons.force_constants.finite_displacements import check_size, make_phonopy, to_ase
from flatforce.structures.symmetry import find_symmetry

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms
    from phonopy import Phonopy

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential

ZA_RANGE: Final = (0.02, 0.10)
"""Part of Γ–M over which the flexural exponent is fitted: above round-off, below the quartic term."""

THERMAL_CUTOFF: Final = 1e-3
"""THz. Modes below are the rigid translations: the first others of a 48 × 48 mesh lie above 0.01 THz."""

FOLDED: Final = 4.0
"""Å. Primitive cells of sheets are shorter; longer ones are ordered alloys, quasirandom cells and the like."""


class PhononConfig(Config):
    """Settings of pristine phonons."""

    supercell: tuple[PositiveInt, PositiveInt] = (6, 6)
    """n, m of the supercell."""
    engine: Engine = "auto"
    """`rows`, each from the atoms within reach, where that reach is known; `displacements` otherwise, or when asked for."""
    displacement: PositiveFloat = 0.005
    """Å, of finite displacements. 2e-4 eV/Å² of truncation, above the noise of float64."""
    sum_rules: bool = True
    """Whether translation, rotation and, on a sheet without stress, Huang conditions are enforced."""
    polar: PolarConfig | None = None
    """Born charges and screening of a polar sheet; its bands then have the slope of the longitudinal optical modes."""
    points_per_segment: PositiveInt = 51
    """q points on each part of the path."""
    mesh: PositiveInt = 48
    """q points along each reciprocal vector for DOS and thermal properties; of a cell longer than `FOLDED` as many as are as
    dense, since its zone is folded."""
    broadening: PositiveFloat = 0.08
    """THz. Standard deviation of the Gaussian put on each mode."""
    t_max: NonNegativeFloat = Field(1000.0, ge=10.0)
    """K. Thermal properties from 0 to here, every 10 K."""


def pristine_phonons(
    potential: Potential,
    atoms: Atoms,
    config: PhononConfig,
    *,
    scratch: Path,
    progress: Progress = silent,
) -> PristinePhonons:
    """Compute the phonons of a relaxed sheet.

    Parameters
    ----------
    potential
        The force field.
    atoms
        A relaxed primitive cell.
    config
        Settings.
    scratch
        Folder for forces computed so far.
    progress
        Told after each chunk of displacements.

    Returns
    -------
    The phonons.
    """
    potential.check([atoms])
    if config.polar is not None:
        born_charges(config.polar, len(atoms))
    sheet = padded(atoms, potential.cutoff)
    membrane = potential.evaluate([sheet])[0].membrane_stress
    stress = float("nan") if membrane is None else float(np.abs(membrane).max())
    phonon = make_phonopy(sheet, config.supercell)
    check_size(to_ase(phonon.supercell), potential.cutoff)
    primitive = len(atoms) // find_symmetry(sheet).pure_translations
    if primitive != len(atoms):
        raise GeometryError(
            f"The sheet has {len(atoms)} atoms, its primitive cell {primitive}.",
            why="bands of a supercell would be folded without a word",
            fix="give the primitive cell and choose the supercell with --supercell",
        )
    filled = fill_force_constants(
        phonon,
        potential,
        engine=config.engine,
        displacement=config.displacement,
        scratch=scratch,
        progress=progress,
    )
    raw, left = apply_rules(phonon, enforce=config.sum_rules, huang=stress < SLACK)
    return _spectra(phonon, config, raw=raw, left=left, filled=filled, stress=stress)


def _spectra(
    phonon: Phonopy,
    config: PhononConfig,
    *,
    raw: Residuals,
    left: Residuals,
    filled: Filled,
    stress: float,
) -> PristinePhonons:
    cell = np.asarray(phonon.primitive.cell)
    path = standard_path(cell)
    labels = ["$\\Gamma$" if name == "Γ" else name for name in path.labels]
    band = phonon.run_band_structure(path.segments(config.points_per_segment), labels=labels)
    bands = np.concatenate(band.frequencies)
    if config.polar is not None:
        bands = _polar_bands(phonon, np.concatenate(path.segments(config.points_per_segment)), config.polar)
    distance = np.concatenate(band.distances)
    ticks = np.array([0.0, *(part[-1] for part in band.distances)])
    mesh = phonon.run_mesh(
        [*_mesh(cell, config.mesh), 1], with_eigenvectors=True, is_mesh_symmetry=False, is_gamma_center=True
    )
    low, high = float(mesh.frequencies.min()), float(mesh.frequencies.max())
    grid: dict[str, Any] = {
        "freq_min": min(0.0, low) - 5 * config.broadening,
        "freq_max": high + 5 * config.broadening,
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
        min_frequency=min(low, float(bands.min())),
        thermal=np.column_stack(thermal.thermal_properties or ()),
        raw_residuals=raw,
        left_residuals=left,
        filled=filled,
        membrane_stress=stress,
    )


def _mesh(cell: FloatArray, count: int) -> list[int]:
    lengths = np.linalg.norm(cell[:2], axis=1)
    return [int(np.ceil(count * min(1.0, FOLDED / one))) for one in lengths]


def _polar_bands(phonon: Phonopy, q: FloatArray, config: PolarConfig) -> FloatArray:
    """At the wave vectors of the supercell, bands are what its force constants say; between them and Γ the term counts."""
    cell = to_ase(phonon.primitive)
    charges = born_charges(config, len(cell))
    repeats = np.diag(phonon.supercell_matrix)[:2]
    short = make_phonopy(cell, (int(repeats[0]), int(repeats[1])))
    compact = polar_constants(short, charges, config.screening_length)
    whole = np.asarray(phonon.force_constants) - compact_fc_to_full_fc(short.primitive, compact)
    short.force_constants = whole
    matrices = np.asarray(short.run_qpoints(q, with_dynamical_matrices=True).dynamical_matrices)
    squares = np.linalg.eigvalsh(matrices + polar_term(q, cell, charges, config.screening_length))
    found: FloatArray = np.sign(squares) * np.sqrt(np.abs(squares)) * FREQUENCY_FACTOR
    return found


def flexural_exponent(phonon: Phonopy, end: FloatArray) -> float:
    """Fit ω ∝ q^p to the branch that moves along the normal.

    Parameters
    ----------
    phonon
        Phonopy's object, force constants set.
    end
        (3) special point that ends the line from Γ, reciprocal-lattice coordinates.

    Returns
    -------
    The exponent p; 2 for a sheet without stress. NaN when the branch is imaginary.
    """
    fractions = np.geomspace(*ZA_RANGE, 6)
    found = phonon.run_qpoints(np.outer(fractions, end), with_dynamical_matrices=True)
    frequencies = []
    for matrix in np.asarray(found.dynamical_matrices):
        squares, vectors = np.linalg.eigh(matrix)
        normal = (np.abs(vectors[2::3]) ** 2).sum(axis=0)[:3]
        square = float(squares[int(np.argmax(normal))])
        frequencies.append(np.sign(square) * np.sqrt(abs(square)) * FREQUENCY_FACTOR)
    if min(frequencies) <= 0:
        return float("nan")
    return float(np.polyfit(np.log(fractions), np.log(frequencies), 1)[0])
