"""What can be checked before anything is computed; all problems are reported at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flatforce.core.errors import ConfigError, FlatforceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from ase import Atoms

    from flatforce.studies.session import Session

VERIFY_MACHINE: Final = tuple(
    f"verify.{name}" for name in ("workers", "machine", "threads", "launcher", "timeout", "executors")
)
"""Settings of labels in `verify` that say where they are computed, which does not change a result."""

LABELS: Final = "labels"
"""Folder of finished labels in a result folder. It stays, so that a run with other settings does not compute them again."""


def collected(*checks: Callable[[], object]) -> list[FlatforceError]:
    """Call checks and collect the errors that they raise.

    Parameters
    ----------
    *checks
        Functions without arguments.

    Returns
    -------
    The errors in the order of the checks; empty if all pass.
    """
    errors = []
    for check in checks:
        try:
            check()
        except FlatforceError as error:
            errors.append(error)
    return errors


def raise_together(errors: Iterable[FlatforceError], *, subject: str) -> None:
    """Raise all problems as one error.

    Parameters
    ----------
    errors
        The problems; of those that state the same, the first is listed.
    subject
        What cannot start, for the message.

    Raises
    ------
    FlatforceError
        If there is any: the error itself if it is the only one.
    """
    by_statement: dict[str, FlatforceError] = {}
    for error in errors:
        by_statement.setdefault(error.what + error.why, error)
    distinct = list(by_statement.values())
    if len(distinct) == 1:
        raise distinct[0]
    if distinct:
        raise ConfigError(
            f"{subject} cannot start: {len(distinct)} problems.",
            why="\n       ".join(map(_one_line, distinct)),
            fix="correct these and run again; nothing was computed",
        )


def _one_line(error: FlatforceError) -> str:
    why = f" ({error.why})" if error.why else ""
    return error.what + why + (f" → {error.fix}" if error.fix else "")


def parent_problems(folder: Path) -> list[FlatforceError]:
    """Check that the parent of result folders is not a result folder itself.

    Parameters
    ----------
    folder
        Folder in which a command makes several result folders.

    Returns
    -------
    What is wrong; empty if the folder does not exist, or holds no result of its own.
    """
    from flatforce.core.errors import ResultError
    from flatforce.core.results import read_record

    if not (folder / "result.json").is_file():
        return []
    kind = read_record(folder)["kind"]
    return [
        ResultError(
            f"{folder} holds another result.",
            why=f"it is the folder of a result of the kind `{kind}`, and this command makes several folders",
            fix="choose another folder with -o",
        )
    ]


def structure_problems(session: Session, source: Path | Atoms) -> list[FlatforceError]:
    """Check that a structure can be read and that the force field knows its species.

    Parameters
    ----------
    session
        Force field and structures.
    source
        File of the structure, or the structure.

    Returns
    -------
    What is wrong, as errors that were not raised; empty if all is well.
    """
    errors = collected(lambda: session.structure(source), lambda: session.potential)
    return errors or collected(lambda: session.potential.check([session.structure(source)]))


def memory_problems(
    session: Session, source: Path | Atoms, check: Callable[[Atoms], object]
) -> list[FlatforceError]:
    """Check that a calculation on a structure fits into memory.

    Parameters
    ----------
    session
        Holds the structure.
    source
        File of the structure, or the structure.
    check
        Function of the structure that raises the error.

    Returns
    -------
    What is wrong; empty where the structure itself cannot be used, which `structure_problems` reports.
    """
    if collected(lambda: session.structure(source)):
        return []
    return collected(lambda: check(session.structure(source)))


def supercell_problems(
    session: Session,
    source: Path | Atoms,
    supercell: tuple[int, int],
    *,
    defect: str | None = None,
    force_constants: bool = True,
) -> list[FlatforceError]:
    """Check a supercell against the cutoff of the force field, and that a defect can be built in it.

    Parameters
    ----------
    session
        Force field and structures.
    source
        The primitive cell.
    supercell
        Primitive cells along both vectors.
    defect
        Notation of a defect, or None.
    force_constants
        Whether force constants are computed in the supercell, which must then be larger than the cutoff.

    Returns
    -------
    What is wrong; empty where the structure or the force field itself cannot be used, which `structure_problems` reports.
    """
    if structure_problems(session, source):
        return []
    potential = session.potential
    primitive = session.structure(source)
    errors = check_supercell(
        primitive, supercell, cutoff=potential.cutoff if force_constants else 0.0, defect=defect
    )
    if defect is not None and not errors:
        errors = collected(lambda: potential.check([_with_defect(primitive, supercell, defect)]))
    return errors


def check_supercell(
    primitive: Atoms, supercell: tuple[int, int], *, cutoff: float, defect: str | None = None
) -> list[FlatforceError]:
    """Check a supercell against a cutoff, and that a defect can be built in it.

    Parameters
    ----------
    primitive
        The primitive cell.
    supercell
        Primitive cells along both vectors.
    cutoff
        Cutoff of the force field in Å.
    defect
        Notation of a defect, or None.

    Returns
    -------
    What is wrong, as errors that were not raised; empty if all is well.
    """
    from flatforce.properties.phonons.force_constants.finite_displacements import (
        check_supercell as check_in_circle,
    )

    name = f"The supercell of {supercell[0]} × {supercell[1]}"
    checks: list[Callable[[], object]] = [
        lambda: check_in_circle(primitive.repeat((*supercell, 1)), cutoff, name=name),
    ]
    if defect is not None:
        checks.append(lambda: _with_defect(primitive, supercell, defect))
    return collected(*checks)


def _with_defect(primitive: Atoms, supercell: tuple[int, int], defect: str) -> Atoms:
    from flatforce.structures.defects import build_defect

    return build_defect(primitive, supercell, defect).atoms
