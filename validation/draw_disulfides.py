"""A figure of the manual from recorded numbers: the errors of the models of MoWS2.

    python validation/draw_disulfides.py docs/validation/disulfides.md FOLDER

draws the first table of results in `disulfides.md`: MAE, or that of the first repeat where there is no other, and the 95 % interval. The
figure of `active-learning.md` is drawn by `python validation/strategies.py table validation/strategies_wse2.csv --picture FOLDER`.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import numpy as np

from flatforce.core.written import WrittenFiles
from flatforce.report.figures.figure import GREY, Figure, Panel, Series
from flatforce.report.static import write_static

HEADER = "| MoWS₂, 13 orderings"


def read_table(page: Path) -> dict[str, tuple[float, float, float]]:
    """Name of a model → MAE and its 95 % interval, in meV per site."""
    lines = page.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(HEADER))
    models = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        name, mae, interval, first_repeat, *_ = (cell.strip() for cell in line.strip("|").split("|"))
        limits = re.findall(r"\d+\.\d+", interval)
        if len(limits) == 2:  # lower and upper
            models[name] = (float(first_repeat if mae == "–" else mae), float(limits[0]), float(limits[1]))
    return models


def errors(models: dict[str, tuple[float, float, float]]) -> Figure:
    rows = np.arange(len(models), dtype=float)[::-1]
    series = [
        Series(np.array([low, high]), np.array([row, row]), name="95 % interval", colour=GREY)
        for row, (_, low, high) in zip(rows, models.values(), strict=True)
    ]
    mae = np.array([value for value, _, _ in models.values()])
    series.append(Series(mae, rows, name="MAE", style="points", width=5))
    panel = Panel(
        tuple(series),
        "MAE (meV/site)",
        y_ticks=tuple((float(row), name) for row, name in zip(rows, models, strict=True)),
        y_range=(-0.6, len(models) - 0.4),
        log_x=True,
    )
    return Figure("disulfides", "Errors on held-out orderings.", (panel,), height=1.2 + 0.24 * len(models))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    write_static(errors(read_table(arguments.page)), arguments.folder, WrittenFiles(arguments.folder))
