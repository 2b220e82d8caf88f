"""Page of the metrics in `result.json`, written from `reference/metrics.yaml`, which a test compares with the code."""

from __future__ import annotations

from pathlib import Path

import yaml

SOURCE = Path(__file__).parents[1] / "reference" / "metrics.yaml"

HEAD = """# Metrics

Numbers of `result.json` under `metrics`, with their units under `units`; in Python `result.metrics` and `result.units`. Names that hold {…} stand for
several: `{stage}` is `before` or `after` the sum rules are enforced, `{pair}` are two sizes (`6x6_9x9`), `{prefix}` is nothing, `train_` (frames that
the model was trained on), `initial_` (the model that a fine-tuning started from) or `test_` (mean over folds of a sweep). Comparisons put the name of a model before
that of a metric.
"""


FIRST_OF_MODELS = "errors against DFT"
"""First group of the page on models, data and alloys."""


def metrics_pages() -> dict[str, str]:
    """Write the tables of all groups of metrics on three pages: sheets, defects, and models with data and alloys.

    Returns
    -------
    Name of the page → text in MyST Markdown; the first page links the others.
    """
    groups = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    names = list(groups)
    models = names[names.index(FIRST_OF_MODELS) :]
    defects = [
        name for name in names if "defect" in name or name in {"neb", "hops", "embedding and dilute limit"}
    ]
    defects = [name for name in defects if name not in models]
    sheets = [name for name in names if name not in models and name not in defects]
    more = ["```{toctree}", ":maxdepth: 1", "", "metrics/defects", "metrics/models", "```", ""]
    return {
        "metrics": "\n".join([HEAD, *more, *_tables(groups, sheets)]),
        "metrics/defects": "\n".join(["# Metrics of defects", "", *_tables(groups, defects)]),
        "metrics/models": "\n".join(["# Metrics of models, data and alloys", "", *_tables(groups, models)]),
    }


def _tables(groups: dict[str, list[list[str]]], titles: list[str]) -> list[str]:
    lines: list[str] = []
    for title in titles:
        lines += [
            f"## {title[0].upper()}{title[1:]}",
            "",
            "| name | unit | meaning | formula |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| `{name}` | {unit or '–'} | {meaning} | {formula} |"
            for name, unit, meaning, formula in groups[title]
        ]
        lines.append("")
    return lines
