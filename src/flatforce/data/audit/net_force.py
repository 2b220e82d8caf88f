"""Forces that do not sum to zero: a number was lost, or the forces of two frames were mixed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.data.frames import FORCES

if TYPE_CHECKING:
    from ase import Atoms

MAX_NET_FORCE: Final = 0.2
"""eV/Å times the square root of the number of atoms. Sum of the forces where a code leaves the drift in them: up to 0.094 in
relaxations by GPAW and 0.030 in molecular dynamics of 90 to 300 atoms (validation/audit_thresholds.py)."""

MAX_BALANCED: Final[dict[str, float]] = {"vasp": 0.1, "espresso": 0.1}
"""Code that subtracts the drift from its forces → eV/Å. A database of VASP's on-the-fly training has up to 0.051 (the same script)."""


def net_force_reason(frame: Atoms) -> str | None:
    """Check that the forces on an isolated sheet sum to zero.

    Parameters
    ----------
    frame
        A labelled frame.

    Returns
    -------
    Why it cannot be trusted; None if it can.
    """
    net = float(np.linalg.norm(frame.arrays[FORCES].sum(axis=0)))
    limit = MAX_BALANCED.get(str(frame.info.get("dft_code")), MAX_NET_FORCE * np.sqrt(len(frame)))
    return f"the forces do not sum to zero ({net:.2f} eV/Å)" if net > limit else None
