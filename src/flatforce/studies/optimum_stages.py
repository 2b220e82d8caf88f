"""The strain at which a defect is most or least stable, as the command line calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flatforce.studies.optimum import StrainOptimumStage
from flatforce.studies.session import Reporter, Session, unreported

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
    """Search the in-plane strain with the smallest or the largest formation energy of a defect.

    Parameters
    ----------
    spec
        Name of the force field.
    structure
        File of the relaxed primitive cell, from which strain is measured.
    defect
        Name of the defect.
    config
        Settings.
    folder
        Result folder.
    device
        `cpu`, `cuda`, or `auto`.
    report
        Opens the progress display.

    Returns
    -------
    The content of `result.json`.
    """
    session = Session(spec, device=device, report=report)
    return StrainOptimumStage(structure, defect, config).run(session, folder)
