"""What a text that is no notation of a defect may stand for: spellings of papers, wrong case, forms of other programs."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from ase.data import atomic_names, chemical_symbols

MAX_PARTS = 7
"""Parts of a complex that a suggestion spells out: a metal atom and the six atoms around it."""

_ELEMENT = "[A-Z][a-z]?"
_SIDES: Final = {"top": "top", "upper": "top", "up": "top", "middle": "middle"} | dict.fromkeys(
    ("bottom", "lower", "down"), "bottom"
)
_ELEMENTS: Final = frozenset(chemical_symbols[1:])
_LATEX = re.compile(r"\\(?:mathrm|mathit|text|textrm|rm|it)\b|[{}$\[\]\\ ]")
_CHARGE = re.compile(r"\^.*$|['′•·×*]+$|[0-9]*[-−+]+[0-9]*$")
_SIDE = re.compile(rf"(?P<change>.+?)[-_](?P<side>{'|'.join(_SIDES)})", re.IGNORECASE)
_VACANCIES = re.compile(
    rf"(?P<count>[1-9])?(?:(?i:vac|va)|[vV])[-_.(]?(?P<sites>(?:[1-9]?{_ELEMENT}[1-9]?(?![_@]))+)\)?"
)
_CAPITAL_V = re.compile("[1-9]?V(?![Aa][Cc]?)")
_SITES = re.compile(rf"([1-9]?)({_ELEMENT})([1-9]?)")
_SUBSTITUTION = re.compile(rf"(?P<symbol>{_ELEMENT})[_@](?P<site>{_ELEMENT})")
_SEPARATOR = re.compile(r"[-,;/·&]")
_ADATOM = re.compile(
    r"ad(?:atom)?[-_(]?(?P<symbol>[a-z]{1,2}?)\)?(?:[-_@](?P<site>[a-z]{1,2}))?", re.IGNORECASE
)
_ADATOM_LAST = re.compile(r"(?P<symbol>[a-z]{1,2})[-_]ad(?:atom)?", re.IGNORECASE)
_INTERSTITIAL = re.compile(
    r"(?:i_|int(?:er|erstitial)?[_(])(?P<first>[a-z]{1,2})\)?|(?P<last>[a-z]{1,2})_i", re.IGNORECASE
)
_WRONG_CASE = [
    re.compile(rf"(?P<first>vac|[a-z]{{{length}}})[_@(]?(?P<second>[a-z]{{1,2}})\)?", re.IGNORECASE)
    for length in (1, 2)
]
"""An element symbol of one letter or of two before the separator, or two symbols side by side."""
_VACANCY_IN_WORDS = re.compile(r"(?P<first>\w+)[ -]vacancy|vacancy (?:of |at )?(?P<last>\w+)", re.IGNORECASE)
_SUBSTITUTION_IN_WORDS = re.compile(r"(?P<symbol>\w+) (?:on|at|for) (?:an? )?(?P<site>\w+)(?: site)?")


def suggest(change: str, *, species: Collection[str] = ()) -> tuple[list[str], str]:
    """List what a change that cannot be read may stand for.

    Parameters
    ----------
    change
        Part of a notation, without side and number.
    species
        Symbols of the sheet, whose sites alone are offered; empty if they are not known.

    Returns
    -------
    Notations that can be typed, and an explanation, or an empty text.
    """
    text = _LATEX.sub("", _translate_words(change))
    explanations = []
    if (neutral := _CHARGE.sub("", text)) != text:
        text = neutral
        explanations.append("charge states are not part of the notation")
    side = ""
    if match := _SIDE.fullmatch(text):
        text, side = match["change"], f":{_SIDES[match['side'].lower()]}"
    if _INTERSTITIAL.fullmatch(text):
        explanations.append("interstitials have no notation; an atom above the sheet is an adatom")
    readings = [*_adatoms(text, species), *_complexes(text), *_pairs(text, species), *_other_case(text)]
    if "V" in species and _CAPITAL_V.match(text):
        readings += [reading.replace("v_", "V@") for reading in readings if reading != "v_V"]
    readings = [reading + side for reading in readings if not species or _sites(reading) <= set(species)]
    if any("+" in reading for reading in readings):
        explanations.append("a complex has several arrangements, which are listed for you to choose from")
    return list(dict.fromkeys(readings)), "; ".join(explanations)


def suggest_side(word: str) -> str:
    """Correct the side of a part: `v_Se:Top` and `v_Se:up`.

    Parameters
    ----------
    word
        Part of a notation.

    Returns
    -------
    Notations that can be typed; empty if the side is not what is wrong.
    """
    match = re.fullmatch(r"(?P<change>[^:#~]+):(?P<side>[A-Za-z]+)(?P<place>[#~][0-9]+)?", word, re.ASCII)
    if match is None:
        return ""
    side = _SIDES.get(match["side"].lower())
    names = ["top", "middle", "bottom"] if side is None else [side]
    return " or ".join(f"{match['change']}:{name}{match['place'] or ''}" for name in names)


def examples(species: Collection[str] = ()) -> str:
    """Write one notation of each form.

    Parameters
    ----------
    species
        Symbols of the sheet; those of WSe2 if empty.

    Returns
    -------
    Notations of the sheet, joined to a phrase for a message.
    """
    symbols = sorted(species or ("Se", "W"))
    site, other = symbols[0], symbols[-1]
    incoming = next(symbol for symbol in ("Mo", "N") if symbol != other)
    return (
        f"v_{site}, {incoming}@{other}, ad_{site}@{other}:top, or a complex such as v_{site}+v_{other}~1; "
        "all forms: flatforce defect build --help"
    )


def _translate_words(text: str) -> str:
    """Turn `selenium vacancy` into `v_Se` and `Mo on a W site` into `Mo@W`."""
    if match := _VACANCY_IN_WORDS.fullmatch(text.strip()):
        return f"v_{_symbol(match['first'] or match['last'])}"
    if match := _SUBSTITUTION_IN_WORDS.fullmatch(text.strip()):
        return f"{_symbol(match['symbol'])}@{_symbol(match['site'])}"
    return text


def _symbol(word: str) -> str:
    """Return the symbol of an element that is named in words."""
    names = [name.lower() for name in atomic_names]
    return str(chemical_symbols[names.index(word.lower())]) if word.lower() in names else word


def _adatoms(text: str, species: Collection[str]) -> list[str]:
    """Read `ad_Se_W` and `adSe@W`; `ad_Se` and `Se_i` are offered on each species of the sheet."""
    match = _ADATOM.fullmatch(text) or _ADATOM_LAST.fullmatch(text)
    interstitial = _INTERSTITIAL.fullmatch(text)
    if interstitial is not None:
        symbol, site = interstitial["first"] or interstitial["last"], None
    elif match is not None:
        symbol, site = match["symbol"], match.groupdict().get("site")
    else:
        return []
    symbol = symbol.capitalize()
    sites = sorted(species or ("W",)) if site is None else [site.capitalize()]
    return [f"ad_{symbol}@{site}" for site in sites if {symbol, site} <= _ELEMENTS]


def _complexes(text: str) -> list[str]:
    """Read `2V_Se`, `V_Se2`, `V_WSe3`, `V_NC_B`, `V_Se,V_W` and a vacancy with an unusual mark, part after part."""
    parts: list[str] = []
    position = 0
    while position < len(text):
        if match := _VACANCIES.match(text, position):
            for before, symbol, after in _SITES.findall(match["sites"]):
                parts += [f"v_{symbol}"] * (int(match["count"] or 1) * int(before or 1) * int(after or 1))
        elif match := _SUBSTITUTION.match(text, position):
            parts.append(f"{match['symbol']}@{match['site']}")
        elif not (match := _SEPARATOR.match(text, position)):
            return []
        position = match.end()
    symbols = {symbol for part in parts for symbol in part.removeprefix("v_").split("@")}
    return ["+".join(parts)] if 0 < len(parts) <= MAX_PARTS and symbols <= _ELEMENTS else []


def _pairs(text: str, species: Collection[str]) -> list[str]:
    """Read `CBVN`, the subscripts of C_B V_N written on the line."""
    if not re.fullmatch(rf"(?:{_ELEMENT}){{4,}}", text):
        return []
    symbols = re.findall(_ELEMENT, text)
    pairs = list(zip(symbols[::2], symbols[1::2], strict=False))
    if len(symbols) % 2 or not _ELEMENTS.issuperset(symbols) or not all(site in species for _, site in pairs):
        return []
    return ["+".join(f"v_{site}" if symbol == "V" else f"{symbol}@{site}" for symbol, site in pairs)]


def _other_case(text: str) -> list[str]:
    """Read `v_se`, `mo_w` and `SSe`; where the second symbol is V, the first may be that of a vacancy."""
    readings = []
    for pattern in _WRONG_CASE:
        match = pattern.fullmatch(text)
        if match is None:
            continue
        first, second = match["first"].capitalize(), match["second"].capitalize()
        if first in {"V", "Vac"} and second in _ELEMENTS:
            readings.append(f"v_{second}")
        elif first in _ELEMENTS and second in _ELEMENTS:
            readings += [f"{first}@{second}"] + ([f"v_{first}"] if second == "V" else [])
    return readings


def _sites(reading: str) -> set[str]:
    """Species of the sites of a complex."""
    return {re.split("[_@]", part)[-1] for part in reading.split("+")}
