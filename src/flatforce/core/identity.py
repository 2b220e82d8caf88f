"""What makes two runs of a stage the same: kind, settings, inputs, and the revision of the method."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from flatforce.core.hashing import hash_value
from flatforce.core.results import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flatforce.core.config import Config


@dataclass(frozen=True)
class Identity:
    """Identifies a stage, so that its finished folder is recognised and no other result is taken for it."""

    kind: str
    settings: dict[str, Any]
    """All settings, resolved, as plain values."""
    inputs: dict[str, str]
    """Name → hash of what the stage reads."""
    revision: int = 1
    """Raised when the method changes its numbers; a folder of an older revision is not taken for a new one."""
    non_default: dict[str, Any] = field(default_factory=dict)
    """The settings that differ from their defaults."""
    subject: dict[str, Any] = field(default_factory=dict)
    """Names of force field and structure, for readers of the record; they identify nothing."""
    partial: bool = False
    """Whether the record holds further settings, and its inputs under other names: then they are compared by the key alone."""

    @classmethod
    def of(
        cls,
        kind: str,
        config: Config | None,
        inputs: dict[str, str],
        *,
        excluded: Sequence[str] = (),
        sections: Sequence[str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> Self:
        """Build the identity of revision 1 from a configuration.

        Parameters
        ----------
        kind
            Kind of result.
        config
            Settings, or None.
        inputs
            Name → hash.
        excluded
            Settings, as `name` or `section.name`, that do not change the result, such as the number of workers.
        sections
            Top-level settings that the stage reads, where the configuration is one of a whole study; all if None.
        more
            Further settings that are not part of the configuration, such as the name of a defect.

        Returns
        -------
        The identity, which a finished folder is compared with.
        """
        included = None if sections is None else set(sections)
        settings: dict[str, Any] = {}
        non_default: dict[str, Any] = {}
        if config is not None:
            settings = config.model_dump(mode="json", include=included)
            non_default = config.model_dump(mode="json", include=included, exclude_defaults=True)
        for values in (settings, non_default):
            for name in excluded:
                _remove(values, name)
        extra = to_json(dict(more or {}))
        return cls(kind, settings | extra, inputs, non_default=non_default | extra)

    @property
    def key(self) -> str:
        """20 hexadecimal digits; a new setting at its default does not change them."""
        return hash_value([self.kind, self.revision, to_json(self.non_default), self.inputs])

    def differences(self, record: dict[str, Any]) -> list[str]:
        """List what a finished result was computed with that differs from this identity.

        Parameters
        ----------
        record
            Content of `result.json`.

        Returns
        -------
        One text a difference, such as `max_force: 0.01 there, 0.005 now`; empty for the same stage. A setting that the
        record does not know is compared with nothing: it did not exist, which its default stands for.
        """
        if record.get("kind") != self.kind:
            return [f"kind: {record.get('kind')} there, {self.kind} now"]
        config, settings = record.get("config", {}), to_json(self.settings)
        if self.partial:
            config = _restrict(config, settings)
        texts = _compare(config, settings, to_json(self.non_default))
        if self.partial:
            same = replace(self, revision=record.get("revision", 1)).key == record.get("key")
            return texts or ([] if same else ["input files: others than now"])
        stored = record.get("inputs", {})
        names = [name for name in {**stored, **self.inputs} if stored.get(name) != self.inputs.get(name)]
        return texts + [f"input {name}: another file or model" for name in names]


def _compare(stored: dict[str, Any], settings: dict[str, Any], non_default: dict[str, Any]) -> list[str]:
    texts = []
    for name in dict.fromkeys([*stored, *settings]):
        if name in stored and name in settings:
            old, new = stored[name], settings[name]
            if isinstance(old, dict) and isinstance(new, dict):
                inner = non_default.get(name, {})
                nested = _compare(old, new, inner if isinstance(inner, dict) else {})
                texts += [f"{name}.{text}" for text in nested]
            elif old != new:
                texts.append(f"{name}: {_short(old)} there, {_short(new)} now")
        elif name in stored:
            texts.append(f"{name}: {_short(stored[name])} there, no such setting now")
        elif name in non_default:
            texts.append(f"{name}: not there, {_short(settings[name])} now")
    return texts


def _restrict(values: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _restrict(value, names[name])
        if isinstance(value, dict) and isinstance(names[name], dict)
        else value
        for name, value in values.items()
        if name in names
    }


def _short(value: Any, length: int = 60) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= length else text[: length - 1] + "…"


def _remove(values: dict[str, Any], name: str) -> None:
    section, _, rest = name.partition(".")
    if not rest:
        values.pop(section, None)
    elif isinstance(values.get(section), dict):
        _remove(values[section], rest)
