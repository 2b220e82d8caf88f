"""A whole study: every stage of a YAML file, in order, resumable."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flatforce.core.errors import ConfigError
from flatforce.structures.defect_notation import folder_name
from flatforce.studies.checks import raise_together
from flatforce.studies.defect_series import DefectSeries
from flatforce.studies.evaluation import EvaluateStage
from flatforce.studies.neb import HopSeries
from flatforce.studies.phonons import PhononStage
from flatforce.studies.preflight import study_problems
from flatforce.studies.relax import RelaxStage
from flatforce.studies.session import Reporter, Session, unreported
from flatforce.studies.sheet_stages import run_last_stages, run_sheet_stages
from flatforce.studies.study_folder import structure_path

if TYPE_CHECKING:
    from flatforce.studies.config import StudyConfig

BUNDLED: Final = {"demo": "demo.yaml", "demo-quick": "demo_quick.yaml"}
"""Name → study that ships with the package."""


def study_path(name: str) -> Path:
    """Find a study.

    Parameters
    ----------
    name
        Name of a bundled study, or a path.

    Returns
    -------
    Path of the YAML file of the study.

    Raises
    ------
    ConfigError
        If it is neither.
    """
    if name in BUNDLED:
        return Path(str(resources.files("flatforce.studies") / "bundled" / BUNDLED[name]))
    if not Path(name).is_file():
        raise ConfigError(
            f"There is no study {name}.", fix=f"give the path of a YAML file, or one of {', '.join(BUNDLED)}"
        )
    return Path(name)


def run_study(
    config: StudyConfig, folder: Path, *, device: str = "auto", report: Reporter = unreported
) -> dict[str, dict[str, Any]]:
    """Run a study; finished stages are read back, a killed one resumes.

    Everything that can be checked is checked before the first stage starts, and all problems are reported at once.

    Parameters
    ----------
    config
        Settings.
    folder
        Parent of the result folders.
    device
        `cpu`, `cuda`, or `auto`.
    report
        Opens a progress display for each stage.

    Returns
    -------
    Folder of each stage, relative → content of its `result.json`. The page is `report/index.html`.
    """
    from flatforce.report.update import update_report

    session = Session(config.model, device=device, report=report)
    raise_together(study_problems(config, folder, session), subject="The study")
    records: dict[str, dict[str, Any]] = {}
    structure = structure_path(config, folder)
    if config.model is None:
        spec = _train(config, folder, records, device=device, report=report)
        session = Session(spec, device=device, report=report)
    if config.evaluate is not None:
        held_out = config.train is not None and config.evaluate.held_out
        split = folder / "train" / "split.json" if held_out else None
        records["evaluate"] = EvaluateStage(config.evaluate.frames, split).run(session, folder / "evaluate")
    records["relax"] = RelaxStage(structure, config.relax).run(session, folder / "relax")
    relaxed = folder / "relax" / "relaxed.extxyz"
    if config.phonons is not None:
        records["phonons"] = PhononStage(relaxed, config.phonons).run(session, folder / "phonons")
    records |= run_sheet_stages(config, relaxed, folder, session)
    for defect in config.defects:
        name = defect_folder(defect.defect)
        notation = session.defect_name(relaxed, defect.defect)
        series = DefectSeries(relaxed, notation, defect.supercells(), defect.embed, defect.dilute)
        found = series.run(session, folder / name)
        records |= {f"{name}/{size}": record for size, record in found.items()}
        if defect.hops is not None:
            hops = HopSeries(relaxed, notation, defect.hops).run(session, folder / name)
            records |= {f"{name}/{hop}": record for hop, record in hops.items()}
    records |= run_last_stages(config, relaxed, folder, session)
    update_report(folder, folder / "report")
    return records


def defect_folder(notation: str) -> str:
    """Name the folder of a defect inside a study.

    Parameters
    ----------
    notation
        Notation of the defect.

    Returns
    -------
    Name of the folder inside the study, such as `defects/v_Se_top`.
    """
    return f"defects/{folder_name(notation)}"


def _train(
    config: StudyConfig, folder: Path, records: dict[str, dict[str, Any]], *, device: str, report: Reporter
) -> str:
    from flatforce.models.training.run import train

    assert config.train is not None  # noqa: S101  # the configuration holds one of the two
    settings = config.train if device == "auto" else config.train.model_copy(update={"device": device})
    with report("train") as progress:
        records["train"] = train(settings, folder / "train", progress=progress)
    specs = [
        f"{card['kind']}:{folder / 'train' / card['file']}" for card in records["train"]["details"]["cards"]
    ]
    return specs[0] if len(specs) == 1 else f"committee:{','.join(specs)}"
