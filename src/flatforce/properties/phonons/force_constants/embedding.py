"""Force constants of a defect in a very large supercell: exact rows near the defect, pristine ones elsewhere.

The rows near the defect are computed in the large cell itself, so that no pair is folded over a border. What the choice
of radius costs is measured by exact rows beyond it. Sources: A. Alkauskas et al., New J. Phys. 16, 073026 (2014);
L. Razinkovas et al., Phys. Rev. B 104, 045303 (2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt
from scipy.spatial import cKDTree

from flatforce.core.config import Config
from flatforce.core.errors import GeometryError
from flatforce.core.progress import Progress, silent
from flatforce.properties.phonons.force_constants.pristine_host import Host, size_for
from flatforce.properties.phonons.force_constants.local_rows import Rows, local_rows, spread
from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants
from flatforce.properties.phonons.force_constants.sum_rules import Residuals, enforce_sum_rules, residuals
from flatforce.structures.defects import DefectCell, build_defect
from flatforce.structures.symmetry import find_symmetry

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import BoolArray, FloatArray, IntArray
    from flatforce.models.potential import Potential


IMAGES: Final = np.array([[a, b, 0] for a in (-1, 0, 1) for b in (-1, 0, 1)])
"""Cells in which the nearest image may lie."""

SITE_TOLERANCE: Final = 1e-3
"""Å between a site of the small cell and the same of the large one."""

RIM: Final = 3.0
"""Å. Width of the outermost ring of the small cell, which is taken not to have moved on average."""


class EmbedConfig(Config):
    """Settings of an embedding."""

    size: PositiveInt = 60
    """n of the large n × n supercell."""
    radius: PositiveFloat = 15.0
    """Å. Atoms nearer to the defect in the plane have exact rows; 15 Å left 0.06 eV/Å² out for V_Se in WSe2."""
    rim_rows: NonNegativeInt = 6
    """Exact rows just beyond the radius, which measure what it costs."""
    sum_rules: bool = True
    """Whether translation and rotation rules are enforced: on the host, and wherever the defect breaks them."""


@dataclass(frozen=True)
class Embedded:
    """Force constants of a large supercell with a defect."""

    force_constants: SparseForceConstants
    cell: DefectCell
    """The large cell; its atoms are relaxed near the defect."""
    host: Host
    """The pristine sheet."""
    distance: FloatArray
    """(R,) Å, of each exact row from the defect, in the plane."""
    change: FloatArray
    """(R,) eV/Å², Frobenius norm of the row's difference from the pristine one, over atoms that both have."""
    rim_error: float
    """eV/Å², largest component left out, as exact rows just beyond the radius tell; NaN if none was computed."""
    raw_residuals: Residuals
    """Before the sum rules were enforced."""
    left_residuals: Residuals
    ruled: bool
    """Whether they were enforced."""
    orbit: IntArray
    """(N,) first of the atoms that the site group makes equal; itself where the group was not followed."""
    small_atom: IntArray
    """(N,) atom of the smaller cell that each atom stands for; -1 beyond its border."""
    border_shift: float
    """Å, largest shift of an atom at the border of the small cell, neglected beyond it."""


def check_embeddable(potential: Potential, primitive: Atoms, config: EmbedConfig, *, cells: int) -> None:
    """Refuse an embedding that cannot be, before hours are spent on the smaller cells.

    Parameters
    ----------
    potential
        A force field.
    primitive
        The primitive cell.
    config
        Settings.
    cells
        Primitive cells in the relaxed supercell.

    Raises
    ------
    GeometryError
        If the reach is not known, or the large cell is no larger than the small.
    """
    if config.size**2 <= cells:
        raise GeometryError(
            f"A {config.size} × {config.size} supercell is not larger than the relaxed one.",
            fix="embed in a larger one: --embed 60",
        )
    if potential.hessian(primitive) is None:
        raise GeometryError(
            f"The reach of {potential.spec} is not known.", fix="use a MACE model, or tell the cutoff"
        )


