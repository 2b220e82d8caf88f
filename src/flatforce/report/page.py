"""One HTML page about a tree of result folders; it needs no network and opens from disk."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader
from plotly.offline import get_plotlyjs

from flatforce.core.errors import ForeignFileError, ResultError
from flatforce.core.files import remove_abandoned_parts
from flatforce.core.progress import Progress, silent
from flatforce.core.results import versions
from flatforce.core.written import WrittenFiles
from flatforce.report.collection import LeftOut, find_results, one_line
from flatforce.report.escaping import MAX_NAME, plain_text, safe_name, script_json
from flatforce.report.interactive import to_html
from flatforce.report.references.citations import references_of
from flatforce.report.sections.registry import section_of
from flatforce.report.static import static_paths, write_static

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from flatforce.report.references.bibliography import Reference
    from flatforce.report.sections.section import Section


@dataclass
class Content:
    """What the page shows, section by section."""

    sections: list[Section] = field(default_factory=list)
    figures: dict[str, str] = field(default_factory=dict)
    """Name of each figure → its HTML."""
    records: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def _ignore(warning: str) -> None:
    del warning


def write_report(
    root: Path, target: Path, *, progress: Progress = silent, warn: Callable[[str], None] = _ignore
) -> Path:
    """Write the page, and each figure as PNG and PDF.

    A folder that cannot be shown, because another program or another version wrote it or because it is damaged, is left out.

    Parameters
    ----------
    root
        A result folder, or a folder of them at any depth.
    target
        Folder of `index.html` and `figures/`. Those of an earlier page are replaced, unless they were changed since.
    progress
        Called after each section.
    warn
        Called with one line for each folder that is left out; the page lists them as well.

    Returns
    -------
    Path of the HTML page that was written.

    Raises
    ------
    ResultError
        If there is no finished result that can be shown, or a file would be replaced that flatforce did not write.
    """
    page, written = target / "index.html", WrittenFiles(target)
    written.check([page])
    results, left_out = find_results(root)
    content = Content(left_out=left_out)
    for k, (folder, record) in enumerate(results):
        name = str(folder.relative_to(root))
        with _or_left_out(content, name):
            section, drawn = _make_section(folder, record, name, used_names=set(content.figures))
            written.check(path for one in section.figures for path in static_paths(one, target / "figures"))
            for figure in section.figures:
                write_static(figure, target / "figures", written)
            content.sections.append(section)
            content.figures.update(drawn)
            content.records.append(record)
        progress(k + 1, len(results), name)
    if not content.sections:
        reasons = "; ".join(f"{entry.folder}: {entry.reason}" for entry in content.left_out[:3])
        raise ResultError(
            f"There is no finished result in {root}.", why=reasons, fix="give the folder that a command wrote"
        )
    text = render(root.resolve().name, content)
    written.write(page, lambda part: _write(part, text))
    remove_abandoned_parts(target)
    for entry in content.left_out:
        warn(f"{plain_text(entry.folder)} is left out: {plain_text(entry.reason)}")
    return page


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


@contextmanager
def _or_left_out(content: Content, name: str) -> Iterator[None]:
    """Leave a folder out, whatever its damage makes its section raise; a file in the way ends the page."""
    try:
        yield
    except ForeignFileError:
        raise
    except Exception as error:  # noqa: BLE001  # the other folders are shown
        content.left_out.append(LeftOut(name, one_line(f"{type(error).__name__}: {error}")))


def _make_section(
    folder: Path, record: dict[str, Any], name: str, *, used_names: set[str]
) -> tuple[Section, dict[str, str]]:
    """Make a section and the HTML of its figures; everything that the page needs of it is tried."""
    section = _name_figures(section_of(folder, record, name), used_names)
    references_of([record])
    script_json(section.scene)
    return section, {figure.name: to_html(figure) for figure in section.figures}


def _name_figures(section: Section, used_names: set[str]) -> Section:
    """Make the names of figures unique in the page and safe for files: the folder comes first, unless it is the root."""
    prefix = safe_name(section.folder, length=MAX_NAME // 2).strip(".")
    figures = []
    for figure in section.figures:
        own = safe_name(figure.name)
        stem = f"{prefix}-{own}" if prefix else own
        name, number = stem, 1
        while name in used_names:
            number += 1
            name = f"{stem}-{number}"
        used_names.add(name)
        figures.append(replace(figure, name=name))
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


def render(title: str, content: Content) -> str:
    """Fill the template of the page.

    Parameters
    ----------
    title
        Heading.
    content
        Sections in order, their figures, and what is left out.

    Returns
    -------
    HTML that loads nothing from the network.
    """
    environment = Environment(
        loader=PackageLoader("flatforce.report"), autoescape=True, finalize=_finalize, trim_blocks=True
    )
    sections = distinguish_titles(content.sections)
    references: list[Reference] = references_of(content.records)
    scenes = {f"view-{k}": section.scene for k, section in enumerate(sections) if section.scene}
    page = environment.get_template("page.html").render(
        title=title,
        sections=sections,
        figures=content.figures,
        left_out=content.left_out,
        references=references,
        plotly=get_plotlyjs(),
        scenes=script_json(scenes),
        versions=versions(),
    )
    return page.encode("utf-8", "replace").decode("utf-8")


def _finalize(value: Any) -> Any:
    """Shorten what a damaged file may hold; markup of the page itself is no plain text."""
    return plain_text(value) if type(value) is str else value
