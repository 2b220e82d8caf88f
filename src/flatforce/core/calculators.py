"""ASE calculators that settings and names of force fields mention."""

from __future__ import annotations

import site
import sysconfig
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flatforce.core.errors import ConfigError
from flatforce.core.trust import require_trust

if TYPE_CHECKING:
    from ase.calculators.calculator import BaseCalculator

INSTALLED: Final = tuple(
    Path(path).resolve()
    for path in {
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        *site.getsitepackages(),
        site.getusersitepackages(),
        str(Path(__file__).parents[1]),
    }
)
"""Folders of installed packages, whose modules are imported without a question."""


def import_calculator(name: str) -> type[BaseCalculator]:
    """Import the class of a calculator, and nothing else: a name in a file of somebody else calls no function.

    A module that is not installed, such as a file beside the settings, runs its code when it is imported: it must be trusted.

    Parameters
    ----------
    name
        `package.module:Class`.

    Returns
    -------
    The class, not yet created.

    Raises
    ------
    ConfigError
        If there is none of this name, or it is not a subclass of ASE's calculators.
    TrustError
        If its module is not installed, and this user has not trusted its file.
    """
    from ase.calculators.calculator import BaseCalculator

    module, _, attribute = name.partition(":")
    fix = "write package.module:Class, such as ase.calculators.emt:EMT"
    try:
        for file in _uninstalled_files(module):
            require_trust(file, contents=f"the Python module of the calculator {name}, and not installed")
        imported = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"There is no calculator {name}.", why=str(error), fix=fix) from error
    if not isinstance(imported, type) or not issubclass(imported, BaseCalculator):
        raise ConfigError(
            f"{name} is not an ASE calculator.", why="only subclasses of one are created", fix=fix
        )
    return imported


def _uninstalled_files(module: str) -> list[Path]:
    """List the files that the import of a module would run and that lie outside the folders of installed packages."""
    top, *rest = module.split(".")
    spec = find_spec(top) if top else None
    if spec is None or (spec.origin in {"built-in", "frozen"}):
        return []
    folders = [Path(folder) for folder in spec.submodule_search_locations or []]
    files = [Path(spec.origin)] if spec.origin else []
    for depth in range(len(rest)):
        for folder in folders:
            path = folder.joinpath(*rest[: depth + 1])
            files += [path / "__init__.py", path.with_name(f"{path.name}.py")]
    return [
        file
        for file in files
        if file.is_file() and not any(file.resolve().is_relative_to(one) for one in INSTALLED)
    ]
