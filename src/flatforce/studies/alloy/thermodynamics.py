"""Stages that follow a cluster expansion: ground states and Monte Carlo."""

from __future__ import annotations

import json
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.errors import ConfigError
from flatforce.core.files import write_text
from flatforce.core.hashing import hash_value
from flatforce.core.progress import Progress
from flatforce.core.results import Record, claim_folder, read_arrays, read_record, write_record
from flatforce.data.frames import write_frames
from flatforce.properties.alloys.cluster_expansion import Expansion, make_designs
from flatforce.properties.alloys.hull import ground_states
from flatforce.properties.alloys.monte_carlo import COMPONENTS, Point, check_cell, plain, sample
from flatforce.properties.alloys.scores import ON_HULL
from flatforce.properties.alloys.transition import transition
from flatforce.structures.alloys import alloy_lattice
from flatforce.structures.orderings import enumerate_orderings, import_icet
from flatforce.studies.alloy.files import AlloyStudy, parent_hash, write_rows
from flatforce.studies.inputs import Reporter, unreported

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.properties.alloys.monte_carlo import MonteCarlo

SAMPLED = tuple(f"monte_carlo.{name}" for name in ("temperatures", "sizes", "seeds"))
"""Settings that say which runs count."""


def alloy_hull(study: AlloyStudy, fit_folder: Path, folder: Path) -> dict[str, Any]:
    """Search all orderings up to a size for ground states of a cluster expansion.

    Parameters
    ----------
    study
        The alloy.
    fit_folder
        Of `alloy_fit`.
    folder
        Result folder: `hull.csv`, `ground_states.extxyz`.

    Returns
    -------
    The content of `result.json`.
    """
    lattice, fitted = alloy_lattice(study.alloy), _fit_of(fit_folder)
    settings = study.model_dump(mode="json", include={"alloy", "expansion", "hull"})
    inputs = {"fit": _fit_key(fit_folder)} | parent_hash(study)
    if claim_folder(folder, settings, inputs):
        start = time.perf_counter()
        arrays = read_arrays(fit_folder)
        config = study.expansion.model_copy(update={"cutoffs": [fitted["details"]["cutoffs"]]})
        orderings = enumerate_orderings(lattice, max_cells=study.hull.max_cells)
        (design,) = make_designs(lattice, [], config)
        expansion = Expansion(
            design, fitted["details"]["method"], arrays["parameters"], fitted["metrics"]["cv_rmse"]
        )
        found = ground_states(
            lattice,
            expansion,
            orderings,
            rows=arrays["vectors"],
            targets=arrays["truth"],
            draws=study.hull.draws,
            seed=study.hull.seed,
        )
        on_hull = np.flatnonzero(found.above < ON_HULL)
        rows = [
            {
                "name": one.info["name"],
                "n_sites": lattice.n_sites(one),
                **{f"share_{s}": x for s, x in zip(lattice.species, found.shares[k], strict=True)},
                "formation": found.energies[k],
                "spread": found.spread[k],
                "above_hull": found.above[k],
                "probability": found.probability[k],
            }
            for k, one in enumerate(orderings)
        ]
        write_rows(folder / "hull.csv", list(rows[0]), rows)
        write_frames(folder / "ground_states.extxyz", [orderings[k] for k in on_hull])
        mixed = [k for k in on_hull if found.shares[k].max() < 1 - ON_HULL]
        metrics = {
            "n_candidates": float(len(orderings)),
            "n_ground_states": float(len(mixed)),
            "lowest": float(found.energies.min()),
        }
        units = {"n_candidates": "1", "n_ground_states": "1", "lowest": "meV/site"}
        details = {
            "system": lattice.name,
            "ground_states": [rows[k] for k in mixed],
        }
        record = Record("alloy hull", settings, metrics, units, inputs, details=details, seed=study.hull.seed)
        stored = {
            "shares": found.shares,
            "energies": found.energies,
            "spread": found.spread,
            "above": found.above,
            "probability": found.probability,
        }
        write_record(folder, record.taking(time.perf_counter() - start), stored)
    return read_record(folder)


