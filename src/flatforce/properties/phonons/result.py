"""Result of pristine phonons, and the files that phonopy's own command line reads."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.core.files import write_atomically
from flatforce.core.units import THZ_IN_INVERSE_CM
from flatforce.properties.phonons.spectra.modes import IMAGINARY

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from phonopy import Phonopy

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.phonons.force_constants.engines import Filled
    from flatforce.properties.phonons.force_constants.sum_rules import Residuals

SLACK: Final = 0.02
"""N/m. A membrane stress below counts as none: twice what a relaxation leaves by default."""

CALM: Final = 0.01
"""eV/Å. A larger force at rest means that the sheet was not relaxed."""

LISTED: Final = 36
"""Modes at Γ up to which they are listed one by one."""


@dataclass(frozen=True)
class PristinePhonons:
    """Phonons of a pristine sheet."""

    phonon: Phonopy
    """Phonopy's object, force constants set."""
    labels: list[str]
    """Special points of the path."""
    ticks: FloatArray
    """(P) position of the special points along the path."""
    distance: FloatArray
    """(Q) position along the path."""
    bands: FloatArray
    """(Q, 3 n) THz; imaginary as negative."""
    frequency: FloatArray
    """(G) THz, grid of the DOS."""
    dos: FloatArray
    """(G) states/THz per primitive cell."""
    pdos: FloatArray
    """(n, 3, G) states/THz of each atom and Cartesian axis."""
    symbols: list[str]
    """(n) species of the primitive cell."""
    gamma: FloatArray
    """(3 n) THz at Γ."""
    za_exponent: float
    """Of the flexural branch; NaN when it is imaginary."""
    min_frequency: float
    """THz, on path and mesh."""
    thermal: FloatArray
    """(T, 4) K, kJ/mol free energy, J/K/mol entropy, J/K/mol heat capacity, of a primitive cell."""
    raw_residuals: Residuals
    left_residuals: Residuals
    filled: Filled
    """How the force constants were obtained."""
    membrane_stress: float
    """N/m, largest component; the flexural branch of a stretched sheet is linear."""

    @property
    def metrics(self) -> dict[str, float]:
        """Flat numbers for the record."""
        gamma = self.gamma if len(self.gamma) <= LISTED else self.gamma[:0]
        named = {f"gamma_{i + 1}": float(f * THZ_IN_INVERSE_CM) for i, f in enumerate(gamma)}
        before = {f"raw_{name}": value for name, value in asdict(self.raw_residuals).items()}
        after = {f"left_{name}": value for name, value in asdict(self.left_residuals).items()}
        return {
            "min_frequency": self.min_frequency,
            "max_frequency": float(self.bands.max()),
            "za_exponent": self.za_exponent,
            "force_at_rest": self.filled.force_at_rest,
            "membrane_stress": self.membrane_stress,
            **named,
            **before,
            **after,
        }

    @property
    def units(self) -> dict[str, str]:
        """Unit of each metric."""
        plain = {"za_exponent": "1", "force_at_rest": "eV/Å", "membrane_stress": "N/m"}
        rules = {"translation": "eV/Å²", "permutation": "eV/Å²", "rotation": "eV/Å", "huang": "eV"}

        def unit(name: str) -> str:
            kind, _, rest = name.partition("_")
            if kind in {"raw", "left"}:
                return rules[rest]
            return plain.get(name, "cm⁻¹" if kind == "gamma" else "THz")

        return {name: unit(name) for name in self.metrics}

    @property
    def problems(self) -> list[str]:
        """What is wrong with the physics: an instability, or a sheet that was not at rest."""
        said = []
        if self.min_frequency < IMAGINARY:
            said.append(f"imaginary modes down to {self.min_frequency:.3f} THz")
        if self.filled.force_at_rest > CALM:
            said.append(f"the sheet was not relaxed: {self.filled.force_at_rest:.3f} eV/Å at rest")
        return said

    @property
    def notes(self) -> list[str]:
        """What a reader must know though nothing is wrong."""
        if self.membrane_stress < SLACK:
            return []
        return [
            f"the sheet carries {self.membrane_stress:.2f} N/m: Huang conditions do not hold and were left out"
        ]

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return what the figures need.

        Returns
        -------
        Name → array.
        """
        return {
            "ticks": self.ticks,
            "labels": np.array(self.labels),
            "distance": self.distance,
            "bands": self.bands,
            "frequency": self.frequency,
            "dos": self.dos,
            "pdos": self.pdos,
            "symbols": np.array(self.symbols),
            "thermal": self.thermal,
        }


def write_phonopy_files(found: PristinePhonons, folder: Path) -> None:
    """Write the files that phonopy's own command line reads.

    Parameters
    ----------
    found
        Phonons.
    folder
        Where `phonopy.yaml`, `force_constants.hdf5`, `band.yaml` and the DOS files go.
    """
    from phonopy.file_IO import write_force_constants_to_hdf5

    phonon = found.phonon
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "phonopy.yaml", lambda part: _quiet_save(phonon, part))
    constants = np.asarray(phonon.force_constants)
    write_atomically(
        folder / "force_constants.hdf5",
        lambda part: write_force_constants_to_hdf5(constants, filename=str(part)),
    )
    phonon.write_yaml_band_structure(filename=folder / "band.yaml")
    phonon.write_total_dos(filename=folder / "total_dos.dat")
    phonon.write_projected_dos(filename=folder / "projected_dos.dat")
    phonon.write_yaml_thermal_properties(filename=folder / "thermal_properties.yaml")


def _quiet_save(phonon: Phonopy, path: Path) -> None:
    by_displacements = phonon.dataset is not None
    phonon.save(
        path,
        settings={
            "force_sets": by_displacements,
            "displacements": by_displacements,
            "force_constants": not by_displacements,
        },
    )
