"""Trajectories of molecular dynamics and their analysis, as a result folder holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from flatforce.core.outcome import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.dynamics.heights import HeightSpectrum
    from flatforce.properties.dynamics.motion import Hop
    from flatforce.properties.dynamics.samples import Samples


@dataclass(frozen=True)
class TemperatureAnalysis:
    """What the trajectories at one temperature show."""

    label: str
    """Name of the temperature, such as `300K`."""
    metrics: dict[str, float]
    """Name → number, without the name of the temperature."""
    frequency: FloatArray
    """(F) THz."""
    vdos: FloatArray
    """(F) states/THz of the whole sheet; empty for a trajectory without enough frames."""
    local_vdos: FloatArray | None
    """(F) states/THz near the atom that was named."""
    distance: FloatArray
    """(R) Å, in the plane."""
    pairs: dict[str, FloatArray]
    """Pair of elements → (R) pair distribution."""
    lag: FloatArray
    """(L) fs."""
    displacement: dict[str, FloatArray]
    """Element → (L) Å², mean square displacement."""
    heights: HeightSpectrum
    """Ripples."""
    density_frequency: FloatArray = field(default_factory=lambda: np.zeros(0))
    """(F) THz, of the spectral energy density."""
    density: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))
    """(Q, F) 1/THz, spectral energy density at wave vectors of the supercell on the band path."""


@dataclass(frozen=True, repr=False)
class MolecularDynamics(Outcome):
    """Trajectories of a sheet and what they show."""

    kind: ClassVar[str] = "molecular dynamics"

    analyses: list[TemperatureAnalysis]
    """For each temperature."""
    samples: list[Samples]
    """Recorded frames of each trajectory."""
    end_reasons: dict[str, str]
    """Name of a trajectory → why it ended before its last step; empty texts where it did not."""
    hops: list[Hop]
    """Atoms that left their sites."""
    ns_per_day: float
    """ns, simulated by each trajectory in 24 h."""
    n_atoms: int
    """Atoms of the sheet."""
    series: dict[str, FloatArray] = field(default_factory=dict)
    """Quantity and trajectory, such as `temperature_300K_1` → (T) its course."""
    path_distance: FloatArray = field(default_factory=lambda: np.zeros(0))
    """(Q) 1/Å, position of the wave vectors of the spectral energy density on the band path."""
    expansion: tuple[float, float] | None = None
    """1/K, linear thermal expansion between the lowest and highest temperature of an NPT run, and its standard error."""
    last_frames: list[Any] = field(default_factory=list)
    """Last structure of each trajectory, with velocities."""

    outside: list[str] = field(default_factory=list)
    """Trajectories with atoms nearer to one another than in the training set of the force field."""

    @property
    def units(self) -> dict[str, str]:  # type: ignore[override]  # the names hold the temperatures
        """Unit of each metric."""
        return {name: UNITS[name.rpartition("_")[0] if name not in UNITS else name] for name in self.metrics}

    @property
    def metrics(self) -> dict[str, float]:
        """Those of the first temperature under their own names, those of the others with the temperature."""
        values = {"n_atoms": float(self.n_atoms), "ns_per_day": self.ns_per_day}
        for k, analysis in enumerate(self.analyses):
            suffix = f"_{analysis.label}" if k else ""
            values |= {f"{name}{suffix}": value for name, value in analysis.metrics.items()}
        if self.expansion is not None:
            values["thermal_expansion"], values["thermal_expansion_error"] = self.expansion
        values["n_hops"] = float(len(self.hops))
        return values

    @property
    def problems(self) -> list[str]:
        """Trajectories that exploded, failed, or became uncertain."""
        return [f"{name}: {reason}." for name, reason in self.end_reasons.items() if reason]

    @property
    def notes(self) -> list[str]:
        """Trajectories that are too short for a spectrum, and those that leave what the force field was trained on."""
        short = [analysis.label for analysis in self.analyses if not analysis.vdos.size]
        texts = [f"too few frames for a density of states at {', '.join(short)}"] if short else []
        return [*texts, *self.outside]

    @property
    def details(self) -> dict[str, Any]:
        """Hops, and why trajectories ended."""
        return {
            "end_reasons": self.end_reasons,
            "hops": [
                {
                    "trajectory": hop.trajectory,
                    "atom": hop.atom,
                    "symbol": hop.symbol,
                    "time": hop.time,
                    "distance": hop.distance,
                }
                for hop in self.hops
            ],
            "temperatures": [analysis.label for analysis in self.analyses],
            "elements": sorted(self.analyses[0].displacement) if self.analyses else [],
            "pairs": sorted(self.analyses[0].pairs) if self.analyses else [],
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return spectra, distributions and displacements of each temperature."""
        arrays: dict[str, NDArray[Any]] = {}
        for analysis in self.analyses:
            arrays |= {f"{name}_{analysis.label}": values for name, values in _arrays_of(analysis).items()}
        arrays |= self.series
        if self.path_distance.size:
            arrays["path_distance"] = self.path_distance
        return arrays

    def files(self, folder: Path) -> None:
        """Write `trajectories.hdf5` and `last.extxyz`.

        Parameters
        ----------
        folder
            Result folder.
        """
        from flatforce.data.frame_files import write_frames

        if self.samples:
            self.samples[0].path.replace(folder / "trajectories.hdf5")
        write_frames(folder / "last.extxyz", self.last_frames)


def _arrays_of(analysis: TemperatureAnalysis) -> dict[str, FloatArray]:
    arrays = {
        "frequency": analysis.frequency,
        "vdos": analysis.vdos,
        "distance": analysis.distance,
        "lag": analysis.lag,
        "wave_number": analysis.heights.wave_numbers,
        "height_correlation": analysis.heights.correlation,
        **{f"pair_{name}": values for name, values in analysis.pairs.items()},
        **{f"msd_{name}": values for name, values in analysis.displacement.items()},
    }
    if analysis.local_vdos is not None:
        arrays["local_vdos"] = analysis.local_vdos
    if analysis.density.size:
        arrays |= {"density_frequency": analysis.density_frequency, "density": analysis.density}
    return arrays


UNITS = {
    "n_atoms": "",
    "ns_per_day": "ns/day",
    "temperature": "K",
    "temperature_std": "K",
    "expected_temperature_std": "K",
    "energy_drift": "meV/atom/ns",
    "potential_energy": "eV/atom",
    "tension": "N/m",
    "area": "Å²",
    "area_error": "Å²",
    "height_std": "Å",
    "bending_rigidity": "eV",
    "bending_rigidity_error": "eV",
    "thermal_expansion": "1/K",
    "thermal_expansion_error": "1/K",
    "n_hops": "",
    "n_frames": "",
}
"""Unit of each metric, without the name of the temperature."""
