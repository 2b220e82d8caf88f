"""The pristine sheet as the host of a defect: one row a sublattice, carried over any supercell by translation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.properties.phonons.force_constants.local_rows import Rows
from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants
from flatforce.properties.phonons.force_constants.sum_rules import enforce_sum_rules
from flatforce.properties.phonons.force_constants.finite_displacements import in_circle_radius

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    from flatforce.core.arrays import ComplexArray, FloatArray, IntArray


@dataclass(frozen=True)
class Host:
    """Rows of force constants of a primitive cell."""

    primitive: Atoms
    offsets: list[IntArray]
    """(M, 2) lattice vectors to the cell of each member of a row."""
    kinds: list[IntArray]
    """(M,) sublattice of each member."""
    blocks: list[FloatArray]
    """(M, 3, 3) eV/Å²."""

    @classmethod
    def of(cls, primitive: Atoms, rows: Rows, size: int) -> Host:
        """Read the rows of the first cell of a supercell that ASE's `repeat` made.

        Parameters
        ----------
        primitive
            The primitive cell.
        rows
            Of its atoms, in order.
        size
            n of the n × n supercell.

        Returns
        -------
        The host.
        """
        basis = len(primitive)
        cells = [members // basis for members in rows.atoms]
        half = (size - 1) // 2
        offsets = [(np.column_stack([c // size, c % size]) + half) % size - half for c in cells]
        return cls(primitive, offsets, [members % basis for members in rows.atoms], list(rows.blocks))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return what `from_arrays` reads.

        Returns
        -------
        Name → array.
        """
        lengths = [len(one) for one in self.kinds]
        return {
            "host_row": np.repeat(np.arange(len(lengths)), lengths),
            "host_offset": np.concatenate(self.offsets),
            "host_kind": np.concatenate(self.kinds),
            "host_blocks": np.concatenate(self.blocks),
        }

    @classmethod
    def from_arrays(cls, primitive: Atoms, arrays: dict[str, NDArray[Any]]) -> Host:
        """Make a host of what `arrays` gave.

        Parameters
        ----------
        primitive
            The primitive cell.
        arrays
            Name → array.

        Returns
        -------
        The host.
        """
        rows = [np.flatnonzero(arrays["host_row"] == kind) for kind in range(len(primitive))]
        parts = [[arrays[f"host_{name}"][row] for row in rows] for name in ("offset", "kind", "blocks")]
        return cls(primitive, *parts)

    @property
    def reach(self) -> float:
        """Å, to the farthest member of a row, in the plane."""
        positions, cell = self.primitive.positions, self.primitive.cell.array[:2]
        vectors = [
            positions[kinds] - positions[kind] + offsets @ cell
            for kind, (offsets, kinds) in enumerate(zip(self.offsets, self.kinds, strict=True))
        ]
        return float(max(np.linalg.norm(one[:, :2], axis=1).max() for one in vectors))

    def members(self, sites: IntArray, kind: int, size: int) -> IntArray:
        """Name the sites in the rows of some sites of one sublattice.

        Parameters
        ----------
        sites
            (S,) sites of an n × n supercell.
        kind
            Their sublattice.
        size
            n.

        Returns
        -------
        (S, M) sites.
        """
        basis = len(self.primitive)
        cells = sites[:, None] // basis
        x = (cells // size + self.offsets[kind][:, 0]) % size
        y = (cells % size + self.offsets[kind][:, 1]) % size
        found: IntArray = (x * size + y) * basis + self.kinds[kind]
        return found

    def constants(self, size: int) -> SparseForceConstants:
        """Fill an n × n supercell.

        Parameters
        ----------
        size
            n.

        Returns
        -------
        Its force constants.
        """
        basis, cells = len(self.primitive), size**2
        first, second, blocks = [], [], []
        for kind in range(basis):
            sites = np.arange(kind, basis * cells, basis)
            columns = self.members(sites, kind, size)
            first.append(np.repeat(sites, columns.shape[1]))
            second.append(columns.ravel())
            blocks.append(np.tile(self.blocks[kind], (cells, 1, 1)))
        return SparseForceConstants.from_blocks(
            self.primitive.repeat((size, size, 1)),
            np.concatenate(first),
            np.concatenate(second),
            np.concatenate(blocks),
        )

    def with_rules(self, size: int) -> Host:
        """Enforce translation, permutation and rotation rules.

        Parameters
        ----------
        size
            n of the n × n supercell in which it is done, at least twice the reach wide.

        Returns
        -------
        The corrected host.
        """
        constants = enforce_sum_rules(self.constants(size), huang=False)
        first, second = constants.pairs
        rows = [np.flatnonzero(first == kind) for kind in range(len(self.primitive))]
        ruled = Rows(
            list(range(len(rows))),
            [second[row] for row in rows],
            [constants.blocks[row] for row in rows],
            "sum rules",
            None,
        )
        return Host.of(self.primitive, ruled, size)

    def dynamical(self, q: FloatArray) -> ComplexArray:
        """Sum over the lattice.

        Parameters
        ----------
        q
            (Q, 2) reciprocal-lattice coordinates.

        Returns
        -------
        (Q, 3n, 3n) eV/Å²/amu, phases of the cells, not of the positions.
        """
        basis = len(self.primitive)
        found = np.zeros((len(q), basis, 3, basis, 3), dtype=complex)
        root = np.sqrt(self.primitive.get_masses())
        for kind in range(basis):
            phases = np.exp(2j * np.pi * q @ self.offsets[kind].T)
            for other in range(basis):
                here = self.kinds[kind] == other
                blocks = self.blocks[kind][here] / (root[kind] * root[other])
                found[:, kind, :, other] = np.einsum("qm,mab->qab", phases[:, here], blocks)
        whole = found.reshape(len(q), 3 * basis, 3 * basis)
        hermitian: ComplexArray = np.add(whole, whole.conj().transpose(0, 2, 1)).astype(complex)
        return hermitian * (0.5 + 0j)


def size_for(primitive: Atoms, reach: float) -> int:
    """Find the supercell in which no row meets its own image.

    Parameters
    ----------
    primitive
        The primitive cell.
    reach
        Å, of a row.

    Returns
    -------
    n of the n × n supercell.
    """
    return int(np.ceil(reach / in_circle_radius(primitive))) + 1
