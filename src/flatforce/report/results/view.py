"""What every result object can do, whatever it holds: draw its figures, copy its folder, describe itself."""

from __future__ import annotations

import html
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from flatforce.core.errors import ResultError
from flatforce.core.files import part_prefix

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MatplotlibFigure

    from flatforce.report.figures.figure import Figure
    from flatforce.report.references.bibliography import Reference


class View:
    """Read-only view of a folder of finished results.

    Parameters
    ----------
    folder
        The folder, on disk.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    @property
    def folder(self) -> Path:
        """Folder that holds the numbers."""
        return self._folder

    def _make_figures(self) -> dict[str, Figure]:
        raise NotImplementedError

    @cached_property
    def _figures(self) -> dict[str, Figure]:
        return self._make_figures()

    @property
    def figures(self) -> list[str]:
        """Names that `plot` accepts; the first one is its default."""
        return list(self._figures)

    def plot(self, name: str | None = None, axes: Axes | Sequence[Axes] | None = None) -> MatplotlibFigure:
        """Draw a figure, the same one that the report page shows.

        Parameters
        ----------
        name
            One of `figures`; the first one if not given.
        axes
            Axes to draw into, one for each panel; a new figure if not given.

        Returns
        -------
        A matplotlib figure, which a notebook shows and `savefig` writes.

        Raises
        ------
        ResultError
            If there is no such figure.

        Examples
        --------
        >>> import flatforce as ff
        >>> relaxed = ff.relax("mace:wse2-pbe", ff.monolayer("WSe2"))
        >>> relaxed.figures
        ['relaxation']
        >>> relaxed.plot().savefig("relaxation.png")
        """
        from flatforce.report.static import draw

        figures = self._figures
        if not figures:
            raise ResultError(
                f"There are no figures of {self.folder}.",
                why="this kind of result is made of numbers and files alone",
                fix="look at .metrics and .arrays",
            )
        if name is None:
            name = next(iter(figures))
        if name not in figures:
            raise ResultError(f"There is no figure {name}.", fix=f"choose one of {', '.join(figures)}")
        return draw(
            figures[name], None if axes is None else list(np.atleast_1d(np.asarray(axes, dtype=object)))
        )

    @property
    def references(self) -> list[Reference]:
        """Papers behind the methods, the force field and the labels of these numbers, flatforce first.

        Each has `.bibtex`, `.url` and its `.fields`; `str` of one is a line of a list of references. `flatforce.cite` writes
        all of them as BibTeX.
        """
        from flatforce.report.references.citations import references_in

        return references_in(self.folder)

    def save(self, folder: str | Path) -> Self:
        """Copy the whole folder.

        Parameters
        ----------
        folder
            New folder; it must be absent or empty.

        Returns
        -------
        The same result, opened in its new folder.

        Raises
        ------
        ResultError
            If the new folder holds anything, or lies inside the old one.

        Examples
        --------
        >>> import flatforce as ff
        >>> relaxed = ff.relax("mace:wse2-pbe", ff.monolayer("WSe2"))
        >>> stored = relaxed.save("wse2")
        >>> ff.open("wse2").energy == stored.energy == relaxed.energy
        True
        """
        target = Path(folder)
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise ResultError(f"{target} exists already.", fix="choose another folder, or delete that one")
        if target.resolve().is_relative_to(self.folder.resolve()):
            raise ResultError(f"{target} lies inside {self.folder}.", fix="choose a folder elsewhere")
        target.parent.mkdir(parents=True, exist_ok=True)
        # a copy that is cut short must not look like a finished result
        partial_copy = Path(tempfile.mkdtemp(dir=target.parent, prefix=part_prefix()))
        try:
            shutil.copytree(self.folder, partial_copy, dirs_exist_ok=True)
            partial_copy.chmod(0o755)
            partial_copy.replace(target)
        except OSError as error:
            raise ResultError(f"{target} could not be written.", why=str(error)) from error
        finally:
            shutil.rmtree(partial_copy, ignore_errors=True)
        return type(self)(target)


def html_table(title: str, rows: Iterable[Sequence[str]], warnings: Iterable[str], *, converged: bool) -> str:
    """Write a small table for notebooks.

    Parameters
    ----------
    title
        Heading.
    rows
        Texts of each row.
    warnings
        Texts below the table.
    converged
        Whether the result passed its own checks.

    Returns
    -------
    HTML; every text is escaped.
    """
    cells = ["".join(f"<td style='text-align:left'>{html.escape(text)}</td>" for text in row) for row in rows]
    state = "" if converged else " (not converged)"
    return "".join(
        [
            f"<div><strong>{html.escape(title + state)}</strong><table>",
            *(f"<tr>{row}</tr>" for row in cells),
            "</table>",
            *(f"<p>⚠ {html.escape(text)}</p>" for text in warnings),
            "</div>",
        ]
    )


def number_text(value: float | None) -> str:
    """Write a number in six digits.

    Parameters
    ----------
    value
        The number; None where it is not finite.

    Returns
    -------
    Its text, a dash for None.
    """
    return "–" if value is None else f"{value:.6g}"


def flatten(results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Join nested mappings, names separated by a slash.

    Parameters
    ----------
    results
        Name → name → value.

    Returns
    -------
    Names joined by slashes, such as `6x6/dos` → value.
    """
    return {f"{outer}/{inner}": value for outer, values in results.items() for inner, value in values.items()}
