"""Elastic constants by finite strains, and bending rigidity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.core.errors import ModelError
from flatforce.core.progress import Progress, silent
from flatforce.models.slab import pad_vacuum
from flatforce.properties.elasticity.bending import areal_density, long_waves
from flatforce.properties.elasticity.result import Elasticity
from flatforce.properties.elasticity.stiffness import (
    FRACTIONS,
    PATTERNS,
    deformation,
    fit_constants,
    second_piola_kirchhoff,
    symmetric_stiffness,
)
from flatforce.properties.elasticity.tubes import energy_per_area, fit_rigidity, roll_up
from flatforce.properties.relax import relax_many
from flatforce.properties.relax_config import RelaxConfig
from flatforce.properties.relaxation import FailedRelaxation
from flatforce.structures.strain import apply_strain
from flatforce.structures.symmetry import RELAXED_SYMPREC, find_symmetry

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential
    from flatforce.properties.elasticity.config import ElasticConfig
    from flatforce.properties.relaxation import Relaxation

NONLINEAR_FACTOR: Final = 4.0
"""Third-order constants are fitted to strains that are larger by this factor: their part of the stress grows with the square."""

TUBE_MAX_FORCE: Final = 0.002
"""eV/Å, convergence criterion of tubes: the energy left is below 1e-6 eV per atom."""

TUBE_MAX_STEPS: Final = 2000


def elastic_constants(
    potential: Potential,
    atoms: Atoms,
    config: ElasticConfig,
    *,
    scratch: Path,
    progress: Progress = silent,
) -> Elasticity:
    """Compute elastic constants with clamped and with relaxed ions, and the bending rigidity.

    Parameters
    ----------
    potential
        The force field.
    atoms
        A relaxed sheet.
    config
        Settings.
    scratch
        Folder of parts that an interrupted run takes up again.
    progress
        Called after each strained cell, row of force constants, or tube.

    Returns
    -------
    Constants in N/m, rigidity in eV.

    Raises
    ------
    ModelError
        If the force field gives no stress, or a strained cell cannot be relaxed.
    """
    unstrained = _stress(potential, [atoms])[0]
    strains = np.array([config.strain * fraction for fraction in FRACTIONS])
    settings = RelaxConfig(
        max_force=config.max_force, max_steps=config.max_steps, relax_cell=False, optimizer="LBFGS"
    )
    relaxer = _Relaxer(potential, settings, scratch, progress)
    (relaxed_zero,) = relaxer.relax([atoms], "unstrained")
    columns, clamped, tables, runs = [], [], [], [relaxed_zero]
    rest = second_piola_kirchhoff(relaxed_zero.membrane_stress, np.eye(2))
    for pattern in PATTERNS:
        cells = [_strained(atoms, pattern, strain) for strain in strains]
        at_once = _stress(potential, cells)
        first, _ = fit_constants(
            strains, _referred(at_once, pattern, strains), second_piola_kirchhoff(unstrained, np.eye(2))
        )
        clamped.append(first)
        results = relaxer.relax(cells, pattern)
        stresses = _referred([run.membrane_stress for run in results], pattern, strains)
        columns.append(fit_constants(strains, stresses, rest)[0])
        tables.append(np.insert(stresses, len(strains) // 2, rest, axis=0))
        runs += results
    stiffness, asymmetry = symmetric_stiffness(np.array(columns).T)
    third: dict[str, float] = {}
    more: list[Relaxation] = []
    if config.nonlinear:
        third, more = _third_order(relaxer, atoms, config.strain, rest)
    runs += more
    return Elasticity(
        stiffness=stiffness,
        clamped=symmetric_stiffness(np.array(clamped).T)[0],
        asymmetry=asymmetry,
        third_order=third,
        strains=np.tile(np.insert(strains, len(strains) // 2, 0.0), (len(PATTERNS), 1)),
        stresses=np.array(tables),
        residual_stress=unstrained,
        density=areal_density(atoms),
        max_force=max(run.max_force for run in runs),
        n_unconverged=sum(not run.converged for run in runs),
        **_bending(potential, relaxed_zero.atoms, config, scratch=scratch, progress=progress),
    )


def _strained(atoms: Atoms, pattern: str, strain: float) -> Atoms:
    gradient = deformation(pattern, strain)
    return apply_strain(atoms, xx=gradient[0, 0] - 1, yy=gradient[1, 1] - 1, xy=gradient[0, 1])


def _stress(potential: Potential, cells: list[Atoms]) -> list[FloatArray]:
    """(2, 2) N/m, membrane stress of each cell as it is."""
    stresses = [prediction.membrane_stress for prediction in potential.evaluate(cells)]
    available = [stress for stress in stresses if stress is not None]
    if len(available) < len(stresses):
        raise ModelError(
            "The force field gives no stress.",
            why="elastic constants are derivatives of the stress",
            fix="use a force field with stresses",
        )
    return available


def _referred(stresses: list[FloatArray], pattern: str, strains: FloatArray) -> FloatArray:
    """(K, 3) N/m, stresses referred to the unstrained sheet."""
    return np.array(
        [
            second_piola_kirchhoff(stress, deformation(pattern, strain))
            for stress, strain in zip(stresses, strains, strict=True)
        ]
    )


@dataclass(frozen=True)
class _Relaxer:
    """Relaxes the ions of many cells with the same settings, and goes on where it was killed."""

    potential: Potential
    settings: RelaxConfig
    scratch: Path
    progress: Progress

    def relax(self, cells: list[Atoms], name: str) -> list[Relaxation]:
        """Relax the ions of cells; `name` is that of their checkpoint."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        results: list[Relaxation] = []
        for result in relax_many(
            self.potential,
            cells,
            self.settings,
            checkpoint=self.scratch / f"{name}.checkpoint",
            progress=self.progress,
        ):
            if isinstance(result, FailedRelaxation):
                raise result.error
            results.append(result)
        return results


