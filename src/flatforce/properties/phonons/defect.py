"""Phonons of a sheet with a defect, beside the pristine sheet in the same supercell."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import PositiveFloat, PositiveInt, field_validator

from flatforce.core.config import Config
from flatforce.core.errors import GeometryError
from flatforce.core.progress import Progress, silent
from flatforce.models.potential import padded
from flatforce.properties.phonons.defect_cell import CALM, defect_shells, relax_once, with_symmetry
from flatforce.properties.phonons.engines import Engine, Filled, apply_rules, fill_force_constants
from flatforce.properties.phonons.irreps import irreps
from flatforce.properties.phonons.localisation import Mode, localised_modes
from flatforce.properties.phonons.spectra import (
    ModeSet,
    PathModes,
    gaussian_dos,
    modes_on_mesh,
    modes_on_path,
    shell_of,
    site_weights,
)
from flatforce.properties.phonons.spread import set_owner
from flatforce.properties.phonons.sum_rules import Residuals
from flatforce.properties.phonons.supercell import check_size, make_phonopy, to_ase
from flatforce.properties.relax import RelaxConfig
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

IMAGINARY: Final = -0.05
"""THz. A frequency below is an instability, not round-off."""

METRIC_UNITS: Final = {
    "n_atoms": "1",
    "n_rows": "1",
    "n_displacements": "1",
    "relaxation_energy": "eV",
    "min_frequency": "THz",
    "max_frequency": "THz",
    "removed_states": "states",
    "matched_site_difference": "states",
    "n_localised_modes": "1",
    "symmetry_shift": "Å",
    "force_at_rest": "eV/Å",
    "left_translation": "eV/Å²",
    "left_rotation": "eV/Å",
    "raw_translation": "eV/Å²",
    "raw_rotation": "eV/Å",
}


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
    shells: list[PositiveFloat] = [4.0, 7.0]
    """Å. Radii that part the sites around the defect, in the pristine geometry; the last shell is the rest."""

    @field_validator("shells")
    @classmethod
    def _growing(cls, radii: list[float]) -> list[float]:
        if not radii or any(a >= b for a, b in pairwise(radii)):
            raise ValueError("radii of shells grow, and there is one at least")
        return radii

    mesh: PositiveInt = 24
    """q points along a reciprocal vector of the primitive cell; a supercell takes mesh / n."""
    points_per_segment: PositiveInt = 15
    """q points on each part of the supercell's path."""
    band_atoms: PositiveInt = 600
    """Atoms of the largest cell whose bands are drawn: they fold into a haze, and a q point takes a minute."""
    broadening: PositiveFloat = 0.08
    """THz. Standard deviation of the Gaussian put on each mode."""


