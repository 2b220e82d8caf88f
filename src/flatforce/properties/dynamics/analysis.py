"""What trajectories show: one analysis for each temperature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase import units

from flatforce.properties.dynamics.heights import height_spectrum
from flatforce.properties.dynamics.motion import (
    default_hop_distance,
    find_hops,
    mean_square_displacement,
    pair_distribution,
)
from flatforce.properties.dynamics.result import MolecularDynamics, TemperatureAnalysis
from flatforce.properties.dynamics.spectra import (
    path_phases,
    spectral_energy_density,
    vibrational_dos,
)
from flatforce.structures.sheet import unwrapped_heights

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.properties.dynamics.config import MdConfig
    from flatforce.properties.dynamics.heights import HeightSpectrum
    from flatforce.properties.dynamics.run import Trajectories
    from flatforce.properties.dynamics.samples import Samples

N_BLOCKS: Final = 10
"""Blocks of a trajectory whose means give the standard error of a correlated average."""

MIN_FRAMES_FOR_BLOCKS: Final = 20

MIDDLE: Final = 0.25
"""Å around the middle plane: atoms there carry the height of a sheet of several layers of atoms."""

MAX_BASIS: Final = 24
"""Atoms of a primitive cell with a spectral energy density; that of a defect cell would be a mixture of folded bands."""

WAVE_SPACING: Final = 3.0
"""Å, half of the shortest wave of the height spectrum."""

SERIES: Final = ("time", "potential_energy", "kinetic_energy", "temperature", "tension")
"""Quantities whose course is kept in `arrays.npz`."""

NS: Final = 1e-6
"""fs in ns."""


def analyse(trajectories: Trajectories, primitive: Atoms, config: MdConfig) -> MolecularDynamics:
    """Analyse all trajectories of a run.

    Parameters
    ----------
    trajectories
        What `run_dynamics` returned.
    primitive
        The sheet before it was repeated.
    config
        Settings of the run.

    Returns
    -------
    The result, with one analysis for each temperature.
    """
    sheet = primitive.repeat((*config.supercell, 1))
    symbols = sheet.get_chemical_symbols()
    points, phases = path_phases(primitive, config.supercell)
    analyses = []
    for temperature in config.temperatures:
        label = f"{temperature:g}K"
        samples = [sample for sample in trajectories.samples if sample.group.startswith(f"{label}_")]
        if samples:
            analyses.append(_analyse(samples, sheet, config, temperature=temperature, phases=phases))
    distance = config.hop_distance or default_hop_distance(sheet)
    hops = [hop for sample in trajectories.samples for hop in find_hops(sample, symbols, distance=distance)]
    return MolecularDynamics(
        analyses=analyses,
        samples=trajectories.samples,
        end_reasons={walker.name: walker.end_reason for walker in trajectories.walkers},
        hops=hops,
        series={
            f"{name}_{sample.group}": sample.read(name) for sample in trajectories.samples for name in SERIES
        },
        ns_per_day=trajectories.ns_per_day,
        n_atoms=len(sheet),
        path_distance=points,
        expansion=_expansion(analyses, config),
        last_frames=[_last_frame(walker) for walker in trajectories.walkers],
    )


def _analyse(
    samples: list[Samples], sheet: Atoms, config: MdConfig, *, temperature: float, phases: FloatArray
) -> TemperatureAnalysis:
    symbols, masses = sheet.get_chemical_symbols(), sheet.get_masses()
    weights = [np.ones(len(sheet))]
    if config.near_atom is not None:
        distances = sheet.get_distances(config.near_atom, range(len(sheet)), mic=True)
        weights.append((distances < config.near_radius).astype(float))
    frequency, spectra = vibrational_dos(samples, masses, np.array(weights), broadening=config.broadening)
    middle = np.flatnonzero(np.abs(_about_middle(sheet)) < MIDDLE)
    middle = middle if len(middle) else np.arange(len(sheet))
    repeats = round(float(sheet.cell.lengths()[:2].min()) / WAVE_SPACING)
    heights = height_spectrum(samples, middle, temperature=_mean(samples, "temperature"), repeats=repeats)
    distance, pairs = pair_distribution(samples, symbols)
    lag, displacement = mean_square_displacement(samples, symbols)
    density_frequency, density = np.zeros(0), np.zeros((0, 0))
    if len(phases) and spectra.size and len(sheet) <= MAX_BASIS * np.prod(config.supercell):
        basis = np.arange(len(sheet)) % (len(sheet) // int(np.prod(config.supercell)))
        density_frequency, density = spectral_energy_density(
            samples, masses, phases, basis, broadening=config.broadening
        )
    return TemperatureAnalysis(
        label=f"{temperature:g}K",
        metrics=_metrics(samples, sheet, config, temperature=temperature)
        | {"height_std": _height_std(samples, middle)}
        | (_rigidity(heights) if config.ensemble == "npt" and config.tension == 0 else {}),
        frequency=frequency,
        vdos=spectra[0],
        local_vdos=spectra[1] if len(spectra) > 1 else None,
        distance=distance,
        pairs=pairs,
        lag=lag,
        displacement=displacement,
        heights=heights,
        density_frequency=density_frequency,
        density=density,
    )


def _metrics(
    samples: list[Samples], sheet: Atoms, config: MdConfig, *, temperature: float
) -> dict[str, float]:
    n_atoms = len(sheet)
    kinetic = np.concatenate([sample.read("temperature") for sample in samples])
    metrics = {
        "n_frames": float(len(kinetic)),
        "temperature": float(kinetic.mean()),
        "temperature_std": float(kinetic.std()),
        "energy_drift": float(np.mean([energy_drift(sample, n_atoms) for sample in samples])),
        "potential_energy": _mean(samples, "potential_energy") / n_atoms,
    }
    if config.ensemble != "nve":
        metrics["expected_temperature_std"] = temperature * np.sqrt(2 / (3 * max(n_atoms - 1, 1)))
    if config.ensemble == "npt" or config.strain is not None:
        metrics["tension"] = _mean(samples, "tension")
    if config.ensemble == "npt":
        areas = [np.abs(np.linalg.det(sample.read("cell"))) for sample in samples]
        metrics["area"] = float(np.concatenate(areas).mean())
        metrics["area_error"] = block_error(areas)
    return metrics


def _rigidity(heights: HeightSpectrum) -> dict[str, float]:
    if not np.isfinite(heights.rigidity):
        return {}
    return {"bending_rigidity": heights.rigidity, "bending_rigidity_error": heights.rigidity_error}


def energy_drift(sample: Samples, n_atoms: int) -> float:
    """Fit a line to the total energy of a trajectory.

    Parameters
    ----------
    sample
        The trajectory.
    n_atoms
        Atoms of the sheet.

    Returns
    -------
    meV/atom/ns; zero at constant energy but for the errors of the integration. NaN for a single frame.
    """
    times = sample.read("time") * NS
    if len(times) < 2:
        return float("nan")
    energy = sample.read("potential_energy") + sample.read("kinetic_energy")
    return float(np.polyfit(times, 1e3 * (energy - energy[0]) / n_atoms, 1)[0])


def block_error(series: list[FloatArray]) -> float:
    """Estimate the standard error of the mean of correlated numbers from the means of blocks.

    Parameters
    ----------
    series
        Numbers of each trajectory, in the order of time.

    Returns
    -------
    Standard error; NaN for too few numbers.
    """
    blocks = [
        block.mean()
        for numbers in series
        if len(numbers) >= MIN_FRAMES_FOR_BLOCKS
        for block in np.array_split(numbers, N_BLOCKS)
    ]
    return float(np.std(blocks, ddof=1) / np.sqrt(len(blocks))) if blocks else float("nan")


def _expansion(analyses: list[TemperatureAnalysis], config: MdConfig) -> tuple[float, float] | None:
    """Linear thermal expansion from the mean areas at several temperatures: half that of the area."""
    if config.ensemble != "npt" or len(analyses) < 2:
        return None
    ordered = sorted(analyses, key=lambda analysis: analysis.metrics["temperature"])
    first, last = ordered[0].metrics, ordered[-1].metrics
    difference = last["temperature"] - first["temperature"]
    slope = (np.log(last["area"]) - np.log(first["area"])) / 2 / difference
    error = np.hypot(last["area_error"] / last["area"], first["area_error"] / first["area"]) / 2 / difference
    return float(slope), float(abs(error))


def _mean(samples: list[Samples], name: str) -> float:
    return float(np.concatenate([sample.read(name) for sample in samples]).mean())


def _about_middle(sheet: Atoms) -> FloatArray:
    heights = unwrapped_heights(sheet)
    return np.asarray(heights - np.median(heights))  # an adatom does not move it


def _height_std(samples: list[Samples], atoms: IntArray) -> float:
    """Å, standard deviation of the heights within a frame."""
    squares = []
    for sample in samples:
        heights = sample.read("positions", atoms)[..., 2]
        squares.append(heights.var(axis=1).mean())
    return float(np.sqrt(np.mean(squares)))


def _last_frame(walker: Any) -> Atoms:
    frame = walker.atoms.copy()
    frame.arrays["velocities"] = walker.velocities * units.fs  # Å/fs
    frame.info |= {"trajectory": walker.name, "temperature": walker.temperature}
    return frame