def alloy_monte_carlo(
    study: AlloyStudy, fit_folder: Path, folder: Path, *, report: Reporter = unreported
) -> dict[str, Any]:
    """Sample a cluster expansion; every run is kept, so that a killed stage goes on, and one with more temperatures too.

    Parameters
    ----------
    study
        The alloy, with `monte_carlo`.
    fit_folder
        Of `alloy_fit`.
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
        If the study says nothing of it, or the alloy is no binary.
    """
    config, lattice = study.monte_carlo, alloy_lattice(study.alloy)
    if config is None or len(lattice.species) != 2:
        raise ConfigError(
            "Monte Carlo needs `monte_carlo` and a binary alloy.",
            fix="add monte_carlo: {share: 0.3333333, temperatures: [100, 150, 200], sizes: [12, 24]}",
        )
    _fit_of(fit_folder)
    path = fit_folder / "expansion.ce"
    settings = study.model_dump(mode="json", include={"alloy", "monte_carlo"})
    settings["monte_carlo"].pop("workers")
    inputs = {"fit": _fit_key(fit_folder)} | parent_hash(study)
    if claim_folder(folder, settings, inputs, grows=SAMPLED):
        start = time.perf_counter()
        cutoff = max(_expansion(path).cutoffs)
        for size in config.sizes:
            check_cell(lattice, size, cutoff)
        with report("Monte Carlo") as progress:
            points = _sampled(
                study, config, path, folder / "runs" / hash_value([inputs, settings["alloy"]]), progress
            )
        rows = [plain(one) | {"binder": one.binder} for one in points]
        for row in rows:
            row |= {f"warren_cowley_{k + 1}": x for k, x in enumerate(row.pop("warren_cowley"))}
        write_rows(folder / "points.csv", list(rows[0]), rows)
        lost = transition(points, components=COMPONENTS[config.order], seed=config.seed)
        metrics = {"transition": lost.temperature, "transition_error": lost.error}
        said = []
        if lost.coarse:
            said.append(
                f"order is lost within one step, at {lost.temperature:g} ± {lost.error:g} K: add temperatures there"
            )
        if not np.isfinite(lost.temperature):
            said.append(_nothing_crosses(config))
        record = Record(
            "alloy monte carlo",
            settings,
            metrics,
            dict.fromkeys(metrics, "K"),
            inputs,
            warnings=said,
            details={"system": lattice.name},
            seed=config.seed,
        )
        keys = ("size", "temperature", "energy", "heat_capacity", "share", "second", "binder")
        write_record(
            folder,
            record.taking(time.perf_counter() - start),
            {key: np.array([row[key] for row in rows], dtype=float) for key in keys},
        )
    return read_record(folder)


def _nothing_crosses(config: MonteCarlo) -> str:
    if len(config.sizes) < 2 or len(config.temperatures) < 2:
        return "where order is lost was not looked for: it takes two sizes and two temperatures or more"
    return (
        "no transition was found: the cumulants of the two largest sizes do not cross at these temperatures"
    )


def _sampled(
    study: AlloyStudy, config: MonteCarlo, path: Path, folder: Path, progress: Progress
) -> list[Point]:
    wanted = [
        (size, temperature, config.seed + number)
        for size, temperature, number in product(config.sizes, config.temperatures, range(config.seeds))
    ]
    shape = config.model_dump(mode="json", exclude={"temperatures", "sizes", "seeds", "seed", "workers"})
    files = {one: folder / f"{hash_value([shape, one])}.json" for one in wanted}
    todo = [one for one in wanted if not files[one].is_file()]
    done = len(wanted) - len(todo)
    progress(done, len(wanted), f"{done} done before")
    with ProcessPoolExecutor(config.workers, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(_run, study.model_dump(), str(path), *one): one for one in todo}
        for future in as_completed(futures):
            size, temperature, seed = futures[future]
            write_text(files[futures[future]], json.dumps(plain(future.result())))
            done += 1
            progress(done, len(wanted), f"{size} × {size}, {temperature:g} K, run {seed}")
    found = []
    for one in wanted:
        values = json.loads(files[one].read_text(encoding="utf-8"))
        found.append(Point(**values | {"warren_cowley": tuple(values["warren_cowley"])}))
    return found


def _run(study: dict[str, Any], path: str, size: int, temperature: float, seed: int) -> Point:
    from pathlib import Path as Location

    settings = AlloyStudy.parse(study)
    assert settings.monte_carlo is not None  # noqa: S101  # the stage looked
    lattice = alloy_lattice(settings.alloy)
    expansion = _expansion(Location(path))
    return sample(lattice, expansion, settings.monte_carlo, size=size, temperature=temperature, seed=seed)


def _fit_key(folder: Path) -> str:
    """Identify a fit by its numbers: icet's file differs from one writing to the next."""
    return hash_value([read_record(folder)["details"]["cutoffs"], read_arrays(folder)["parameters"].tolist()])


def _expansion(path: Path) -> Any:
    return import_icet().ClusterExpansion.read(str(path))


def _fit_of(folder: Path) -> dict[str, Any]:
    return read_record(folder, kind="cluster expansion", made_by="alloy fit")
