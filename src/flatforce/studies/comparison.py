"""Stages that compare the results of other stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flatforce.core.results import to_json
from flatforce.studies.stage import Stage

if TYPE_CHECKING:
    from flatforce.core.identity import Identity


@dataclass(frozen=True)
class ComparisonStage(Stage):
    """Base of the stages that compare the results of other stages, in seconds.

    If the settings are the same and the compared results are others, for instance one size more, the comparison is made again.
    """

    def extends(self, record: dict[str, Any], identity: Identity) -> bool:
        """Tell whether a finished folder holds this comparison of other results."""
        del identity
        return bool(record["kind"] == self.kind and record["config"] == to_json(self.settings()))