def _third_order(
    relaxer: _Relaxer, atoms: Atoms, strain: float, rest: FloatArray
) -> tuple[dict[str, float], list[Relaxation]]:
    """Fit C₁₁₁, C₁₁₂, C₂₂₂ and C₁₂₂ to larger strains along x and y."""
    strains = NONLINEAR_FACTOR * strain * np.array(FRACTIONS)
    constants: dict[str, float] = {}
    runs: list[Relaxation] = []
    for pattern, names in (("xx", ("C111", "C112")), ("yy", ("C122", "C222"))):
        results = relaxer.relax(
            [_strained(atoms, pattern, value) for value in strains], f"nonlinear_{pattern}"
        )
        stresses = _referred([run.membrane_stress for run in results], pattern, strains)
        second = fit_constants(strains, stresses, rest)[1]
        constants |= dict(zip(names, map(float, second[:2]), strict=True))
        runs += results
    return constants, runs


def _bending(
    potential: Potential, atoms: Atoms, config: ElasticConfig, *, scratch: Path, progress: Progress
) -> dict[str, Any]:
    """Compute what the settings ask for: fields of the result."""
    fields: dict[str, Any] = {}
    if config.bending in {"phonons", "both"}:
        waves = long_waves(
            potential, atoms, config.supercell, scratch=scratch / "force_constants", progress=progress
        )
        fields |= {"rigidity": waves.rigidity, "velocities": waves.velocities}
    if config.bending in {"tubes", "both"}:
        fields["tubes"] = _tubes(potential, atoms, config, scratch, progress)
    return fields


def _tubes(
    potential: Potential, atoms: Atoms, config: ElasticConfig, scratch: Path, progress: Progress
) -> dict[str, Any]:
    """Relax tubes of the shortest axis; of a sheet with two different faces, each with either face outside."""
    padded = pad_vacuum(atoms, potential.cutoff)
    flat_energy = potential.evaluate(padded).energy
    rotations = find_symmetry(padded, symprec=RELAXED_SYMPREC).rotations
    has_equal_faces = bool((rotations[:, 2, 2] == -1).any())
    sides = [False] if has_equal_faces else [False, True]
    vacuum = max(potential.cutoff, potential.interaction_range) + 2.0  # also beyond a dispersion correction
    tubes = [
        roll_up(padded, radius, around=1, inward=inward, vacuum=vacuum)
        for inward in sides
        for radius in config.tube_radii
    ]
    settings = RelaxConfig(
        max_force=TUBE_MAX_FORCE, max_steps=TUBE_MAX_STEPS, relax_cell=False, optimizer="LBFGS"
    )
    relaxer = _Relaxer(potential, settings, scratch, progress)
    runs = relaxer.relax([tube.atoms for tube in tubes], "tubes")
    energies = np.array(
        [
            energy_per_area(run.energy, tube, padded, flat_energy)
            for run, tube in zip(runs, tubes, strict=True)
        ]
    )
    radii = np.array([tube.radius for tube in tubes])
    signs = (
        None if has_equal_faces else [-1.0 if inward else 1.0 for inward in sides for _ in config.tube_radii]
    )
    rigidity, curvature = fit_rigidity(radii, energies, signs=signs)
    return {
        "radii": radii.tolist(),
        "energies": energies.tolist(),
        "rigidity": rigidity,
        "spontaneous_curvature": curvature,
        "converged": all(run.converged for run in runs),
    }
