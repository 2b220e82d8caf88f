"""The results of a page: finished folders in their order, and those that cannot be shown, each with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from flatforce.core.errors import ResultError
from flatforce.core.results import read_record
from flatforce.report.sections.registry import MAKERS

if TYPE_CHECKING:
    from pathlib import Path

KINDS_WITH_PARTS: Final = frozenset({"alloy comparison", "learning round"})
"""Kinds of results whose folders hold further results, such as trainings, that get no section of their own."""


@dataclass(frozen=True)
class LeftOut:
    """A folder that the page does not show."""

    folder: str
    """Folder, relative to the one that the page is about."""
    reason: str
    """Why it is left out, in one line."""


def find_results(root: Path) -> tuple[list[tuple[Path, dict[str, Any]]], list[LeftOut]]:
    """Find finished result folders in the order of the page, without the parts of a comparison or of a learning round.

    Parameters
    ----------
    root
        Folder to search.

    Returns
    -------
    Each folder and the content of its `result.json`; and the folders whose `result.json` is none of flatforce.
    """
    rank = {kind: k for k, kind in enumerate(MAKERS)}
    results, left_out = [], []
    for path in sorted(path for path in root.rglob("result.json") if path.is_file()):
        try:
            results.append((path.parent, read_record(path.parent)))
        except ResultError as error:
            left_out.append(LeftOut(str(path.parent.relative_to(root)), one_line(error.why or error.what)))
    with_parts = {folder for folder, result in results if result["kind"] in KINDS_WITH_PARTS}
    shown = [(folder, result) for folder, result in results if not with_parts & set(folder.parents)]

    def sort_key(item: tuple[Path, dict[str, Any]]) -> tuple[int, float, str]:
        folder, result = item
        return (rank.get(result["kind"], len(rank)), result["metrics"].get("n_atoms") or 0.0, str(folder))

    return sorted(shown, key=sort_key), left_out


def one_line(text: object, length: int = 160) -> str:
    """Shorten a text to one line.

    Parameters
    ----------
    text
        Any value.
    length
        Largest number of characters.

    Returns
    -------
    Its words, separated by single spaces, at most `length` characters.
    """
    joined = " ".join(str(text).split())
    return joined if len(joined) <= length else joined[: length - 1] + "…"