@dataclass(frozen=True)
class DefectPhonons:
    """A defect cell and the pristine supercell of the same size, spectrum beside spectrum."""

    cell: DefectCell
    relaxed: Atoms
    """The relaxed, symmetrised defect cell."""
    relaxation_energy: float
    """eV gained."""
    relaxation_converged: bool
    point_group: str
    labels: list[str]
    ticks: FloatArray
    distance: FloatArray
    bands: FloatArray
    """(Q, 3N) THz, defect cell."""
    near_weight: FloatArray
    """(Q, 3N) 0…1, weight of each mode in the innermost shell."""
    frequency: FloatArray
    """(G) THz."""
    dos: FloatArray
    """(2, G) states/THz per supercell: pristine, defect."""
    shell_dos: FloatArray
    """(2, S, G) states/THz of the sites in each shell."""
    element_dos: dict[str, FloatArray]
    """Species → (2, G) states/THz."""
    site_difference: FloatArray
    """(G) states/THz, defect less pristine over the sites that both have."""
    shell_sites: IntArray
    """(2, S) sites in each shell."""
    modes: list[Mode]
    gamma: ModeSet
    """Modes of the defect cell at Γ."""
    raw_residuals: Residuals
    left_residuals: Residuals
    symmetry_shift: float
    """Å, largest shift of an atom when the site symmetry was restored."""
    filled: Filled
    """How its force constants were obtained."""

    @property
    def removed_states(self) -> float:
        """Integral of the difference of the two DOS; −3 for each atom missing."""
        return float(np.trapezoid(self.dos[1] - self.dos[0], self.frequency))

    @property
    def metrics(self) -> dict[str, float]:
        """Flat numbers for the record."""
        lowest = float(min(self.bands.min(), self.gamma.frequencies.min()))
        return {
            "n_atoms": float(len(self.relaxed)),
            "n_rows": float(self.filled.n_rows),
            "n_displacements": float(self.filled.n_displacements),
            "relaxation_energy": self.relaxation_energy,
            "min_frequency": lowest,
            "max_frequency": float(self.bands.max()),
            "removed_states": self.removed_states,
            "matched_site_difference": float(np.trapezoid(self.site_difference, self.frequency)),
            "symmetry_shift": self.symmetry_shift,
            "force_at_rest": self.filled.force_at_rest,
            "n_localised_modes": float(sum(mode.degeneracy for mode in self.modes if mode.localised)),
            "left_translation": self.left_residuals.translation,
            "left_rotation": self.left_residuals.rotation,
            "raw_translation": self.raw_residuals.translation,
            "raw_rotation": self.raw_residuals.rotation,
        }

    @property
    def units(self) -> dict[str, str]:
        """Unit of each metric."""
        return dict(METRIC_UNITS)

    @property
    def problems(self) -> list[str]:
        """What is wrong with the physics."""
        lowest = self.metrics["min_frequency"]
        said = [] if lowest > IMAGINARY else [f"imaginary modes down to {lowest:.3f} THz"]
        return said + ([] if self.relaxation_converged else ["the relaxation did not converge"])

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return what the figures need.

        Returns
        -------
        Name → array.
        """
        elements = {f"dos_{name}": pair for name, pair in self.element_dos.items()}
        chosen = [mode.index for mode in self.modes]
        groups = [np.arange(mode.index, mode.index + mode.degeneracy) for mode in self.modes]
        return {
            "ticks": self.ticks,
            "labels": np.array(self.labels),
            "distance": self.distance,
            "bands": self.bands,
            "near_weight": self.near_weight,
            "frequency": self.frequency,
            "dos": self.dos,
            "shell_dos": self.shell_dos,
            "shell_sites": self.shell_sites,
            "site_difference": self.site_difference,
            "positions": self.relaxed.positions,
            "numbers": self.relaxed.numbers,
            "lattice": self.relaxed.cell.array,
            "centre": self.cell.centre,
            "mode_vectors": self.gamma.vectors[0].real.T[chosen].reshape(len(chosen), len(self.relaxed), 3),
            "set_of": set_owner(groups),
            "set_vectors": self.gamma.vectors[0].real.T[np.concatenate([[], *groups]).astype(int)],
            "mode_frequencies": self.gamma.frequencies[0][chosen],
            **elements,
        }


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
    primitive = padded(primitive, potential.cutoff)
    made = build_defect(primitive, config.supercell, defect)
    potential.check([made.atoms])
    if not (defect_shells(made, config.shells) == 0).any():
        raise GeometryError(
            f"No atom lies within {config.shells[0]} Å of the defect.",
            fix="make the first of `shells` larger",
        )
    check_size(made.pristine, potential.cutoff)
    relaxed, gain, converged = relax_once(
        potential, made.atoms, config.relaxation, scratch / "relaxation.npz", progress
    )
    free = relaxed
    relaxed, symmetry = with_symmetry(potential, free, limit=CALM * config.relaxation.max_force)
    pristine, band_modes = _pristine_supercell(potential, primitive, config, scratch / "pristine", progress)
    phonon = make_phonopy(relaxed, (1, 1), primitive="P")
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
    raw, left = apply_rules(phonon, enforce=config.sum_rules, huang=False)
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
    small = make_phonopy(primitive, config.supercell, primitive="auto")
    fill_force_constants(
        small,
        potential,
        engine=config.engine,
        displacement=config.displacement,
        scratch=scratch,
        progress=progress,
    )
    apply_rules(small, enforce=config.sum_rules, huang=False)
    whole = make_phonopy(to_ase(small.supercell), (1, 1), primitive="P")
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
    residual: tuple[Residuals, Residuals],
    symmetry_shift: float,
    filled: Filled,
) -> DefectPhonons:
    pristine, defect = phonons
    mesh = tuple(max(1, round(config.mesh / n)) for n in config.supercell)
    modes = (modes_on_mesh(pristine, mesh), modes_on_mesh(defect, mesh))
    sites = to_ase(pristine.supercell)
    shells = (
        shell_of(sites.positions, made.centre, sites.cell.array, config.shells),
        defect_shells(made, config.shells),
    )
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
    gamma = modes[1] if mesh == (1, 1) else modes_on_mesh(defect, (1, 1))
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
        near_weight=site_weights(path.modes)[:, :, near].sum(axis=2),
        frequency=grid,
        dos=np.array([dos(k, everything[k]) for k in (0, 1)]),
        shell_dos=np.array([[dos(k, shells[k] == s) for s in range(n_shells)] for k in (0, 1)]),
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
            named=lambda groups: irreps(gamma.vectors[0].real, groups, symmetry, relaxed.cell.array),
        ),
        gamma=gamma,
        raw_residuals=residual[0],
        left_residuals=residual[1],
        symmetry_shift=symmetry_shift,
        filled=filled,
    )


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
