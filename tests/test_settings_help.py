"""Every setting explains itself: what it means, and in which unit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from flatforce.cli.settings import SETTINGS, config_class
from flatforce.core.config import Config, nested_configs

MIN_WORDS = 4
"""Fewer words than this cannot say more than the name of the setting does."""

UNIT = re.compile(r"(?<![\w/'’`])(m?eV|Ry|kbar|GPa|Å|K|THz|fs|1/fs|s|minutes|amu|N/m|in e)(?![\w'’`])")
"""A unit, as the settings write it."""

DIMENSIONLESS = re.compile(
    r"\b([Ff]ractions?|[Ff]actors?|[Rr]atios?|[Rr]elative|[Rr]ange of concentrations|[Cc]oncentrations?|[Nn]o unit"
    r"|per cent|[Ww]eight decay|[Dd]ecay of the exponential|learning rates?|gradient|number of parameters per"
    r"|electrons per valence electron|unit of the setting|unit of the engine)\b"
)
"""Words of a quantity that has no unit of its own."""

COUNT = re.compile(
    r"\b([Nn]umbers?|[Ss]izes?|[Ss]eed|[Oo]rder|[Dd]egrees?|[Bb]ody order|Repetitions|Indices)\b"
)
"""Words of a quantity that is counted."""


def reachable(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A class of settings, and the classes of all its parts."""
    yield kind
    for field in kind.model_fields.values():
        for nested in nested_configs(field.annotation):
            yield from reachable(nested)


def number_types(annotation: Any) -> set[type]:
    """The types of number that an annotation admits, inside lists, options and mappings as well."""
    if annotation in {int, float}:
        return {annotation}
    if annotation is bool:
        return set()
    return {kind for part in get_args(annotation) for kind in number_types(part)}


def faults(field: FieldInfo) -> list[str]:
    """What a description lacks.

    A quantity that is a real number states a unit, or says by one of a few words that it has none. A whole number states
    what it counts, or a unit such as seconds.
    """
    text = " ".join((field.description or "").split())
    numbers = number_types(field.annotation)
    checks = {
        "a description": bool(text),
        f"{MIN_WORDS} words": len(text.split()) >= MIN_WORDS,
        "a capital at its start": text[:1].isupper(),
        "a full stop at its end": text.endswith("."),
        "a unit": float not in numbers or bool(UNIT.search(text) or DIMENSIONLESS.search(text)),
        "what is counted": int not in numbers or bool(COUNT.search(text) or UNIT.search(text)),
    }
    return [name for name, holds in checks.items() if not holds]


CLASSES = sorted({kind for command in SETTINGS for kind in reachable(config_class(command))}, key=str)
FREE_VALUES = {"EspressoSettings.namelists", "VaspSettings.tags", "SweepConfig.vary"}
"""Settings that hold entries of another program or of another class, whose units are theirs."""


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_setting_states_its_meaning_and_unit(kind: type[Config]) -> None:
    lacking = {
        name: faults(field)
        for name, field in kind.model_fields.items()
        if f"{kind.__name__}.{name}" not in FREE_VALUES and faults(field)
    }
    assert lacking == {}


def test_classes_of_all_commands_are_looked_at() -> None:
    names = {kind.__name__ for kind in CLASSES}
    assert {"StudyConfig", "TrainConfig", "MaceArchitecture", "LabelConfig", "SearchConfig"} <= names
    assert sum(len(kind.model_fields) for kind in CLASSES) > 200


@pytest.mark.parametrize(
    ("annotation", "text", "fault"),
    [
        (float, "Largest force on any atom.", "a unit"),
        (list[float], "Temperatures of the run.", "a unit"),
        (int, "Whatever the user wishes here.", "what is counted"),
        (str, "Name.", "4 words"),
        (str, "name of the model file.", "a capital at its start"),
        (str, "Name of the model file", "a full stop at its end"),
        (str, None, "a description"),
    ],
)
def test_a_poor_description_is_noticed(annotation: Any, text: str | None, fault: str) -> None:
    assert fault in faults(FieldInfo(annotation=annotation, description=text))


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (float | None, "Largest force on any atom, in eV/Å; null for no limit."),
        (float, "Fraction of the frames in the test set."),
        (int, "Number of steps of the optimiser."),
    ],
)
def test_a_good_description_passes(annotation: Any, text: str) -> None:
    assert faults(FieldInfo(annotation=annotation, description=text)) == []
