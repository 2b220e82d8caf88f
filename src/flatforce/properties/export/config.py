"""Settings of an export; importing them costs no more than pydantic."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import NonNegativeFloat, PositiveFloat

from flatforce.core.config import Config

Target: TypeAlias = Literal["lammps", "symmetrix", "phonopy", "ase"]
"""Program that reads the export."""


class ExportConfig(Config):
    """Settings of the export of a force field."""

    max_force_difference: PositiveFloat = 1e-5
    """Largest difference in eV/Å between a force of the other program and of flatforce: 1 % of the criterion at which a
    relaxation has converged by default."""
    max_stress_difference: PositiveFloat = 1e-4
    """Largest difference of the membrane stress in N/m, likewise 1 % of the criterion of a relaxation."""
    max_frequency_difference: PositiveFloat = 1e-3
    """Largest difference in THz of the frequency of one phonon, or of all phonons if force constants are exported."""
    rattle: NonNegativeFloat = 0.05
    """Standard deviation in Å of the displacements of a second copy of the sheet, on which forces are large."""
    temperature: PositiveFloat = 300.0
    """Temperature in K of the run in LAMMPS's input file."""
