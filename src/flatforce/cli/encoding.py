"""Output on terminals that cannot show every character: Å is written as A, → as ->, instead of an error."""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata
from typing import Final

ASCII: Final = str.maketrans(
    {
        "×": "x",
        "·": "*",
        "→": "->",
        "≥": ">=",
        "≤": "<=",
        "±": "+/-",
        "…": "...",
        "–": "-",
        "—": "-",
        "−": "-",
        "“": '"',
        "”": '"',
        "’": "'",
        "░": ".",
        "█": "#",
    }
    | dict.fromkeys("─━╌═", "-")
    | dict.fromkeys("│┃║╎", "|")
    | dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼┏┓┗┛┡┩┢┪╇╈╋┳┻╞╡╪", "+")
    | {letter: unicodedata.name(letter).split()[-1].capitalize() for letter in "ΓΔΣΦ"}
    | {letter: unicodedata.name(letter).split()[-1].lower() for letter in "αβγκλμνπστφωθεχψρ"}
)
"""Character → what stands for it."""


def tolerate_narrow_terminals() -> None:
    """Let standard output and error replace characters that their encoding does not have."""
    codecs.register_error("flatforce", _replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="flatforce")


def transliterate(text: str) -> str:
    """Write a text in ASCII.

    Parameters
    ----------
    text
        Any text.

    Returns
    -------
    The text with letters without their accents, words for Greek letters, and `?` for what has no counterpart.

    Examples
    --------
    >>> transliterate("ω = 5 THz at Γ → 3.32 Å², ± 0.1")
    'omega = 5 THz at Gamma -> 3.32 A2, +/- 0.1'
    """
    plain = unicodedata.normalize("NFKD", text.translate(ASCII))
    return "".join(
        letter if letter.isascii() else "?" for letter in plain if not unicodedata.combining(letter)
    )


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return transliterate(error.object[error.start : error.end]), error.end
