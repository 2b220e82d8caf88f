"""From DFT frames of a 2D material to a force field, and from it to the physics of its defects.

The functions below are all that a notebook needs; `help(flatforce.relax)` lists the settings of each.

>>> import flatforce as ff
>>> model = ff.load("mace:wse2-pbe")
>>> sorted(model.elements)
['Se', 'W']
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from flatforce.api.barriers import hops, neb
    from flatforce.api.defects import defect_energies, defect_phonons, embed
    from flatforce.api.dynamics import md
    from flatforce.api.exports import export
    from flatforce.api.force_fields import evaluate, learn, load, train, trust
    from flatforce.api.results import cite, compare
    from flatforce.api.results import open_folder as open  # noqa: A004  # flatforce.open, as h5py.File or xarray
    from flatforce.api.screening import screen
    from flatforce.api.sheets import elastic, expansion, phonons, relax
    from flatforce.api.structures import bilayer, build_defect, monolayer, read

__version__ = "0.1.0"

__all__ = [
    "bilayer",
    "build_defect",
    "cite",
    "compare",
    "defect_energies",
    "defect_phonons",
    "elastic",
    "embed",
    "evaluate",
    "expansion",
    "export",
    "hops",
    "learn",
    "load",
    "md",
    "monolayer",
    "neb",
    "open",
    "phonons",
    "read",
    "relax",
    "screen",
    "train",
    "trust",
]

_HOMES: Final = {
    "bilayer": "structures:bilayer",
    "build_defect": "structures:build_defect",
    "cite": "results:cite",
    "compare": "results:compare",
    "defect_energies": "defects:defect_energies",
    "defect_phonons": "defects:defect_phonons",
    "elastic": "sheets:elastic",
    "embed": "defects:embed",
    "evaluate": "force_fields:evaluate",
    "expansion": "sheets:expansion",
    "export": "exports:export",
    "hops": "barriers:hops",
    "learn": "force_fields:learn",
    "load": "force_fields:load",
    "md": "dynamics:md",
    "monolayer": "structures:monolayer",
    "neb": "barriers:neb",
    "open": "results:open_folder",
    "phonons": "sheets:phonons",
    "read": "structures:read",
    "relax": "sheets:relax",
    "screen": "screening:screen",
    "train": "force_fields:train",
    "trust": "force_fields:trust",
}
"""Name → module and function in `flatforce.api`, imported when first used, so that `import flatforce` is instant."""


def __getattr__(name: str) -> Any:
    """Import a function of the Python face when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'flatforce' has no attribute {name!r}")
    module, _, function = _HOMES[name].partition(":")
    found = getattr(import_module(f"flatforce.api.{module}"), function)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """List the functions, for tab completion."""
    return sorted([*globals(), *_HOMES])
