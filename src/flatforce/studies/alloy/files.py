"""The settings of an alloy study, and its table on disk."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ase.io import read
from pydantic import Field, PositiveFloat, PositiveInt

from flatforce.core.config import Config
from flatforce.core.errors import ResultError
from flatforce.core.files import write_text
from flatforce.core.hashing import hash_file
from flatforce.core.results import read_record
from flatforce.data.frames import write_frames
from flatforce.properties.alloys.cluster_expansion import ClusterExpansionConfig
from flatforce.properties.alloys.energies import AlloyEnergies
from flatforce.properties.alloys.monte_carlo import MonteCarlo
from flatforce.properties.alloys.roost import RoostConfig
from flatforce.properties.alloys.splits import AlloySplits
from flatforce.properties.alloys.table import AlloyTable, Row
from flatforce.properties.alloys.training import Further, Network
from flatforce.structures.alloys import Alloy
from flatforce.structures.sheet import area

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.structures.alloys import AlloyLattice


FEWEST = 3
"""Mixed orderings of a table that anything is fitted to."""

SAME_CELL = 1e-4
"""Relative difference of areas per site: round-off of a file."""


class Contest(Config):
    """Which models are compared beside those that need no force field."""

    force_fields: dict[str, str] = {}
    """Label → force field: as it is, brought into line by a straight line, and under a cluster expansion."""
    further: dict[str, Further] = {}
    """Label → force field that is trained further on the frames of the training orderings; needs `frames`."""
    network: Network | None = None
    """A network of energies alone, on sheets relaxed by DFT and by each of the force fields."""
    roost: RoostConfig | None = RoostConfig()
    """Roost, where its environment is there (`flatforce env create roost`)."""
    terms: list[PositiveInt] = [1, 3]
    """Of the Redlich–Kister polynomials."""


class HullSearch(Config):
    """Which orderings are searched for ground states."""

    max_cells: PositiveInt = 8
    """Primitive cells of the largest."""
    draws: PositiveInt = 100
    """Resampled expansions behind the probabilities."""
    seed: int = 0
    """Of the resampling."""


class Quasirandom(Config):
    """A special quasirandom structure."""

    size: tuple[PositiveInt, PositiveInt] = (4, 4)
    """Primitive cells along both vectors."""
    shares: dict[str, float]
    """Species → share of the sites."""
    cutoffs: list[PositiveFloat] = Field([8.0, 5.0], min_length=1)
    """Å, of pairs, triplets, … that are to look random."""
    steps: PositiveInt = 10000
    """Of the annealing."""
    seed: int = 1
    """Of the annealing."""


class AlloyStudy(Config):
    """One alloy, and what is asked of it."""

    alloy: Alloy
    """The lattice and who mixes on it."""
    max_cells: PositiveInt = 4
    """Primitive cells of the largest ordering that is enumerated."""
    energies: AlloyEnergies = AlloyEnergies()
    """How formation energies are found."""
    expansion: ClusterExpansionConfig = ClusterExpansionConfig()
    """Which cluster expansions are tried."""
    splits: AlloySplits = AlloySplits()
    """How models are judged."""
    compare: Contest = Contest()
    """Which models are compared."""
    hull: HullSearch = HullSearch()
    """Where ground states are searched."""
    monte_carlo: MonteCarlo | None = None
    """What is sampled."""
    quasirandom: Quasirandom | None = None
    """What a random alloy is represented by."""


def parent_hash(study: AlloyStudy) -> dict[str, str]:
    """Hash the file of the parent.

    Parameters
    ----------
    study
        The study.

    Returns
    -------
    Name → hash; empty for a prototype.
    """
    name = study.alloy.file
    return {"parent": hash_file(Path(name))} if name is not None and Path(name).is_file() else {}


def check_table(lattice: AlloyLattice, table: AlloyTable) -> None:
    """Refuse a table of another alloy or another lattice.

    Parameters
    ----------
    lattice
        Of the study.
    table
        The table.

    Raises
    ------
    ResultError
        If species, cells or the number of mixed orderings do not fit.
    """
    cells = (
        [area(one) / lattice.n_sites(one) for one in table.orderings]
        if table.species == lattice.species
        else []
    )
    wanted = area(lattice.parent) / lattice.n_sites(lattice.parent)
    if not cells or max(abs(cell / wanted - 1) for cell in cells) > SAME_CELL:
        raise ResultError(
            f"The table is not of {lattice.name} as this study describes it.",
            why="its species or its lattice differ",
            fix="use the study that the table was made with",
        )
    if len(table.mixed) < FEWEST:
        raise ResultError(
            f"The table holds {len(table.mixed)} mixed orderings; {FEWEST} are the least that can be fitted.",
            fix="raise max_cells",
        )


def write_table(folder: Path, table: AlloyTable) -> None:
    """Write a table: `table.csv`, `orderings.extxyz`, `relaxed.extxyz`.

    Parameters
    ----------
    folder
        Where.
    table
        The table.
    """
    columns = ["name", "n_sites", "n_atoms"]
    columns += [f"share_{symbol}" for symbol in table.species]
    columns += ["energy", "formation", "distance", "strain", "end_member", "labels"]
    rows = []
    for row in table.rows:
        plain = asdict(row)
        shares = dict(zip(columns[3:], plain.pop("shares"), strict=False))
        rows.append(plain | shares)
    write_rows(folder / "table.csv", columns, rows)
    write_frames(folder / "orderings.extxyz", table.orderings)
    write_frames(folder / "relaxed.extxyz", table.relaxed)


def write_rows(path: Path, columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    """Write a CSV file.

    Parameters
    ----------
    path
        Where.
    columns
        Its header; other keys are left out.
    rows
        Its rows.
    """
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, buffer.getvalue())


def read_table(folder: Path) -> AlloyTable:
    """Read a table back.

    Parameters
    ----------
    folder
        Result folder of `alloy energies`.

    Returns
    -------
    The table.

    Raises
    ------
    ResultError
        If the folder holds something else.
    """
    record = read_record(folder, kind="alloy energies", made_by="alloy energies")
    details = record["details"]
    species = tuple(details["species"])
    with (folder / "table.csv").open(encoding="utf-8") as stream:
        rows = tuple(
            Row(
                line["name"],
                int(line["n_sites"]),
                int(line["n_atoms"]),
                tuple(float(line[f"share_{symbol}"]) for symbol in species),
                float(line["energy"]),
                float(line["formation"]),
                float(line["distance"]),
                float(line["strain"]),
                line["end_member"] == "True",
                int(line["labels"]),
            )
            for line in csv.DictReader(stream)
        )
    return AlloyTable(
        details["system"],
        species,
        details["state"],
        rows,
        tuple(read(folder / "orderings.extxyz", ":")),
        tuple(read(folder / "relaxed.extxyz", ":")),
        tuple((name, reason) for name, reason in details["dropped"]),
    )
