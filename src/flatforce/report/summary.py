"""What a result is, in one sentence and a few numbers: the opening of the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from flatforce.report.key_metrics import key_metrics

SUBJECTS: Final = {
    "train": "Training of a force field",
    "evaluate": "Errors of a force field against DFT labels",
    "relax": "Relaxation",
    "phonons": "Phonons of the pristine sheet",
    "defect phonons": "Phonons of a defect against the pristine sheet",
    "embedded defect": "Spectra of a defect embedded in a large supercell",
    "dilute limit": "Spectra of one defect in an infinite sheet",
    "finite size": "Convergence of a defect with the size of the supercell",
    "strain series": "Phonons of a defect under strain",
    "committee": "Uncertainty of the phonons of a defect over a committee",
    "line shape": "Emission line shape",
    "statistics": "Contents of a dataset",
    "evaluation comparison": "Errors of several force fields on the same DFT labels",
    "benchmark comparison": "Relaxations of many materials by several force fields against DFT",
    "phonon comparison": "Phonons of one sheet by several force fields",
    "relaxation benchmark": "Relaxations of many materials against DFT",
    "screening": "Screening of many sheets",
    "neb": "Path of minimum energy",
    "hops": "First hops",
}
"""Kind of result → what was computed; the kind itself for any other."""

UNIT_DIGITS: Final = 4
"""Significant digits of the numbers in a summary."""

FREQUENCY_DECIMALS: Final = 3
"""Decimals of a frequency in THz: acoustic modes at Γ are zero up to rounding."""


@dataclass(frozen=True)
class Summary:
    """What stands at the top of the page about one result."""

    sentence: str
    """What was computed: of which sheet, in which cell, with which force field."""
    numbers: list[tuple[str, str]]
    """Name in words, and value with its unit."""


def summarise(record: dict[str, Any]) -> Summary:
    """Describe a result for a reader who opens the page.

    Parameters
    ----------
    record
        Content of `result.json`.

    Returns
    -------
    One sentence, and the numbers that matter for this kind of result.
    """
    subject = record.get("subject")
    known = subject if isinstance(subject, dict) else {}
    config, details = record["config"], record["details"]
    parts = [SUBJECTS.get(record["kind"], record["kind"].capitalize())]
    if structure := known.get("structure") or details.get("system"):
        parts.append(f"of {structure}")
    if defect := config.get("defect"):
        parts.append(f"with the defect {defect}")
    supercell = config.get("supercell")
    if isinstance(supercell, list):
        parts.append(f"in a {' × '.join(map(str, supercell))} supercell")
    if isinstance(config.get("frames"), str):
        parts.append(f"on the frames of {config['frames']}")
    if model := known.get("model") or details.get("model"):
        parts.append(f"with the force field {model}")
    numbers = [
        (words, number_with_unit(record["metrics"][name], record["units"].get(name, "")))
        for name, words in key_metrics(record).items()
    ]
    return Summary(" ".join(map(str, parts)) + ".", numbers)


def number_with_unit(value: float | None, unit: str) -> str:
    """Write a number for a reader.

    Parameters
    ----------
    value
        The number; None where it is not finite.
    unit
        Its unit, or an empty text.

    Returns
    -------
    Four significant digits and the unit, such as `8.976 THz`; a dash for None.
    """
    if value is None:
        return "–"
    if unit == "THz":
        return f"{round(value, FREQUENCY_DECIMALS) + 0.0:.{FREQUENCY_DECIMALS}f} THz"
    is_count = unit in {"", "frames"} and float(value).is_integer() and abs(value) < 1e6
    text = f"{value:,.0f}" if is_count else f"{value:.{UNIT_DIGITS}g}"
    return f"{text} {unit}".strip()
