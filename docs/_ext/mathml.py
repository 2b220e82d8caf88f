"""Formulas as MathML, which browsers draw by themselves: no script and no network."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from docutils import nodes
from latex2mathml.converter import convert

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, Any]:
    """Offer `html_math_renderer = "mathml"`.

    Parameters
    ----------
    app
        The application.

    Returns
    -------
    What Sphinx wants to know of an extension.
    """
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def visit_inline(translator: Any, node: nodes.math) -> None:
    """Write a formula of a line."""
    translator.body.append(_with_source(convert(node.astext()), node.astext()))
    raise nodes.SkipNode


def visit_block(translator: Any, node: nodes.math_block) -> None:
    """Write a formula on a line of its own."""
    formula = convert(node.astext(), display="block")
    translator.body.append(f'<div class="math">{_with_source(formula, node.astext())}</div>')
    raise nodes.SkipNode


def _with_source(formula: str, source: str) -> str:
    return formula.replace("<math ", f'<math aria-label="{escape(source, quote=True)}" ', 1)
