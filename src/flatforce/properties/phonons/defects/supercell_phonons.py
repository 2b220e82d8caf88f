"""Phonons of a sheet with a defect, beside the pristine sheet in the same supercell."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import PositiveFloat, PositiveInt, field_validator

from flatforce.core.config import Config
from flatforce.core.errors import GeometryError
from flatforce.core.progress import Progress, silent
from flatforce.models.slab import pad_vacuum
from flatforce.properties.phonons.config import Engine
from flatforce.properties.phonons.defects.relaxed_cell import (
    CALM,
    defect_shells,
    relax_or_resume,
    restore_symmetry,
)
from flatforce.properties.phonons.defects.result import DefectPhonons
from flatforce.properties.phonons.force_constants.engines import (
    EngineReport,
    apply_sum_rules,
    fill_force_constants,
)
from flatforce.properties.phonons.force_constants.finite_displacements import (
    check_supercell,
    make_phonopy,
    to_ase,
)
from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants
from flatforce.properties.phonons.force_constants.sum_rules import SumRuleResiduals
from flatforce.properties.phonons.spectra.irreps import assign_irreps
from flatforce.properties.phonons.spectra.localisation import localised_modes
from flatforce.properties.phonons.spectra.modes import (
    ModeSet,
    PathModes,
    assign_shells,
    gaussian_dos,
    modes_on_mesh,
    modes_on_path,
    site_weights,
)
from flatforce.properties.phonons.spectra.thermal import TEMPERATURES, free_energy, mean_square_displacements
from flatforce.properties.relax_config import RelaxConfig
from flatforce.structures.defects import DefectCell, build_defect

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms
    from numpy.typing import NDArray
    from phonopy import Phonopy

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.models.potential import Potential
    from flatforce.structures.symmetry import Symmetry

BAND_MESH: Final = 60
"""q points along a reciprocal vector of the primitive cell, so dense that only gaps leave holes of 0.05 THz."""


class DefectPhononConfig(Config):
    """Settings of defect phonons."""

    supercell: tuple[PositiveInt, PositiveInt] = (6, 6)
    """n, m of the supercell."""
    relaxation: RelaxConfig = RelaxConfig(relax_cell=False)
    """Relaxation of the defect cell; the cell stays the pristine one unless told otherwise."""
    engine: Engine = "auto"
    """`rows`, each from the atoms within reach, where that reach is known; `displacements` otherwise, or when asked for."""
    displacement: PositiveFloat = 0.005
    """Å, of finite displacements."""
    sum_rules: bool = True
    """Whether translation and rotation rules are enforced on the defect cell."""
    masses: dict[str, PositiveFloat] = {}
    """amu by species, of isotopes; the natural mean where not given."""
    shells: list[PositiveFloat] = [4.0, 7.0]
    """Å. Radii that part the sites around the defect, in the pristine geometry; the last shell is the rest."""

    @field_validator("shells")
    @classmethod
    def _growing(cls, radii: list[float]) -> list[float]:
        if not radii or any(a >= b for a, b in pairwise(radii)):
            raise ValueError("radii of shells grow, and there is one at least")
        return radii

    mesh: PositiveInt = 72
    """q points along a reciprocal vector of the primitive cell; a supercell takes mesh / n, rounded up."""
    points_per_segment: PositiveInt = 15
    """q points on each part of the supercell's path."""
    band_atoms: PositiveInt = 600
    """Atoms of the largest cell whose bands are drawn: they fold into a haze, and a q point takes a minute."""
    broadening: PositiveFloat = 0.08
    """THz. Standard deviation of the Gaussian put on each mode."""


