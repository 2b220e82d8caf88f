"""Orderings that an alloy study begins with: enumerated, random, or special quasirandom ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from flatforce.core.outcome import Outcome
from flatforce.data.frame_files import write_frames
from flatforce.structures.orderings import make_sqs

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from flatforce.properties.alloys.config import SqsConfig
    from flatforce.structures.alloys import AlloyLattice


@dataclass(frozen=True, repr=False)
class Orderings(Outcome):
    """Undistorted orderings of an alloy."""

    kind: ClassVar[str] = "alloy orderings"
    units = {"n_orderings": "", "max_sites": ""}

    lattice: AlloyLattice
    """The alloy."""
    orderings: list[Atoms]
    """Undistorted orderings, each with its name in `info`."""

    @property
    @override
    def metrics(self) -> dict[str, float]:
        sites = [self.lattice.n_sites(ordering) for ordering in self.orderings]
        return {"n_orderings": float(len(sites)), "max_sites": float(max(sites))}

    @override
    def files(self, folder: Path) -> None:
        write_frames(folder / "orderings.extxyz", self.orderings)


@dataclass(frozen=True, repr=False)
class Sqs(Outcome):
    """A special quasirandom structure (SQS)."""

    kind: ClassVar[str] = "alloy sqs"
    units = {"n_atoms": "", "n_sites": ""}

    lattice: AlloyLattice
    """The alloy."""
    atoms: Atoms
    """The structure, undistorted."""

    @property
    @override
    def metrics(self) -> dict[str, float]:
        return {"n_atoms": float(len(self.atoms)), "n_sites": float(self.lattice.n_sites(self.atoms))}

    @override
    def files(self, folder: Path) -> None:
        write_frames(folder / "sqs.extxyz", [self.atoms])


def anneal_sqs(lattice: AlloyLattice, config: SqsConfig) -> Sqs:
    """Anneal a supercell towards the correlations of the random alloy.

    Parameters
    ----------
    lattice
        The alloy.
    config
        Settings.

    Returns
    -------
    The annealed supercell, undistorted, and its lattice.
    """
    return Sqs(lattice, make_sqs(lattice, **config.model_dump()))
