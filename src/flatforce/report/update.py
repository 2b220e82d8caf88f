"""The page of a tree of result folders, written again only where a result has changed; nothing heavy is imported for that."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from flatforce.core.files import write_text
from flatforce.core.hashing import hash_file

if TYPE_CHECKING:
    from pathlib import Path

SOURCES: Final = ".flatforce-sources.json"
"""File beside the page that names the results it was made from."""


def update_report(root: Path, target: Path) -> Path:
    """Write the page and its figures, unless they stand there and every result is the one that they were made from.

    Parameters
    ----------
    root
        A result folder, or a folder of them at any depth.
    target
        Folder of `index.html` and `figures/`.

    Returns
    -------
    Path of `index.html`, which may be opened without a network, newly written or as it was.
    """
    page = target / "index.html"
    hashes = {str(path.relative_to(root)): hash_file(path) for path in sorted(root.rglob("result.json"))}
    sources = json.dumps({"flatforce": version("flatforce"), "results": hashes}, indent=1)
    stored = target / SOURCES
    if page.is_file() and stored.is_file() and stored.read_text(encoding="utf-8") == sources:
        return page
    from flatforce.report.page import write_report

    write_report(root, target)
    write_text(stored, sources)
    return page