def defect_phonons(
    potential: Potential,
    primitive: Atoms,
    defect: str,
    config: DefectPhononConfig,
    *,
    scratch: Path,
    progress: Progress = silent,
) -> DefectPhonons:
    """Relax a defect, compute its phonons, and compare with the pristine supercell.

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
        Folder for forces computed so far; a killed run goes on from it.
    progress
        Told after each step.

    Returns
    -------
    Both spectra.
    """
    primitive = set_masses(pad_vacuum(primitive, potential.cutoff), config.masses)
    made = build_defect(primitive, config.supercell, defect)
    set_masses(made.atoms, config.masses)
    potential.check([made.atoms])
    empty = set(range(len(config.shells))) - set(defect_shells(made, config.shells).tolist())
    if empty:
        inner = [0.0, *config.shells][min(empty)]
        raise GeometryError(
            f"No atom lies between {inner} and {config.shells[min(empty)]} Å from the defect.",
            fix="choose other `shells`",
        )
    check_supercell(made.pristine, potential.cutoff)
    relaxed, gain, converged = relax_or_resume(
        potential, made.atoms, config.relaxation, scratch / "relaxation.npz", progress
    )
    free = relaxed
    relaxed, symmetry = restore_symmetry(potential, free, limit=CALM * config.relaxation.max_force)
    pristine, band_modes = _pristine_supercell(potential, primitive, config, scratch / "pristine", progress)
    phonon = make_phonopy(relaxed, (1, 1))
    filled = fill_force_constants(
        phonon,
        potential,
        engine=config.engine,
        displacement=config.displacement,
        scratch=scratch / "defect",
        progress=progress,
    )
    # no Huang conditions: the cell is the pristine one, and a defect puts stress into it; and the same rules on both
    # cells, so that no defect means no difference
    raw, left = apply_sum_rules(phonon, enforce=config.sum_rules, huang=False)
    return _compare(
        made,
        relaxed,
        (pristine, phonon),
        config,
        band_modes=band_modes,
        relaxation_energy=gain,
        relaxation_converged=converged,
        symmetry=symmetry,
        residual=(raw, left),
        symmetry_shift=float(np.linalg.norm(relaxed.positions - free.positions, axis=1).max()),
        filled=filled,
    )


def _pristine_supercell(
    potential: Potential, primitive: Atoms, config: DefectPhononConfig, scratch: Path, progress: Progress
) -> tuple[Phonopy, FloatArray]:
    """Pristine force constants by the lattice's full symmetry, handed to the supercell as a cell of its own.

    The frequencies of a dense mesh come along: they tell bands from gaps.
    """
    small = make_phonopy(primitive, config.supercell)
    fill_force_constants(
        small,
        potential,
        engine=config.engine,
        displacement=config.displacement,
        scratch=scratch,
        progress=progress,
    )
    apply_sum_rules(small, enforce=config.sum_rules, huang=False)
    whole = make_phonopy(to_ase(small.supercell), (1, 1))
    whole.force_constants = np.asarray(small.force_constants)
    found = small.run_mesh((BAND_MESH, BAND_MESH, 1), is_gamma_center=True)
    return whole, np.asarray(found.frequencies)


