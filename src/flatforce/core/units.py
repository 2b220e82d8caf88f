"""Unit conversions. The package computes in eV, Å, amu and fs; results are also given in THz, cm⁻¹, N/m and meV."""

from __future__ import annotations

from math import pi, sqrt
from typing import Final

from ase import units

EV_PER_A2_IN_N_PER_M: Final = float(units.m**2 / units.J)
"""1 eV/Å² = 16.0218 N/m, for the membrane stress of a sheet."""

THZ_IN_INVERSE_CM: Final = 1e12 / (units._c * 100)  # noqa: SLF001  # ASE keeps CODATA values there
"""1 THz = 33.3564 cm⁻¹."""

THZ_IN_MEV: Final = float(2 * pi * 1e12 * units._hbar * units.J * 1e3)  # noqa: SLF001  # as above
"""hν of 1 THz = 4.13567 meV."""

PHONOPY_EV: Final = 1.60217733e-19
"""1 eV in J, as phonopy 4 takes it (CODATA 1986)."""

PHONOPY_AMU: Final = 1.6605402e-27
"""1 amu in kg, as phonopy 4 takes it (CODATA 1986)."""

FREQUENCY_FACTOR: Final = sqrt(PHONOPY_EV / PHONOPY_AMU) / 1e-10 / (2 * pi) / 1e12
"""√(eV/(Å² amu)) in THz, 15.633302; phonopy's own factor, so that frequencies agree to the last digit. Importing phonopy for it
would take 0.4 s."""

AMU_PER_A2_IN_KG_PER_M2: Final = float(units._amu * 1e20)  # noqa: SLF001  # as above
"""1 amu/Å² = 1.66054e-7 kg/m², for the mass of a sheet per area."""

HBAR: Final = float(units._hbar * units.J * units.s)  # noqa: SLF001  # as above
"""ħ in eV/√(eV/Å²/amu), 0.0647."""

BOLTZMANN: Final = float(units.kB)
"""Boltzmann constant in eV/K."""

EV_PER_A3_IN_KBAR: Final = float(units.m**3 / units.J / 1e8)
"""1 eV/Å³ = 1602.18 kbar."""

EV_PER_A3_IN_GPA: Final = EV_PER_A3_IN_KBAR / 10
"""1 eV/Å³ = 160.218 GPa."""
