"""Tables on the terminal: names are never cut, and a file or a pipe gets the width that a table needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flatforce.cli.encoding import CONTROL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

ONE_LINE: Final = CONTROL | {ord(character): repr(character)[1:-1] for character in "\t\n\r"}
"""Control characters of a cell → what is shown instead."""

MIN_WIDTH = 120
"""Characters of a line where the output is no terminal."""


def show_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, title: str | None = None, names: int = 1
) -> None:
    """Print a table that uses the width of the terminal; long texts are folded between words, not cut.

    Parameters
    ----------
    header
        (n_columns,) headings.
    rows
        (n_columns,) texts of each row.
    title
        Text above the table.
    names
        Number of columns, from the left, whose texts stay on one line.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    columns = list(zip(header, *([text.translate(ONE_LINE) for text in row] for row in rows), strict=True))
    full = [max(map(len, column)) for column in columns]
    words = [max(len(word) for text in column for word in text.split(" ")) for column in columns]
    words[:names] = full[:names]
    console = Console(highlight=False)
    with_lines = not console.is_terminal or sum(words) + 3 * len(words) + 1 <= console.width
    borders = 3 * len(words) + 1 if with_lines else len(words) - 1
    if not console.is_terminal:
        console = Console(width=max(MIN_WIDTH, sum(full) + borders), highlight=False)
    elif sum(words) + borders > console.width:
        console = Console(width=sum(words) + borders, highlight=False)
    table = Table(title=None if title is None else escape(title))
    if not with_lines:
        table.box, table.padding, table.pad_edge = None, (0, 1, 0, 0), False
    for heading, width in zip(header, _share(words, full, console.width - borders), strict=True):
        table.add_column(escape(heading), overflow="fold", width=width)
    for row in zip(*(column[1:] for column in columns), strict=True):
        table.add_row(*map(escape, row))
    console.print(table)


def _share(words: Sequence[int], full: Sequence[int], available: int) -> list[int]:
    """Give each column the width of its longest word, and what is left to the columns with more than one word."""
    widths = list(words)
    left = available - sum(widths)
    while left > 0 and widths != list(full):
        narrowest = min(
            (i for i in range(len(widths)) if widths[i] < full[i]), key=lambda i: widths[i] / full[i]
        )
        widths[narrowest] += 1
        left -= 1
    return widths


def show_folder(folder: Path) -> None:
    """Print where a result was written.

    Parameters
    ----------
    folder
        Result folder or file.
    """
    from rich.console import Console

    Console(highlight=False).print(f"written to {folder}", soft_wrap=True, markup=False)


def show(title: str, metrics: Mapping[str, float | None], units: Mapping[str, str], folder: Path) -> None:
    """Print the metrics of a result and its folder.

    Parameters
    ----------
    title
        Text above the table.
    metrics
        Name → number; None is printed as –.
    units
        Name → unit.
    folder
        Result folder.
    """
    rows = [
        (name, "–" if value is None else f"{value:.6g}", units.get(name, ""))
        for name, value in metrics.items()
    ]
    show_table(("quantity", "value", "unit"), rows, title=title)
    show_folder(folder)


def show_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows; a key that a row does not have stays empty.

    Parameters
    ----------
    rows
        Name of the column → value, for each row.
    """
    columns = list(dict.fromkeys(key for row in rows for key in row))
    texts = [
        [
            f"{cell:.4g}" if isinstance(cell, float) else str(cell)
            for cell in (row.get(key, "") for key in columns)
        ]
        for row in rows
    ]
    show_table(columns, texts)


def show_coverage(result: dict[str, Any]) -> None:
    """Print the coverage of calibrated intervals by config type and by element; nothing for a result without intervals.

    Parameters
    ----------
    result
        `result.json` of an evaluation.
    """
    from flatforce.report.rows import coverage_rows

    for key in ("coverage_by_config_type", "coverage_by_element"):
        header, *rows = coverage_rows(result["details"], key)
        if rows:
            show_table(header, rows, title="coverage of the calibrated intervals of the forces")


def show_comparison(result: dict[str, Any], folder: Path) -> None:
    """Print several force fields in one table.

    Parameters
    ----------
    result
        `result.json` of a comparison.
    folder
        Result folder.
    """
    from flatforce.report.rows import force_field_rows

    header, *rows = force_field_rows(result)
    show_table(header, rows)
    show_folder(folder)


def show_model_comparison(result: dict[str, Any], folder: Path) -> None:
    """Print the errors of the models of an alloy in one table.

    Parameters
    ----------
    result
        `result.json` of a comparison.
    folder
        Result folder.
    """
    from flatforce.report.rows import SUMMARY_COLUMNS, comparison_rows

    header, *rows = comparison_rows(result)
    columns = [header.index(name) for name in SUMMARY_COLUMNS]
    show_table(
        [header[column] for column in columns],
        [[row[column] for column in columns] for row in rows],
        title="mean absolute error on held-out orderings, meV/site",
    )
    show_folder(folder)


def show_modes(result: dict[str, Any]) -> None:
    """Print the modes that a defect changes most, with their classes.

    Parameters
    ----------
    result
        `result.json` of defect phonons.
    """
    from flatforce.report.rows import MODE_COLUMNS, mode_row

    rows = [mode_row(mode) for mode in result["details"]["modes"]]
    show_table(MODE_COLUMNS, rows, title="defect modes at Γ")
