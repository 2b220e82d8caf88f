"""Local spectra of a defect in a supercell that is too large to be diagonalised."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.core.progress import Progress, silent
from flatforce.models.sparse_products import torch_product
from flatforce.properties.phonons.defects.embedded_result import EmbeddedSpectra
from flatforce.properties.phonons.defects.pristine_reference import host_bands, pristine_shell_ldos
from flatforce.properties.phonons.defects.relaxed_cell import defect_shells, set_masses
from flatforce.properties.phonons.force_constants.embedding import embed
from flatforce.properties.phonons.spectra.lanczos import highest_frequency, lanczos, required_steps
from flatforce.properties.phonons.spectra.mode_classes import find_ldos_peaks
from flatforce.properties.phonons.spectra.modes import fold_at_zero, spectrum_grid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flatforce.core.arrays import BoolArray, FloatArray
    from flatforce.models.potential import Potential
    from flatforce.properties.phonons.config import DefectPhononConfig, EmbedConfig
    from flatforce.properties.phonons.force_constants.embedding import Embedding
    from flatforce.properties.phonons.force_constants.large_cell import RelaxedCell

N_RANDOM_VECTORS: Final = 6
"""Number of random vectors for each species: the standard error of the mean falls as 1 / √(6 N)."""


def embedded_phonons(
    potential: Potential,
    small: RelaxedCell,
    config: EmbedConfig,
    *,
    spectra: DefectPhononConfig,
    scratch: Path,
    progress: Progress = silent,
) -> EmbeddedSpectra:
    """Embed the relaxed defect of a smaller cell into a large one, and compute the spectra of the shells around it.

    Parameters
    ----------
    potential
        A force field with a known interaction range.
    small
        The relaxed defect in the smaller cell. Its primitive cell is padded with vacuum; the masses of that cell are changed to
        those of the settings.
    config
        Settings of the embedding.
    spectra
        Settings of the smaller cell; its shells, broadening and masses are used.
    scratch
        Folder of the rows computed so far; an interrupted run continues from it.
    progress
        Called after each step.

    Returns
    -------
    Local DOS of an average site of each shell in states/THz, and the embedding that it was computed from.
    """
    embedding = embed(potential, small, config, scratch=scratch, progress=progress)
    for cell in (embedding.cell.atoms, embedding.host.primitive):
        set_masses(cell, spectra.masses)
    return embedded_spectra(embedding, radii=spectra.shells, broadening=spectra.broadening, progress=progress)


def embedded_spectra(
    embedding: Embedding,
    *,
    radii: Sequence[float],
    broadening: float,
    progress: Progress = silent,
) -> EmbeddedSpectra:
    """Compute the local DOS of each shell by Lanczos chains, one for each inequivalent atom and axis.

    Parameters
    ----------
    embedding
        Force constants of the large cell.
    radii
        Å, outer radii of the shells around the defect; atoms beyond the last are left out.
    broadening
        THz, standard deviation of the Gaussian on each Lanczos node.
    progress
        Called after each step.

    Returns
    -------
    Local DOS of an average site of each shell in states/THz, together with the embedding.
    """
    matrix = embedding.force_constants.dynamical_matrix()
    shells = defect_shells(embedding.cell, list(radii))
    inner = np.flatnonzero(shells < len(radii))
    irreducible, orbit_index = np.unique(embedding.orbit[inner], return_inverse=True)
    unit_vectors = np.zeros((matrix.shape[0], 3 * len(irreducible)))
    n_unit = unit_vectors.shape[1]
    unit_vectors[(3 * irreducible[:, None] + np.arange(3)).ravel(), np.arange(n_unit)] = 1.0
    symbols = np.array(embedding.cell.atoms.get_chemical_symbols())
    elements = sorted(set(symbols.tolist()))
    random_vectors = [_random_vectors(symbols == symbol) for symbol in elements]
    highest = highest_frequency(matrix)
    steps = required_steps(broadening, top=highest)
    product = torch_product(matrix)
    vectors = np.concatenate([unit_vectors, *random_vectors], axis=1)
    chains = lanczos(matrix, vectors, steps, threads=os.cpu_count() or 1, product=product, progress=progress)
    lowest = min(float(chains.nodes(k)[0].min()) for k in range(n_unit))
    grid = spectrum_grid(lowest, highest, broadening)
    by_chain = chains.dos(grid, broadening)
    by_axis = by_chain[:n_unit].reshape(len(irreducible), 3, -1)[orbit_index]
    by_atom = by_axis.sum(axis=1)
    members = [shells[inner] == shell for shell in range(len(radii))]
    frequency, shell_ldos, out_of_plane, pristine_ldos, random_dos = fold_at_zero(
        grid,
        np.array([by_atom[atoms].mean(axis=0) for atoms in members]),
        np.array([by_axis[atoms, 2].mean(axis=0) for atoms in members]),
        pristine_shell_ldos(embedding, [inner[atoms] for atoms in members], grid, broadening),
        by_chain[n_unit:],
        lowest=lowest,
    )
    n_sites = np.array([int(atoms.sum()) for atoms in members])
    return EmbeddedSpectra(
        frequency=frequency,
        shell_ldos=shell_ldos,
        pristine_shell_ldos=pristine_ldos,
        shell_ldos_out_of_plane=out_of_plane,
        shell_sites=n_sites,
        element_dos=_element_dos(elements, random_dos),
        steps=steps,
        lowest_frequency=lowest,
        convergence_error=chains.convergence_error(grid, broadening),
        ldos_peaks=find_ldos_peaks(
            frequency,
            shell_ldos[0],
            pristine_ldos[0],
            n_sites=int(n_sites[0]),
            bands=host_bands(embedding.host),
        ),
        embedding=embedding,
    )


def _element_dos(elements: list[str], by_chain: FloatArray) -> dict[str, FloatArray]:
    """Mean and standard error over the random vectors of each species."""
    by_vector = by_chain.reshape(len(elements), N_RANDOM_VECTORS, -1)
    errors = by_vector.std(axis=1, ddof=1) / np.sqrt(N_RANDOM_VECTORS)
    return {
        symbol: np.array([mean, error])
        for symbol, mean, error in zip(elements, by_vector.mean(axis=1), errors, strict=True)
    }


def _random_vectors(selected: BoolArray) -> FloatArray:
    """(3N, N_RANDOM_VECTORS) random signs on some atoms, with ⟨v|v⟩ = 3 as for the three axes of one atom."""
    rng = np.random.default_rng(int(selected.sum()))
    signs = rng.choice([-1.0, 1.0], size=(3 * len(selected), N_RANDOM_VECTORS))
    vectors: FloatArray = signs * np.repeat(selected, 3)[:, None] / np.sqrt(selected.sum())
    return vectors
