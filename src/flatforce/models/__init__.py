"""Force fields: one protocol, specs that name them, training, committees.

The names are loaded on first use, so that settings classes below this package import in milliseconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flatforce.models.loading import load
    from flatforce.models.potential import Potential
    from flatforce.models.prediction import Prediction

_MODULES = {
    "Potential": "flatforce.models.potential",
    "Prediction": "flatforce.models.prediction",
    "load": "flatforce.models.loading",
}

__all__ = ["Potential", "Prediction", "load"]


def __getattr__(name: str) -> object:
    """Import a public name on first use.

    Parameters
    ----------
    name
        Name of the attribute.

    Returns
    -------
    The class or function of that name, from the module that defines it.

    Raises
    ------
    AttributeError
        If the package has no such attribute.
    """
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
