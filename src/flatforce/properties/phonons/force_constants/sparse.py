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

FILE_NAME = "sparse_force_constants.hdf5"
"""Name of the file in a result folder; `force_constants.hdf5` is phonopy's."""

OLD_NAME = "force_constants.hdf5"
"""Name of the same file in folders of development versions."""


@dataclass(frozen=True)
class SparseForceConstants:
    """Force constants of one cell at Γ; those of periodic images are summed."""

    atoms: Atoms
    """The cell."""
    matrix: sp.bsr_matrix
    """(3N, 3N) eV/Å², in blocks of 3 × 3."""

    @classmethod
    def from_blocks(
        cls, atoms: Atoms, first: IntArray, second: IntArray, blocks: FloatArray
    ) -> SparseForceConstants:
        """Assemble the matrix from blocks.

        Parameters
        ----------
        atoms
            The cell.
        first
            (B,) first atom of each block.
        second
            (B,) second atom of each block.
        blocks
            (B, 3, 3) eV/Å²; blocks of the same pair are added.

        Returns
        -------
        Force constants with the blocks in a sparse matrix, in eV/Å²; blocks of one pair are summed.
        """
        count = len(atoms)
        pairs = first * count + second
        order = np.argsort(pairs, kind="stable")
        pairs = pairs[order]
        starts = np.flatnonzero(np.diff(pairs, prepend=-1))
        unique = len(starts) == len(pairs)
        data = blocks[order] if unique else np.add.reduceat(blocks[order], starts, axis=0)
        pairs = pairs[starts]
        row_starts = np.searchsorted(pairs // count, np.arange(count + 1))
        matrix = sp.bsr_matrix((data, pairs % count, row_starts), shape=(3 * count, 3 * count))
        return cls(atoms, matrix)

    @classmethod
    def from_dense(cls, atoms: Atoms, force_constants: FloatArray) -> SparseForceConstants:
        """Take the nonzero blocks of a dense array.

        Parameters
        ----------
        atoms
            The cell.
        force_constants
            (N, N, 3, 3) eV/Å², in the layout of phonopy.

        Returns
        -------
        Force constants with the nonzero blocks in a sparse matrix, in eV/Å².
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
        """Return the force constants of all pairs.

        Returns
        -------
        (N, N, 3, 3) eV/Å², in the layout of phonopy; zero where there is no block.
        """
        count = len(self.atoms)
        full = np.zeros((count, count, 3, 3))
        full[self.pairs] = self.blocks
        return full

    def symmetrise(self) -> SparseForceConstants:
        """Average the matrix with its transpose.

        Returns
        -------
        Force constants whose matrix is symmetric.
        """
        first, second = self.pairs
        halves = np.concatenate([self.blocks, self.blocks.transpose(0, 2, 1)]) / 2
        return self.from_blocks(
            self.atoms, np.concatenate([first, second]), np.concatenate([second, first]), halves
        )

    def dynamical_matrix(self, masses: FloatArray | None = None) -> sp.csr_matrix:
        """Compute the dynamical matrix at Γ.

        Parameters
        ----------
        masses
            (N,) amu; by default those of the atoms.

        Returns
        -------
        (3N, 3N) eV/Å²/amu, M^-1/2 Φ M^-1/2.
        """
        scale = np.repeat(1 / np.sqrt(self.atoms.get_masses() if masses is None else masses), 3)
        return sp.csr_matrix(sp.diags(scale) @ self.matrix.tocsr() @ sp.diags(scale))

    def save(self, path: Path) -> None:
        """Write an HDF5 file atomically.

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
        """Read a file that `save` has written; its layout is described in docs/phonons.md.

        Parameters
        ----------
        path
            The file.

        Returns
        -------
        Force constants as they were saved, in eV/Å², with their structure.

        Raises
        ------
        DataError
            If the file cannot be read or has another format.
        """
        _check_name(path)
        try:
            with h5py.File(path) as file:
                if file.attrs.get("format") != FORMAT:
                    raise DataError(
                        f"{path} holds no sparse force constants.",
                        why="its format attribute is missing or unknown, as in a file of phonopy",
                        fix=f"take {FILE_NAME} from a folder of `flatforce defect phonons`",
                    )
                content = {name: file[name][()] for name in file}
        except OSError as error:
            raise DataError(f"{path} cannot be read.", why=str(error)) from error
        atoms = Atoms(
            content["numbers"],
            positions=content["positions"],
            cell=content["cell"],
            masses=content["masses"],
            pbc=True,
        )
        size = 3 * len(atoms)
        return cls(
            atoms,
            sp.bsr_matrix((content["blocks"], content["indices"], content["indptr"]), shape=(size, size)),
        )


def _check_name(path: Path) -> None:
    """Refuse a folder in which the file still has the name of phonopy's."""
    old = path.with_name(OLD_NAME)
    if path.is_file() or not old.is_file():
        return
    with h5py.File(old) as file:
        is_ours = file.attrs.get("format") == FORMAT
    if is_ours:
        raise DataError(
            f"{path.parent} was written by a development version of flatforce.",
            why=f"its {OLD_NAME} has the name of a file of phonopy, but another layout",
            fix=f"rename it: mv {old} {path}",
        )
