"""Local spectra of a defect in a supercell too large to diagonalise."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.core.progress import Progress, silent
from flatforce.models.sparse_products import torch_product
from flatforce.properties.phonons.defects.relaxed_cell import defect_shells
from flatforce.properties.phonons.spectra.lanczos import highest_frequency, lanczos, required_steps
from flatforce.properties.phonons.spectra.modes import IMAGINARY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from flatforce.core.arrays import BoolArray, FloatArray, IntArray
    from flatforce.properties.phonons.force_constants.embedding import Embedding


UNCONVERGED: Final = 0.01
"""Largest change of a spectrum over the last quarter of the chains that counts as converged."""

RULES: Final = 1e-8
"""eV/Å² and eV/Å, largest residual of a rule that counts as none."""

RANDOM: Final = 6
"""Random vectors a species: the error of the mean falls like 1 / √(6 N)."""


@dataclass(frozen=True)
class EmbeddedSpectra:
    """Spectra of the shells around an embedded defect."""

    frequency: FloatArray
    """(G) THz."""
    shell_ldos: FloatArray
    """(S, G) states/THz of one site of each shell, mean over the shell; integral 3."""
    shell_ldos_out_of_plane: FloatArray
    """(S, G) states/THz of the motion along the normal alone; integral 1."""
    shell_sites: IntArray
    """(S) atoms in each shell."""
    element_dos: dict[str, FloatArray]
    """Species → (2, G) states/THz of one of its atoms, mean over the whole cell, and its standard error: random vectors
    instead of all atoms."""
    steps: int
    """Of the Lanczos chains."""
    lowest: float
    """THz, lowest mode that the shells see, imaginary as negative."""
    unconverged: float
    """L1 change of a spectrum over the last quarter of the steps, relative to its integral."""
    embedded: Embedding

    @property
    def metrics(self) -> dict[str, float]:
        """Flat numbers for the record."""
        return {
            "n_atoms": float(len(self.embedded.cell.atoms)),
            "n_exact_rows": float(len(self.embedded.distance)),
            "truncation_error": self.embedded.truncation_error,
            "border_shift": self.embedded.border_shift,
            "raw_translation": self.embedded.residuals_before.translation,
            "raw_rotation": self.embedded.residuals_before.rotation,
            "left_translation": self.embedded.residuals_after.translation,
            "left_rotation": self.embedded.residuals_after.rotation,
            "lanczos_steps": float(self.steps),
            "lowest_frequency": self.lowest,
            "unconverged": self.unconverged,
        }

    @property
    def problems(self) -> list[str]:
        """What is wrong with the physics, or with its numbers."""
        said = []
        if self.lowest < IMAGINARY:
            said.append(f"imaginary modes down to {self.lowest:.3f} THz")
        if self.unconverged > UNCONVERGED:
            said.append(
                f"the Lanczos chains are too short: the spectrum still changes by {self.unconverged:.1%}"
            )
        left = self.embedded.residuals_after
        if self.embedded.ruled and max(left.translation, left.rotation) > RULES:
            said.append(f"the sum rules are left at {max(left.translation, left.rotation):.1e}")
        return said

    @property
    def units(self) -> dict[str, str]:
        """Unit of each metric."""
        named = {"truncation_error": "eV/Å²", "border_shift": "Å", "lowest_frequency": "THz"}
        rules = {"translation": "eV/Å²", "rotation": "eV/Å"}
        return {name: named.get(name) or rules.get(name.partition("_")[2], "1") for name in self.metrics}

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return what the figures need.

        Returns
        -------
        Name → array.
        """
        return {
            "frequency": self.frequency,
            "shell_ldos": self.shell_ldos,
            "shell_ldos_out_of_plane": self.shell_ldos_out_of_plane,
            "shell_sites": self.shell_sites,
            **{f"dos_{symbol}": pair for symbol, pair in self.element_dos.items()},
            "row_distance": self.embedded.distance,
            "row_change": self.embedded.change,
            "small_atom": self.embedded.small_atom,
        }


def embedded_spectra(
    embedded: Embedding,
    *,
    radii: Sequence[float],
    broadening: float,
    progress: Progress = silent,
) -> EmbeddedSpectra:
    """Compute the local DOS of each shell by Lanczos chains, one a distinct atom and axis.

    Parameters
    ----------
    embedded
        Force constants of the large cell.
    radii
        Å. Shells around the defect; the rest beyond the last is left out.
    broadening
        THz, standard deviation of the Gaussian on each node.
    progress
        Told after each step.

    Returns
    -------
    The spectra.
    """
    matrix = embedded.force_constants.dynamical_matrix()
    shells = defect_shells(embedded.cell, list(radii))
    inner = np.flatnonzero(shells < len(radii))
    distinct, which = np.unique(embedded.orbit[inner], return_inverse=True)
    vectors = np.zeros((matrix.shape[0], 3 * len(distinct)))
    vectors[(3 * distinct[:, None] + np.arange(3)).ravel(), np.arange(vectors.shape[1])] = 1.0
    symbols = np.array(embedded.cell.atoms.get_chemical_symbols())
    elements = sorted(set(symbols.tolist()))
    random = [_random_vectors(symbols == symbol) for symbol in elements]
    top = highest_frequency(matrix)
    steps = required_steps(broadening, top=top)
    product = torch_product(matrix)
    both = np.concatenate([vectors, *random], axis=1)
    chains = lanczos(matrix, both, steps, threads=os.cpu_count() or 1, product=product, progress=progress)
    grid = np.arange(-5 * broadening, top + 5 * broadening, broadening / 5)
    of_chain = chains.dos(grid, broadening)
    of_axis = of_chain[: vectors.shape[1]].reshape(len(distinct), 3, -1)[which]
    of_atom = of_axis.sum(axis=1)
    counts = np.array([int((shells == s).sum()) for s in range(len(radii))])
    members = [shells[inner] == s for s in range(len(radii))]
    found = of_chain[vectors.shape[1] :].reshape(len(elements), RANDOM, -1)
    errors = found.std(axis=1, ddof=1) / np.sqrt(RANDOM)
    return EmbeddedSpectra(
        frequency=grid,
        shell_ldos=np.array([of_atom[some].mean(axis=0) for some in members]),
        shell_ldos_out_of_plane=np.array([of_axis[some, 2].mean(axis=0) for some in members]),
        shell_sites=counts,
        element_dos={
            symbol: np.array([mean, error])
            for symbol, mean, error in zip(elements, found.mean(axis=1), errors, strict=True)
        },
        steps=steps,
        lowest=min(float(chains.nodes(k)[0].min()) for k in range(vectors.shape[1])),
        unconverged=chains.convergence_error(grid, broadening),
        embedded=embedded,
    )


def _random_vectors(chosen: BoolArray) -> FloatArray:
    """(3N, RANDOM) of random signs on some atoms, ⟨v|v⟩ = 3 as of one atom's three axes."""
    rng = np.random.default_rng(int(chosen.sum()))
    signs = rng.choice([-1.0, 1.0], size=(3 * len(chosen), RANDOM))
    vectors: FloatArray = signs * np.repeat(chosen, 3)[:, None] / np.sqrt(chosen.sum())
    return vectors
