"""ASE calculators that settings and names of force fields mention."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from flatforce.core.errors import ConfigError

if TYPE_CHECKING:
    from ase.calculators.calculator import BaseCalculator


def import_calculator(name: str) -> type[BaseCalculator]:
    """Import the class of a calculator, and nothing else: a name in a file of somebody else calls no function.

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
    """
    from ase.calculators.calculator import BaseCalculator

    module, _, attribute = name.partition(":")
    fix = "write package.module:Class, such as ase.calculators.emt:EMT"
    try:
        imported = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"There is no calculator {name}.", why=str(error), fix=fix) from error
    if not isinstance(imported, type) or not issubclass(imported, BaseCalculator):
        raise ConfigError(
            f"{name} is not an ASE calculator.", why="only subclasses of one are created", fix=fix
        )
    return imported
