"""Monolayers by their formula, with lattice constants to start a relaxation from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ase.data import atomic_numbers, covalent_radii

from flatforce.core.errors import GeometryError
from flatforce.structures.prototypes import monolayer

if TYPE_CHECKING:
    from ase import Atoms

LATTICE: Final[dict[str, tuple[float, float]]] = {
    "MoS2": (3.18, 3.13),
    "MoSe2": (3.32, 3.34),
    "MoTe2": (3.55, 3.61),
    "WS2": (3.18, 3.14),
    "WSe2": (3.32, 3.36),
    "WTe2": (3.56, 3.62),
    "NbS2": (3.34, 3.13),
    "NbSe2": (3.47, 3.36),
    "BN": (2.51, 0.0),
    "CC": (2.47, 0.0),
    "SiC": (3.10, 0.0),
}
"""Formula → lattice constant and distance of the X planes in Å: typical PBE values, rounded. A relaxation starts from them;
no result depends on them."""

PLANE_RATIO: Final = {"2H": 0.98, "1T": 0.85}
"""Distance of the X planes over the lattice constant, from which an unknown MX2 starts: that of MoS2 and of 1T-TiS2."""

BOND_SCALE: Final = 0.93
"""Bond length over the sum of the covalent radii: the mean over `LATTICE`, from 0.90 (WTe2) to 0.94 (graphene)."""


def monolayer_of(
    formula: str, *, prototype: str | None = None, a: float | None = None, thickness: float | None = None
) -> Atoms:
    """Build the primitive cell of a hexagonal monolayer from its formula.

    Parameters
    ----------
    formula
        Such as `WSe2`, `BN`, or `graphene`.
    prototype
        `2H` or `1T` for MX2, `honeycomb` for two atoms in a plane; `2H` or `honeycomb` by the formula if not given.
    a
        Lattice constant in Å; tabulated, or estimated from covalent radii, if not given.
    thickness
        Distance of the X planes in Å; likewise.

    Returns
    -------
    The sheet, to be relaxed before it is used.

    Raises
    ------
    GeometryError
        If the formula is neither MX2 nor of two atoms.
    """
    symbols, is_mx2 = _read_formula(formula)
    kind = prototype or ("2H" if is_mx2 else "honeycomb")
    if is_mx2 == (kind == "honeycomb"):
        raise GeometryError(
            f"{formula} does not fit the prototype {kind}.",
            fix="choose 2H or 1T for MX2, honeycomb for two atoms in a plane",
        )
    known = LATTICE.get("".join(symbols) + ("2" if is_mx2 else "")) if kind != "1T" else None
    length, distance = known or _estimate(symbols, kind)
    return monolayer(
        symbols,
        prototype=kind,
        a=length if a is None else a,
        thickness=distance if thickness is None else thickness,
    )


def _read_formula(formula: str) -> tuple[tuple[str, str], bool]:
    text = {"graphene": "CC", "C2": "CC", "C": "CC", "hBN": "BN"}.get(formula, formula)
    match = re.fullmatch(r"([A-Z][a-z]?)([A-Z][a-z]?)(2?)", text)
    if match is None or not {match[1], match[2]} <= set(atomic_numbers):
        raise GeometryError(
            f"The formula {formula!r} is not that of a monolayer that can be built.",
            fix="write MX2 such as WSe2, two species such as BN, or read a file of the structure",
        )
    return (match[1], match[2]), bool(match[3])


def _estimate(symbols: tuple[str, str], kind: str) -> tuple[float, float]:
    """Estimate lattice constant and distance of the X planes in Å from the sum of the covalent radii."""
    bond = BOND_SCALE * float(sum(covalent_radii[atomic_numbers[symbol]] for symbol in symbols))
    if kind == "honeycomb":
        return bond * 3**0.5, 0.0
    ratio = PLANE_RATIO[kind]
    length = bond / (1 / 3 + (ratio / 2) ** 2) ** 0.5
    return length, ratio * length
