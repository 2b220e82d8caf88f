"""Where labels come from, as far as frames say, and which frames are the same, labels included."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from flatforce.core.hashing import hash_structure, hash_value
from flatforce.data.frames import get_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

ORIGIN_KEYS: Final = ("dft_code", "dft_xc", "label_source", "dft")
"""Keys in `info` that imports and `flatforce label` write."""

METHODS: Final = {
    "gpaw": re.compile(r"\bgpaw\b", re.IGNORECASE),
    "vasp": re.compile(r"\bvasp\b", re.IGNORECASE),
    "espresso": re.compile(r"\bespresso\b", re.IGNORECASE),
    "PBE": re.compile(r"\bPBE\b"),
}
"""Name of a code or functional → how the texts of a frame state it."""

DISPERSION_KEY: Final = "dft_dispersion"
"""Key in `info` with the dispersion correction of the labels, such as `D3(BJ)`, or `none`."""

LABEL_DIGITS: Final = 6
"""Number of decimals in eV and eV/Å to which labels are rounded before they are hashed; files keep eight."""


def label_methods(frames: Sequence[Atoms]) -> list[str]:
    """Name the DFT codes, functionals and dispersion corrections that computed labels.

    Parameters
    ----------
    frames
        Labelled frames.

    Returns
    -------
    Names of `METHODS`, and of dispersion corrections, that any frame states, sorted; empty where none does.

    Examples
    --------
    >>> from ase import Atoms
    >>> label_methods([Atoms(info={"label_source": "gpaw 26.7.0", "dft": "PBE, plane waves 400 eV"})])
    ['PBE', 'gpaw']
    """
    texts = {str(frame.info[key]) for frame in frames for key in ORIGIN_KEYS if key in frame.info}
    corrections = {str(frame.info.get(DISPERSION_KEY, "none")) for frame in frames} - {"none"}
    return sorted(
        {name for name, pattern in METHODS.items() if any(map(pattern.search, texts))} | corrections
    )


def hash_labelled(frame: Atoms) -> str:
    """Hash the structure of a frame together with its labels.

    Parameters
    ----------
    frame
        A labelled frame.

    Returns
    -------
    20 hexadecimal digits, the same for equal structures with equal energy, forces and stress; names are ignored.
    """
    labels = get_labels(frame, need_forces=False)
    values: list[Any] = [
        None if array is None else (array.round(LABEL_DIGITS) + 0.0).tolist()
        for array in (labels.forces, labels.stress)
    ]
    return hash_value([hash_structure(frame), round(labels.energy, LABEL_DIGITS), str(values)])
