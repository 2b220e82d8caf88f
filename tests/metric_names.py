"""Whether the manual describes a metric, by its name and unit."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from pathlib import Path

import yaml

SOURCE = Path(__file__).parents[1] / "docs" / "reference" / "metrics.yaml"


@cache
def read_entries() -> set[tuple[str, str]]:
    """Names and units of the manual."""
    groups = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    return {(name, unit) for rows in groups.values() for name, unit, _, _ in rows}


def is_described(name: str, unit: str, entries: Collection[tuple[str, str]]) -> bool:
    """Whether an entry has this unit, and this name with {...} filled in; comparisons put the name of a model before it."""
    name = name if name.endswith(": mae") else name.rpartition(": ")[2]
    return any(unit == known and re.fullmatch(_pattern(entry), name) for entry, known in entries)


def _pattern(entry: str) -> str:
    return "".join(
        ".*" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{\w+\})", entry)
    )
