"""Pages of the BibTeX entries, written from the file that ships with the package."""

from __future__ import annotations

from flatforce.report.references.bibliography import all_references, to_bibtex
from flatforce.report.references.methods import KINDS, LABELS, MODELS, PUBLISHED_MACE, SETTINGS

LEARNING = {
    kind
    for kind in KINDS
    if kind.startswith(
        ("alloy", "cluster", "learning", "sweep", "statistics", "relaxation", "strain optimum")
    )
}
"""Kinds of results whose methods are those of data, learning and alloys."""

OWN = "flatforce"
"""Key of the entry of the package."""


def bibtex_pages() -> dict[str, str]:
    """Write one page for force fields and DFT codes, and two for methods.

    Returns
    -------
    Name of the page → text in MyST Markdown; each entry but that of flatforce stands on one of them.
    """
    programs = {key for keys in (*MODELS.values(), PUBLISHED_MACE, *LABELS.values()) for key in keys}
    methods = set(all_references()) - programs - {OWN}
    learning = {key for kind in LEARNING for key in KINDS[kind]} | {
        key for _, _, keys in SETTINGS for key in keys
    }
    vibrations = {key for kind in set(KINDS) - LEARNING for key in KINDS[kind]}
    return {
        "bibtex/programs": _page("BibTeX of force fields and DFT codes", programs),
        "bibtex/methods": _page("BibTeX of methods: sheets and defects", methods & vibrations),
        "bibtex/learning": _page(
            "BibTeX of methods: options, data, learning, alloys", (methods & learning) - vibrations
        ),
    }


def _page(heading: str, keys: set[str]) -> str:
    entries = [reference for key, reference in all_references().items() if key in keys]
    rows = [f"| {_link(reference.key, reference.url)} | {reference} |" for reference in entries]
    table = ["| key | reference |", "|---|---|", *rows]
    return "\n".join([f"# {heading}", "", *table, "", "```bibtex", to_bibtex(entries).rstrip(), "```", ""])


def _link(key: str, url: str) -> str:
    return f"[{key}]({url})" if url else key
