"""Formation and binding energies of defects by a force field."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import GeometryError
from flatforce.core.progress import Progress, silent
from flatforce.properties.defect_energies.chemical_potentials import find_limits
from flatforce.properties.defect_energies.energy import DefectEnergy
from flatforce.properties.defect_energies.equivalence import count_equivalent, largest_separation
from flatforce.properties.defect_energies.result import DefectEnergies
from flatforce.properties.relax import relax_many
from flatforce.properties.relax_config import RelaxConfig
from flatforce.properties.relaxation import FailedRelaxation
from flatforce.structures.defect_notation import parse_defect
from flatforce.structures.defects import build_defect
from flatforce.structures.sheet import area
from flatforce.structures.strain import rattle_positions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential
    from flatforce.properties.defect_energies.config import DefectEnergyConfig
    from flatforce.properties.relaxation import Relaxation
    from flatforce.structures.defects import DefectCell


def defect_energies(
    potential: Potential,
    primitive: Atoms,
    defects: Sequence[str],
    config: DefectEnergyConfig,
    *,
    scratch: Path,
    progress: Progress = silent,
) -> DefectEnergies:
    """Compute formation energies at every limit of the chemical potentials, and binding energies of complexes.

    Parameters
    ----------
    potential
        The force field.
    primitive
        Relaxed primitive cell.
    defects
        Notations of the defects; the parts of a complex are computed as well.
    config
        Settings; `references` must be complete.
    scratch
        Folder of parts that an interrupted run takes up again.
    progress
        Called after each relaxation.

    Returns
    -------
    Formation energies (eV) of the defects by size, with the limits of the chemical potentials.
    """
    names = expand(primitive, defects, config)
    flat = potential.evaluate(primitive).energy
    host = _counts(primitive)
    cells = {
        (name, size): build_defect(primitive, (size, size), name)
        for name in names
        for size in sorted(set(config.sizes))
    }
    relaxed = _relax(potential, cells, config, scratch, progress)
    results = []
    for name in names:
        sizes = [size for size in sorted(set(config.sizes)) if (name, size) in cells]
        runs = [relaxed[name, size] for size in sizes]
        results.append(_energy(name, [cells[name, size] for size in sizes], runs, sizes, flat))
    others = {element for result in results for element in result.removed} - set(host)
    limits = find_limits(host, flat, config.references, others)
    return DefectEnergies(
        defects=results,
        limits=limits,
        temperatures=np.array(config.temperatures),
        area=area(primitive),
        structures={f"{name} {size}x{size}": run.atoms for (name, size), run in relaxed.items() if run},
        verify_tolerance=config.verify_tolerance,
    )


def expand(primitive: Atoms, defects: Sequence[str], config: DefectEnergyConfig) -> list[str]:
    """List the defects to compute: arrangements of complexes that name none, and the parts of every complex.

    Parameters
    ----------
    primitive
        The sheet.
    defects
        Notations.
    config
        Settings: number of arrangements, and sizes.

    Returns
    -------
    Canonical notations, each once, parts before their complexes.

    Raises
    ------
    GeometryError
        If a defect cannot be built.
    """
    size = min(config.sizes)
    names: list[str] = []
    for defect in defects:
        expanded = []
        if "+" in defect and "~" not in defect:
            for k in range(1, config.arrangements + 1):
                with suppress(GeometryError):
                    expanded.append(build_defect(primitive, (size, size), f"{defect}~{k}").name)
        if not expanded:
            expanded = [build_defect(primitive, (size, size), defect).name]
        for name in expanded:
            parts = [str(part) for part in parse_defect(name)]
            singles = [_alone(part) for part in parts] if len(parts) > 1 else []
            names += [build_defect(primitive, (size, size), single).name for single in singles]
            names.append(name)
    return list(dict.fromkeys(names))


def _alone(part: str) -> str:
    """Return the notation of a part of a complex by itself: without its arrangement."""
    return part.partition("~")[0]


def _relax(
    potential: Potential,
    cells: dict[tuple[str, int], DefectCell],
    config: DefectEnergyConfig,
    scratch: Path,
    progress: Progress,
) -> dict[tuple[str, int], Relaxation | None]:
    settings = RelaxConfig(
        max_force=config.max_force, max_steps=config.max_steps, relax_cell=False, optimizer="LBFGS"
    )
    scratch.mkdir(parents=True, exist_ok=True)
    starts = [
        rattle_positions(cell.atoms, amplitude=config.rattle, rng=np.random.default_rng([0, k]))
        for k, cell in enumerate(cells.values())
    ]
    runs = relax_many(
        potential, starts, settings, checkpoint=scratch / "defects.checkpoint", progress=progress
    )
    return {
        key: None if isinstance(run, FailedRelaxation) else run for key, run in zip(cells, runs, strict=True)
    }


def _energy(
    name: str,
    cells: list[DefectCell],
    runs: list[Relaxation | None],
    sizes: list[int],
    flat: float,
) -> DefectEnergy:
    """Energies relative to the pristine supercell, without chemical potentials."""
    pristine, defect = _counts(cells[0].pristine), _counts(cells[0].atoms)
    removed = {
        element: pristine.get(element, 0) - defect.get(element, 0)
        for element in sorted({*pristine, *defect})
        if pristine.get(element, 0) != defect.get(element, 0)
    }
    converged = [run is not None and run.converged for run in runs]
    differences = np.array(
        [
            run.energy - size**2 * flat if run is not None and good else np.nan
            for run, size, good in zip(runs, sizes, converged, strict=True)
        ]
    )
    value, error = extrapolate(np.array(sizes, dtype=float) ** 2, differences)
    return DefectEnergy(
        name=name,
        removed=removed,
        sizes=sizes,
        differences=differences,
        difference=value,
        size_error=error,
        multiplicity=count_equivalent(cells[0], sizes[0]),
        separation=largest_separation(cells[0]),
    )


def extrapolate(n_cells: FloatArray, energies: FloatArray) -> tuple[float, float]:
    """Extrapolate energies of periodic defects to an infinite sheet.

    Parameters
    ----------
    n_cells
        (K) number of primitive cells.
    energies
        (K) eV; NaN where a relaxation failed.

    Returns
    -------
    eV, the limit of E + c/N, the law of elastic interactions of periodic images; the energy itself for one size. And the difference
    from the largest supercell, NaN for one size.
    """
    finite = np.isfinite(energies)
    if not finite.any():
        return float("nan"), float("nan")
    if int(finite.sum()) == 1:
        return float(energies[finite][0]), float("nan")
    slope, limit = np.polyfit(1 / n_cells[finite], energies[finite], 1)
    del slope
    largest = energies[finite][np.argmax(n_cells[finite])]
    return float(limit), float(abs(limit - largest))


def _counts(atoms: Atoms) -> dict[str, int]:
    return {str(k): int(v) for k, v in atoms.symbols.formula.count().items()}
