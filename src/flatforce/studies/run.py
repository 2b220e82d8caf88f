"""A whole study: every stage of a YAML file, in order, resumable."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flatforce.core.errors import ConfigError
from flatforce.data.frames import read_structure, write_frames
from flatforce.models.training.run import train
from flatforce.report.page import write_report
from flatforce.structures.prototypes import monolayer
from flatforce.studies import defect_stages, stages
from flatforce.studies.inputs import Reporter, unreported

if TYPE_CHECKING:
    from flatforce.studies.config import DefectConfig, StudyConfig

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
    The YAML file.

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
    """Run a study; finished stages are read back, a killed one goes on.

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
    done: dict[str, dict[str, Any]] = {}
    structure = _structure(config, folder)
    spec = config.model or _train(config, folder, done, device=device, report=report)
    if config.evaluate is not None:
        split = folder / "train" / "split.json"
        done["evaluate"] = stages.evaluate(
            spec,
            config.evaluate.frames,
            folder / "evaluate",
            split=split if config.train is not None and config.evaluate.held_out else None,
            device=device,
            report=report,
        )
    done["relax"] = stages.relax(
        spec, structure, config.relax, folder / "relax", device=device, report=report
    )
    relaxed = folder / "relax" / "relaxed.extxyz"
    if config.phonons is not None:
        done["phonons"] = stages.phonons(
            spec, relaxed, config.phonons, folder / "phonons", device=device, report=report
        )
    for one in config.defects:
        name = f"defects/{re.sub(r'[^A-Za-z0-9]+', '_', one.defect).strip('_')}"
        found = defect_stages.defect_sizes(
            spec,
            relaxed,
            one.defect,
            _sizes(one),
            folder / name,
            embedding=one.embed,
            dilution=one.dilute,
            device=device,
            report=report,
        )
        done |= {f"{name}/{size}": result for size, result in found.items()}
    write_report(folder, folder / "report")
    return done


def _structure(config: StudyConfig, folder: Path) -> Path:
    given = config.structure
    if isinstance(given, str):
        read_structure(Path(given))
        return Path(given)
    made = monolayer(given.elements, prototype=given.prototype, a=given.a, thickness=given.thickness)
    path = folder / "structure.extxyz"
    write_frames(path, [made])
    return path


def _train(
    config: StudyConfig, folder: Path, done: dict[str, dict[str, Any]], *, device: str, report: Reporter
) -> str:
    assert config.train is not None  # noqa: S101  # the config holds one of the two
    settings = config.train if device == "auto" else config.train.model_copy(update={"device": device})
    with report("train") as progress:
        result = train(settings, folder / "train", progress=progress)
    done["train"] = result
    specs = [f"{card['kind']}:{folder / 'train' / card['file']}" for card in result["details"]["cards"]]
    return specs[0] if len(specs) == 1 else f"committee:{','.join(specs)}"


def _sizes(one: DefectConfig) -> list[Any]:
    return [one.phonons.model_copy(update={"supercell": (n, n)}) for n in sorted(one.sizes)]
