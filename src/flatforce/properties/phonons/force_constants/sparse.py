"""Force constants of large cells: 3 × 3 blocks of the pairs that feel each other, and no others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import h5py
import numpy as np
import scipy.sparse as sp
from ase import Atoms

from flatforce.core.errors import DataError
from flatforce.core.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.core.arrays import FloatArray, IntArray

FORMAT = "flatforce sparse force constants 1"
"""Attribute of the HDF5 file."""


@dataclass(frozen=True)
class SparseForceConstants:
    """Force constants of one cell at Γ, every image folded in."""

    atoms: Atoms
    """The cell."""
    matrix: sp.bsr_matrix
    """(3N, 3N) eV/Å², blocks of 3 × 3."""

    @classmethod
    def from_blocks(
        cls, atoms: Atoms, first: IntArray, second: IntArray, blocks: FloatArray
    ) -> SparseForceConstants:
        """Put blocks in their places.

        Parameters
        ----------
        atoms
            The cell.
        first
            (B,) row of each block.
        second
            (B,) column of each block.
        blocks
            (B, 3, 3) eV/Å²; blocks of the same place are added.

        Returns
        -------
        The force constants.
        """
        count = len(atoms)
        place = first * count + second
        order = np.argsort(place, kind="stable")
        place = place[order]
        new = np.flatnonzero(np.diff(place, prepend=-1))
        data = blocks[order] if len(new) == len(place) else np.add.reduceat(blocks[order], new, axis=0)
        place = place[new]
        starts = np.searchsorted(place // count, np.arange(count + 1))
        matrix = sp.bsr_matrix((data, place % count, starts), shape=(3 * count, 3 * count))
        return cls(atoms, matrix)

    @classmethod
    def from_dense(cls, atoms: Atoms, force_constants: FloatArray) -> SparseForceConstants:
        """Keep the blocks that are not zero.

        Parameters
        ----------
        atoms
            The cell.
        force_constants
            (N, N, 3, 3) eV/Å², as phonopy has them.

        Returns
        -------
        The force constants.
        """
        first, second = np.nonzero(np.abs(force_constants).max(axis=(2, 3)))
        return cls.from_blocks(atoms, first, second, force_constants[first, second])

    @property
    def pairs(self) -> tuple[IntArray, IntArray]:
        """(B,) row and (B,) column of each block, in the order of `blocks`."""
        rows = np.repeat(np.arange(len(self.atoms)), np.diff(self.matrix.indptr))
        return rows.astype(np.int64), self.matrix.indices.astype(np.int64)

    @property
    def blocks(self) -> FloatArray:
        """(B, 3, 3) eV/Å²."""
        data: FloatArray = self.matrix.data
        return data

    def dense(self) -> FloatArray:
        """Return all pairs.

        Returns
        -------
        (N, N, 3, 3) eV/Å², as phonopy takes them.
        """
        count = len(self.atoms)
        full = np.zeros((count, count, 3, 3))
        full[self.pairs] = self.blocks
        return full

    def symmetrised(self) -> SparseForceConstants:
        """Average each pair with its transpose.

        Returns
        -------
        Force constants whose matrix is symmetric.
        """
        first, second = self.pairs
        both = np.concatenate([self.blocks, self.blocks.transpose(0, 2, 1)]) / 2
        return self.from_blocks(
            self.atoms, np.concatenate([first, second]), np.concatenate([second, first]), both
        )

    def dynamical(self, masses: FloatArray | None = None) -> sp.csr_matrix:
        """Divide by the masses.

        Parameters
        ----------
        masses
            (N) amu; those of the atoms if not given.

        Returns
        -------
        (3N, 3N) eV/Å²/amu, M^-1/2 Φ M^-1/2.
        """
        scale = np.repeat(1 / np.sqrt(self.atoms.get_masses() if masses is None else masses), 3)
        return sp.csr_matrix(sp.diags(scale) @ self.matrix.tocsr() @ sp.diags(scale))

    def save(self, path: Path) -> None:
        """Write HDF5, whole or not at all.

        Parameters
        ----------
        path
            The file.
        """

        def write(part: Path) -> None:
            with h5py.File(part, "w") as file:
                file.attrs["format"] = FORMAT
                content = {
                    "numbers": self.atoms.numbers,
                    "masses": self.atoms.get_masses(),
                    "positions": self.atoms.positions,
                    "cell": self.atoms.cell.array,
                    "indptr": self.matrix.indptr,
                    "indices": self.matrix.indices,
                    "blocks": self.blocks,
                }
                for name, array in content.items():
                    file.create_dataset(name, data=array, compression="gzip", compression_opts=1)

        write_atomically(path, write)

    @classmethod
    def load(cls, path: Path) -> SparseForceConstants:
        """Read what `save` wrote.

        Parameters
        ----------
        path
            The file.

        Returns
        -------
        The force constants.

        Raises
        ------
        DataError
            If the file is none of ours.
        """
        try:
            with h5py.File(path) as file:
                if file.attrs.get("format") != FORMAT:
                    raise DataError(f"{path} holds no sparse force constants.", fix="was it made by phonopy?")
                found = {name: file[name][()] for name in file}
        except OSError as error:
            raise DataError(f"{path} cannot be read.", why=str(error)) from error
        atoms = Atoms(
            found["numbers"],
            positions=found["positions"],
            cell=found["cell"],
            masses=found["masses"],
            pbc=True,
        )
        size = 3 * len(atoms)
        return cls(
            atoms,
            sp.bsr_matrix((found["blocks"], found["indices"], found["indptr"]), shape=(size, size)),
        )
