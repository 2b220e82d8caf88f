"""Checks of a whole study before its first stage: files, species, notations, sizes, packages."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flatforce.core.errors import (
    ConfigError,
    FlatforceError,
    GeometryError,
    ModelError,
)
from flatforce.studies.checks import check_supercell, collected
from flatforce.studies.session import Session
from flatforce.studies.sheet_stages import last_stage_names, sheet_stage_problems
from flatforce.studies.study_folder import build_prototype, folder_problems
from flatforce.studies.training_checks import (
    species_of_frames,
    test_set_problems,
    training_problems,
    training_species,
)

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.models.potential import Potential
    from flatforce.studies.config import StudyConfig


OF_SHEET: Final = ("phonons", "elastic", "expansion", "md", "defect_energies")
"""Parts of a study whose folders have their names."""


def study_problems(config: StudyConfig, folder: Path, session: Session | None = None) -> list[FlatforceError]:
    """Find everything that would stop a study later.

    Parameters
    ----------
    config
        Settings.
    folder
        Parent of the result folders: what stands there finished is not checked again.
    session
        Holds the force field that the settings name, which is loaded once for the checks and the study; a new one if None.

    Returns
    -------
    The problems: missing files, species that the model or the training set does not hold, notations of defects that
    cannot be built, supercells smaller than the cutoff, packages that are not installed.
    """
    errors = folder_problems(config, folder) + _notation_problems(config)
    if not errors and _is_complete(config, folder):
        return []
    primitive = _primitive(config, errors)
    if config.model is None:
        session = None
    elif session is None:
        session = Session(config.model)
    elements, cutoff = _model_range(config, folder, session, errors)
    if config.evaluate is not None:
        errors += _frame_problems(config.evaluate.frames, config, elements)
    if primitive is None:
        return errors
    if elements is not None:
        errors += _unknown_species(primitive, elements, config)
    errors += _supercell_problems(config, primitive, cutoff=cutoff or 0.0)
    errors += sheet_stage_problems(config, primitive, session)
    if session is not None and cutoff is not None:
        errors += _embedding_problems(config, primitive, session.potential)
    return errors


def _notation_problems(config: StudyConfig) -> list[FlatforceError]:
    """Check that each defect can be read, is listed once, and is the same in all its supercells."""
    from flatforce.structures.defect_notation import canonical_name, check_transferable

    errors: list[FlatforceError] = []
    names: list[str] = []
    for defect in config.defects:
        problems = collected(partial(canonical_name, defect.defect))
        errors += problems
        if problems:
            continue
        names.append(canonical_name(defect.defect))
        if len(set(defect.sizes)) > 1 or defect.embed is not None:
            errors += collected(partial(check_transferable, defect.defect))
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        errors.append(
            ConfigError(
                f"The defect {name} is listed {names.count(name)} times.",
                fix="list it once, with all its sizes: sizes: [6, 9]",
            )
        )
    return errors


def _frame_problems(name: str, config: StudyConfig, elements: frozenset[str] | None) -> list[FlatforceError]:
    """Check that the frames of the evaluation can be read, and that the model knows them or leaves some of them out."""
    species: set[str] = set()
    errors = collected(lambda: species.update(species_of_frames(name)))
    if errors or elements is None:
        return errors
    if config.train is not None and config.evaluate is not None and config.evaluate.held_out:
        return test_set_problems(config.train, name)
    unknown = species - elements
    return [_unknown(f"The set {name}", unknown, elements, config)] if unknown else []


def _supercell_problems(config: StudyConfig, primitive: Atoms, *, cutoff: float) -> list[FlatforceError]:
    """Check every supercell of the study against the cutoff, and that each defect can be built and embedded in it."""
    from flatforce.properties.phonons.memory import check_defect_cell, check_pristine

    errors: list[FlatforceError] = []
    if config.phonons is not None:
        errors += collected(partial(check_pristine, primitive, config.phonons)) or check_supercell(
            primitive, config.phonons.supercell, cutoff=cutoff
        )
    for defect in config.defects:
        for settings in defect.supercells():
            errors += collected(partial(check_defect_cell, primitive, settings)) or check_supercell(
                primitive, settings.supercell, cutoff=cutoff, defect=defect.defect
            )
        if defect.embed is not None and defect.embed.supercell[0] <= max(defect.sizes):
            n = defect.embed.supercell[0]
            errors.append(
                GeometryError(
                    f"{defect.defect}: the embedding of {n} × {n} cells is not larger than the relaxed supercell of "
                    f"{max(defect.sizes)} × {max(defect.sizes)}.",
                    fix="raise embed.supercell",
                )
            )
    return errors


def _embedding_problems(config: StudyConfig, primitive: Atoms, potential: Potential) -> list[FlatforceError]:
    """Check that the force field can embed, where a defect is embedded, and that the embeddings fit into memory."""
    from flatforce.properties.phonons.force_constants.embedding import check_embeddable
    from flatforce.properties.phonons.memory import check_embedding_memory, check_green_function

    embeddings = [defect.embed for defect in config.defects if defect.embed is not None]
    if not embeddings or potential.elements.isdisjoint(primitive.get_chemical_symbols()):
        return []
    errors = collected(lambda: check_embeddable(potential, primitive, embeddings[0], cells=0))
    if errors:
        return errors
    reach = potential.interaction_range
    checks = [
        partial(check_embedding_memory, primitive, embed, interaction_range=reach) for embed in embeddings
    ]
    checks += [
        partial(check_green_function, len(primitive), defect.dilute)
        for defect in config.defects
        if defect.dilute is not None
    ]
    return collected(*checks)


def _is_complete(config: StudyConfig, folder: Path) -> bool:
    """Tell whether every stage has a result, which the stages themselves compare with their settings."""
    from flatforce.studies.defect import embedded_name, size_name
    from flatforce.studies.run import defect_folder

    names = ["relax"]
    names += ["train"] if config.train is not None else []
    names += ["evaluate"] if config.evaluate is not None else []
    names += [name for name in OF_SHEET if getattr(config, name) is not None]
    for defect in config.defects:
        inside = defect_folder(defect.defect)
        names += [f"{inside}/{size_name(settings)}" for settings in defect.supercells()]
        names += [f"{inside}/{embedded_name(defect.embed)}"] if defect.embed is not None else []
        names += [f"{inside}/dilute"] if defect.dilute is not None else []
        names += [f"{inside}/hops"] if defect.hops is not None else []
    names += last_stage_names(config)
    return all((folder / name / "result.json").is_file() for name in names)


def _primitive(config: StudyConfig, errors: list[FlatforceError]) -> Atoms | None:
    structures: list[Atoms] = []
    source = config.structure
    if isinstance(source, str):
        from flatforce.data.frame_files import read_sheet

        errors += collected(lambda: structures.append(read_sheet(Path(source))))
    else:
        errors += collected(lambda: structures.append(build_prototype(source)))
    return structures[0] if structures else None


def _model_range(
    config: StudyConfig, folder: Path, session: Session | None, errors: list[FlatforceError]
) -> tuple[frozenset[str] | None, float | None]:
    """Return the species and the cutoff in Å of the model, each None where it is not known before the training."""
    if session is not None:
        errors += collected(lambda: session.potential)
        if "potential" not in vars(session):
            return None, None
        return session.potential.elements, session.potential.cutoff
    assert config.train is not None  # noqa: S101  # the configuration holds one of the two
    cutoff = None if config.train.start_from else getattr(config.train.model, "r_max", None)
    if (folder / "train" / "result.json").is_file():
        return None, cutoff
    problems = training_problems(config.train)
    errors += problems
    return None if problems else training_species(config.train), cutoff


def _unknown_species(primitive: Atoms, elements: frozenset[str], config: StudyConfig) -> list[FlatforceError]:
    from flatforce.structures.defects import build_defect

    structures = {"The structure": set(primitive.get_chemical_symbols())}
    for defect in config.defects:
        size = max(defect.sizes)
        with suppress(FlatforceError):  # reported by the check of the supercell
            made = build_defect(primitive, (size, size), defect.defect)
            structures[f"The defect {defect.defect}"] = set(made.atoms.get_chemical_symbols())
    return [
        _unknown(name, species - elements, elements, config)
        for name, species in structures.items()
        if species - elements
    ]


def _unknown(name: str, unknown: set[str], elements: frozenset[str], config: StudyConfig) -> ModelError:
    origin = config.model or "the training set"
    return ModelError(
        f"{name} holds {', '.join(sorted(unknown))}, which {origin} does not.",
        why=f"{origin} holds {', '.join(sorted(elements))}",
        fix="use another model, or add labelled frames with these species to train.data",
    )
