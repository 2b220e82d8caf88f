"""Comparison of the relaxation benchmarks of several force fields on the same materials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from flatforce.core.errors import ResultError
from flatforce.core.outcome import Outcome
from flatforce.core.results import read_arrays, read_record
from flatforce.properties.benchmark.score import UNITS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray


@dataclass(frozen=True)
class StoredBenchmark:
    """A relaxation benchmark as its result folder holds it."""

    model: str
    """Spec of the force field."""
    config: dict[str, Any]
    """Settings of the benchmark."""
    metrics: dict[str, float]
    """Metrics over all its materials."""
    materials: list[str]
    """(M) names of the materials."""
    dft: FloatArray
    """(M, 2) energy in eV/atom and area in Å²/atom, relaxed by DFT."""
    predicted: FloatArray
    """(M, 2) the same, relaxed by the force field; NaN where the relaxation failed."""

    @classmethod
    def read(cls, folder: Path) -> StoredBenchmark:
        """Read the result folder of `flatforce benchmark relax`.

        Parameters
        ----------
        folder
            Result folder.

        Returns
        -------
        Settings, metrics, and the relaxed energies and areas of each material.
        """
        result = read_record(folder, kind="relaxation benchmark", made_by="benchmark relax")
        arrays = read_arrays(folder)
        return cls(
            model=result["details"]["model"],
            config=result["config"],
            metrics=result["metrics"],
            materials=[str(name) for name in arrays["material"]],
            dft=arrays["dft"],
            predicted=arrays["predicted"],
        )

    def is_comparable(self, other: StoredBenchmark) -> bool:
        """Whether materials, labels, and all settings except `align` are the same."""
        settings, other_settings = (
            {key: value for key, value in benchmark.config.items() if key != "align"}
            for benchmark in (self, other)
        )
        return (
            settings == other_settings
            and self.materials == other.materials
            and np.array_equal(self.dft, other.dft)
        )


@dataclass(frozen=True, repr=False)
class BenchmarkComparison(Outcome):
    """Errors of several force fields over the materials on which none of them failed."""

    kind: ClassVar[str] = "benchmark comparison"

    benchmarks: dict[str, StoredBenchmark]
    """Name → benchmark."""
    common_errors: dict[str, dict[str, float]]
    """Name → `energy_mae` (meV/atom) and `area_mae` (Å²/atom) over the common materials."""
    n_common: int
    """Number of materials on which no force field failed."""

    def __post_init__(self) -> None:
        """Set the units, whose names contain those of the benchmarks."""
        units = {name: UNITS[name.rpartition(" ")[2]] for name in self.metrics if name != "n_common"}
        object.__setattr__(self, "units", units | {"n_common": ""})

    @property
    def metrics(self) -> dict[str, float]:
        """Errors of each force field over the common materials, and the number of these."""
        metrics = {
            f"{name}: {key}": value
            for name, errors in self.common_errors.items()
            for key, value in errors.items()
        }
        return metrics | {"n_common": float(self.n_common)}

    @property
    def notes(self) -> list[str]:
        """A warning where a force field failed on some of the materials."""
        n_materials = len(next(iter(self.benchmarks.values())).materials)
        if self.n_common == n_materials:
            return []
        return [f"errors are over the {self.n_common} of {n_materials} materials on which no model failed"]

    @property
    def details(self) -> dict[str, Any]:
        """Model and metrics of each benchmark, errors over the common materials in place of those over all."""
        return {
            "models": {
                name: {"model": benchmark.model, **benchmark.metrics, **self.common_errors[name]}
                for name, benchmark in self.benchmarks.items()
            }
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what the figures draw.

        Returns
        -------
        `dft` (N, 2) and `predicted` (M, N, 2), energy in eV/atom and area in Å²/atom of each material; NaN where the force
        field failed.
        """
        benchmarks = list(self.benchmarks.values())
        return {
            "dft": benchmarks[0].dft,
            "predicted": np.stack([benchmark.predicted for benchmark in benchmarks]),
        }


def compare_benchmarks(benchmarks: Mapping[str, StoredBenchmark]) -> BenchmarkComparison:
    """Compare the relaxation benchmarks of several force fields.

    Parameters
    ----------
    benchmarks
        Name → benchmark; all on the same materials.

    Returns
    -------
    Errors of each force field over the materials on which none of them failed.

    Raises
    ------
    ResultError
        If materials, labels or settings differ.
    """
    first, *others = benchmarks.values()
    if not all(first.is_comparable(other) for other in others):
        raise ResultError(
            "These benchmarks cannot be compared.",
            why="their materials, labels, or settings other than `align` differ",
            fix="run flatforce benchmark relax with the same frames, split and settings for each model",
        )
    finite = [np.isfinite(benchmark.predicted[:, 1]) for benchmark in benchmarks.values()]
    common = np.all(finite, axis=0)
    common_errors = {
        name: _mean_errors(benchmark.dft[common], benchmark.predicted[common])
        for name, benchmark in benchmarks.items()
    }
    return BenchmarkComparison(dict(benchmarks), common_errors, int(common.sum()))


def _mean_errors(dft: FloatArray, predicted: FloatArray) -> dict[str, float]:
    errors = np.abs(predicted - dft)
    has_energy = np.isfinite(errors[:, 0])
    return {
        "energy_mae": 1e3 * float(errors[has_energy, 0].mean()) if has_energy.any() else float("nan"),
        "area_mae": float(errors[:, 1].mean()) if len(errors) else float("nan"),
    }
