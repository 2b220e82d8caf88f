"""A defect in a large supercell: its force constants, its cell and the pristine sheet around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flatforce.properties.phonons.force_constants.pristine_host import Host
    from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants
    from flatforce.structures.defects import DefectCell


@dataclass(frozen=True)
class EmbeddedDefect:
    """What the dilute limit and the unfolding need of an embedding."""

    force_constants: SparseForceConstants
    """Force constants of the large cell."""
    cell: DefectCell
    """The large cell; its atoms are relaxed near the defect."""
    host: Host
    """The pristine sheet."""
