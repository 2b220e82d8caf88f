"""CSV files of alloy results."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from flatforce.core.files import write_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def write_csv(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a CSV file.

    Parameters
    ----------
    path
        The file.
    columns
        Names of the columns; other keys of the rows are left out.
    rows
        Column → value of each row.
    """
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, buffer.getvalue())
