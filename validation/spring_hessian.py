"""Steps that relaxations of 66 monolayers need, from the second derivatives of springs of several stiffness.

    OMP_NUM_THREADS=1 python validation/spring_hessian.py

CHGNet relaxes the first frames of the bundled dataset `2d-pbe-mini` to 0.01 eV/Å and 0.05 N/m. Energies are compared with those of FIRE;
docs/validation/screening.md holds the output.
"""

from __future__ import annotations

import numpy as np

from flatforce.data.bundled import dataset_path
from flatforce.data.frame_files import read_sheets
from flatforce.models import load
from flatforce.properties import spring_hessian
from flatforce.properties.benchmark.materials import collect_materials
from flatforce.properties.relax import relax_many
from flatforce.properties.relax_config import RelaxConfig
from flatforce.properties.relaxation import Relaxation

CASES: list[tuple[str, dict[str, float]]] = [
    ("FIRE", {}),
    ("LBFGS", {}),
    ("BFGS", {}),
    ("BFGS", {"STIFFNESS": 20}),
    ("BFGS", {"STIFFNESS": 60}),
    ("BFGS", {"TRANSVERSE": 0.05}),
    ("BFGS", {"TRANSVERSE": 0.3}),
    ("BFGS", {"MIN_CURVATURE": 0.5}),
    ("BFGS", {"MIN_CURVATURE": 5.0}),
    ("BFGS", {"DECAY": 3.0}),
    ("BFGS", {"DECAY": 8.0}),
]


def main() -> None:
    potential = load("chgnet", device="cpu")
    sheets = [material.start for material in collect_materials(read_sheets(dataset_path("2d-pbe-mini")))]
    defaults = {
        name: getattr(spring_hessian, name) for name in ("STIFFNESS", "TRANSVERSE", "MIN_CURVATURE", "DECAY")
    }
    reference: np.ndarray | None = None
    for optimizer, changes in CASES:
        for name, value in (defaults | changes).items():
            setattr(spring_hessian, name, value)
        settings = {"max_force": 0.01, "max_stress": 0.05, "max_steps": 400, "optimizer": optimizer}
        results = [
            result
            for result in relax_many(potential, sheets, RelaxConfig.parse(settings))
            if isinstance(result, Relaxation)
        ]
        energies = np.array([result.energy / len(result.atoms) for result in results])
        steps = np.array([result.n_steps for result in results])
        reference = energies if reference is None else reference
        difference = 1e3 * np.abs(energies - reference)
        print(
            f"{optimizer} {changes}: {len(results)} sheets, {sum(result.converged for result in results)} converged, steps "
            f"{steps.mean():.1f} (median {np.median(steps):.0f}, at most {steps.max()}), energies within {np.median(difference):.3f} "
            f"meV/atom (median), {np.sort(difference)[-3:].round(2)} (largest)",
            flush=True,
        )


if __name__ == "__main__":
    main()