def embed(
    potential: Potential,
    primitive: Atoms,
    small: DefectCell,
    relaxed: Atoms,
    config: EmbedConfig,
    *,
    scratch: Path,
    progress: Progress = silent,
) -> Embedded:
    """Put a relaxed defect into a large pristine supercell.

    Parameters
    ----------
    potential
        A force field whose reach is known.
    primitive
        The relaxed primitive cell.
    small
        The defect in the cell that was relaxed.
    relaxed
        That cell, relaxed.
    config
        Settings.
    scratch
        Folder of rows computed so far.
    progress
        Told after each row.

    Returns
    -------
    The force constants.

    Raises
    ------
    GeometryError
        If the reach is not known, or the large cell is no larger than the small.
    """
    check_embeddable(potential, primitive, config, cells=len(small.pristine) // len(primitive))
    made = build_defect(primitive, (config.size, config.size), small.name)
    large, border, small_atom = _with_shifts(made, small, relaxed)
    vectors = nearest_vectors(large.positions, made.centre, large.cell.array)
    lateral = np.linalg.norm(vectors[:, :2], axis=1)
    order = np.argsort(lateral, kind="stable")
    near = int(np.searchsorted(lateral[order], config.radius, side="right"))
    wanted = [int(i) for i in order[: near + config.rim_rows]]
    turns, images = _site_group(
        relaxed, large, vectors, lateral[wanted[-1]] + 2 * potential.interaction_range
    )
    compact = size_for(primitive, 2 * potential.interaction_range)  # no row meets its own image there
    host_cell = primitive.repeat((compact, compact, 1))
    basis = range(len(primitive))
    host_rows = local_rows(potential, host_cell, basis, scratch=scratch, progress=progress)
    distinct = sorted({int(min(image[i] for image in images)) for i in wanted})
    exact = local_rows(potential, large, distinct, scratch=scratch, progress=progress)
    assert host_rows is not None  # noqa: S101  # the reach is known
    assert exact is not None  # noqa: S101
    exact = _ordered(spread(exact, turns, images), wanted)
    raw_host = Host.of(primitive, host_rows, compact)
    host = raw_host.with_rules(compact) if config.sum_rules else raw_host
    cell = DefectCell(large, made.pristine, made.site_of, made.centre, made.name)
    differences = _differences(cell, raw_host, config.size, exact)
    progress(0, 1, "sum rules")
    constants = _assemble(cell, host.constants(config.size), differences[:near], wanted[:near])
    raw = residuals(constants)
    if config.sum_rules:
        moved = lateral[small_atom >= 0].max()
        disk = lateral <= max(moved, lateral[wanted[-1]]) + host.reach
        constants = enforce_sum_rules(constants, huang=False, among=disk)
    inside = np.array(sorted(wanted[:near]))
    return Embedded(
        constants,
        cell,
        host,
        lateral[wanted],
        np.array([float(np.linalg.norm(row)) for _, row in differences]),
        max(
            (float(np.abs(row[~np.isin(atoms, inside)]).max()) for atoms, row in differences[near:]),
            default=float("nan"),
        ),
        raw,
        residuals(constants),
        config.sum_rules,
        np.min(images, axis=0),
        small_atom,
        border,
    )


def _ordered(rows: Rows, wanted: list[int]) -> Rows:
    place = {centre: k for k, centre in enumerate(rows.centres)}
    chosen = [place[i] for i in wanted]
    return Rows(
        wanted,
        [rows.atoms[k] for k in chosen],
        [rows.blocks[k] for k in chosen],
        rows.how,
        rows.largest_difference,
    )


def _site_group(
    relaxed: Atoms, large: Atoms, vectors: FloatArray, reach: float
) -> tuple[list[FloatArray], list[IntArray]]:
    """Carry the operations of the small cell over to the large one, as they act about the defect.

    The identity alone is given where they would reach across the border.
    """
    symmetry = find_symmetry(relaxed)
    lateral = np.linalg.norm(vectors[:, :2], axis=1)
    everything = np.arange(len(vectors))
    shortest = np.linalg.norm(np.delete(IMAGES, 4, axis=0) @ large.cell.array, axis=1).min()
    if reach > shortest / 2:
        return [np.eye(3)], [everything]
    tree = cKDTree(vectors)
    inner = np.flatnonzero(lateral <= reach)
    turns, images = [], []
    for turn in symmetry.cartesian_rotations(relaxed.cell.array):
        distance, found = tree.query(vectors[inner] @ turn.T)
        if distance.max() > SITE_TOLERANCE:  # it does not keep the defect in its place
            continue
        image = everything.copy()
        image[inner] = found
        turns.append(turn)
        images.append(image)
    return turns, images


def nearest_vectors(positions: FloatArray, centre: FloatArray, cell: FloatArray) -> FloatArray:
    """Find the nearest image of each position in the plane.

    Parameters
    ----------
    positions
        (N, 3) Å.
    centre
        (3,) Å.
    cell
        (3, 3) Å.

    Returns
    -------
    (N, 3) Å, from the centre.
    """
    images, lateral = _images(positions, centre, cell)
    found: FloatArray = images[np.arange(len(images)), lateral.argmin(axis=1)]
    return found


def _images(positions: FloatArray, centre: FloatArray, cell: FloatArray) -> tuple[FloatArray, FloatArray]:
    offset = (positions - centre) @ np.linalg.inv(cell)
    offset[:, :2] -= np.round(offset[:, :2])
    images = (offset @ cell)[:, None] + IMAGES @ cell
    return images, np.linalg.norm(images[..., :2], axis=-1)


def _with_shifts(made: DefectCell, small: DefectCell, relaxed: Atoms) -> tuple[Atoms, float, IntArray]:
    """Shift the atoms of the large cell as the relaxation shifted those of the small one."""
    cell = relaxed.cell.array
    shift = (relaxed.positions - small.atoms.positions) @ np.linalg.inv(cell)
    shift[:, :2] -= np.round(shift[:, :2])
    shift = shift @ cell
    images, lateral = _images(small.atoms.positions, small.centre, cell)
    nearest = lateral.min(axis=1)
    rim = nearest > nearest.max() - RIM
    shift -= shift[rim].mean(axis=0)
    atom, image = np.nonzero(lateral < nearest[:, None] + SITE_TOLERANCE)  # at the border several are as near
    places = images[atom, image]
    large = made.atoms.copy()
    tree = cKDTree(nearest_vectors(large.positions, made.centre, large.cell.array))
    distance, index = tree.query(places)
    if distance.max() > SITE_TOLERANCE or len(set(index.tolist())) != len(index):
        raise GeometryError(
            "The relaxed cell does not fit into the large one.", fix="give both the same primitive cell"
        )
    large.positions[index] += shift[atom]
    small_atom = np.full(len(large), -1)
    small_atom[index] = atom
    return large, float(np.linalg.norm(shift[rim], axis=1).max()), small_atom


def _differences(made: DefectCell, host: Host, size: int, exact: Rows) -> list[tuple[IntArray, FloatArray]]:
    """Take the pristine rows from the exact ones, over the atoms of the defect cell."""
    atom_at = _atom_at(made)
    found = []
    for centre, members, blocks in zip(exact.centres, exact.atoms, exact.blocks, strict=True):
        row = np.zeros((len(made.atoms), 3, 3))
        row[members] = blocks
        site = int(made.site_of[centre])
        if site >= 0:
            kind = site % len(host.primitive)
            atoms = atom_at[host.members(np.array([site]), kind, size)[0]]
            np.subtract.at(row, atoms[atoms >= 0], host.blocks[kind][atoms >= 0])
        changed = np.flatnonzero(np.abs(row).max(axis=(1, 2)))
        found.append((changed, row[changed]))
    return found


def _atom_at(made: DefectCell) -> IntArray:
    """(S,) atom on each site, -1 on a vacant one."""
    atom_at = np.full(len(made.pristine), -1)
    on_site = made.site_of >= 0
    atom_at[made.site_of[on_site]] = np.flatnonzero(on_site)
    return atom_at


def _assemble(
    made: DefectCell,
    host: SparseForceConstants,
    differences: list[tuple[IntArray, FloatArray]],
    centres: list[int],
) -> SparseForceConstants:
    """Add the differences of the exact rows to the pristine force constants; a pair with two counts half of each."""
    atom_at = _atom_at(made)
    sites = host.pairs
    rows, columns = atom_at[sites[0]], atom_at[sites[1]]
    keep = (rows >= 0) & (columns >= 0)
    first, second, blocks = [rows[keep]], [columns[keep]], [host.blocks[keep]]
    inside: BoolArray = np.zeros(len(made.atoms), dtype=bool)
    inside[centres] = True
    for centre, (members, found) in zip(centres, differences, strict=True):
        share = np.where(inside[members], 0.5, 1.0)[:, None, None] * found
        here = np.full(len(members), centre)
        first += [here, members]
        second += [members, here]
        blocks += [share, share.transpose(0, 2, 1)]
    return SparseForceConstants.from_blocks(
        made.atoms, np.concatenate(first), np.concatenate(second), np.concatenate(blocks)
    ).symmetrised()
