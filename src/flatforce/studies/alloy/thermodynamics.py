"""Stages that follow a cluster expansion: ground states and Monte Carlo."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from flatforce.core.errors import ConfigError
from flatforce.core.hashing import hash_value
from flatforce.core.results import claim_folder, read_record
from flatforce.properties.alloys.convex_hull import find_ground_states
from flatforce.properties.alloys.sampling import run_monte_carlo
from flatforce.structures.alloys import alloy_lattice
from flatforce.structures.orderings import enumerate_orderings
from flatforce.studies.alloy.files import fit_hash, parent_hash, read_fit, write_outcome
from flatforce.studies.inputs import Reporter, unreported

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.studies.alloy.config import AlloyStudy

EXTENDABLE = tuple(f"monte_carlo.{name}" for name in ("temperatures", "sizes", "n_runs"))
"""Settings that decide which runs are made: a finished folder may be extended by more of them."""


def alloy_hull(study: AlloyStudy, fit_folder: Path, folder: Path) -> dict[str, Any]:
    """Search all orderings up to a size for ground states of a cluster expansion.

    Parameters
    ----------
    study
        The alloy.
    fit_folder
        Result folder of `alloy_fit`.
    folder
        Result folder: `hull.csv`, `ground_states.extxyz`.

    Returns
    -------
    The content of `result.json`.
    """
    lattice = alloy_lattice(study.alloy)
    settings = study.model_dump(mode="json", include={"alloy", "expansion", "hull"})
    inputs = {"fit": fit_hash(fit_folder)} | parent_hash(study)
    if claim_folder(folder, settings, inputs):
        start = time.perf_counter()
        orderings = enumerate_orderings(lattice, max_cells=study.hull.max_cells)
        hull = find_ground_states(lattice, read_fit(lattice, study, fit_folder), orderings, study.hull)
        write_outcome(folder, hull, settings, inputs, start=start, seed=study.hull.seed)
    return read_record(folder)


def alloy_monte_carlo(
    study: AlloyStudy, fit_folder: Path, folder: Path, *, report: Reporter = unreported
) -> dict[str, Any]:
    """Sample a cluster expansion by Monte Carlo.

    Every finished run is cached, so that an interrupted stage is resumed, and a finished one is extended by further
    temperatures, sizes or runs.

    Parameters
    ----------
    study
        The alloy, with `monte_carlo`.
    fit_folder
        Result folder of `alloy_fit`.
    folder
        Result folder: `points.csv`.
    report
        Opens the progress display.

    Returns
    -------
    The content of `result.json`.

    Raises
    ------
    ConfigError
        If the study has no `monte_carlo`, or the alloy is no binary.
    """
    if study.monte_carlo is None or len(study.alloy.species) != 2:
        raise ConfigError(
            "Monte Carlo needs `monte_carlo` and a binary alloy.",
            fix="add monte_carlo: {concentration: 0.3333333, temperatures: [100, 150, 200], sizes: [12, 24]}",
        )
    settings = study.model_dump(mode="json", include={"alloy", "monte_carlo"})
    settings["monte_carlo"].pop("workers")
    inputs = {"fit": fit_hash(fit_folder)} | parent_hash(study)
    if claim_folder(folder, settings, inputs, grows=EXTENDABLE):
        start = time.perf_counter()
        with report("Monte Carlo") as progress:
            sampling = run_monte_carlo(
                study.alloy,
                fit_folder / "expansion.ce",
                study.monte_carlo,
                cache=folder / "runs" / hash_value([inputs, settings["alloy"]]),
                progress=progress,
            )
        write_outcome(folder, sampling, settings, inputs, start=start, seed=study.monte_carlo.seed)
    return read_record(folder)
