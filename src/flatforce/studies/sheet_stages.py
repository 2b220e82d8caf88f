"""What a study computes besides phonons: mechanics, dynamics, energies and hops of defects, screening, exports."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flatforce.properties.export.config import ExportConfig
from flatforce.properties.screening.config import ScreenConfig
from flatforce.studies.checks import collected
from flatforce.studies.defect_energy import DefectEnergyStage, with_card_references
from flatforce.studies.elastic import ElasticStage
from flatforce.studies.expansion import ExpansionStage
from flatforce.studies.export import ForceConstantsExportStage, ModelExportStage, mace_spec
from flatforce.studies.md import MdStage
from flatforce.studies.screen import ScreenStage

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.errors import FlatforceError
    from flatforce.reference.config import LabelConfig
    from flatforce.studies.config import StudyConfig
    from flatforce.studies.session import Session
    from flatforce.studies.stage import Stage


def run_sheet_stages(
    config: StudyConfig, relaxed: Path, folder: Path, session: Session
) -> dict[str, dict[str, Any]]:
    """Run what a study asks of the pristine sheet besides its phonons, and the formation energies of its defects.

    Parameters
    ----------
    config
        Settings of the study.
    relaxed
        File of the relaxed sheet.
    folder
        Folder of the study.
    session
        Force field.

    Returns
    -------
    Name of each folder → content of its `result.json`.
    """
    stages: dict[str, Stage] = {}
    if config.elastic is not None:
        stages["elastic"] = ElasticStage(relaxed, config.elastic)
    if config.expansion is not None:
        stages["expansion"] = ExpansionStage(relaxed, config.expansion)
    if config.md is not None:
        stages["md"] = MdStage(relaxed, config.md)
    if config.defect_energies is not None:
        names = tuple(session.defect_name(relaxed, defect.defect) for defect in config.defects)
        settings = with_card_references(config.defect_energies, session.spec)
        stages["defect_energies"] = DefectEnergyStage(relaxed, names, settings)
    return {name: stage.run(session, folder / name) for name, stage in stages.items()}


def run_last_stages(
    config: StudyConfig, relaxed: Path, folder: Path, session: Session
) -> dict[str, dict[str, Any]]:
    """Screen other sheets, and write files for other programs.

    Parameters
    ----------
    config
        Settings of the study.
    relaxed
        File of the relaxed sheet, on which exports are compared.
    folder
        Folder of the study.
    session
        Force field.

    Returns
    -------
    Name of each folder, `screen` and such as `export_lammps` → content of its `result.json`.
    """
    records = {}
    screening = _screening(config)
    if screening is not None:
        records["screen"] = screening.run(session, folder / "screen")
    for name, stage in _exports(config, relaxed, folder).items():
        exported = session.member(mace_spec(session.spec)) if stage.needs_model else session
        records[name] = stage.run(exported, folder / name)
    return records


def last_stage_names(config: StudyConfig) -> list[str]:
    """Name the folders of `run_last_stages`.

    Parameters
    ----------
    config
        Settings of the study.

    Returns
    -------
    Names inside the folder of the study, in the order in which they are written.
    """
    names = [] if config.screen is None else ["screen"]
    return names + (
        [] if config.export is None else [f"export_{to}" for to in dict.fromkeys(config.export.to)]
    )


def sheet_stage_problems(
    config: StudyConfig, primitive: Atoms, session: Session | None
) -> list[FlatforceError]:
    """Check energies and hops of defects, the screening, and the exports before anything is computed.

    Parameters
    ----------
    config
        Settings of the study.
    primitive
        Its sheet, not yet relaxed.
    session
        Force field; None if the study trains it.

    Returns
    -------
    What is wrong, as errors that were not raised.
    """
    from flatforce.models.exports.symmetrix_json import require_symmetrix
    from flatforce.properties.barriers.hops import find_hops

    errors: list[FlatforceError] = []
    if config.defect_energies is not None:
        settings = config.defect_energies
        if config.model is not None:
            settings = with_card_references(settings, config.model)
        names = tuple(defect.defect for defect in config.defects)
        errors += DefectEnergyStage(primitive, names, settings).notation_problems(primitive)
        errors += _label_problems(settings.verify)
    for defect in config.defects:
        if defect.hops is not None:
            errors += collected(partial(find_hops, primitive, defect.defect, defect.hops))
            errors += _label_problems(defect.hops.path.verify)
    screening = _screening(config)
    if screening is not None:
        errors += screening.file_problems() if session is None else list(screening.problems(session))
    if config.export is not None and set(config.export.to) != {"phonopy"}:
        errors += collected(partial(mace_spec, _model_name(config)))
        errors += collected(require_symmetrix) if "symmetrix" in config.export.to else []
    return errors


def _label_problems(config: LabelConfig | None) -> list[FlatforceError]:
    from flatforce.studies.learn.checks import label_problems

    return [] if config is None else label_problems(config)


def _model_name(config: StudyConfig) -> str:
    """Name of the force field, or such a name as that which the study will train."""
    from flatforce.models.spec import split_spec

    if config.model is not None or config.train is None:
        return config.model or ""
    kind = (
        config.train.model.kind if config.train.start_from is None else split_spec(config.train.start_from)[0]
    )
    name = f"{kind}:trained"
    return name if config.train.n_models == 1 else f"committee:{name}"


def _screening(config: StudyConfig) -> ScreenStage | None:
    if config.screen is None:
        return None
    structures, references = (
        None if name is None else Path(name) for name in (config.screen.structures, config.screen.references)
    )
    settings = ScreenConfig(**config.screen.model_dump(exclude={"structures", "references"}))
    return ScreenStage(structures, settings, references)


def _exports(config: StudyConfig, relaxed: Path, folder: Path) -> dict[str, Stage]:
    if config.export is None:
        return {}
    settings = ExportConfig(**config.export.model_dump(exclude={"to"}))
    return {
        f"export_{to}": ForceConstantsExportStage(folder / "phonons", settings)
        if to == "phonopy"
        else ModelExportStage(relaxed, to, settings)
        for to in config.export.to
    }
