"""Notation of point defects: `v_Se:top`, `Mo@W`, `S@Se#12`, `ad_Se@W`, and complexes joined by `+`."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from ase.data import chemical_symbols

from flatforce.core.errors import GeometryError
from flatforce.structures.defect_suggestions import examples, suggest, suggest_side

Side: TypeAlias = Literal["top", "middle", "bottom"]
Kind: TypeAlias = Literal["vacancy", "substitution", "adatom"]

_ELEMENT = "[A-Z][a-z]?"
_VACANCY = re.compile(rf"(?P<mark>(?i:vac|v))(?:_?(?P<site>{_ELEMENT})|\((?P<site_>{_ELEMENT})\))")
_ADATOM = re.compile(rf"(?i:ad)_(?P<symbol>{_ELEMENT})@(?P<site>{_ELEMENT})")
_SUBSTITUTION = re.compile(rf"(?P<symbol>{_ELEMENT})[_@](?P<site>{_ELEMENT})")
_PLACE = re.compile(
    r"(?P<change>[^:#~]*)(?::(?P<side>[a-z]+))?(?:#(?P<index>[0-9]+)|~(?P<shell>[1-9][0-9]*))?", re.ASCII
)
_ELEMENTS = frozenset(chemical_symbols[1:])


@dataclass(frozen=True)
class PointDefect:
    """One change at one site; `str` gives its canonical notation."""

    kind: Kind
    """What happens at the site."""
    site_symbol: str
    """Species of the site; for an adatom the species of the atom that it sits above."""
    symbol: str | None = None
    """Species of the incoming atom; None for a vacancy."""
    side: Side | None = None
    """Side of the sheet; None if the notation names none."""
    index: int | None = None
    """Index of the site in the pristine supercell; None if the notation gives no number."""
    shell: int | None = None
    """1 for the nearest distinct arrangement with the parts before, 2 for the next; None if the notation gives none."""

    def __str__(self) -> str:
        """Return the canonical notation, which `parse_defect` reads."""
        change = {"vacancy": "v_", "substitution": f"{self.symbol}@", "adatom": f"ad_{self.symbol}@"}[
            self.kind
        ]
        side = "" if self.side is None else f":{self.side}"
        index = "" if self.index is None else f"#{self.index}"
        shell = "" if self.shell is None else f"~{self.shell}"
        return f"{change}{self.site_symbol}{side}{index}{shell}"

    @property
    def description(self) -> str:
        """The change in words, such as `Se vacancy`."""
        return {
            "vacancy": f"{self.site_symbol} vacancy",
            "substitution": f"{'vanadium' if self.symbol == 'V' else self.symbol} on a {self.site_symbol} site",
            "adatom": f"{self.symbol} adatom on {self.site_symbol}",
        }[self.kind]


def parse_defect(notation: str, *, species: Collection[str] = ()) -> list[PointDefect]:
    """Read the notation of a defect; docs/defects.md has the grammar.

    Parameters
    ----------
    notation
        Parts joined by `+`. Vacancy: `v_Se`, `vac_Se`, `V_Se`, `VSe`, `Vac(Se)`. Substitution or antisite: `Mo@W`, or
        `Mo_W`; vanadium and iodine only with @. Adatom: `ad_Se@W`. Each part may end in `:top`, `:middle` or `:bottom`, and
        then in `#12` (site of the pristine supercell) or `~1` (nearest distinct arrangement with the parts before).
    species
        Symbols of the sheet: where it holds vanadium, `V_Se` and `VSe` have two readings and are refused.

    Returns
    -------
    The parts, in the order they are written.

    Raises
    ------
    GeometryError
        If a part cannot be read, or has two readings.
    """
    words = [word.strip() for word in notation.split("+")]
    if (neutral := re.sub(r"[:^]?(?:\+[0-9]*)+$", "", notation.strip())) and neutral != notation.strip():
        raise GeometryError(
            f"The defect {notation!r} ends with a + or a charge.",
            why="the sign joins the parts of a complex; charge states are not part of the notation",
            fix=f"write {neutral}",
        )
    parts = [_parse_part(word, species) for word in words]
    symbols = set(species) | {part.symbol for part in parts if part.symbol is not None}
    for word, part in zip(words, parts, strict=True):
        _check_reading(word, part, symbols)
    return parts


def canonical_name(notation: str, *, species: Collection[str] = ()) -> str:
    """Rewrite the notation of a defect in its canonical form.

    Parameters
    ----------
    notation
        See `parse_defect`.
    species
        Symbols of the sheet.

    Returns
    -------
    The parts joined by `+`, such as `v_Se:top+Mo@W~1`; all spellings of a defect have the same.

    Raises
    ------
    GeometryError
        If a part cannot be read, has two readings, or changes nothing.
    """
    parts = parse_defect(notation, species=species)
    for part in parts:
        if part.kind == "substitution" and part.symbol == part.site_symbol:
            vacancy = replace(part, kind="vacancy", symbol=None)
            raise GeometryError(
                f"The defect {str(part)!r} changes nothing.",
                why=f"a {part.site_symbol} site holds {part.site_symbol} in the pristine sheet",
                fix=f"write {vacancy} for a {part.site_symbol} vacancy, or another species before the @",
            )
    return "+".join(map(str, parts))


def folder_name(notation: str) -> str:
    """Name a folder after a defect; distinct notations have distinct names, whatever the case rules of the disk.

    Parameters
    ----------
    notation
        See `parse_defect`.

    Returns
    -------
    Letters, digits and underscores: `v_Se_top`, `V_on_Se`, `ad_Se_on_W`, `v_Se_site12`, `v_Se_top__v_Se_bottom_n1`.
    """
    name = canonical_name(notation)
    for sign, replacement in (("+", "__"), ("@", "_on_"), (":", "_"), ("#", "_site"), ("~", "_n")):
        name = name.replace(sign, replacement)
    return name


def check_transferable(notation: str) -> None:
    """Refuse a complex that one supercell alone can hold.

    Parameters
    ----------
    notation
        See `parse_defect`.

    Raises
    ------
    GeometryError
        If a part after the first is placed by a site number, which means another site in another supercell.
    """
    parts = parse_defect(notation)
    if any(part.index is not None for part in parts[1:]):
        raise GeometryError(
            f"The site numbers of {notation} belong to one supercell.",
            why="in a supercell of another size the same numbers are at another distance",
            fix=f"write ~1, ~2, … in place of the numbers, such as {parts[0]}+{_without_place(parts[1])}~1",
        )


def _without_place(part: PointDefect) -> str:
    return str(PointDefect(part.kind, part.site_symbol, part.symbol, part.side))


def _check_reading(word: str, part: PointDefect, symbols: Collection[str]) -> None:
    """Refuse V_Se where V may be vanadium, and I_Se, where I may be an interstitial."""
    site = part.site_symbol
    suffix = str(replace(part, kind="vacancy", symbol=None)).removeprefix(f"v_{site}")
    match = _VACANCY.match(word)
    if "V" in symbols and match is not None and match["mark"] == "V":
        raise GeometryError(
            f"The defect {word!r} has two readings.",
            why="V stands for a vacancy and for vanadium, and vanadium is among the species",
            fix=f"write {part} for a {part.description}"
            + ("" if site == "V" else f", or V@{site}{suffix} for vanadium on a {site} site"),
        )
    if word.startswith("I_"):
        raise GeometryError(
            f"The defect {word!r} has two readings.",
            why="I stands for iodine and for an interstitial; interstitials have no notation",
            fix=f"write {part} for iodine on a {site} site, or ad_{site}@{site} for a {site} adatom",
        )


def _parse_part(word: str, species: Collection[str]) -> PointDefect:
    match = _PLACE.fullmatch(word)
    side: Side | None = None if match is None else match["side"]  # type: ignore[assignment]  # checked next
    if match is None or (side is not None and side not in get_args(Side)):
        raise GeometryError(
            f"The defect {word!r} cannot be read.",
            why="after the change come :top, :middle or :bottom, and then #12 (site) or ~1 (nearest arrangement)",
            fix=f"write {suggest_side(word) or examples(species)}",
        )
    change = match["change"]
    parsed = _parse_change(change)
    unknown = [text for text in (parsed or ())[1:] if text is not None and text not in _ELEMENTS]
    if parsed is None or unknown:
        readings, why = suggest(change, species=species)
        offered = " or ".join(reading + word.removeprefix(change) for reading in readings)
        raise GeometryError(
            f"{unknown[0]} in {word!r} is no chemical element."
            if unknown
            else f"The defect {word!r} cannot be read.",
            why=why or (f"the sheet holds {' and '.join(sorted(species))}" if unknown and species else ""),
            fix=f"write {offered or examples(species)}",
        )
    kind, site_symbol, symbol = parsed
    index = None if match["index"] is None else int(match["index"])
    shell = None if match["shell"] is None else int(match["shell"])
    return PointDefect(kind, site_symbol, symbol, side, index, shell)


def _parse_change(change: str) -> tuple[Kind, str, str | None] | None:
    """Return the kind, the species of the site and the incoming species; None if the text has no such form."""
    if match := _VACANCY.fullmatch(change):
        return "vacancy", match["site"] or match["site_"], None
    if match := _ADATOM.fullmatch(change):
        return "adatom", match["site"], match["symbol"]
    if match := _SUBSTITUTION.fullmatch(change):
        return "substitution", match["site"], match["symbol"]
    return None
