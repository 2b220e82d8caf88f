"""The table of an alloy: one row for each symmetry-distinct ordering, with its formation energy."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from typing_extensions import override

from flatforce.core.outcome import Outcome
from flatforce.data.frame_files import write_frames
from flatforce.properties.alloys.csv_files import write_csv
from flatforce.properties.alloys.scores import HULL_TOLERANCE, lower_hull
from flatforce.structures.alloys import ORDERING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.alloys.config import RelaxationMode

N_LISTED = 5
"""Number of dropped orderings that the notes name."""

FORCE_FIELD_NOTE = (
    "these energies are a force field's: universal force fields disagree even on the sign for some alloys; "
    "compare it with DFT by `flatforce alloy compare`"
)


@dataclass(frozen=True)
class OrderingEnergy:
    """One ordering with its energy, before it is known whether it enters the table."""

    ordering: Atoms
    """The undistorted ordering, or the relaxed sheet if that is unknown; its name is in `info`."""
    relaxed: Atoms
    """The relaxed sheet."""
    energy: float
    """Total energy of the cell, in eV; NaN where it could not be computed."""
    relaxation: RelaxationMode
    """What was relaxed."""
    failure: str = ""
    """Why the energy cannot be used; empty if it can."""
    n_labels: int = 1
    """Number of DFT labels of its relaxation; 1 for an energy that no DFT gave."""

    @property
    def name(self) -> str:
        """Name of the ordering; its formula where it has none."""
        return str(self.ordering.info.get(ORDERING) or self.ordering.get_chemical_formula())


@dataclass(frozen=True)
class Row:
    """One ordering of the table."""

    name: str
    """Name of the ordering."""
    n_sites: int
    """Number of sites that mix."""
    n_atoms: int
    """Number of atoms of the cell."""
    concentrations: tuple[float, ...]
    """Concentration of each species that mixes."""
    energy: float
    """Total energy in eV per site."""
    formation_energy: float
    """Formation energy in meV per site, relative to the end members in their own cells."""
    max_site_distance: float
    """Largest distance of an atom from its lattice site after the strain is removed, in Å."""
    max_strain: float
    """Largest principal in-plane strain relative to the parent, absolute, dimensionless."""
    end_member: bool
    """Whether the ordering holds one species alone."""
    n_labels: int
    """Number of DFT labels of its relaxation."""

    @property
    def x(self) -> float:
        """Concentration of the last species: the composition of a binary."""
        return self.concentrations[-1]

    @property
    def formation_energy_per_atom(self) -> float:
        """Formation energy in meV/atom."""
        return self.formation_energy * self.n_sites / self.n_atoms


@dataclass(frozen=True, repr=False)
class AlloyTable(Outcome):
    """Formation energies of the orderings of an alloy."""

    kind: ClassVar[str] = "alloy energies"
    units = {
        "n_orderings": "",
        "n_dropped": "",
        "min_formation_energy": "meV/site",
        "max_formation_energy": "meV/site",
        "n_stable": "",
        "max_site_distance": "Å",
    }

    system: str
    """Name of the alloy."""
    species: tuple[str, ...]
    """Species that mix."""
    relaxation: RelaxationMode
    """What was relaxed in the mixed orderings."""
    rows: tuple[Row, ...]
    """Orderings, sorted by composition."""
    orderings: tuple[Atoms, ...]
    """Undistorted orderings, in the order of the rows."""
    relaxed: tuple[Atoms, ...]
    """Relaxed sheets, in the order of the rows."""
    dropped: tuple[tuple[str, str], ...] = ()
    """Name of each ordering that was left out, and the reason."""
    model: str | None = None
    """Force field that the energies come from; None for DFT."""
    labelled_frames: tuple[Atoms, ...] = ()
    """Labelled frames of all relaxation steps, where DFT labels were made for the table."""

    @property
    def concentrations(self) -> FloatArray:
        """(n, n_species) concentrations of the rows."""
        return np.array([row.concentrations for row in self.rows])

    @property
    def formation_energies(self) -> FloatArray:
        """(n,) formation energies of the rows, in meV per site."""
        return np.array([row.formation_energy for row in self.rows])

    @property
    def energies_above_hull(self) -> FloatArray:
        """(n,) energies above the convex hull of the table, in meV per site."""
        return lower_hull(self.concentrations, self.formation_energies)

    @property
    def mixed_rows(self) -> list[int]:
        """Indices of the rows that are no end members."""
        return [index for index, row in enumerate(self.rows) if not row.end_member]

    @property
    def stable_rows(self) -> list[int]:
        """Indices of the mixed rows on the convex hull."""
        above = self.energies_above_hull
        return [index for index in self.mixed_rows if above[index] < HULL_TOLERANCE]

    @property
    @override
    def metrics(self) -> dict[str, float]:
        mixed_energies = [self.rows[index].formation_energy for index in self.mixed_rows]
        return {
            "n_orderings": float(len(mixed_energies)),
            "n_dropped": float(len(self.dropped)),
            "min_formation_energy": min(mixed_energies, default=float("nan")),
            "max_formation_energy": max(mixed_energies, default=float("nan")),
            "n_stable": float(len(self.stable_rows)),
            "max_site_distance": max(row.max_site_distance for row in self.rows),
        }

    @property
    @override
    def problems(self) -> list[str]:
        return [] if self.mixed_rows else ["the table holds no mixed ordering: raise max_cells"]

    @property
    @override
    def notes(self) -> list[str]:
        notes = [f"{name} {reason}" for name, reason in self.dropped[:N_LISTED]]
        if len(self.dropped) > N_LISTED:
            notes.append(f"{len(self.dropped) - N_LISTED} more orderings were dropped")
        if self.model is not None:
            notes.append(FORCE_FIELD_NOTE)
        return notes

    @property
    @override
    def details(self) -> dict[str, Any]:
        return {
            "system": self.system,
            "species": list(self.species),
            "relaxation": self.relaxation,
            "dropped": [[name, reason] for name, reason in self.dropped],
            "stable": [self.rows[index].name for index in self.stable_rows],
            "model": self.model,
        }

    @override
    def arrays(self) -> dict[str, FloatArray]:
        return {
            "concentrations": self.concentrations,
            "formation_energies": self.formation_energies,
            "energies_above_hull": self.energies_above_hull,
            "site_distances": np.array([row.max_site_distance for row in self.rows]),
        }

    @override
    def files(self, folder: Path) -> None:
        columns = ["name", "n_sites", "n_atoms", *concentration_columns(self.species)]
        columns += ["energy", "formation_energy", "max_site_distance", "max_strain", "end_member", "n_labels"]
        rows = []
        for row in self.rows:
            values = asdict(row)
            concentrations = values.pop("concentrations")
            rows.append(values | dict(zip(concentration_columns(self.species), concentrations, strict=True)))
        write_csv(folder / "table.csv", columns, rows)
        write_frames(folder / "orderings.extxyz", self.orderings)
        write_frames(folder / "relaxed.extxyz", self.relaxed)
        if self.labelled_frames:
            write_frames(folder / "frames.extxyz", self.labelled_frames)


def concentration_columns(species: Sequence[str]) -> list[str]:
    """Name the columns of the concentrations in CSV files.

    Parameters
    ----------
    species
        Species that mix.

    Returns
    -------
    One name for each species, such as `concentration_W`.
    """
    return [f"concentration_{symbol}" for symbol in species]
