"""How the functions of the Python face take their arguments: models, structures, folders, settings."""

from __future__ import annotations

import inspect
import multiprocessing
import multiprocessing.util
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeAlias, TypeVar

from flatforce.core.errors import ConfigError
from flatforce.core.progress import show_progress
from flatforce.studies.session import Session, unreported

if TYPE_CHECKING:
    from collections.abc import Callable

    from ase import Atoms

    from flatforce.core.config import Config, ConfigT
    from flatforce.models.potential import Potential

Arguments = ParamSpec("Arguments")
Returned = TypeVar("Returned")

_lock = threading.Lock()


class HasAtoms(Protocol):
    """What holds a structure: the result of a relaxation, or a defect that was built."""

    @property
    def atoms(self) -> Atoms:
        """The structure, as `ase.Atoms`."""


Structure: TypeAlias = "Atoms | str | Path | HasAtoms"
"""A structure, the file of one, or what holds one as `.atoms`."""


def session_of(
    model: str | Path | Potential | None, *, device: str = "auto", progress: bool = False
) -> Session:
    """Return what the stages of a call share.

    Parameters
    ----------
    model
        Name of a force field, the file of a model, or a force field.
    device
        `cpu`, `cuda`, or `auto`; a force field that is loaded already stays where it is.
    progress
        Whether progress is shown on standard error.

    Returns
    -------
    The session that loads the force field once, and shows progress if that is asked for.

    Raises
    ------
    ConfigError
        If it is neither a name nor a force field.
    """
    from flatforce.models.potential import Potential

    if isinstance(model, Path):
        model = str(model)
    if not isinstance(model, str | Potential | None):
        raise ConfigError(
            f"A {type(model).__name__} is no force field.",
            why="a result has to name the force field that made it",
            fix='write ff.load("mace:wse2-pbe"), a name, or "ase:package.module:Class?key=value" for a calculator of ASE',
        )
    return Session(model, device=device, report=show_progress if progress else unreported)


def source_of(structure: Structure) -> Atoms | Path:
    """Find the structure that an argument means.

    Parameters
    ----------
    structure
        A structure, the file of one, or what holds one as `.atoms`, such as the result of a relaxation or a defect that was
        built.

    Returns
    -------
    The structure unchanged, or the path of its file.

    Raises
    ------
    ConfigError
        If it is none of these.
    """
    from ase import Atoms

    if isinstance(structure, str | Path):
        return Path(structure)
    atoms = structure if isinstance(structure, Atoms) else getattr(structure, "atoms", None)
    if isinstance(atoms, Atoms):
        return atoms
    raise ConfigError(
        f"A {type(structure).__name__} is no structure.",
        fix='give an ase.Atoms, a file such as "wse2.cif", or ff.monolayer("WSe2")',
    )


def folder_of(folder: str | Path | None, name: str) -> Path:
    """Return where a call keeps its result.

    Parameters
    ----------
    folder
        Result folder, or None.
    name
        Of a scratch folder, which is made where none is given and removed when Python ends.

    Returns
    -------
    Path of the result folder; a scratch folder is empty, and no other process or thread has the same.
    """
    if folder is not None:
        return Path(folder)
    with _lock:
        scratch = _scratch()
    return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=scratch.name))


@cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    """Make the parent of all scratch folders; a process that is forked later uses it as well."""
    folder = tempfile.TemporaryDirectory(prefix="flatforce-")
    if (
        multiprocessing.parent_process() is not None
    ):  # a worker ends without the clean-up at the exit of Python
        multiprocessing.util.Finalize(None, folder.cleanup, exitpriority=0)
    return folder


def parse(config: type[ConfigT], settings: dict[str, Any], *, function: str) -> ConfigT:
    """Check keyword arguments.

    Parameters
    ----------
    config
        Class of the settings.
    settings
        The keyword arguments.
    function
        Name of the function, for the message.

    Returns
    -------
    The validated settings, with defaults for all that were not given.
    """
    return config.parse(settings, source=f"flatforce.{function}()")


def takes_settings(
    config: type[Config], *, without: tuple[str, ...] = ()
) -> Callable[[Callable[Arguments, Returned]], Callable[Arguments, Returned]]:
    """Show the settings of a class as keyword arguments of a function: in its signature and in its docstring.

    Parameters
    ----------
    config
        Class of the settings.
    without
        Settings that the function sets itself.

    Returns
    -------
    A decorator; the function is called as before.
    """

    def decorate(function: Callable[Arguments, Returned]) -> Callable[Arguments, Returned]:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        names = {parameter.name for parameter in own}
        shown = {k: v for k, v in config.model_fields.items() if k not in names and k not in without}
        keywords = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty
                if field.is_required()
                else field.get_default(call_default_factory=True),
                annotation=field.annotation,
            )
            for name, field in shown.items()
        ]
        lines = [
            f"{name}\n    " + (field.description or "").replace("\n", "\n    ")
            for name, field in shown.items()
        ]
        function.__signature__ = signature.replace(parameters=[*own, *keywords])  # type: ignore[attr-defined]
        function.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\nSettings\n--------\n" + "\n".join(
            lines
        )
        return function

    return decorate
