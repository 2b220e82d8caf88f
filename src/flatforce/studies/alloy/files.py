"""Result folders of an alloy study: how they are written, and read by later stages."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from ase.io import read

from flatforce.core.errors import ResultError
from flatforce.core.hashing import hash_value
from flatforce.core.results import read_arrays, read_record
from flatforce.properties.alloys.cluster_expansion import Expansion
from flatforce.properties.alloys.convex_hull import FittedExpansion
from flatforce.properties.alloys.design import make_design
from flatforce.properties.alloys.table import AlloyTable, Row, concentration_columns
from flatforce.structures.sheet import area

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from flatforce.structures.alloys import AlloyLattice
    from flatforce.studies.alloy.config import AlloyStudy

MIN_MIXED = 3
"""Least number of mixed orderings of a table that anything is fitted to."""

AREA_TOLERANCE = 1e-4
"""Relative difference of areas per site that is round-off of a file."""


def check_table(lattice: AlloyLattice, table: AlloyTable) -> None:
    """Refuse a table of another alloy or another lattice.

    Parameters
    ----------
    lattice
        Lattice of the study.
    table
        The table.

    Raises
    ------
    ResultError
        If species, cells or the number of mixed orderings do not fit.
    """
    areas = (
        [area(ordering) / lattice.n_sites(ordering) for ordering in table.orderings]
        if table.species == lattice.species
        else []
    )
    parent_area = area(lattice.parent) / lattice.n_sites(lattice.parent)
    if not areas or max(abs(value / parent_area - 1) for value in areas) > AREA_TOLERANCE:
        raise ResultError(
            f"The table is not of {lattice.name} as this study describes it.",
            why="its species or its lattice differ",
            fix="give -c the study that the table was made with",
        )
    if len(table.mixed_rows) < MIN_MIXED:
        raise ResultError(
            f"The table holds {len(table.mixed_rows)} mixed orderings; a fit needs at least {MIN_MIXED}.",
            fix="raise max_cells, and run `flatforce alloy energies` again",
        )


def table_file(folder: Path) -> Path:
    """Find the file of a table of formation energies.

    Parameters
    ----------
    folder
        Result folder of `flatforce alloy energies`.

    Returns
    -------
    Path of its `table.csv`; a folder of another command raises an error.
    """
    read_record(folder, kind=AlloyTable.kind, made_by="alloy energies")
    return folder / "table.csv"


def read_table(folder: Path) -> AlloyTable:
    """Read a table of formation energies.

    Parameters
    ----------
    folder
        Result folder of `flatforce alloy energies`.

    Returns
    -------
    The table, without the frames of its DFT labels.
    """
    record = read_record(folder, kind=AlloyTable.kind, made_by="alloy energies")
    details = record["details"]
    species = tuple(details["species"])
    with table_file(folder).open(encoding="utf-8") as stream:
        rows = tuple(_read_row(line, concentration_columns(species)) for line in csv.DictReader(stream))
    return AlloyTable(
        details["system"],
        species,
        details["relaxation"],
        rows,
        tuple(read(folder / "orderings.extxyz", ":")),
        tuple(read(folder / "relaxed.extxyz", ":")),
        tuple((name, reason) for name, reason in details["dropped"]),
        details["model"],
    )


def _read_row(line: Mapping[str, str], columns: list[str]) -> Row:
    return Row(
        name=line["name"],
        n_sites=int(line["n_sites"]),
        n_atoms=int(line["n_atoms"]),
        concentrations=tuple(float(line[column]) for column in columns),
        energy=float(line["energy"]),
        formation_energy=float(line["formation_energy"]),
        max_site_distance=float(line["max_site_distance"]),
        max_strain=float(line["max_strain"]),
        end_member=line["end_member"] == "True",
        n_labels=int(line["n_labels"]),
    )


def read_fit(lattice: AlloyLattice, study: AlloyStudy, folder: Path) -> FittedExpansion:
    """Read a fitted cluster expansion.

    Parameters
    ----------
    lattice
        Lattice of the study.
    study
        The study that the expansion was fitted with.
    folder
        Result folder of `flatforce alloy fit`.

    Returns
    -------
    The expansion, and the table that it was fitted to.
    """
    record, arrays = read_fit_record(folder), read_arrays(folder)
    pinned = study.expansion.pin_end_members
    design = make_design(lattice, [], record["details"]["cutoffs"], pinned=pinned)
    expansion = Expansion(
        design, record["details"]["method"], arrays["parameters"], record["metrics"]["cv_rmse"]
    )
    return FittedExpansion(expansion, arrays["cluster_vectors"], arrays["formation_energies"])


def read_fit_record(folder: Path) -> dict[str, Any]:
    """Read `result.json` of a fitted cluster expansion.

    Parameters
    ----------
    folder
        Result folder of `flatforce alloy fit`.

    Returns
    -------
    Content of `result.json` as plain values.
    """
    return read_record(folder, kind="cluster expansion", made_by="alloy fit")


def fit_hash(folder: Path) -> str:
    """Hash the numbers of a fit: icet's file differs from one writing to the next.

    Parameters
    ----------
    folder
        Result folder of `flatforce alloy fit`.

    Returns
    -------
    20 hexadecimal digits, the same for equal cutoffs and parameters.
    """
    cutoffs = read_fit_record(folder)["details"]["cutoffs"]
    return hash_value([cutoffs, read_arrays(folder)["parameters"].tolist()])
