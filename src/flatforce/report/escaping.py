r"""Texts of files and folders inside the page: nothing in them is taken for HTML, for JavaScript, or for a formula.

Jinja escapes what the template writes. The rest is here: names of files and elements, JSON inside a script, the texts of plotly,
which reads `<b>` and `&`, and those of matplotlib, which reads `$…$`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from flatforce.report.figures.figure import Figure, Panel, Series

MAX_NAME: Final = 120
"""Characters of a name; file systems take 255 bytes."""

MAX_TEXT: Final = 2000
"""Characters of a text in a figure or in a table; longer ones come from damaged files."""


KEYWORDS: Final = frozenset({"style", "colour"})
"""Texts of a series that are no texts for readers."""


def safe_name(text: str, *, length: int = MAX_NAME) -> str:
    """Turn a text into a name for files and for elements of the page.

    Parameters
    ----------
    text
        Any text, such as the path of a folder.
    length
        Largest number of characters.

    Returns
    -------
    Letters, digits, dots, dashes and underscores; anything else has become a dash.

    Examples
    --------
    >>> safe_name('a/b "><script>')
    'a-b----script-'
    """
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)[:length]


def plain_text(text: object) -> str:
    """Make any text one that can be encoded and printed.

    Parameters
    ----------
    text
        Any value.

    Returns
    -------
    Its text without lone surrogates and without what follows after 2000 characters.
    """
    encodable = str(text).encode("utf-8", "replace").decode("utf-8")
    return encodable if len(encodable) <= MAX_TEXT else encodable[:MAX_TEXT] + "…"


def script_json(value: Any) -> str:
    """Write a value as JSON that may stand inside a script element.

    Parameters
    ----------
    value
        Plain values.

    Returns
    -------
    JSON in which no `<`, `>` or `&` appears, so that it can neither end the script nor begin a comment.
    """
    text = json.dumps(value)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def for_plotly(figure: Figure) -> Figure:
    """Escape the texts of a figure for plotly.

    Parameters
    ----------
    figure
        Figure with plain texts.

    Returns
    -------
    The same figure; plotly shows its texts as they were.
    """

    def escape(text: str) -> str:
        return plain_text(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    return _with_texts(figure, escape)


def for_matplotlib(figure: Figure) -> Figure:
    """Escape the texts of a figure for matplotlib.

    Parameters
    ----------
    figure
        Figure with plain texts.

    Returns
    -------
    The same figure; matplotlib shows its texts as they were, and reads no formulas.
    """
    return _with_texts(figure, lambda text: plain_text(text).replace("$", r"\$"))


def _with_texts(figure: Figure, change: Callable[[str], str]) -> Figure:
    panels = []
    for panel in figure.panels:
        series = tuple(replace(entry, **_changed(entry, change)) for entry in panel.series)
        panels.append(replace(panel, **_changed(panel, change) | {"series": series}))
    return replace(figure, panels=tuple(panels))


def _changed(description: Panel | Series, change: Callable[[str], str]) -> dict[str, Any]:
    """Change every text of a panel or of a series: labels, names, and the texts of ticks and tiles."""
    values = {field.name: getattr(description, field.name) for field in fields(description)}
    changed: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, str) and name not in KEYWORDS:
            changed[name] = change(value)
        elif isinstance(value, tuple):
            changed[name] = tuple(_change_entry(entry, change) for entry in value)
    return changed


def _change_entry(entry: Any, change: Callable[[str], str]) -> Any:
    if isinstance(entry, str):
        return change(entry)
    return tuple(_change_entry(part, change) for part in entry) if isinstance(entry, tuple) else entry
