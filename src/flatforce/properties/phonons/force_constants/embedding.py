"""Force constants of a defect in a very large supercell: exact rows near the defect, pristine ones elsewhere.

The rows near the defect are computed in the large cell itself, so that no pair is folded over its border. The error made
by the choice of the radius is measured by exact rows beyond it. Sources: A. Alkauskas et al., New J. Phys. 16, 073026
(2014); L. Razinkovas et al., Phys. Rev. B 104, 045303 (2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import GeometryError, ModelError
from flatforce.core.progress import Progress, silent
from flatforce.models.dispersion import range_hint
from flatforce.properties.phonons.force_constants.embedded_defect import EmbeddedDefect
from flatforce.properties.phonons.force_constants.large_cell import (
    LargeCell,
    RelaxedCell,
    SiteGroup,
    place_relaxed_defect,
    site_group,
)
from flatforce.properties.phonons.force_constants.local_rows import LocalRows, local_rows, rotate_rows
from flatforce.properties.phonons.force_constants.pristine_host import Host, host_supercell_size
from flatforce.properties.phonons.force_constants.row_changes import (
    add_row_changes,
    row_changes,
    truncation_error,
)
from flatforce.properties.phonons.force_constants.sum_rules import enforce_sum_rules, sum_rule_residuals
from flatforce.structures.defect_notation import check_transferable
from flatforce.structures.defects import build_defect

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import BoolArray, FloatArray, IntArray
    from flatforce.models.potential import Potential
    from flatforce.properties.phonons.config import EmbedConfig
    from flatforce.properties.phonons.force_constants.sum_rules import SumRuleResiduals


@dataclass(frozen=True)
class Embedding(EmbeddedDefect):
    """A defect that was embedded in a large supercell, and how good the embedding is."""

    row_distances: FloatArray
    """(R,) Å, in-plane distance of the atom of each exact row from the defect."""
    row_changes: FloatArray
    """(R,) eV/Å², Frobenius norm of the difference of each exact row from the pristine one, over atoms of both cells."""
    truncation_error: float
    """eV/Å², largest force constant neglected, estimated from exact rows just beyond the radius; NaN without such rows."""
    residuals_before: SumRuleResiduals
    """Residuals before the sum rules were enforced."""
    residuals_after: SumRuleResiduals
    """Residuals after the sum rules were enforced."""
    sum_rules: bool
    """Whether the sum rules were enforced."""
    orbit: IntArray
    """(N,) first of the atoms that are equivalent by the site group; the atom itself where the group is not used."""
    small_atom: IntArray
    """(N,) atom of the smaller cell that each atom corresponds to; -1 beyond the border of the smaller cell."""
    border_shift: float
    """Å, largest displacement of an atom at the border of the small cell; displacements beyond are neglected."""


@dataclass(frozen=True)
class _ExactRegion:
    """The atoms whose rows are computed exactly."""

    centres: list[int]
    """The atoms, nearest to the defect first."""
    n_inside: int
    """Number of them within the radius; the others only measure the truncation error."""

    @property
    def inside(self) -> list[int]:
        """Atoms within the radius."""
        return self.centres[: self.n_inside]


def check_embeddable(potential: Potential, primitive: Atoms, config: EmbedConfig, *, cells: int) -> None:
    """Raise an error if an embedding is impossible, before hours are spent on the smaller cells.

    Parameters
    ----------
    potential
        The force field.
    primitive
        The primitive cell.
    config
        Settings.
    cells
        Number of primitive cells in the relaxed supercell.

    Raises
    ------
    GeometryError
        If the large cell is no larger than the small one.
    ModelError
        If the interaction range of the force field is unknown.
    """
    n, m = config.supercell
    if n * m <= cells:
        raise GeometryError(
            f"A {n} × {m} supercell is not larger than the relaxed one.",
            fix="embed in a larger one: --embed 60",
        )
    if potential.hessian(primitive) is None:
        raise ModelError(
            f"The interaction range of {potential.spec} is unknown.",
            why="the exact rows of an embedding are computed from the atoms within that range",
            fix=f"use a MACE model, or {range_hint(potential.spec)}",
        )


def embed(
    potential: Potential,
    small: RelaxedCell,
    config: EmbedConfig,
    *,
    scratch: Path,
    progress: Progress = silent,
) -> Embedding:
    """Place a relaxed defect in a large pristine supercell, and compute its force constants.

    Parameters
    ----------
    potential
        A force field with a known interaction range.
    small
        The relaxed defect cell, and the primitive cell of its sheet.
    config
        Settings.
    scratch
        Folder of the rows computed so far; an interrupted run continues from it.
    progress
        Called after each row.

    Returns
    -------
    The force constants of the large cell.
    """
    primitive, defect = small.primitive, small.cell.name
    check_embeddable(potential, primitive, config, cells=len(small.cell.pristine) // len(primitive))
    repeats = config.supercell[0]
    check_transferable(defect)
    large = place_relaxed_defect(build_defect(primitive, config.supercell, defect), small)
    region = _select_centres(large.lateral, config)
    radius = large.lateral[region.centres[-1]] + 2 * potential.interaction_range
    group = site_group(small.atoms, large.cell.atoms, large.vectors, radius)
    uncorrected, host_repeats = _compute_host(potential, primitive, scratch, progress)
    exact = _compute_exact_rows(potential, large.cell.atoms, region.centres, group, scratch, progress)
    changes = row_changes(large.cell, uncorrected, repeats, exact)
    progress(0, 1, "sum rules")
    host = uncorrected.with_sum_rules(host_repeats) if config.sum_rules else uncorrected
    constants = add_row_changes(large.cell, host.constants(repeats), changes[: region.n_inside])
    residuals_before = sum_rule_residuals(constants)
    if config.sum_rules:
        disk = _corrected_disk(large, region, host)
        constants = enforce_sum_rules(constants, huang=False, region=disk)
    return Embedding(
        force_constants=constants,
        cell=large.cell,
        host=host,
        row_distances=large.lateral[region.centres],
        row_changes=np.array([change.norm for change in changes]),
        truncation_error=truncation_error(changes[region.n_inside :], np.array(sorted(region.inside))),
        residuals_before=residuals_before,
        residuals_after=sum_rule_residuals(constants),
        sum_rules=config.sum_rules,
        orbit=np.min(group.permutations, axis=0),
        small_atom=large.small_atom,
        border_shift=large.border_shift,
    )


def _select_centres(lateral: FloatArray, config: EmbedConfig) -> _ExactRegion:
    """Select the atoms within the radius, and some just beyond it."""
    order = np.argsort(lateral, kind="stable")
    n_inside = int(np.searchsorted(lateral[order], config.radius, side="right"))
    return _ExactRegion([int(atom) for atom in order[: n_inside + config.n_check_rows]], n_inside)


def _compute_host(
    potential: Potential, primitive: Atoms, scratch: Path, progress: Progress
) -> tuple[Host, int]:
    """Compute the rows of the pristine sheet, in a supercell where no row meets its own image; return also its n."""
    repeats = host_supercell_size(primitive, 2 * potential.interaction_range)
    cell = primitive.repeat((repeats, repeats, 1))
    rows = local_rows(potential, cell, range(len(primitive)), scratch=scratch, progress=progress)
    assert rows is not None  # noqa: S101  # check_embeddable has found the interaction range to be known
    return Host.from_rows(primitive, rows, repeats), repeats


def _compute_exact_rows(
    potential: Potential,
    large: Atoms,
    centres: list[int],
    group: SiteGroup,
    scratch: Path,
    progress: Progress,
) -> LocalRows:
    """Compute the rows of some atoms of the large cell, one of each orbit of the site group."""
    irreducible = sorted({int(min(images[atom] for images in group.permutations)) for atom in centres})
    rows = local_rows(potential, large, irreducible, scratch=scratch, progress=progress)
    assert rows is not None  # noqa: S101  # check_embeddable has found the interaction range to be known
    rotated = rotate_rows(rows, group.rotations, group.permutations)
    index = {centre: k for k, centre in enumerate(rotated.centres)}
    return LocalRows(
        centres,
        [rotated.atoms[index[atom]] for atom in centres],
        [rotated.blocks[index[atom]] for atom in centres],
        rotated.method,
        rotated.check_difference,
    )


def _corrected_disk(large: LargeCell, region: _ExactRegion, host: Host) -> BoolArray:
    """(N,) atoms near enough to the defect for its displacements or its exact rows to break the sum rules."""
    displaced_radius = large.lateral[large.small_atom >= 0].max()
    radius = max(displaced_radius, large.lateral[region.centres[-1]]) + host.row_radius
    disk: BoolArray = large.lateral <= radius
    return disk
