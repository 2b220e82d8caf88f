"""The strain at which the formation energy of a defect is extreme, by Bayesian optimisation with few evaluations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from flatforce.active.bayesian_optimisation import SearchResult, optimise
from flatforce.core.errors import FlatforceError, GeometryError
from flatforce.core.files import write_arrays
from flatforce.core.outcome import Outcome
from flatforce.core.progress import Progress, silent
from flatforce.properties.relax import relax
from flatforce.properties.relax_config import RelaxConfig
from flatforce.structures.defects import build_defect
from flatforce.structures.strain import apply_strain, rattle_positions

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms
    from numpy.typing import NDArray

    from flatforce.active.optimum_config import OptimumConfig
    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential

RATTLE_AMPLITUDE: Final = 0.005
"""Å, standard deviation of the displacements before a relaxation: a symmetric initial structure may be a saddle point."""


@dataclass(frozen=True, repr=False)
class StrainOptimum(Outcome):
    """Formation energies of a defect at the evaluated strains, and the Gaussian process through them.

    Energies are relative to the unstrained sheet, so that the chemical potentials of added and removed atoms cancel.
    """

    kind: ClassVar[str] = "strain optimum"

    defect: str
    """Name of the defect."""
    config: OptimumConfig
    """Settings of the search."""
    result: SearchResult
    """Strains along x and y as coordinates, formation energies in eV as values; NaN where a relaxation did not converge."""

    units = {
        "formation_energy_change": "eV",
        "strain_x": "",
        "strain_y": "",
        "standard_deviation": "eV",
        "n_evaluations": "",
        "n_failed": "",
    }

    @property
    def best_strain(self) -> FloatArray:
        """(2,) strains along x and y of the best evaluation."""
        best: FloatArray = self.result.coordinates[self.result.best(self.config.search.objective)]
        return best

    @property
    def metrics(self) -> dict[str, float]:
        """Formation energy and strain of the best evaluation, standard deviation there, numbers of evaluations and failures."""
        result = self.result
        nearest = int(np.linalg.norm(result.grid - self.best_strain, axis=1).argmin())
        return {
            "formation_energy_change": float(result.values[result.best(self.config.search.objective)]),
            "strain_x": float(self.best_strain[0]),
            "strain_y": float(self.best_strain[1]),
            "standard_deviation": float(result.deviation[nearest]),
            "n_evaluations": float(self.config.search.evaluations),
            "n_failed": float(np.isnan(result.values).sum()),
        }

    @property
    def notes(self) -> list[str]:
        """Warnings of an extremum at the bounds, and of relaxations that did not converge."""
        search = self.config.search
        at_bound = (
            np.isclose(self.best_strain, search.lower).any()
            or np.isclose(self.best_strain, search.upper).any()
        )
        warnings = []
        if at_bound and search.objective in {"minimise", "maximise"}:
            warnings.append("the extremum lies at the bounds of the strain: set wider `lower` and `upper`")
        if failed := self.result.coordinates[np.isnan(self.result.values)].round(4).tolist():
            warnings.append(
                f"the relaxation of {self.defect} did not converge at the strains {failed}: increase max_steps, or set "
                "narrower `lower` and `upper`"
            )
        return warnings

    @property
    def details(self) -> dict[str, Any]:
        """Defect and objective of the search."""
        return {"defect": self.defect, "objective": self.config.search.objective}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return evaluations and Gaussian process.

        Returns
        -------
        `strains` (n, 2) and `energies` (n,) eV in the order of evaluation; `grid` (G, 2) strains, `mean` and
        `standard_deviation` (G,) eV of the Gaussian process.
        """
        result = self.result
        return {
            "strains": result.coordinates,
            "energies": result.values,
            "grid": result.grid,
            "mean": result.mean,
            "standard_deviation": result.deviation,
        }


def optimise_strain(
    potential: Potential,
    sheet: Atoms,
    defect: str,
    config: OptimumConfig,
    *,
    scratch: Path,
    progress: Progress = silent,
) -> StrainOptimum:
    """Search the in-plane strain with the smallest or largest formation energy of a defect.

    Parameters
    ----------
    potential
        The force field.
    sheet
        Relaxed primitive cell; strain is measured from it.
    defect
        Name of the defect.
    config
        Settings.
    scratch
        Folder in which the energy at each strain is stored; a killed search continues from it. It must belong to this force
        field, sheet, defect, supercell and relaxation.
    progress
        Called after each evaluation.

    Returns
    -------
    The evaluations, and the Gaussian process through them.

    Raises
    ------
    GeometryError
        If the defect does not relax in the unstrained sheet.
    """
    energy_at = _FormationEnergy(potential, sheet, defect, config, scratch)
    unstrained_energy = energy_at(np.zeros(2))
    if not np.isfinite(unstrained_energy):
        raise GeometryError(
            f"The relaxation of {defect} in the unstrained sheet does not converge.",
            fix="increase max_steps in the settings, or inspect the structure",
        )
    result = optimise(
        lambda strain: energy_at(strain) - unstrained_energy,
        config.search,
        known_values={(0.0, 0.0): 0.0},
        progress=progress,
    )
    return StrainOptimum(defect, config, result)


class _FormationEnergy:
    """Energy of a defect cell minus that of the sheet without the defect, stored on disk for each strain."""

    def __init__(
        self, potential: Potential, sheet: Atoms, defect: str, config: OptimumConfig, folder: Path
    ) -> None:
        self.potential, self.sheet, self.folder, self.config = potential, sheet, folder, config
        self.relax = RelaxConfig(relax_cell=False, max_force=config.max_force, max_steps=config.max_steps)
        self.cell = build_defect(sheet, config.supercell, defect).atoms

    def __call__(self, strain: FloatArray) -> float:
        """Return the energy in eV at (2,) strains along x and y; NaN where a relaxation does not converge."""
        path = self.folder / f"{strain[0]:+.6f}_{strain[1]:+.6f}.npz"
        if not path.is_file():
            x, y = (float(component) for component in strain)
            rng = np.random.default_rng(0)
            start = rattle_positions(apply_strain(self.cell, xx=x, yy=y), amplitude=RATTLE_AMPLITUDE, rng=rng)
            sheet_energy = self._relaxed_energy(apply_strain(self.sheet, xx=x, yy=y))
            energy = self._relaxed_energy(start) - sheet_energy * np.prod(self.config.supercell)
            write_arrays(path, {"energy": np.array(energy), "strain": strain})
        with np.load(path) as stored:
            return float(stored["energy"])

    def _relaxed_energy(self, start: Atoms) -> float:
        try:
            relaxation = relax(self.potential, start, self.relax)
        except FlatforceError:
            return float("nan")
        return relaxation.energy if relaxation.converged else float("nan")
