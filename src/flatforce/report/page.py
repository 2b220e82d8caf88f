"""One HTML page of a tree of result folders: self-contained, opened from disk."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader
from plotly.offline import get_plotlyjs

from flatforce.core.errors import ResultError
from flatforce.core.files import write_text
from flatforce.core.progress import Progress, silent
from flatforce.core.results import read_record, versions
from flatforce.report.interactive import to_html
from flatforce.report.sections.registry import MAKERS, section_of
from flatforce.report.sections.section import Section
from flatforce.report.static import write_static

if TYPE_CHECKING:
    from collections.abc import Sequence

WHOLE = {"alloy comparison", "learning round"}
"""Kinds of records whose folders hold trainings that have no section of their own."""


def write_report(root: Path, target: Path, *, progress: Progress = silent) -> Path:
    """Write the page, and each figure as PNG and PDF.

    Parameters
    ----------
    root
        A result folder, or a folder of them at any depth.
    target
        Where `index.html` and `figures/` go; what stands there is replaced.
    progress
        Told after each section.

    Returns
    -------
    The page.

    Raises
    ------
    ResultError
        If there is no finished result.
    """
    found = find_results(root)
    if not found:
        raise ResultError(
            f"There is no finished result in {root}.", fix="give the folder that a command wrote"
        )
    sections = []
    for k, (folder, result) in enumerate(found):
        section = _named_apart(section_of(folder, result, str(folder.relative_to(root))))
        for figure in section.figures:
            write_static(figure, target / "figures")
        sections.append(section)
        progress(k + 1, len(found), section.title)
    page = target / "index.html"
    write_text(page, render(root.resolve().name, sections))
    return page


def find_results(root: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Find finished result folders, in the order of the page, but for the trainings inside a comparison or a round.

    Parameters
    ----------
    root
        Where to look.

    Returns
    -------
    Folder and content of `result.json` of each.
    """
    order = {kind: k for k, kind in enumerate(MAKERS)}
    every = [(path.parent, read_record(path.parent)) for path in sorted(root.rglob("result.json"))]
    whole = {folder for folder, result in every if result["kind"] in WHOLE}
    found = [(folder, result) for folder, result in every if not whole & set(folder.parents)]

    def place(item: tuple[Path, dict[str, Any]]) -> tuple[int, float, str]:
        folder, result = item
        return (order.get(result["kind"], len(order)), result["metrics"].get("n_atoms", 0.0), str(folder))

    return sorted(found, key=place)


def _named_apart(section: Section) -> Section:
    """Give figures names that hold in the whole page: the folder comes first where it is not the root."""
    prefix = section.folder.replace("/", "-").strip(".")
    if not prefix:
        return section
    return replace(section, figures=[replace(one, name=f"{prefix}-{one.name}") for one in section.figures])


def render(title: str, sections: Sequence[Section]) -> str:
    """Fill the page.

    Parameters
    ----------
    title
        Heading.
    sections
        In order.

    Returns
    -------
    HTML that needs nothing from the network.
    """
    environment = Environment(loader=PackageLoader("flatforce.report"), autoescape=True)
    scenes = {f"view-{k}": section.scene for k, section in enumerate(sections) if section.scene}
    return environment.get_template("page.html").render(
        title=title,
        sections=sections,
        drawn={figure.name: to_html(figure) for section in sections for figure in section.figures},
        plotly=get_plotlyjs(),
        scenes=json.dumps(scenes).replace("</", "<\\/"),
        versions=versions(),
    )
