"""What `result.json` must hold before anything reads numbers from it: a file of another program is refused, not guessed at."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from flatforce.core.errors import ResultError

if TYPE_CHECKING:
    from pathlib import Path

MAX_NUMBER: Final = 1e300
"""Larger numbers come from a damaged file; arithmetic with them overflows."""

FIELDS: Final[dict[str, type | tuple[type, ...]]] = {
    "kind": str,
    "config": dict,
    "metrics": dict,
    "units": dict,
    "details": dict,
    "warnings": list,
    "converged": bool,
}
"""Name → type of what every result holds."""


def checked_record(content: Any, path: Path) -> dict[str, Any]:
    """Check the content of a `result.json`.

    Parameters
    ----------
    content
        What the file holds, as JSON gave it.
    path
        The file, for the error.

    Returns
    -------
    The content itself, with None for each metric that is not finite.

    Raises
    ------
    ResultError
        If it is no result of flatforce, or one whose entries have other types.
    """
    problem = _problem(content)
    if problem:
        raise ResultError(
            f"{path} is no result of flatforce, or it is damaged.",
            why=problem,
            fix="give the folder that a flatforce command wrote, or compute it again in a new folder",
        )
    record: dict[str, Any] = content
    record["metrics"] = {name: _finite(value) for name, value in record["metrics"].items()}
    return record


def _problem(content: Any) -> str:
    """Say what is wrong; an empty text if nothing is."""
    if not isinstance(content, dict):
        return f"it holds a {type(content).__name__}, not an object"
    for name, expected in FIELDS.items():
        if name not in content:
            return f"it has no `{name}`"
        if not isinstance(content[name], expected):
            return f"its `{name}` is of type {type(content[name]).__name__}"
    if not all(isinstance(text, str) for text in content["warnings"]):
        return "its `warnings` are no texts"
    if not all(isinstance(unit, str) for unit in content["units"].values()):
        return "its `units` are no texts"
    wrong = [name for name, value in content["metrics"].items() if not _is_number(value)]
    return f"its metric {wrong[0]!r} is no number" if wrong else ""


def _is_number(value: Any) -> bool:
    """Whether it is None, a float that is not finite, or a number that arithmetic can take."""
    if value is None or isinstance(value, bool):
        return value is None
    if isinstance(value, float) and not math.isfinite(value):
        return True
    return isinstance(value, int | float) and abs(value) < MAX_NUMBER


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value
