"""Names of point defects: `v_Se:top`, `S_Se#12`, `W_Se`, `ad_Se@W`, and several joined by `+`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ase.data import atomic_numbers

from flatforce.core.errors import GeometryError

Side = Literal["top", "middle", "bottom"]

_PART = re.compile(
    r"^(?:(?P<vacancy>v)_(?P<gone>[A-Z][a-z]?)|ad_(?P<added>[A-Z][a-z]?)@(?P<below>[A-Z][a-z]?)"
    r"|(?P<new>[A-Z][a-z]?)_(?P<old>[A-Z][a-z]?))(?::(?P<side>top|middle|bottom))?(?:#(?P<index>\d+))?$"
)


@dataclass(frozen=True)
class PointDefect:
    """One change at one site."""

    kind: Literal["vacancy", "substitution", "adatom"]
    site_symbol: str
    """Species whose site it is; for an adatom the atom it sits above."""
    symbol: str | None = None
    """Species that comes; None for a vacancy."""
    side: Side | None = None
    index: int | None = None
    """Index of the site in the pristine supercell; None: the nearest to the first defect, or to the centre."""

    def __str__(self) -> str:
        """Return the name that `parse_defect` reads."""
        start = {"vacancy": "v_", "substitution": f"{self.symbol}_", "adatom": f"ad_{self.symbol}@"}[
            self.kind
        ]
        place = "" if self.index is None else f"#{self.index}"
        return start + self.site_symbol + (f":{self.side}" if self.side else "") + place


def parse_defect(text: str) -> list[PointDefect]:
    """Read the name of a defect.

    Parameters
    ----------
    text
        Parts joined by `+`: `v_Se` (vacancy), `S_Se` (S on a Se site), `W_Se` (antisite), `ad_Se@W` (adatom
        above W); each may end in `:top`, `:middle`, `:bottom` and `#12` (site of the pristine supercell).

    Returns
    -------
    The parts.

    Raises
    ------
    GeometryError
        If a part cannot be read.
    """
    parts = []
    for word in text.split("+"):
        match = _PART.match(word.strip())
        if match is None:
            raise GeometryError(
                f"The defect {word!r} cannot be read.",
                fix="write v_Se, v_Se:top, S_Se#12, W_Se, ad_Se@W:top, or several joined by +",
            )
        found = match.groupdict()
        symbol = found["added"] or found["new"]
        site_symbol = found["gone"] or found["below"] or found["old"]
        for element in (symbol, site_symbol):
            if element is not None and element not in atomic_numbers:
                raise GeometryError(f"{element} in {word!r} is no chemical element.")
        kind: Literal["vacancy", "substitution", "adatom"] = (
            "vacancy" if found["vacancy"] else "adatom" if found["added"] else "substitution"
        )
        index = None if found["index"] is None else int(found["index"])
        parts.append(PointDefect(kind, site_symbol, symbol, found["side"], index))  # type: ignore[arg-type]  # the pattern allows only sides
    return parts
