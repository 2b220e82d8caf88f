"""Modes of one supercell, pristine or with a defect, and its densities of states by shell and species."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flatforce.properties.phonons.defects.relaxed_cell import defect_shells
from flatforce.properties.phonons.force_constants.finite_displacements import to_ase
from flatforce.properties.phonons.spectra.modes import (
    assign_shells,
    fold_at_zero,
    gaussian_dos,
    modes_on_mesh,
    site_weights,
    spectrum_grid,
)
from flatforce.properties.phonons.spectra.thermal import TEMPERATURES, free_energy, mean_square_displacements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from phonopy import Phonopy

    from flatforce.core.arrays import BoolArray, FloatArray, IntArray
    from flatforce.properties.phonons.defects.relaxed_cell import RelaxedDefect
    from flatforce.properties.phonons.spectra.modes import ModeSet


@dataclass(frozen=True)
class CellModes:
    """Modes of a supercell, with its atoms sorted into shells around the defect."""

    atoms: Atoms
    """The supercell."""
    shells: IntArray
    """(N) shell of each atom, 0 for the innermost."""
    matched: BoolArray
    """(N) whether the site of the atom is occupied in both cells."""
    modes: ModeSet
    """Modes on a mesh of q points."""
    site_weights: FloatArray
    """(Q, 3N, N) weight of each mode on each atom."""

    @property
    def symbols(self) -> list[str]:
        """(N) species of each atom."""
        symbols: list[str] = self.atoms.get_chemical_symbols()
        return symbols

    def dos(self, selected: BoolArray, grid: FloatArray, broadening: float) -> FloatArray:
        """Compute the density of states of some atoms.

        Parameters
        ----------
        selected
            (N) whether the atom counts.
        grid
            (G) THz.
        broadening
            THz, standard deviation of the Gaussian on each mode.

        Returns
        -------
        (G) states/THz, summed over these atoms.
        """
        weights = self.site_weights[:, :, selected].sum(axis=2)
        return gaussian_dos(self.modes.frequencies, weights, grid, broadening)

    def mean_square_displacements(self, n_shells: int) -> FloatArray:
        """Average mean-square displacements over the matched sites of each shell.

        Parameters
        ----------
        n_shells
            Number of shells.

        Returns
        -------
        (2, S, T) Å², in plane (per axis) and out of plane; NaN where a shell has no matched site.
        """
        by_atom = mean_square_displacements(self.modes, self.atoms.get_masses(), TEMPERATURES)
        shells = np.where(self.matched, self.shells, -1)
        by_shell = np.full((2, n_shells, len(TEMPERATURES)), np.nan)
        for shell in np.unique(shells[shells >= 0]):
            mean = by_atom[:, shells == shell].mean(axis=1)
            by_shell[0, shell], by_shell[1, shell] = mean[:, :2].mean(axis=1), mean[:, 2]
        return by_shell


@dataclass(frozen=True)
class SpectraComparison:
    """Spectra of the pristine and of the defect cell, in this order along the axis of length 2."""

    frequency: FloatArray
    """(G) THz, grid of the densities of states."""
    dos: FloatArray
    """(2, G) states/THz per supercell."""
    shell_ldos: FloatArray
    """(2, S, G) states/THz, summed over the sites of each shell."""
    shell_sites: IntArray
    """(2, S) number of sites of each shell."""
    element_dos: dict[str, FloatArray]
    """Species → (2, G) states/THz."""
    site_difference: FloatArray
    """(G) states/THz, defect minus pristine, over the sites that are occupied in both cells."""
    free_energy: FloatArray
    """(2, T) eV per supercell, vibrational free energy with the zero-point energy."""
    mean_square_displacement: FloatArray
    """(2, 2, S, T) Å², for each cell in plane (per axis) and out of plane, averaged over the matched sites of each shell."""

    @property
    def ldos(self) -> FloatArray:
        """(2, G) states/THz, local DOS of an average site of the innermost shell."""
        ldos: FloatArray = self.shell_ldos[:, 0] / self.shell_sites[:, :1]
        return ldos


def compare_cells(
    pristine: CellModes, defect: CellModes, *, n_shells: int, broadening: float
) -> SpectraComparison:
    """Compute the spectra of both cells on one frequency grid.

    Parameters
    ----------
    pristine
        Modes of the pristine supercell.
    defect
        Modes of the defect cell.
    n_shells
        Number of shells.
    broadening
        THz, standard deviation of the Gaussian on each mode.

    Returns
    -------
    Densities of states in states/THz, vibrational free energies in eV and mean-square displacements in Å² of both cells.
    """
    cells = (pristine, defect)
    highest = max(float(cell.modes.frequencies.max()) for cell in cells)
    lowest = min(float(cell.modes.frequencies.min()) for cell in cells)
    grid = spectrum_grid(lowest, highest, broadening)
    elements = np.unique(np.concatenate([cell.symbols for cell in cells]))
    shells = range(n_shells)
    dos = np.array([cell.dos(np.ones(len(cell.atoms), dtype=bool), grid, broadening) for cell in cells])
    shell_ldos = np.array(
        [[cell.dos(cell.shells == shell, grid, broadening) for shell in shells] for cell in cells]
    )
    element_dos = np.array(
        [
            [cell.dos(np.array(cell.symbols) == symbol, grid, broadening) for cell in cells]
            for symbol in elements
        ]
    )
    difference = defect.dos(defect.matched, grid, broadening)
    difference -= pristine.dos(pristine.matched, grid, broadening)
    frequency, dos, shell_ldos, element_dos, difference = fold_at_zero(
        grid, dos, shell_ldos, element_dos, difference, lowest=lowest
    )
    return SpectraComparison(
        frequency=frequency,
        dos=dos,
        shell_ldos=shell_ldos,
        shell_sites=np.array([[int((cell.shells == shell).sum()) for shell in shells] for cell in cells]),
        element_dos={str(symbol): pair for symbol, pair in zip(elements, element_dos, strict=True)},
        site_difference=difference,
        free_energy=np.array([free_energy(cell.modes, TEMPERATURES) for cell in cells]),
        mean_square_displacement=np.array([cell.mean_square_displacements(n_shells) for cell in cells]),
    )


def modes_of_cells(
    relaxed: RelaxedDefect, pristine: Phonopy, defect: Phonopy, *, mesh: Sequence[int], radii: list[float]
) -> tuple[CellModes, CellModes]:
    """Compute the modes of the pristine and of the defect cell on one mesh, at one q of each orbit.

    Only those operations of the site group are used that map each shell, and the matched sites, onto themselves.

    Parameters
    ----------
    relaxed
        The relaxed defect cell.
    pristine
        The phonopy object of the pristine supercell, with its force constants.
    defect
        The phonopy object of the defect cell, with its force constants.
    mesh
        Number of q points along both reciprocal lattice vectors.
    radii
        Å, outer radii of the shells.

    Returns
    -------
    Modes of the pristine and of the defect cell.
    """
    cell, symmetry = relaxed.cell, relaxed.symmetry
    sites = to_ase(pristine.supercell)
    shells = defect_shells(cell, radii)
    on_site = cell.site_of >= 0
    classes = 2 * shells + on_site
    keeps_classes = (classes[symmetry.permutations] == classes).all(axis=1)
    rotations = symmetry.rotations[keeps_classes]
    occupied = np.ones(len(sites), dtype=bool)
    occupied[_match_sites(sites, cell.pristine.positions[cell.vacant])] = False
    pristine_modes = modes_on_mesh(pristine, mesh, rotations)
    defect_modes = modes_on_mesh(defect, mesh, rotations)
    pristine_shells = assign_shells(sites.positions, cell.centre, sites.cell.array, radii)
    return (
        CellModes(sites, pristine_shells, occupied, pristine_modes, site_weights(pristine_modes)),
        CellModes(relaxed.atoms, shells, on_site, defect_modes, site_weights(defect_modes)),
    )


def _match_sites(sites: Atoms, positions: FloatArray) -> list[int]:
    """Find positions of one supercell among the sites of another whose atoms are in a different order."""
    indices = []
    inverse = np.linalg.inv(sites.cell.array)
    for position in positions:
        offset = (sites.positions - position) @ inverse
        offset[:, :2] -= np.round(offset[:, :2])
        lateral = np.linalg.norm((offset @ sites.cell.array)[:, :2], axis=1)
        vertical = np.abs(sites.positions[:, 2] - position[2])
        indices.append(int(np.argmin(lateral + vertical)))
    return indices
