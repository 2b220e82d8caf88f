"""Markdown of the generated pages."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def toctree(names: Iterable[str]) -> str:
    """Write a hidden table of contents.

    Parameters
    ----------
    names
        Pages, relative to the page.

    Returns
    -------
    The directive.
    """
    return "\n".join(["```{toctree}", ":hidden:", "", *names, "```", ""])


def columns(*blocks: list[str]) -> list[str]:
    """Put blocks beside one another; a narrow screen shows them below one another.

    Parameters
    ----------
    blocks
        Lines of each block; empty ones are left out.

    Returns
    -------
    Lines of the directives, or of the block alone if there is only one.
    """
    shown = [block for block in blocks if block]
    if len(shown) == 1:
        return [*shown[0], ""]
    cells = [line for block in shown for line in ("", ":::{grid-item}", *block, ":::")]
    return [f"::::{{grid}} 1 1 1 {len(shown)}", ":gutter: 2", *cells, "::::", ""]


def directive(kind: str, target: str, *options: str) -> str:
    """Write a directive of autodoc.

    Parameters
    ----------
    kind
        Name of the directive, such as `autoclass`.
    target
        Full name of the object.
    options
        Flags, and options with their values such as `exclude-members: count`.

    Returns
    -------
    The directive in MyST Markdown.
    """
    lines = [f"   :{option}" if ":" in option else f"   :{option}:" for option in options]
    return "\n".join(["```{eval-rst}", f".. {kind}:: {target}", *lines, "```", ""])


def anchor(name: str) -> str:
    """Name the anchor of a command.

    Parameters
    ----------
    name
        Name of the command.

    Returns
    -------
    The anchor, such as `command-data-import`.
    """
    return f"command-{name.replace(' ', '-')}"


def first_paragraph(text: str | None) -> str:
    """Take the first paragraph of a text.

    Parameters
    ----------
    text
        A docstring or help text.

    Returns
    -------
    The paragraph, as a cell of a table.
    """
    return cell((text or "").strip().partition("\n\n")[0])


def cell(text: str | None) -> str:
    """Write a text as a cell of a table.

    Parameters
    ----------
    text
        A text of any length.

    Returns
    -------
    One line without what would end the cell.
    """
    return " ".join((text or "").split()).replace("|", "\\|").replace("<", "&lt;")


def markdown(text: str | None) -> str:
    """Write a help text as a paragraph.

    Parameters
    ----------
    text
        Help text of a command.

    Returns
    -------
    The text without indentation and control characters.
    """
    return inspect.cleandoc(text or "").replace("\b", "")
