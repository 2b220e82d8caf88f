"""The strain at which a defect costs least, or most, found with few evaluations."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from flatforce.active.strain_optimum import optimise_strain
from flatforce.core.hashing import hash_file
from flatforce.core.results import Record, claim_folder, read_record, stage_key, write_record
from flatforce.data.frames import read_structure
from flatforce.models import load
from flatforce.studies.inputs import Reporter, input_hashes, unreported

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.active.optimum_config import OptimumConfig


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
    decisive = {key: value for key, value in settings.items() if key != "search"}
    with report(f"{defect}: strain") as progress:
        outcome = optimise_strain(
            potential,
            sheet,
            defect,
            config,
            scratch=folder / "points" / stage_key(decisive, inputs),
            progress=progress,
        )
    record = Record(
        outcome.kind,
        settings,
        outcome.metrics,
        dict(outcome.units),
        inputs,
        warnings=outcome.notes,
        details=outcome.details,
        seed=config.search.seed,
    )
    write_record(folder, record.taking(time.perf_counter() - start), outcome.arrays())
    return read_record(folder)
