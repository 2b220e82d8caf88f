"""The strain at which a defect costs least, or most, found with few evaluations."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, PositiveInt

from flatforce.active.bayesian_optimisation import Search, search
from flatforce.core.config import Config
from flatforce.core.errors import FlatforceError, GeometryError
from flatforce.core.files import write_arrays
from flatforce.core.hashing import hash_file
from flatforce.core.results import Record, claim_folder, read_record, stage_key, write_record
from flatforce.data.frames import read_structure
from flatforce.models import load
from flatforce.properties.relax import relax
from flatforce.properties.relax_config import RelaxConfig
from flatforce.structures.defects import build_defect
from flatforce.structures.strain import rattle_positions, apply_strain
from flatforce.studies.inputs import Reporter, input_hashes, unreported

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential

BROKEN_SYMMETRY = 0.005
"""Å. A defect is rattled by so much before it relaxes: a symmetric start may be a saddle."""


class OptimumConfig(Config):
    """Where the formation energy of a defect is searched."""

    search: Search = Search()
    """The coordinates are the strains along x and y; 0.01 is one per cent."""
    supercell: tuple[PositiveInt, PositiveInt] = (4, 4)
    """Primitive cells along both vectors."""
    max_force: float = Field(0.005, gt=0.0)
    """eV/Å, left on any atom."""
    max_steps: PositiveInt = 500
    """Of a relaxation."""


def defect_optimum(
    spec: str,
    structure: Path,
    defect: str,
    config: OptimumConfig,
    folder: Path,
    *,
    device: str = "auto",
    report: Reporter = unreported,
) -> dict[str, Any]:
    """Search the in-plane strain with the least or the largest formation energy of a defect.

    Parameters
    ----------
    spec
        Force field.
    structure
        File of the relaxed primitive cell: strain is measured from it.
    defect
        Name of the defect.
    config
        Settings.
    folder
        Result folder; every strain that was evaluated stands in `points/`, whatever the search was.
    device
        `cpu`, `cuda`, or `auto`.
    report
        Opens the progress display.

    Returns
    -------
    The content of `result.json`. Energies are relative to the unstrained sheet, so that the reservoir of the atoms that
    were added or removed does not matter.

    Raises
    ------
    GeometryError
        If the defect does not relax in the unstrained sheet.
    """
    settings = config.model_dump(mode="json") | {"defect": defect}
    sheet = read_structure(structure)
    inputs = input_hashes(spec) | {"structure": hash_file(structure)}
    if not claim_folder(folder, settings, inputs):
        return read_record(folder)
    start = time.perf_counter()
    potential = load(spec, device=device)
    decides = {key: value for key, value in settings.items() if key != "search"}
    points = folder / "points" / stage_key(decides, inputs)
    evaluated = _Evaluated(potential, sheet, defect, config, points)
    home = evaluated(np.zeros(2))
    if not np.isfinite(home):
        raise GeometryError(f"{defect} does not relax in the unstrained sheet.", fix="raise max_steps")
    with report(f"{defect}: strain") as progress:
        found = search(
            lambda strain: evaluated(strain) - home,
            config.search,
            known={(0.0, 0.0): 0.0},
            progress=progress,
        )
    aim = config.search.aim
    best = found.best(aim)
    nearest = int(np.linalg.norm(found.grid - found.places[best], axis=1).argmin())
    low, high = np.array(config.search.lowest), np.array(config.search.highest)
    edge = bool(np.isclose(found.places[best], low).any() or np.isclose(found.places[best], high).any())
    metrics = {
        "best": float(found.values[best]),
        "strain_x": float(found.places[best, 0]),
        "strain_y": float(found.places[best, 1]),
        "deviation": float(found.deviation[nearest]),
        "n_evaluations": float(config.search.evaluations),
        "n_lost": float(np.isnan(found.values).sum()),
    }
    units = {"best": "eV", "strain_x": "1", "strain_y": "1", "deviation": "eV"}
    units |= {"n_evaluations": "1", "n_lost": "1"}
    sought = aim in {"minimum", "maximum"}
    said = ["the extremum lies on the edge of the strains that were allowed"] if edge and sought else []
    if lost := found.places[np.isnan(found.values)].round(4).tolist():
        said.append(f"{defect} did not relax at strains {lost}: raise max_steps, or allow less strain")
    arrays = {
        "places": found.places,
        "values": found.values,
        "grid": found.grid,
        "mean": found.mean,
        "deviation": found.deviation,
    }
    details = {"defect": defect, "aim": aim}
    record = Record(
        "strain optimum",
        settings,
        metrics,
        units,
        inputs,
        warnings=said,
        details=details,
        seed=config.search.seed,
    )
    write_record(folder, record.taking(time.perf_counter() - start), arrays)
    return read_record(folder)


class _Evaluated:
    """Energies of a defect less those of the sheet without it, kept on disk strain by strain."""

    def __init__(
        self, potential: Potential, sheet: Atoms, defect: str, config: OptimumConfig, folder: Path
    ) -> None:
        self.potential, self.sheet, self.folder, self.config = potential, sheet, folder, config
        self.relax = RelaxConfig(relax_cell=False, max_force=config.max_force, max_steps=config.max_steps)
        self.cell = build_defect(sheet, config.supercell, defect).atoms

    def __call__(self, strain: FloatArray) -> float:
        """Return eV at (2,) strains along x and y; not a number where nothing relaxes."""
        path = self.folder / f"{strain[0]:+.6f}_{strain[1]:+.6f}.npz"
        if not path.is_file():
            x, y = (float(one) for one in strain)
            start = rattle_positions(
                apply_strain(self.cell, xx=x, yy=y), amplitude=BROKEN_SYMMETRY, rng=np.random.default_rng(0)
            )
            energy = self._energy(start) - self._energy(apply_strain(self.sheet, xx=x, yy=y)) * np.prod(
                self.config.supercell
            )
            write_arrays(path, {"energy": np.array(energy), "strain": strain})
        with np.load(path) as stored:
            return float(stored["energy"])

    def _energy(self, start: Atoms) -> float:
        try:
            ended = relax(self.potential, start, self.relax)
        except FlatforceError:
            return float("nan")
        return ended.energy if ended.converged else float("nan")
