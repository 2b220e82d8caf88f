"""Exports of force fields and force constants to other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from flatforce.api.arguments import Structure, folder_of, parse, session_of, source_of, takes_settings
from flatforce.properties.export.config import ExportConfig, Target

if TYPE_CHECKING:
    from flatforce.models.potential import Potential
    from flatforce.report.result import ExportResult, ForceConstantsExportResult, Result


@takes_settings(ExportConfig)
def export(
    source: str | Path | Potential | Result,
    folder: str | Path | None = None,
    *,
    to: Target,
    sheet: Structure | None = None,
    progress: bool = False,
    **settings: Any,
) -> ExportResult | ForceConstantsExportResult:
    """Write a force field, or force constants, for another program, and compare both on your sheet.

    Parameters
    ----------
    source
        A MACE model, or its name; for phonopy a result with phonons, or its folder.
    folder
        Folder of the export; a scratch folder, removed when Python ends, if None.
    to
        `lammps`, `symmetrix`, `phonopy` or `ase`.
    sheet
        Structure on which a force field is compared, or its file; not needed for phonopy.
    progress
        Whether progress is shown.
    **settings
        Settings of the export.

    Returns
    -------
    The certificate: `.files`, `.max_force_difference` in eV/Å, `.frequency_difference` in THz, `.converged`.

    Examples
    --------
    >>> import flatforce as ff
    >>> exported = ff.export("mace:wse2-pbe", to="ase", sheet=ff.monolayer("WSe2"))
    >>> exported.files
    ['calculator.py', 'model.model']
    >>> exported.max_force_difference < 1e-5
    True
    """
    from flatforce.report.result import open_result
    from flatforce.studies.export import export_stage, mace_spec

    target = folder_of(folder, "export")
    config = parse(ExportConfig, settings, function="export")
    name = str(getattr(source, "spec", None) or getattr(source, "folder", source))
    stage = export_stage(name, to, config, sheet=None if sheet is None else source_of(sheet))
    stage.run(
        session_of(mace_spec(name) if stage.needs_model else None, device="cpu", progress=progress), target
    )
    return cast("ExportResult | ForceConstantsExportResult", open_result(target))
