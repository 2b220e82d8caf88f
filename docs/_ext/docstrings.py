"""Docstrings in numpy's style without types, written as the fields that Sphinx reads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, Any]:
    """Adapt each docstring before it is read.

    Parameters
    ----------
    app
        The application.

    Returns
    -------
    What Sphinx wants to know of an extension.
    """
    app.connect("autodoc-process-docstring", adapt_docstring)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def adapt_docstring(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Write the sections of numpy's style as fields; types stand in the signature, not in the docstring.

    Parameters
    ----------
    app, what, name, obj, options
        What Sphinx says of the object; not used.
    lines
        Docstring, changed in place.
    """
    del app, what, name, obj, options
    sections: list[tuple[str, list[str]]] = [("", [])]
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if line and following and set(following) == {"-"}:
            sections.append((line, []))
        elif not (line and set(line) == {"-"}):
            sections[-1][1].append(re.sub(r"^(\s*)(\([\w ]+\))(?=\s)", r"\1\\\2", line))  # a shape is no list
    lines[:] = [line for title, body in sections for line in _section(title, body)]


def _section(title: str, body: list[str]) -> Iterator[str]:
    if title in {"Returns", "Yields"}:
        yield f":returns: {' '.join(filter(None, map(str.strip, body)))}"
    elif title in {"Parameters", "Raises", "Attributes"}:
        field = "raises" if title == "Raises" else "param"
        for line in body:
            if line and not line.startswith(" "):
                yield from (f":{field} {name.strip()}:" for name in line.replace("*", "\\*").split(","))
            else:
                yield line
    elif title:
        yield from ("", f".. rubric:: {title}", "", *body)
    else:
        yield from body
    yield ""
