"""Export of a force field, or of the force constants of a result, to another program."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from flatforce.core.errors import ConfigError, ModelError, ResultError
from flatforce.properties.export.config import ExportConfig
from flatforce.studies.checks import collected, structure_problems
from flatforce.studies.stage import Context, Source, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flatforce.core.errors import FlatforceError
    from flatforce.core.identity import Identity
    from flatforce.core.outcome import Outcome
    from flatforce.properties.export.config import Target
    from flatforce.studies.session import Session

MODEL_FILES: dict[str, tuple[str, ...]] = {
    "lammps": ("model-mliap_lammps.pt", "in.lammps", "sheet.data", "run_lammps.py"),
    "symmetrix": ("model.json", "in.lammps", "sheet.data"),
    "ase": ("model.model", "calculator.py"),
}
"""Program → files that are written for it."""


@dataclass(frozen=True)
class ModelExportStage(Stage):
    """Exports a MACE model and compares it on a sheet; the files stand in the folder."""

    kind: ClassVar[str] = "model export"
    files: ClassVar[tuple[str, ...]] = tuple(
        sorted({name for names in MODEL_FILES.values() for name in names})
    )

    structure: Source
    to: Target
    config: ExportConfig

    def inputs(self) -> dict[str, Source | str | None]:
        """Return the sheet."""
        return {"structure": self.structure}

    def settings(self) -> dict[str, Any]:
        """Return the program, and the version of LAMMPS that compares, if that is installed."""
        from flatforce.models.exports.lammps_process import lammps_environment

        settings: dict[str, Any] = {"to": self.to}
        if self.to == "lammps":
            environment = lammps_environment()
            settings["lammps"] = None if environment is None else environment.versions.get("lammps")
        return settings

    def extends(self, record: dict[str, Any], identity: Identity) -> bool:
        """Tell whether the folder is of the same export, compared with another version of LAMMPS or none."""
        stored, settings = dict(record["config"]), dict(identity.settings)
        before, now = stored.pop("lammps", None), settings.pop("lammps", None)
        same = record["kind"] == self.kind and record["inputs"] == identity.inputs and stored == settings
        return bool(same and now is not None and now != before)

    def problems(self, session: Session) -> Iterator[FlatforceError]:
        """Check that the model knows the species of the sheet, and that symmetrix is installed where it is needed."""
        yield from structure_problems(session, self.structure)
        if self.to == "symmetrix":
            from flatforce.models.exports.symmetrix_json import require_symmetrix

            yield from collected(require_symmetrix)

    def title(self, folder: Path) -> str:
        """Return what the progress display says."""
        del folder
        return f"export to {self.to}"

    def compute(self, context: Context) -> Outcome:
        """Write the files, evaluate them in their program, and compare."""
        from flatforce.properties.export.model import export_model

        return export_model(
            context.potential,
            context.structure(self.structure),
            self.config,
            to=self.to,
            scratch=context.scratch,
            progress=context.progress,
        )


@dataclass(frozen=True)
class ForceConstantsExportStage(Stage):
    """Exports the force constants of a result folder to phonopy's files, and reads them back."""

    kind: ClassVar[str] = "force constants export"
    files: ClassVar[tuple[str, ...]] = (
        "phonopy_params.yaml",
        "phonopy.yaml",
        "FORCE_CONSTANTS",
        "force_constants.hdf5",
    )
    needs_model: ClassVar[bool] = False

    result: Path
    """Folder of `flatforce phonons`, or of one cell of `flatforce defect phonons`."""
    config: ExportConfig

    def inputs(self) -> dict[str, Source | str | None]:
        """Return the record of the result."""
        return {"result": self.result / "result.json"}

    def compute(self, context: Context) -> Outcome:
        """Write phonopy's files, and read them back."""
        from flatforce.properties.export.force_constants import export_force_constants
        from flatforce.report.result import open_result

        result = open_result(self.result)
        to_phonopy = getattr(result, "to_phonopy", None)
        if to_phonopy is None:
            raise ResultError(
                f"{self.result} holds no force constants for phonopy.",
                why="an embedded defect has no dense matrix, and other results have none at all",
                fix="give a folder of `flatforce phonons`, or of one supercell of `flatforce defect phonons`",
            )
        context.scratch.mkdir(parents=True, exist_ok=True)
        polar = getattr(result, "record", {}).get("config", {}).get("polar")
        remark = "the long-range term of the polar sheet is not part of the force constants"
        return export_force_constants(
            to_phonopy(),
            tolerance=self.config.max_frequency_difference,
            scratch=context.scratch,
            remarks=[remark] if polar else [],
        )


def export_stage(
    source: str, to: Target, config: ExportConfig, *, sheet: Source | None
) -> ModelExportStage | ForceConstantsExportStage:
    """Choose the stage of an export.

    Parameters
    ----------
    source
        Name of a force field, or a result folder for phonopy.
    to
        The program.
    config
        Settings.
    sheet
        The sheet on which a force field is compared.

    Returns
    -------
    The stage that exports a force field, or the one for the force constants of a result folder.

    Raises
    ------
    ConfigError
        If source and program do not belong together, or the sheet is missing.
    """
    if to == "phonopy":
        if not Path(source).is_dir():
            raise ConfigError(
                f"{source} is no result folder.",
                why="phonopy reads force constants, not force fields",
                fix=f"flatforce phonons {source} SHEET -o phonons, then flatforce export phonons --to phonopy -o export",
            )
        return ForceConstantsExportStage(Path(source), config)
    if Path(source).is_dir():
        raise ConfigError(
            f"{source} is a folder, and {to} reads a force field.",
            fix=f"give the model in it, such as {source}/model.model, or write --to phonopy for force constants",
        )
    if sheet is None:
        raise ConfigError(
            "The sheet is missing on which the export is compared.",
            fix="give the structure that you want to simulate: --sheet relaxed/relaxed.extxyz",
        )
    return ModelExportStage(sheet, to, config)


def mace_spec(source: str) -> str:
    """Name the MACE model that is exported.

    Parameters
    ----------
    source
        Name of a force field.

    Returns
    -------
    `mace:…`, also for a model that was named with its compiled kernels, `symmetrix:…`.

    Raises
    ------
    ModelError
        If it is no single MACE model.
    """
    from flatforce.models.dispersion import split_dispersion
    from flatforce.models.spec import BACKENDS, committee_members, split_spec

    kind, name = split_spec(source)
    if kind in {"mace", "symmetrix"}:
        return f"mace:{name}"
    if kind == "committee":
        raise ModelError(
            "A committee cannot be exported.",
            why="the other programs evaluate one model",
            fix=f"export a member: flatforce export {committee_members(source)[0]}",
        )
    if kind == "d3":
        corrected = split_dispersion(name, BACKENDS)[1]
        raise ModelError(
            "A force field with D3 cannot be exported.",
            why="the other programs evaluate the model alone",
            fix=f"export {corrected}, and add D3 in the other program",
        )
    raise ModelError(
        f"{kind} models cannot be exported.",
        why="LAMMPS, symmetrix and the ASE module are made from models of MACE",
        fix=f'use the interface of {kind} itself, or ff.load("{source}").calculator() in Python, a calculator of ASE',
    )
