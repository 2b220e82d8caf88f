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


def metrics_page() -> str:
    """Write the tables of all groups of metrics.

    Returns
    -------
    The page in MyST Markdown.
    """
    groups = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    lines = [HEAD]
    for title, rows in groups.items():
        lines += [
            f"## {title[0].upper()}{title[1:]}",
            "",
            "| name | unit | meaning | formula |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| `{name}` | {unit or '–'} | {meaning} | {formula} |" for name, unit, meaning, formula in rows
        ]
        lines.append("")
    return "\n".join(lines)
