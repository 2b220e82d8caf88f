"""The model card beside the file of a force field."""

from __future__ import annotations

import json
from typing import Any

from flatforce.core.errors import FlatforceError
from flatforce.models.spec import committee_members, model_files


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
    try:
        files = model_files(committee_members(spec)[0])
    except FlatforceError:  # a calculator that has no files
        return {}
    path = files[0].with_name(f"{files[0].name.partition('.')[0]}.card.json") if files else None
    if path is None or not path.is_file():
        return {}
    card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return card