def _compare(
    made: DefectCell,
    relaxed: Atoms,
    phonons: tuple[Phonopy, Phonopy],
    config: DefectPhononConfig,
    *,
    band_modes: FloatArray,
    relaxation_energy: float,
    relaxation_converged: bool,
    symmetry: Symmetry,
    residual: tuple[SumRuleResiduals, SumRuleResiduals],
    symmetry_shift: float,
    filled: EngineReport,
) -> DefectPhonons:
    pristine, defect = phonons
    mesh = tuple(int(np.ceil(config.mesh / n)) for n in config.supercell)
    sites = to_ase(pristine.supercell)
    shells = (
        assign_shells(sites.positions, made.centre, sites.cell.array, config.shells),
        defect_shells(made, config.shells),
    )
    told_apart = 2 * shells[1] + (made.site_of >= 0)
    same_shell = (told_apart[symmetry.permutations] == told_apart).all(axis=1)
    modes = [modes_on_mesh(one, mesh, symmetry.rotations[same_shell]) for one in phonons]
    weights = [site_weights(one) for one in modes]
    top = max(float(one.frequencies.max()) for one in modes) + 5 * config.broadening
    low = min(0.0, *(float(one.frequencies.min()) for one in modes)) - 5 * config.broadening
    grid = np.arange(low, top, config.broadening / 5)

    def dos(which: int, chosen: NDArray[np.bool_]) -> FloatArray:
        summed = weights[which][:, :, chosen].sum(axis=2)
        return gaussian_dos(modes[which].frequencies, summed, grid, config.broadening)

    n_shells = len(config.shells) + 1
    symbols = (np.array(sites.get_chemical_symbols()), np.array(relaxed.get_chemical_symbols()))
    everything = [np.ones(len(one), dtype=bool) for one in symbols]
    matched = np.ones(len(sites), dtype=bool)
    matched[_sites_like(sites, made.pristine.positions[made.vacant])] = False
    gamma = modes[1] if mesh == (1, 1) else modes_on_mesh(defect, (1, 1), symmetry.rotations)
    path = PathModes(("Γ",), np.zeros(1), np.zeros(1), gamma)
    if len(relaxed) <= config.band_atoms:
        path = modes_on_path(defect, config.points_per_segment)
    near = shells[1] == 0
    return DefectPhonons(
        cell=made,
        relaxed=relaxed,
        relaxation_energy=relaxation_energy,
        relaxation_converged=relaxation_converged,
        point_group=symmetry.point_group,
        labels=list(path.labels),
        ticks=path.ticks,
        distance=path.distance,
        bands=path.modes.frequencies,
        shell_projection=site_weights(path.modes)[:, :, near].sum(axis=2),
        frequency=grid,
        dos=np.array([dos(k, everything[k]) for k in (0, 1)]),
        shell_ldos=np.array([[dos(k, shells[k] == s) for s in range(n_shells)] for k in (0, 1)]),
        element_dos={
            str(name): np.array([dos(k, symbols[k] == name) for k in (0, 1)])
            for name in np.unique(np.concatenate(symbols))
        },
        site_difference=dos(1, made.site_of >= 0) - dos(0, matched),
        shell_sites=np.array([[int((shells[k] == s).sum()) for s in range(n_shells)] for k in (0, 1)]),
        modes=localised_modes(
            gamma,
            shells[1],
            pristine=band_modes,
            n_shells=n_shells,
            assign_irreps=lambda groups: assign_irreps(gamma.vectors[0].real, groups, symmetry, relaxed.cell.array),
        ),
        gamma=gamma,
        residuals_before=residual[0],
        residuals_after=residual[1],
        symmetry_shift=symmetry_shift,
        filled=filled,
        constants=SparseForceConstants.from_dense(relaxed, np.asarray(defect.force_constants)),
        lowest=float(min(modes[1].frequencies.min(), gamma.frequencies.min())),
        temperature=TEMPERATURES,
        free_energy=np.array([free_energy(one, TEMPERATURES) for one in modes]),
        displacement=np.array(
            [
                _displacements(one, cell.get_masses(), np.where(both, shell, -1), n_shells)
                for one, cell, shell, both in zip(
                    modes, (sites, relaxed), shells, (matched, made.site_of >= 0), strict=True
                )
            ]
        ),
    )


def _displacements(modes: ModeSet, masses: FloatArray, shells: IntArray, n_shells: int) -> FloatArray:
    """(2, S, T) Å²; NaN where a shell holds no atom, -1 being no shell."""
    each = mean_square_displacements(modes, masses, TEMPERATURES)
    found = np.full((2, n_shells, len(TEMPERATURES)), np.nan)
    for shell in np.unique(shells[shells >= 0]):
        mean = each[:, shells == shell].mean(axis=1)
        found[0, shell], found[1, shell] = mean[:, :2].mean(axis=1), mean[:, 2]
    return found


def set_masses(atoms: Atoms, masses: dict[str, float]) -> Atoms:
    """Give species other masses.

    Parameters
    ----------
    atoms
        Changed in place.
    masses
        amu by species.

    Returns
    -------
    The same atoms.
    """
    if masses:
        own = zip(atoms.get_masses(), atoms.get_chemical_symbols(), strict=True)
        atoms.set_masses([masses.get(symbol, mass) for mass, symbol in own])
    return atoms


def _sites_like(sites: Atoms, positions: FloatArray) -> list[int]:
    """Find positions of one supercell among the sites of another whose atoms are ordered otherwise."""
    found = []
    inverse = np.linalg.inv(sites.cell.array)
    for place in positions:
        offset = (sites.positions - place) @ inverse
        offset[:, :2] -= np.round(offset[:, :2])
        lateral = np.linalg.norm((offset @ sites.cell.array)[:, :2], axis=1)
        vertical = np.abs(sites.positions[:, 2] - place[2])
        found.append(int(np.argmin(lateral + vertical)))
    return found
