"""Comparison of the phonons of one sheet by several force fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from flatforce.core.errors import ResultError
from flatforce.core.outcome import Outcome
from flatforce.core.results import read_arrays, read_record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

UNITS = {"min_frequency": "THz", "max_frequency": "THz", "za_exponent": "", "band_rmsd": "THz"}
"""Compared number → unit."""


@dataclass(frozen=True)
class StoredPhonons:
    """Phonons as their result folder holds them."""

    model: str
    """Name of the force field; empty if the folder does not state it."""
    config: dict[str, Any]
    """Settings."""
    metrics: dict[str, float | None]
    """Metrics of the folder."""
    arrays: dict[str, NDArray[Any]]
    """Bands (THz), band path (1/Å), frequencies (THz) and DOS (states/THz)."""

    @classmethod
    def read(cls, folder: Path) -> StoredPhonons:
        """Read the result folder of `flatforce phonons`.

        Parameters
        ----------
        folder
            Result folder.

        Returns
        -------
        Settings, metrics, and the bands and density of states of the sheet.
        """
        record = read_record(folder, kind="phonons", made_by="phonons")
        model = record.get("subject", {}).get("model", "")
        return cls(str(model), record["config"], record["metrics"], read_arrays(folder))

    def is_comparable(self, other: StoredPhonons) -> bool:
        """Whether the elements and the band path are the same."""
        return (
            self.arrays["symbols"].tolist() == other.arrays["symbols"].tolist()
            and self.arrays["labels"].tolist() == other.arrays["labels"].tolist()
            and self.arrays["bands"].shape == other.arrays["bands"].shape
        )


@dataclass(frozen=True, repr=False)
class PhononComparison(Outcome):
    """Bands and densities of states of one sheet by several force fields; differences are those from the first one."""

    kind: ClassVar[str] = "phonon comparison"

    phonons: dict[str, StoredPhonons]
    """Name → phonons; the first one is the reference."""

    @property
    def errors(self) -> dict[str, dict[str, float]]:
        """Name → the numbers of `UNITS`; the difference of the bands (RMSD) is that from the first force field."""
        reference = next(iter(self.phonons.values())).arrays["bands"]
        numbers: dict[str, dict[str, float]] = {}
        for name, stored in self.phonons.items():
            known = {key: stored.metrics.get(key) for key in UNITS}
            numbers[name] = {key: value for key, value in known.items() if value is not None}
            difference = stored.arrays["bands"] - reference
            numbers[name]["band_rmsd"] = float(np.sqrt((difference**2).mean()))
        return numbers

    @property
    def metrics(self) -> dict[str, float]:
        """Extreme frequencies, flexural exponent, and difference of the bands of each force field."""
        flat = {
            f"{name}: {key}": value for name, errors in self.errors.items() for key, value in errors.items()
        }
        n_bands = next(iter(self.phonons.values())).arrays["bands"].shape[1]
        return flat | {"n_bands": float(n_bands)}

    @property
    def units(self) -> dict[str, str]:  # type: ignore[override]  # those of the metrics that there are
        """Unit of each metric."""
        return {name: UNITS.get(name.rpartition(" ")[2], "") for name in self.metrics}

    @property
    def notes(self) -> list[str]:
        """Settings in which the calculations differ."""
        configs = [stored.config for stored in self.phonons.values()]
        differing = [
            name
            for name in dict.fromkeys(name for config in configs for name in config)
            if any(config.get(name) != configs[0].get(name) for config in configs)
        ]
        if not differing:
            return []
        return [
            (
                f"the calculations differ in more than the force field, in {', '.join(differing)}: part of the difference of "
                "the bands may come from that"
            )
        ]

    @property
    def details(self) -> dict[str, Any]:
        """Numbers of each force field, the reference first."""
        errors = self.errors
        return {"models": {name: {"model": self.phonons[name].model, **errors[name]} for name in errors}}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what the figure draws.

        Returns
        -------
        `bands` (M, Q, B) THz over the band path of the first force field, `distance` (Q) 1/Å, `ticks`, `labels`; for each
        force field k its `frequency_k` (THz) and `dos_k` (states/THz).
        """
        stored = list(self.phonons.values())
        shared = {name: stored[0].arrays[name] for name in ("distance", "ticks", "labels")}
        spectra = {
            f"{name}_{k}": entry.arrays[name]
            for k, entry in enumerate(stored)
            for name in ("frequency", "dos")
        }
        return shared | {"bands": np.stack([entry.arrays["bands"] for entry in stored])} | spectra


def compare_phonons(phonons: Mapping[str, StoredPhonons]) -> PhononComparison:
    """Compare the phonons of one sheet by several force fields.

    Parameters
    ----------
    phonons
        Name → phonons; differences are those from the first one.

    Returns
    -------
    Numbers, bands and densities of states of each.

    Raises
    ------
    ResultError
        If elements or band paths differ.
    """
    first, *others = phonons.values()
    if not all(first.is_comparable(other) for other in others):
        raise ResultError(
            "These phonons cannot be compared.",
            why="the elements or the band paths of the sheets differ",
            fix="run flatforce phonons with the same sheet, relaxed by each model, and the same points_per_segment",
        )
    return PhononComparison(dict(phonons))
