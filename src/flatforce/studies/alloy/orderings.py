"""Stages that make the orderings of an alloy study: all distinct ones, random ones, special quasirandom structures."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from flatforce.core.errors import ConfigError
from flatforce.core.results import claim_folder, read_record
from flatforce.properties.alloys.orderings import Orderings, anneal_sqs
from flatforce.structures.alloys import alloy_lattice
from flatforce.structures.orderings import enumerate_orderings, random_orderings
from flatforce.studies.alloy.files import parent_hash, write_outcome

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from flatforce.structures.alloys import AlloyLattice
    from flatforce.studies.alloy.config import AlloyStudy


def enumerate_alloy(
    study: AlloyStudy,
    folder: Path,
    *,
    random: tuple[int, int, int] | None = None,
    concentration: float | None = None,
) -> dict[str, Any]:
    """Write orderings: all symmetry-distinct ones up to a size, or random ones of one size.

    Parameters
    ----------
    study
        The alloy.
    folder
        Result folder, with `orderings.extxyz`.
    random
        Number of random orderings and numbers of primitive cells along both lattice vectors; None for all distinct
        orderings.
    concentration
        Concentration of the last species of a binary in the random orderings.

    Returns
    -------
    The content of `result.json`.
    """
    lattice = alloy_lattice(study.alloy)
    settings = study.model_dump(mode="json", include={"alloy", "max_cells"})
    settings |= {"random": random, "concentration": concentration}
    inputs = parent_hash(study)
    if random is not None:
        check_random(lattice, random, concentration)
    if claim_folder(folder, settings, inputs):
        start = time.perf_counter()
        orderings = (
            enumerate_orderings(lattice, max_cells=study.max_cells)
            if random is None
            else _make_random(lattice, random, concentration or 0.0)
        )
        write_outcome(folder, Orderings(lattice, orderings), settings, inputs, start=start)
    return read_record(folder)


def check_random(lattice: AlloyLattice, random: tuple[int, int, int], concentration: float | None) -> None:
    """Refuse random orderings that are not defined.

    Parameters
    ----------
    lattice
        The alloy.
    random
        Number of orderings and numbers of primitive cells along both lattice vectors.
    concentration
        Concentration of the last species of a binary.

    Raises
    ------
    ConfigError
        If their number is not positive, there is no concentration, or the alloy is no binary.
    """
    if random[0] < 1:
        raise ConfigError(
            f"The number of random orderings is {random[0]}.",
            fix="give --random COUNT N M with a positive COUNT",
        )
    if concentration is None or len(lattice.species) != 2 or not 0 <= concentration <= 1:
        raise ConfigError(
            "Random orderings need a concentration.",
            fix="give --concentration X, between 0 and 1, of the last of two species",
        )


def _make_random(lattice: AlloyLattice, random: tuple[int, int, int], concentration: float) -> list[Atoms]:
    concentrations = dict(zip(lattice.species, (1 - concentration, concentration), strict=True))
    count, n, m = random
    return random_orderings(lattice, supercell=(n, m), concentrations=concentrations, count=count, seed=0)


def alloy_sqs(study: AlloyStudy, folder: Path) -> dict[str, Any]:
    """Make a special quasirandom structure.

    Parameters
    ----------
    study
        The alloy, with `sqs`.
    folder
        Result folder, with `sqs.extxyz`, which `flatforce relax` and `flatforce phonons` read.

    Returns
    -------
    The content of `result.json`.

    Raises
    ------
    ConfigError
        If the study has no `sqs`.
    """
    if study.sqs is None:
        raise ConfigError("The study has no `sqs`.", fix="add sqs: {concentrations: {Mo: 0.5, W: 0.5}}")
    lattice = alloy_lattice(study.alloy)
    settings = study.model_dump(mode="json", include={"alloy", "sqs"})
    inputs = parent_hash(study)
    if claim_folder(folder, settings, inputs):
        start = time.perf_counter()
        write_outcome(folder, anneal_sqs(lattice, study.sqs), settings, inputs, start=start)
    return read_record(folder)
