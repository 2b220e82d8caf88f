"""Area of WSe2 at 300 K by molecular dynamics at zero tension, against the quasi-harmonic area of the same supercell.

    OMP_NUM_THREADS=1 python validation/dynamics_area.py FOLDER [--size 6] [--steps 30000] [--temperature 300]

Molecular dynamics is classical and knows only the waves that fit into its cell, and so does the quasi-harmonic area here. A run that was
killed goes on in the same folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import flatforce as ff
from flatforce.core.units import EV_PER_A2_IN_N_PER_M
from flatforce.properties.expansion.grueneisen import area_shift


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=6)
    parser.add_argument("--steps", type=int, default=30000)
    parser.add_argument("--temperature", type=float, default=300.0)
    parser.add_argument("--model", default="symmetrix:wse2-pbe")
    options = parser.parse_args()
    model = ff.load(options.model)
    relaxed = ff.relax(
        model, ff.monolayer("WSe2"), keep_symmetry=True, max_stress=0.002, folder=options.folder / "relax"
    )
    harmonic = ff.expansion(model, relaxed.atoms, mesh=8 * options.size, folder=options.folder / "harmonic")
    counts = harmonic.arrays["qpoints"] * options.size
    fits = np.abs(counts - np.round(counts)).max(axis=1) < 1e-6
    lattice = relaxed.atoms.cell.array[:2, :2]
    surface = abs(float(np.linalg.det(lattice)))
    modulus = harmonic.metrics["area_modulus"]
    assert modulus is not None
    rigidity = modulus / EV_PER_A2_IN_N_PER_M * surface
    shift = area_shift(
        harmonic.arrays["mode_frequency"][fits],
        harmonic.arrays["grueneisen"][fits],
        temperature=options.temperature,
        rigidity=rigidity,
        classical=True,
    )
    expected = options.size**2 * surface * (1 + shift)
    run = ff.md(
        model,
        relaxed.atoms,
        supercell=(options.size, options.size),
        ensemble="npt",
        temperatures=[options.temperature],
        time_step=2.0,
        steps=options.steps,
        equilibration=2000,
        sampling_interval=10,
        progress=True,
        folder=options.folder / f"md_{options.size}x{options.size}",
    )
    area, error = run.metrics["area"], run.metrics["area_error"]
    assert area is not None
    assert error is not None
    static = options.size**2 * surface
    print(f"{fits.sum()} waves; area without vibrations {static:.3f}, quasi-harmonic {expected:.3f}")
    print(f"molecular dynamics {area:.3f} ± {error:.3f} Å² at {run.metrics['temperature']:.1f} K")
    print(
        f"growth: quasi-harmonic {expected / static - 1:.5f}, molecular dynamics {area / static - 1:.5f} ± {error / static:.5f}"
    )


if __name__ == "__main__":
    main()
