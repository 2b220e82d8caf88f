"""Who computed what: the name of a force field and what the card beside its file says, for readers of a record."""

from __future__ import annotations

from typing import Any


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
    from flatforce.models.model_card import read_card

    subject: dict[str, Any] = {"model": spec}
    card = read_card(spec)
    architecture = _entry(_entry(_entry(card, "settings"), "model"), "kind")
    if isinstance(architecture, str):
        subject["architecture"] = architecture
    if isinstance(_entry(card, "labels"), list):
        subject["labels"] = card["labels"]
    return subject


def _entry(values: Any, name: str) -> Any:
    return values.get(name) if isinstance(values, dict) else None
