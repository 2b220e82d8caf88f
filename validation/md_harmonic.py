"""Molecular dynamics of WSe2 at 10 K against its harmonic vibrations, and how far its energy drifts.

    OMP_NUM_THREADS=1 python validation/md_harmonic.py [MODEL] [--size 3] [--steps 16384] [--time-step 1.0]

All modes of an n × n cell get the same energy k_B T and random phases; the sheet then moves at constant energy. With equal energies the
spectrum of the velocities is the density of states of the modes, which finite differences of the forces give, both with the same Gaussian
broadening. Prints the L1 difference, and the slope of the total energy. Some ten minutes on one core.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from ase import Atoms, units

import flatforce as ff
from flatforce.core.arrays import FloatArray
from flatforce.core.units import FREQUENCY_FACTOR
from flatforce.models.potential import Potential
from flatforce.models.slab import pad_vacuum
from flatforce.properties.dynamics.analysis import energy_drift
from flatforce.properties.dynamics.integrator import Integrator
from flatforce.properties.dynamics.moving_sheet import MovingSheet
from flatforce.properties.dynamics.samples import PER_FRAME, FrameBuffer, Samples, join_pieces
from flatforce.properties.dynamics.spectra import vibrational_dos
from flatforce.properties.phonons.spectra.modes import gaussian_dos

TEMPERATURE = 10.0
INTERVAL = 8
"""Steps between recorded frames."""
DISPLACEMENT = 0.005
"""Å, of the finite differences."""
BROADENING = 0.15
"""THz."""
WINDOW = 0.61
"""THz ps, standard deviation of the Gaussian that is as wide at half height as the power spectrum of a Hann window, 1.44 / length."""


def normal_modes(potential: Potential, sheet: Atoms) -> tuple[FloatArray, FloatArray]:
    """Angular frequencies (1/ASE time unit) and mass-weighted eigenvectors, without the three translations."""
    frames = []
    for component in range(3 * len(sheet)):
        for sign in (1, -1):
            frame = sheet.copy()
            frame.positions[component // 3, component % 3] += sign * DISPLACEMENT
            frames.append(frame)
    forces = np.array([one.forces.ravel() for one in potential.evaluate(frames, stress=False)])
    hessian = (forces[1::2] - forces[::2]) / (2 * DISPLACEMENT)
    roots = np.repeat(np.sqrt(sheet.get_masses()), 3)
    squares, vectors = np.linalg.eigh((hessian + hessian.T) / 2 / np.outer(roots, roots))
    return np.sqrt(squares[3:]), vectors[:, 3:]


def moving(sheet: Atoms, angular: FloatArray, vectors: FloatArray) -> MovingSheet:
    """The sheet with the same energy in every mode."""
    rng = np.random.default_rng(0)
    phases = rng.uniform(0, 2 * np.pi, len(angular))
    roots = np.sqrt(sheet.get_masses())[:, None]
    amplitude = np.sqrt(2 * units.kB * TEMPERATURE)
    displaced = sheet.copy()
    displaced.positions += (vectors @ (amplitude / angular * np.cos(phases))).reshape(-1, 3) / roots
    velocities = -(vectors @ (amplitude * np.sin(phases))).reshape(-1, 3) / roots
    return MovingSheet(atoms=displaced, temperature=TEMPERATURE, velocities=velocities, rng=rng)


def run(
    potential: Potential, walker: MovingSheet, folder: Path, *, time_step: float, n_steps: int
) -> Samples:
    integrator = Integrator(time_step=time_step, thermostat="none")
    (prediction,) = potential.evaluate([walker.atoms], stress=False)
    buffer = FrameBuffer()
    for step in range(n_steps + 1):
        if step % INTERVAL == 0:
            buffer.frames.append(
                dict.fromkeys(PER_FRAME, 0.0)
                | {
                    "time": step * time_step,
                    "cell": walker.atoms.cell.array[:2, :2].copy(),
                    "positions": walker.atoms.positions.astype(np.float32),
                    "velocities": (walker.velocities * units.fs).astype(np.float32),
                    "potential_energy": prediction.energy,
                    "kinetic_energy": walker.kinetic_energy,
                    "temperature": 2 * walker.kinetic_energy / (walker.degrees_of_freedom * units.kB),
                }
            )
        integrator.begin_step(walker, prediction)
        (prediction,) = potential.evaluate([walker.atoms], stress=False)
        integrator.end_step(walker, prediction)
    buffer.write(folder / "piece.npz")
    join_pieces(folder / "all.hdf5", {"10K_1": [folder / "piece.npz"]}, walker.atoms.numbers)
    return Samples(folder / "all.hdf5", "10K_1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="symmetrix:wse2-pbe")
    parser.add_argument("--size", type=int, default=3)
    parser.add_argument("--steps", type=int, default=16384)
    parser.add_argument("--time-step", type=float, default=1.0)
    options = parser.parse_args()
    potential = ff.load(options.model)
    primitive = ff.relax(
        options.model, ff.monolayer("WSe2"), keep_symmetry=True, max_force=1e-4, max_stress=1e-4
    ).atoms
    sheet = pad_vacuum(primitive.repeat((options.size, options.size, 1)), potential.cutoff)
    angular, vectors = normal_modes(potential, sheet)
    walker = moving(sheet, angular, vectors)
    with tempfile.TemporaryDirectory() as folder:
        samples = run(potential, walker, Path(folder), time_step=options.time_step, n_steps=options.steps)
        masses = sheet.get_masses()
        grid, spectra = vibrational_dos([samples], masses, np.ones((1, len(sheet))), broadening=BROADENING)
        drift = energy_drift(samples, len(sheet))
        total = samples.read("potential_energy") + samples.read("kinetic_energy")
        temperature = samples.read("temperature")
    frequency = angular * FREQUENCY_FACTOR
    length = options.steps * options.time_step * 1e-3  # ps; the window of the transform broadens as well
    broadening = np.hypot(BROADENING, WINDOW / length)
    expected = gaussian_dos(frequency[None], np.ones((1, len(frequency))), grid, broadening)
    scaled = spectra[0] * expected.sum() / spectra[0].sum()
    print(
        f"{len(sheet)} atoms, {options.steps} steps of {options.time_step:g} fs, {frequency.min():.2f} to {frequency.max():.2f} THz"
    )
    print(f"temperature {temperature.mean():.2f} K")
    print(
        f"L1 difference of the density of states: {100 * np.abs(scaled - expected).sum() / expected.sum():.2f} %"
    )
    print(
        f"drift of the energy: {drift:.4f} meV/atom/ns, standard deviation {1e6 * total.std() / len(sheet):.4f} µeV/atom"
    )


if __name__ == "__main__":
    main()
