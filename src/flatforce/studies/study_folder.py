"""The folder of a study: what stands there of other origin, and the structure that the study writes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flatforce.core.claims import check_folder
from flatforce.core.written import WrittenFiles
from flatforce.studies.checks import collected, parent_problems
from flatforce.studies.evaluation import EvaluateStage
from flatforce.studies.export import ForceConstantsExportStage, ModelExportStage
from flatforce.studies.phonons import PhononStage
from flatforce.studies.relax import RelaxStage
from flatforce.studies.screen import ScreenStage

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.errors import FlatforceError
    from flatforce.studies.config import Prototype, StudyConfig

STRUCTURE: Final = "structure.extxyz"
"""File of the structure that a study describes by a prototype."""


def build_prototype(prototype: Prototype) -> Atoms:
    """Build the sheet that a study describes.

    Parameters
    ----------
    prototype
        Settings.

    Returns
    -------
    The primitive cell of the sheet, with vacuum along its third axis.
    """
    from flatforce.structures.prototypes import monolayer

    return monolayer(
        prototype.elements, prototype=prototype.prototype, a=prototype.a, thickness=prototype.thickness
    )


def structure_path(config: StudyConfig, folder: Path) -> Path:
    """Return the file of the structure of a study; that of a prototype is written.

    Parameters
    ----------
    config
        Settings.
    folder
        Parent of the result folders.

    Returns
    -------
    Path of the extended-XYZ file, or of the one that the settings name, from which the sheet is relaxed.
    """
    if isinstance(config.structure, str):
        return Path(config.structure)
    from flatforce.data.frame_files import write_new_frames

    path = folder / STRUCTURE
    write_new_frames(path, [build_prototype(config.structure)])
    return path


def folder_problems(config: StudyConfig, folder: Path) -> list[FlatforceError]:
    """Find files of other origin in the folder of a study that its stages would replace.

    Parameters
    ----------
    config
        Settings.
    folder
        Parent of the result folders.

    Returns
    -------
    The problems; empty if the folder is free, or holds the same study.
    """
    errors = parent_problems(folder)
    for stage in (EvaluateStage, RelaxStage, PhononStage):
        errors += collected(partial(check_folder, folder / stage.kind, stage.kind, stage.files))
    if config.screen is not None:
        errors += collected(partial(check_folder, folder / "screen", ScreenStage.kind, ScreenStage.files))
    for to in [] if config.export is None else config.export.to:
        export = ForceConstantsExportStage if to == "phonopy" else ModelExportStage
        errors += collected(partial(check_folder, folder / f"export_{to}", export.kind, export.files))
    written = WrittenFiles(folder / "report")
    if not written.hashes:  # a page of this study that was changed since is refused when a new one is written
        errors += collected(lambda: written.check([folder / "report" / "index.html"]))
    if not isinstance(config.structure, str):
        from flatforce.data.frame_files import holds_frames

        prototype = config.structure
        errors += collected(lambda: holds_frames(folder / STRUCTURE, [build_prototype(prototype)]))
    return errors
