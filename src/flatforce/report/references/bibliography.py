"""The references that ship with the package, read from one BibTeX file."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ENTRY: Final = re.compile(r"^@(\w+)\{([\w-]+),\n(.*?)^\}", re.MULTILINE | re.DOTALL)
FIELD: Final = re.compile(r"^  (\w+) = \{(.*)\},$", re.MULTILINE)

MAX_AUTHORS: Final = 4
"""Authors that a printed reference names; of more, the first one only."""


@dataclass(frozen=True)
class Reference:
    """A paper, a book or a program to cite."""

    key: str
    """Key of the entry, such as `phonopy`; unique among all references."""
    kind: str
    """Type of the entry in BibTeX, such as `article`."""
    fields: Mapping[str, str]
    """Name → value, as BibTeX has them: `author`, `title`, `year`, `doi` and others."""

    @property
    def bibtex(self) -> str:
        """The whole entry of BibTeX as text in UTF-8."""
        lines = [f"  {name} = {{{value}}}," for name, value in self.fields.items()]
        return "\n".join([f"@{self.kind}{{{self.key},", *lines, "}"])

    @property
    def url(self) -> str:
        """Address of the paper; empty if it has neither a DOI nor an arXiv number."""
        if "doi" in self.fields:
            return f"https://doi.org/{self.fields['doi']}"
        return f"https://arxiv.org/abs/{self.fields['eprint']}" if "eprint" in self.fields else ""

    def __str__(self) -> str:
        """Print the reference as a list of references does: authors, title, where, year."""
        plain = {name: value.replace("{", "").replace("}", "") for name, value in self.fields.items()}
        venue = plain.get("journal") or plain.get("booktitle") or plain.get("publisher", "")
        pages = plain.get("pages", "").replace("--", "–")
        arxiv = "" if pages or "eprint" not in plain else f"arXiv:{plain['eprint']}"
        version = f"version {plain['version']}" if "version" in plain else ""
        place = ", ".join(filter(None, [f"{venue} {plain.get('volume', '')}".strip(), pages, arxiv, version]))
        head = ", ".join(filter(None, [_authors(plain["author"]), plain["title"], place]))
        return f"{head} ({plain['year']})"


@cache
def all_references() -> dict[str, Reference]:
    """Read every reference of the package.

    Returns
    -------
    Key → reference, in the order of the file.
    """
    text = (resources.files(__package__) / "references.bib").read_text(encoding="utf-8")
    entries = (
        Reference(key, kind, dict(FIELD.findall(content))) for kind, key, content in ENTRY.findall(text)
    )
    return {entry.key: entry for entry in entries}


def with_version(reference: Reference, version: str) -> Reference:
    """State the version of a program.

    Parameters
    ----------
    reference
        Reference to the program.
    version
        Its version, such as `0.1.0`.

    Returns
    -------
    A copy of the reference with a field `version`.
    """
    return replace(reference, fields={**reference.fields, "version": version})


def to_bibtex(references: Iterable[Reference]) -> str:
    """Write references as one BibTeX file.

    Parameters
    ----------
    references
        References in the order in which they are written.

    Returns
    -------
    Entries of BibTeX, separated by empty lines.
    """
    return "\n\n".join(reference.bibtex for reference in references) + "\n"


def _authors(names: str) -> str:
    authors = [" ".join(reversed(name.split(", "))) for name in names.split(" and ")]
    if authors[-1] == "others" or len(authors) > MAX_AUTHORS:
        return f"{authors[0]} et al."
    return " and ".join(filter(None, [", ".join(authors[:-1]), authors[-1]]))
