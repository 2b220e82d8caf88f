"""Checks of a whole study before its first stage: files, species, notations, sizes, packages."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flatforce.core.errors import (
    ConfigError,
    FlatforceError,
    GeometryError,
    MissingDependencyError,
    ModelError,
)
from flatforce.studies.checks import check_supercell, collected
from flatforce.studies.session import Session

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.models.training.config import TrainConfig
    from flatforce.studies.config import Prototype, StudyConfig

PACKAGE_OF: Final = {
    "mace": ("mace", "mace"),
    "m3gnet": ("matgl", "matgl"),
    "tensornet": ("matgl", "matgl"),
    "matgl": ("matgl", "matgl"),
    "chgnet": ("chgnet", "chgnet"),
}
"""Kind of model → package that it imports, and the extra that installs it; other kinds live in isolated environments."""


def study_problems(config: StudyConfig, folder: Path, *, device: str = "auto") -> list[FlatforceError]:
    """Find everything that would stop a study later.

    Parameters
    ----------
    config
        Settings.
    folder
        Parent of the result folders: what stands there finished is not checked again.
    device
        `cpu`, `cuda`, or `auto`.

    Returns
    -------
    The problems: missing files, species that the model or the training set does not hold, notations of defects that
    cannot be built, supercells smaller than the cutoff, packages that are not installed.
    """
    if _is_complete(config, folder):
        return []
    errors: list[FlatforceError] = []
    primitive = _primitive(config, errors)
    elements, cutoff = _model_range(config, folder, device, errors)
    if config.evaluate is not None:
        from flatforce.data.bundled import dataset_path

        name = config.evaluate.frames
        errors += collected(lambda: dataset_path(name))
    if primitive is None:
        return errors
    if elements is not None:
        errors += _unknown_species(primitive, elements, config)
    return errors + _supercell_problems(config, primitive, cutoff=0.0 if cutoff is None else cutoff)


def _supercell_problems(config: StudyConfig, primitive: Atoms, *, cutoff: float) -> list[FlatforceError]:
    """Check every supercell of the study against the cutoff, and that each defect can be built and embedded in it."""
    errors: list[FlatforceError] = []
    if config.phonons is not None:
        errors += check_supercell(primitive, config.phonons.supercell, cutoff=cutoff)
    for defect in config.defects:
        for settings in defect.supercells():
            errors += check_supercell(primitive, settings.supercell, cutoff=cutoff, defect=defect.defect)
        if defect.embed is not None and defect.embed.supercell[0] <= max(defect.sizes):
            errors.append(
                GeometryError(
                    f"{defect.defect}: the embedding of {defect.embed.supercell[0]} × {defect.embed.supercell[1]} cells is "
                    f"not larger than the relaxed supercell of {max(defect.sizes)} × {max(defect.sizes)}.",
                    fix="raise embed.supercell",
                )
            )
    return errors


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


def _is_complete(config: StudyConfig, folder: Path) -> bool:
    """Tell whether every stage has a result, which the stages themselves compare with their settings."""
    from flatforce.studies.defect import embedded_name, size_name
    from flatforce.studies.run import defect_folder

    names = ["relax"]
    names += ["train"] if config.train is not None else []
    names += ["evaluate"] if config.evaluate is not None else []
    names += ["phonons"] if config.phonons is not None else []
    for defect in config.defects:
        inside = defect_folder(defect.defect)
        names += [f"{inside}/{size_name(settings)}" for settings in defect.supercells()]
        names += [f"{inside}/{embedded_name(defect.embed)}"] if defect.embed is not None else []
        names += [f"{inside}/dilute"] if defect.dilute is not None else []
    return all((folder / name / "result.json").is_file() for name in names)


def _primitive(config: StudyConfig, errors: list[FlatforceError]) -> Atoms | None:
    structures: list[Atoms] = []
    source = config.structure
    if isinstance(source, str):
        from flatforce.data.frame_files import read_structure

        errors += collected(lambda: structures.append(read_structure(Path(source))))
    else:
        errors += collected(lambda: structures.append(build_prototype(source)))
    return structures[0] if structures else None


def _model_range(
    config: StudyConfig, folder: Path, device: str, errors: list[FlatforceError]
) -> tuple[frozenset[str] | None, float | None]:
    """Return the species and the cutoff in Å of the model, each None where it is not known before the training."""
    if config.model is not None:
        session = Session(config.model, device=device)
        errors += collected(lambda: session.potential)
        if "potential" not in vars(session):
            return None, None
        return session.potential.elements, session.potential.cutoff
    assert config.train is not None  # noqa: S101  # the configuration holds one of the two
    errors += missing_packages(config.train)
    cutoff = None if config.train.start_from else getattr(config.train.model, "r_max", None)
    if (folder / "train" / "result.json").is_file():
        return None, cutoff
    return _training_species(config.train, errors), cutoff


def _training_species(config: TrainConfig, errors: list[FlatforceError]) -> frozenset[str] | None:
    if not config.data:
        errors.append(
            ConfigError("The training has no frames.", fix="add train.data: [wse2-pbe], or files of yours")
        )
        return None
    species: set[str] = set()
    for name in config.data:
        problems = collected(partial(_add_species, species, name))
        errors += problems
        if problems:
            return None
    return frozenset(species)


def _add_species(species: set[str], frames: str) -> None:
    from flatforce.data.bundled import dataset_path
    from flatforce.data.frame_files import read_labelled

    for frame in read_labelled(dataset_path(frames)):
        species.update(frame.get_chemical_symbols())


def _unknown_species(primitive: Atoms, elements: frozenset[str], config: StudyConfig) -> list[FlatforceError]:
    from flatforce.structures.defects import build_defect

    errors: list[FlatforceError] = []
    origin = config.model or "the training set"
    structures = {"the structure": set(primitive.get_chemical_symbols())}
    for defect in config.defects:
        size = max(defect.sizes)
        with suppress(FlatforceError):  # reported by the check of the supercell
            made = build_defect(primitive, (size, size), defect.defect)
            structures[defect.defect] = set(made.atoms.get_chemical_symbols())
    for name, species in structures.items():
        if unknown := sorted(species - elements):
            errors.append(
                ModelError(
                    f"{name} holds {', '.join(unknown)}, which {origin} does not.",
                    why=f"{origin} holds {', '.join(sorted(elements))}",
                    fix="use another model, or add labelled frames with these species to train.data",
                )
            )
    return errors


def missing_packages(config: TrainConfig) -> list[FlatforceError]:
    """Find packages that a training needs and that are not installed.

    Parameters
    ----------
    config
        Settings of the training.

    Returns
    -------
    One error for each, with the command that installs it.
    """
    from flatforce.models.isolated.environments import PACKAGES, environment_for
    from flatforce.models.spec import split_spec

    kind = config.model.kind if config.start_from is None else split_spec(config.start_from)[0]
    if kind in PACKAGE_OF:
        package, extra = PACKAGE_OF[kind]
        if find_spec(package) is None:
            return [
                MissingDependencyError(
                    f"The training of {kind} needs the package {package}.",
                    fix=f"pip install 'flatforce[{extra}]'",
                )
            ]
    elif kind in PACKAGES:
        return collected(lambda: environment_for(kind))
    return []
