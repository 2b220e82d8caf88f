"""Who computed what: the name of a force field and what the card beside its file says, for readers of a record."""

from __future__ import annotations

import json
from typing import Any

from flatforce.core.errors import FlatforceError


def describe_model(spec: str) -> dict[str, Any]:
    """Describe a force field by its name and its model card.

    Parameters
    ----------
    spec
        Name of the force field.

    Returns
    -------
    `model`, the name; `architecture`, such as `mace` or `m3gnet`, and `labels`, such as `gpaw` and `PBE`, where the card
    of the model, or of the first member of a committee, states them.
    """
    subject: dict[str, Any] = {"model": spec}
    card = read_card(spec)
    architecture = _entry(_entry(_entry(card, "settings"), "model"), "kind")
    if isinstance(architecture, str):
        subject["architecture"] = architecture
    if isinstance(_entry(card, "labels"), list):
        subject["labels"] = card["labels"]
    return subject


def read_card(spec: str) -> dict[str, Any]:
    """Read the model card of a force field, or that of the first member of a committee.

    Parameters
    ----------
    spec
        Name of the force field.

    Returns
    -------
    Content of the card; empty where there is none.
    """
    from flatforce.models.spec import committee_members, model_files

    try:
        files = model_files(committee_members(spec)[0])
    except FlatforceError:  # a calculator that has no files
        return {}
    path = files[0].with_name(f"{files[0].name.partition('.')[0]}.card.json") if files else None
    if path is None or not path.is_file():
        return {}
    card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return card


def _entry(values: Any, name: str) -> Any:
    return values.get(name) if isinstance(values, dict) else None
