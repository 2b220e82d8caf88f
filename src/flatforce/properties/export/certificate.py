"""The certificate of an export: what was written, and how far the other program deviates from flatforce."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from flatforce.core.files import write_atomically
from flatforce.core.hashing import hash_file
from flatforce.core.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from flatforce.properties.export.comparison import Differences
    from flatforce.properties.export.config import ExportConfig

MODEL_UNITS: Mapping[str, str] = {
    "max_force_difference": "eV/Å",
    "max_stress_difference": "N/m",
    "energy_difference": "eV/atom",
    "frequency": "THz",
    "frequency_difference": "THz",
    "max_force": "eV/Å",
    "n_atoms": "",
}
"""Unit of each metric of an exported force field."""


@dataclass(frozen=True, repr=False)
class ModelCertificate(Outcome):
    """An exported force field, compared on the user's sheet."""

    kind: ClassVar[str] = "model export"
    units: ClassVar[Mapping[str, str]] = MODEL_UNITS  # type: ignore[misc]  # the same for all

    differences: Differences
    """The comparison."""
    config: ExportConfig
    """Settings, with the tolerances."""
    written: list[Path]
    """Files of the export, in a scratch folder."""
    compared_in: str
    """The program that evaluated the exported file, with its version."""
    remarks: list[str] = field(default_factory=list)
    """What a user must know before the file is used."""

    @property
    def metrics(self) -> dict[str, float]:
        """Largest differences, the frequency of the phonon, and the largest force on the frames."""
        differences = self.differences
        return {
            "max_force_difference": differences.max_force,
            "max_stress_difference": differences.max_stress,
            "energy_difference": differences.energy,
            "frequency": differences.frequency,
            "frequency_difference": differences.frequency_difference,
            "max_force": float(np.abs(differences.forces).max()),
            "n_atoms": differences.forces.shape[1] / 2,
        }

    @property
    def problems(self) -> list[str]:
        """Differences above the tolerances."""
        config, differences = self.config, self.differences
        checks = (
            ("forces", differences.max_force, config.max_force_difference, "eV/Å"),
            ("membrane stress", differences.max_stress, config.max_stress_difference, "N/m"),
            ("frequency", differences.frequency_difference, config.max_frequency_difference, "THz"),
        )
        return [
            f"{self.compared_in}: the {name} deviates by {value:.1e} {unit} from flatforce, more than {limit:g} {unit}"
            for name, value, limit, unit in checks
            if not value <= limit
        ]

    @property
    def notes(self) -> list[str]:
        """Remarks about the use of the file."""
        return self.remarks

    @property
    def details(self) -> dict[str, Any]:
        """The program, and the hash of each file that was written."""
        return {
            "compared_in": self.compared_in,
            "files": {path.name: hash_file(path) for path in self.written},
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the forces on the sheet and on its rattled copy.

        Returns
        -------
        `forces` and `exported_forces`, (2 N, 3) eV/Å each.
        """
        ours, others = self.differences.forces
        return {"forces": ours, "exported_forces": others}

    def files(self, folder: Path) -> None:
        """Copy the exported files.

        Parameters
        ----------
        folder
            Result folder.
        """
        copy_files(self.written, folder)


@dataclass(frozen=True, repr=False)
class ForceConstantsCertificate(Outcome):
    """Exported force constants, read back by phonopy."""

    kind: ClassVar[str] = "force constants export"
    units: ClassVar[Mapping[str, str]] = {  # type: ignore[misc]  # the same for all
        "max_force_constant_difference": "eV/Å²",
        "frequency_difference": "THz",
        "max_frequency": "THz",
        "n_atoms": "",
    }

    force_constant_difference: float
    """eV/Å², largest difference of a force constant after it was read back."""
    frequencies: NDArray[np.float64]
    """(2, Q, B) THz, frequencies of the result and of the files that were read back."""
    q_points: NDArray[np.float64]
    """(Q, 3) reduced coordinates."""
    n_atoms: int
    """Atoms of the supercell."""
    tolerance: float
    """THz, largest difference of a frequency that is allowed."""
    written: list[Path]
    """Files of the export, in a scratch folder."""
    remarks: list[str] = field(default_factory=list)
    """What a user must know before the files are used."""

    @property
    def metrics(self) -> dict[str, float]:
        """Largest differences after the files were read back."""
        ours, others = self.frequencies
        return {
            "max_force_constant_difference": self.force_constant_difference,
            "frequency_difference": float(np.abs(ours - others).max()),
            "max_frequency": float(ours.max()),
            "n_atoms": self.n_atoms,
        }

    @property
    def problems(self) -> list[str]:
        """A difference above the tolerance."""
        difference = self.metrics["frequency_difference"]
        if difference <= self.tolerance:
            return []
        return [f"phonopy's frequencies deviate by {difference:.1e} THz, more than {self.tolerance:g} THz"]

    @property
    def notes(self) -> list[str]:
        """Remarks about the use of the files."""
        return self.remarks

    @property
    def details(self) -> dict[str, Any]:
        """The hash of each file that was written."""
        return {"files": {path.name: hash_file(path) for path in self.written}}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the frequencies that were compared.

        Returns
        -------
        `q_points` (Q, 3), `frequencies` and `exported_frequencies` (Q, B) THz.
        """
        ours, others = self.frequencies
        return {"q_points": self.q_points, "frequencies": ours, "exported_frequencies": others}

    def files(self, folder: Path) -> None:
        """Copy the exported files.

        Parameters
        ----------
        folder
            Result folder.
        """
        copy_files(self.written, folder)


def copy_files(paths: list[Path], folder: Path) -> None:
    """Copy files into a folder, each atomically.

    Parameters
    ----------
    paths
        The files.
    folder
        Where they are copied to.
    """
    for path in paths:
        write_atomically(folder / path.name, partial(shutil.copyfile, path))
