"""Monte Carlo at many temperatures and sizes, in parallel and resumable, and the transition temperature."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from typing_extensions import override

from flatforce.core.errors import DataError
from flatforce.core.files import write_text
from flatforce.core.hashing import hash_value
from flatforce.core.outcome import Outcome
from flatforce.core.progress import Progress, silent
from flatforce.core.trust import require_trust
from flatforce.properties.alloys.csv_files import write_csv
from flatforce.properties.alloys.monte_carlo import MonteCarloPoint, check_cell, sample
from flatforce.properties.alloys.order_parameter import N_COMPONENTS
from flatforce.properties.alloys.transition import Transition, find_transition
from flatforce.structures.alloys import alloy_lattice
from flatforce.structures.orderings import import_icet

if TYPE_CHECKING:
    from flatforce.core.arrays import FloatArray
    from flatforce.properties.alloys.config import MonteCarloConfig
    from flatforce.structures.alloy_config import AlloyConfig

SCHEDULING = ("temperatures", "sizes", "n_runs", "seed", "workers")
"""Settings that decide which runs are made, not what one run gives."""

ARRAY_FIELDS = ("size", "temperature", "energy", "heat_capacity", "concentration", "psi2", "binder_cumulant")
"""Columns that are stored as arrays as well."""


@dataclass(frozen=True, repr=False)
class MonteCarloSampling(Outcome):
    """Averages of all Monte Carlo runs, and the transition temperature."""

    kind: ClassVar[str] = "alloy monte carlo"
    units = {
        "transition_temperature": "K",
        "transition_temperature_error": "K",
    }

    system: str
    """Name of the alloy."""
    config: MonteCarloConfig
    """Settings."""
    points: list[MonteCarloPoint]
    """Averages of each run."""
    transition: Transition
    """Transition temperature by the crossing of Binder cumulants."""

    @property
    @override
    def metrics(self) -> dict[str, float]:
        return {
            "transition_temperature": self.transition.temperature,
            "transition_temperature_error": self.transition.error,
        }

    @property
    @override
    def notes(self) -> list[str]:
        temperature, error = self.transition.temperature, self.transition.error
        if self.transition.unresolved:
            where = f"order vanishes within one temperature step, at {temperature:g} ± {error:g} K"
            return [f"{where}: add temperatures there to monte_carlo.temperatures"]
        if np.isfinite(temperature):
            return []
        if len(self.config.sizes) < 2 or len(self.config.temperatures) < 2:
            needed = "at least two monte_carlo.sizes and two monte_carlo.temperatures"
            return [f"no transition temperature was computed: it takes {needed}"]
        return [
            "no transition was found: the Binder cumulants of the two largest sizes do not cross at these temperatures"
        ]

    @property
    @override
    def details(self) -> dict[str, Any]:
        return {"system": self.system}

    def _rows(self) -> list[dict[str, Any]]:
        rows = []
        for point in self.points:
            row = asdict(point) | {"binder_cumulant": point.binder_cumulant}
            shells = row.pop("warren_cowley")
            rows.append(
                row | {f"warren_cowley_{shell}": value for shell, value in enumerate(shells, start=1)}
            )
        return rows

    @override
    def arrays(self) -> dict[str, FloatArray]:
        rows = self._rows()
        return {name: np.array([row[name] for row in rows], dtype=float) for name in ARRAY_FIELDS}

    @override
    def files(self, folder: Path) -> None:
        rows = self._rows()
        write_csv(folder / "points.csv", list(rows[0]), rows)


def run_monte_carlo(
    alloy: AlloyConfig,
    expansion_file: Path,
    config: MonteCarloConfig,
    *,
    cache: Path,
    progress: Progress = silent,
) -> MonteCarloSampling:
    """Sample a cluster expansion at all temperatures and sizes; finished runs are read from the cache.

    Parameters
    ----------
    alloy
        Settings of the alloy, a binary.
    expansion_file
        icet's `expansion.ce`, in eV per site.
    config
        Settings.
    cache
        Folder of finished runs.
    progress
        Called after each run.

    Returns
    -------
    Averages of all runs, and the transition temperature.
    """
    lattice = alloy_lattice(alloy)
    cutoff = max(_read_expansion(expansion_file).cutoffs)
    for size in config.sizes:
        check_cell(lattice, size, cutoff)
    points = _sample_all(alloy, expansion_file, config, cache, progress)
    transition = find_transition(points, n_components=N_COMPONENTS[config.wave_vector], seed=config.seed)
    return MonteCarloSampling(alloy.name, config, points, transition)


def _sample_all(
    alloy: AlloyConfig, expansion_file: Path, config: MonteCarloConfig, cache: Path, progress: Progress
) -> list[MonteCarloPoint]:
    runs = [
        (size, temperature, config.seed + number)
        for size, temperature, number in product(config.sizes, config.temperatures, range(config.n_runs))
    ]
    settings = config.model_dump(mode="json", exclude=set(SCHEDULING))
    files = {run: cache / f"{hash_value([settings, run])}.json" for run in runs}
    missing = [run for run in runs if not files[run].is_file()]
    n_finished = len(runs) - len(missing)
    progress(n_finished, len(runs), f"{n_finished} runs read from the cache")
    with ProcessPoolExecutor(config.workers, mp_context=get_context("spawn")) as pool:
        futures = {
            pool.submit(_sample_one, alloy.model_dump(), str(expansion_file), config.model_dump(), run): run
            for run in missing
        }
        for future in as_completed(futures):
            size, temperature, seed = run = futures[future]
            write_text(files[run], json.dumps(asdict(future.result())))
            n_finished += 1
            progress(n_finished, len(runs), f"{size} × {size}, {temperature:g} K, seed {seed}")
    points = []
    for run in runs:
        values = json.loads(files[run].read_text(encoding="utf-8"))
        points.append(MonteCarloPoint(**values | {"warren_cowley": tuple(values["warren_cowley"])}))
    return points


def _sample_one(
    alloy: dict[str, Any], expansion_file: str, config: dict[str, Any], run: tuple[int, float, int]
) -> MonteCarloPoint:
    """Make one run in a process of the pool, which gets plain values."""
    from flatforce.properties.alloys.config import MonteCarloConfig
    from flatforce.structures.alloy_config import AlloyConfig

    size, temperature, seed = run
    return sample(
        alloy_lattice(AlloyConfig.parse(alloy)),
        _read_expansion(Path(expansion_file)),
        MonteCarloConfig.parse(config),
        size=size,
        temperature=temperature,
        seed=seed,
    )


def _read_expansion(path: Path) -> Any:
    require_trust(path, contents="a file of icet, which holds pickles")
    try:
        return import_icet().ClusterExpansion.read(str(path))
    except Exception as error:
        raise DataError(
            f"{path} is no cluster expansion of icet.",
            why=f"{type(error).__name__}: {error}",
            fix="fit it again: flatforce alloy fit",
        ) from error
