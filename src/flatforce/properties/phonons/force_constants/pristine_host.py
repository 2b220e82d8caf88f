"""The pristine sheet as the host of a defect: one row of force constants per sublattice, repeated by translation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.properties.phonons.force_constants.finite_displacements import in_circle_radius
from flatforce.properties.phonons.force_constants.local_rows import LocalRows
from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants
from flatforce.properties.phonons.force_constants.sum_rules import enforce_sum_rules

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    from flatforce.core.arrays import ComplexArray, FloatArray, IntArray


@dataclass(frozen=True)
class Host:
    """Rows of force constants of a primitive cell, one per sublattice."""

    primitive: Atoms
    """The primitive cell."""
    offsets: list[IntArray]
    """(M, 2) for each sublattice, lattice vectors to the cell of each member of its row."""
    sublattices: list[IntArray]
    """(M,) for each sublattice, the sublattice of each member of its row."""
    blocks: list[FloatArray]
    """(M, 3, 3) eV/Å² for each sublattice, force constants with each member of its row."""

    @classmethod
    def from_rows(cls, primitive: Atoms, rows: LocalRows, repeats: int) -> Host:
        """Read the rows of the first cell of a supercell that ASE's `repeat` has made.

        Parameters
        ----------
        primitive
            The primitive cell.
        rows
            Rows of the atoms of the first cell, in order.
        repeats
            n of the n × n supercell.

        Returns
        -------
        One row in eV/Å² for each sublattice, with the cells and sublattices of its partners.
        """
        basis = len(primitive)
        cells = [members // basis for members in rows.atoms]
        half = (repeats - 1) // 2
        offsets = [(np.column_stack([c // repeats, c % repeats]) + half) % repeats - half for c in cells]
        return cls(primitive, offsets, [members % basis for members in rows.atoms], list(rows.blocks))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays that `from_arrays` reads.

        Returns
        -------
        Name → array, as `from_arrays` reads them; shapes and units are those of the fields.
        """
        lengths = [len(sublattices) for sublattices in self.sublattices]
        return {
            "host_row": np.repeat(np.arange(len(lengths)), lengths),
            "host_offset": np.concatenate(self.offsets),
            "host_sublattice": np.concatenate(self.sublattices),
            "host_blocks": np.concatenate(self.blocks),
        }

    @classmethod
    def from_arrays(cls, primitive: Atoms, arrays: dict[str, NDArray[Any]]) -> Host:
        """Restore a host from the arrays that `arrays` returned.

        Parameters
        ----------
        primitive
            The primitive cell.
        arrays
            Name → array.

        Returns
        -------
        The host whose `arrays` are those that were given.
        """
        rows = [np.flatnonzero(arrays["host_row"] == k) for k in range(len(primitive))]
        columns = [
            [arrays[f"host_{name}"][row] for row in rows] for name in ("offset", "sublattice", "blocks")
        ]
        return cls(primitive, *columns)

    @property
    def row_radius(self) -> float:
        """In-plane distance in Å to the farthest member of a row."""
        positions, cell = self.primitive.positions, self.primitive.cell.array[:2]
        vectors = [
            positions[sublattices] - positions[k] + offsets @ cell
            for k, (offsets, sublattices) in enumerate(zip(self.offsets, self.sublattices, strict=True))
        ]
        return float(max(np.linalg.norm(vector[:, :2], axis=1).max() for vector in vectors))

    def members(self, sites: IntArray, sublattice: int, repeats: int) -> IntArray:
        """Find the members of the rows of some sites of one sublattice.

        Parameters
        ----------
        sites
            (S,) sites of an n × n supercell.
        sublattice
            Sublattice of all these sites.
        repeats
            n of the n × n supercell.

        Returns
        -------
        (S, M) sites of the supercell, the members of each row.
        """
        basis = len(self.primitive)
        cells = sites[:, None] // basis
        x = (cells // repeats + self.offsets[sublattice][:, 0]) % repeats
        y = (cells % repeats + self.offsets[sublattice][:, 1]) % repeats
        members: IntArray = (x * repeats + y) * basis + self.sublattices[sublattice]
        return members

    def constants(self, repeats: int) -> SparseForceConstants:
        """Compute the force constants of a pristine supercell.

        Parameters
        ----------
        repeats
            n of the n × n supercell.

        Returns
        -------
        Force constants of the n × n supercell at Γ in eV/Å², sparse.
        """
        basis, n_cells = len(self.primitive), repeats**2
        first, second, blocks = [], [], []
        for sublattice in range(basis):
            sites = np.arange(sublattice, basis * n_cells, basis)
            columns = self.members(sites, sublattice, repeats)
            first.append(np.repeat(sites, columns.shape[1]))
            second.append(columns.ravel())
            blocks.append(np.tile(self.blocks[sublattice], (n_cells, 1, 1)))
        return SparseForceConstants.from_blocks(
            self.primitive.repeat((repeats, repeats, 1)),
            np.concatenate(first),
            np.concatenate(second),
            np.concatenate(blocks),
        )

    def with_sum_rules(self, repeats: int) -> Host:
        """Enforce the translational, permutation and rotational sum rules.

        Parameters
        ----------
        repeats
            n of the n × n supercell whose force constants are corrected; it is at least twice as wide as a row.

        Returns
        -------
        A new host whose rows in eV/Å² obey the sum rules.
        """
        constants = enforce_sum_rules(self.constants(repeats), huang=False)
        first, second = constants.pairs
        rows = [np.flatnonzero(first == k) for k in range(len(self.primitive))]
        corrected = LocalRows(
            list(range(len(rows))),
            [second[row] for row in rows],
            [constants.blocks[row] for row in rows],
            "sum rules",
            None,
        )
        return Host.from_rows(self.primitive, corrected, repeats)

    def dynamical_matrices(self, q: FloatArray) -> ComplexArray:
        """Compute dynamical matrices by lattice sums.

        Parameters
        ----------
        q
            (Q, 2) wave vectors in reciprocal-lattice coordinates.

        Returns
        -------
        (Q, 3n, 3n) eV/Å²/amu, with the phases of the cells, not of the positions.
        """
        basis = len(self.primitive)
        sums = np.zeros((len(q), basis, 3, basis, 3), dtype=complex)
        root = np.sqrt(self.primitive.get_masses())
        for row in range(basis):
            phases = np.exp(2j * np.pi * q @ self.offsets[row].T)
            for column in range(basis):
                selected = self.sublattices[row] == column
                blocks = self.blocks[row][selected] / (root[row] * root[column])
                sums[:, row, :, column] = np.einsum("qm,mab->qab", phases[:, selected], blocks)
        matrices = sums.reshape(len(q), 3 * basis, 3 * basis)
        hermitian: ComplexArray = np.add(matrices, matrices.conj().transpose(0, 2, 1)).astype(complex)
        return hermitian * (0.5 + 0j)


def host_supercell_size(primitive: Atoms, radius: float) -> int:
    """Find the supercell in which no row of force constants meets its own periodic image.

    Parameters
    ----------
    primitive
        The primitive cell.
    radius
        Å, radius of a row.

    Returns
    -------
    n of the n × n supercell.
    """
    return int(np.ceil(radius / in_circle_radius(primitive))) + 1
