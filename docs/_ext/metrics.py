"""Page of the metrics in `result.json`, written from `reference/metrics.yaml`, which a test compares with the code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sphinx.application import Sphinx

SOURCE = Path(__file__).parents[1] / "reference" / "metrics.yaml"
PAGE = Path("reference") / "generated" / "metrics.md"

HEAD = """# Metrics

Numbers of `result.json` under `metrics`, with their units under `units`; in Python `result.metrics` and `result.units`. Names that hold {…} stand for
several: `{stage}` is `before` or `after` the sum rules are enforced, `{pair}` are two sizes (`6x6_9x9`), `{prefix}` is nothing, `train_` (frames that
the model was trained on), `initial_` (the model that a fine-tuning started from) or `test_` (mean over folds of a sweep). Comparisons put the name of a model before
that of a metric.
"""


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the page before Sphinx looks for sources.

    Parameters
    ----------
    app
        The application.

    Returns
    -------
    What Sphinx wants to know of an extension.
    """
    app.connect("builder-inited", write_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_page(app: Sphinx) -> None:
    """Write the page, only if its content is new."""
    path = Path(app.srcdir) / PAGE
    path.parent.mkdir(parents=True, exist_ok=True)
    text = page_text(read_metrics())
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def read_metrics() -> dict[str, list[list[str]]]:
    """Read the descriptions.

    Returns
    -------
    Title of a group → rows of name, unit, meaning and formula.
    """
    content: dict[str, list[list[str]]] = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    return content


def page_text(groups: Mapping[str, Sequence[Sequence[str]]]) -> str:
    """Write the tables of all groups.

    Parameters
    ----------
    groups
        Title → rows of name, unit, meaning and formula.

    Returns
    -------
    The page in MyST Markdown.
    """
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
