"""Tables of the page about calibrated intervals: scale factors, and coverage by config type and by element."""

from __future__ import annotations

from typing import Any

from flatforce.report.rows import coverage_rows
from flatforce.report.sections.section import Table


def coverage_tables(details: dict[str, Any]) -> list[Table]:
    """Tabulate the coverage by config type and by element.

    Parameters
    ----------
    details
        Details of a result; empty tables are left out.

    Returns
    -------
    Up to two tables: numbers of atoms, those without an interval, and the coverage of the others with its margin.
    """
    tables = []
    for key in ("coverage_by_config_type", "coverage_by_element"):
        header, *rows = coverage_rows(details, key)
        if rows:
            tables.append(
                Table(header, rows, title=f"Coverage of the intervals of the forces by {header[0]}")
            )
    return tables


def calibration_table(details: dict[str, Any]) -> Table:
    """Tabulate the conformal scale factors with the coverage on the test set.

    Parameters
    ----------
    details
        Details of a result with calibrated intervals.

    Returns
    -------
    One row for each level.
    """
    keys = ("levels", "scale_factors", "coverage", "coverage_tolerance")
    rows = [
        [f"{100 * level:g} %", f"{factor:.2f}", _percentage(coverage), _tolerance_text(tolerance)]
        for level, factor, coverage, tolerance in zip(*(details[key] for key in keys), strict=True)
    ]
    columns = [
        "nominal coverage",
        "conformal scale factor",
        "empirical coverage",
        "coverage tolerance (points)",
    ]
    return Table(columns, rows, title=f"Calibration of the uncertainty on {details['n_calibration']} frames")


def _tolerance_text(tolerance: float | None) -> str:
    return "unknown" if tolerance is None else f"± {100 * tolerance:.0f}"


def _percentage(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"
