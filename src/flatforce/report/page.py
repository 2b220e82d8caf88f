"""One HTML page about a tree of result folders; it needs no network and opens from disk."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader
from plotly.offline import get_plotlyjs

from flatforce.core.errors import ResultError
from flatforce.core.files import remove_abandoned_parts
from flatforce.core.progress import Progress, silent
from flatforce.core.results import read_record, versions
from flatforce.core.written import WrittenFiles
from flatforce.report.interactive import to_html
from flatforce.report.sections.registry import MAKERS, section_of
from flatforce.report.sections.section import Section
from flatforce.report.static import static_paths, write_static

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS_WITH_PARTS: Final = frozenset({"alloy comparison", "learning round"})
"""Kinds of results whose folders hold further results, such as trainings, that get no section of their own."""


def write_report(root: Path, target: Path, *, progress: Progress = silent) -> Path:
    """Write the page, and each figure as PNG and PDF.

    Parameters
    ----------
    root
        A result folder, or a folder of them at any depth.
    target
        Folder of `index.html` and `figures/`. Those of an earlier page are replaced, unless they were changed since.
    progress
        Called after each section.

    Returns
    -------
    Path of the HTML page that was written.

    Raises
    ------
    ResultError
        If there is no finished result, or a file would be replaced that flatforce did not write.
    """
    page, written = target / "index.html", WrittenFiles(target)
    written.check([page])
    results = find_results(root)
    if not results:
        raise ResultError(
            f"There is no finished result in {root}.", fix="give the folder that a command wrote"
        )
    sections = []
    for k, (folder, result) in enumerate(results):
        section = _prefix_figures(section_of(folder, result, str(folder.relative_to(root))))
        written.check(path for figure in section.figures for path in static_paths(figure, target / "figures"))
        for figure in section.figures:
            write_static(figure, target / "figures", written)
        sections.append(section)
        progress(k + 1, len(results), section.title)
    text = render(root.resolve().name, distinguish_titles(sections))
    written.write(page, lambda part: _write(part, text))
    remove_abandoned_parts(target)
    return page


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def find_results(root: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Find finished result folders in the order of the page, without the parts of a comparison or of a learning round.

    Parameters
    ----------
    root
        Folder to search.

    Returns
    -------
    Each folder and the content of its `result.json`.
    """
    rank = {kind: k for k, kind in enumerate(MAKERS)}
    results = [(path.parent, read_record(path.parent)) for path in sorted(root.rglob("result.json"))]
    with_parts = {folder for folder, result in results if result["kind"] in KINDS_WITH_PARTS}
    shown = [(folder, result) for folder, result in results if not with_parts & set(folder.parents)]

    def sort_key(item: tuple[Path, dict[str, Any]]) -> tuple[int, float, str]:
        folder, result = item
        return (rank.get(result["kind"], len(rank)), result["metrics"].get("n_atoms", 0.0), str(folder))

    return sorted(shown, key=sort_key)


def _prefix_figures(section: Section) -> Section:
    """Make the names of figures unique in the page: the folder comes first, unless it is the root."""
    prefix = section.folder.replace("/", "-").strip(".")
    if not prefix:
        return section
    figures = [replace(figure, name=f"{prefix}-{figure.name}") for figure in section.figures]
    return replace(section, figures=figures)


def distinguish_titles(sections: Sequence[Section]) -> list[Section]:
    """Make the titles of sections unique: those that several sections share are followed by the folder.

    Parameters
    ----------
    sections
        Sections of a page.

    Returns
    -------
    The sections in the same order, no two with one title.
    """
    counts = Counter(section.title for section in sections)
    return [
        replace(section, title=f"{section.title} ({section.folder})")
        if counts[section.title] > 1
        else section
        for section in sections
    ]


def render(title: str, sections: Sequence[Section]) -> str:
    """Fill the template of the page.

    Parameters
    ----------
    title
        Heading.
    sections
        Sections in order.

    Returns
    -------
    HTML that loads nothing from the network.
    """
    environment = Environment(loader=PackageLoader("flatforce.report"), autoescape=True)
    scenes = {f"view-{k}": section.scene for k, section in enumerate(sections) if section.scene}
    return environment.get_template("page.html").render(
        title=title,
        sections=sections,
        figures={figure.name: to_html(figure) for section in sections for figure in section.figures},
        plotly=get_plotlyjs(),
        scenes=json.dumps(scenes).replace("</", "<\\/"),
        versions=versions(),
    )
