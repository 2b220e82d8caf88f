"""Molecular dynamics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from flatforce.api.arguments import Structure, folder_of, parse, session_of, source_of, takes_settings
from flatforce.properties.dynamics.config import MdConfig

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.models.potential import Potential
    from flatforce.report.result import MdResult


@takes_settings(MdConfig)
def md(
    model: str | Path | Potential,
    sheet: Structure,
    *,
    folder: str | Path | None = None,
    device: str = "auto",
    progress: bool = False,
    **settings: Any,
) -> MdResult:
    """Run molecular dynamics of a sheet: at constant energy, temperature, or membrane tension.

    Parameters
    ----------
    model
        A force field, or its name; `symmetrix:` models are the fastest on a CPU.
    sheet
        The structure, or its file.
    folder
        Result folder; a scratch folder, removed when Python ends, if None.
    device
        `cpu`, `cuda`, or `auto`.
    progress
        Whether progress is shown.
    **settings
        Settings of the dynamics.

    Returns
    -------
    The trajectories and their analysis: `.vdos`, `.pair_distribution`, `.positions(name)` in Å, `.last`, `.plot()`.

    Examples
    --------
    >>> import flatforce as ff
    >>> model = ff.load("mace:wse2-pbe")
    >>> sheet = ff.relax(model, ff.monolayer("WSe2"), keep_symmetry=True).atoms
    >>> run = ff.md(model, sheet, supercell=(2, 2), temperatures=[300], steps=40, equilibration=20)
    >>> run.names
    ['300K_1']
    >>> run.positions("300K_1").shape  # five frames of twelve atoms
    (5, 12, 3)
    """
    from flatforce.report.result import open_result
    from flatforce.studies.md import MdStage

    target = folder_of(folder, "md")
    config = parse(MdConfig, settings, function="md")
    MdStage(source_of(sheet), config).run(session_of(model, device=device, progress=progress), target)
    return cast("MdResult", open_result(target))
