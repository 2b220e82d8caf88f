"""Output on terminals: Å is written as A where they cannot show it, and names in foreign files cannot control them."""

from __future__ import annotations

import codecs
import io
import re
import sys
import unicodedata
from functools import partial
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


STYLING: Final = re.compile(r"(\x1b\[[0-9;?]*[A-Za-z])")
"""Colours and movements of the cursor, which tables and progress bars use on a terminal."""

CONTROL: Final = {
    code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n\r"
}
"""Code of a control character → what is shown instead."""


def tolerate_narrow_terminals() -> None:
    """Let standard output and error replace characters that their encoding does not have, and control characters."""
    codecs.register_error("flatforce", _replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="flatforce")
            stream.write = partial(_write_shown, stream)  # type: ignore[method-assign]


def _write_shown(stream: io.TextIOWrapper, text: str) -> int:
    return io.TextIOWrapper.write(stream, show_controls(text, keep_styling=stream.isatty()))


def show_controls(text: str, *, keep_styling: bool = False) -> str:
    r"""Write control characters as text, so that a name in a foreign file cannot drive the terminal.

    Parameters
    ----------
    text
        Any text.
    keep_styling
        Whether sequences for colours and the cursor stay, which a terminal needs.

    Returns
    -------
    The text; line breaks and tabs stay.

    Examples
    --------
    >>> print(show_controls("vasprun" + chr(27) + "[32m.xml"))
    vasprun\x1b[32m.xml
    """
    if not keep_styling:
        return text.translate(CONTROL)
    return "".join(
        part if STYLING.fullmatch(part) else part.translate(CONTROL) for part in STYLING.split(text)
    )


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
