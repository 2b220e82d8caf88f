"""Unit conversions: against CODATA, against phonopy, and quick to import."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
from phonopy.physical_units import get_physical_units
from scipy import constants

from flatforce.core import units

JOULE_PER_EV, AMU = constants.e, constants.atomic_mass

FREQUENCY = math.sqrt(JOULE_PER_EV / AMU) * 1e10
"""√(eV/(Å² amu)) in rad/s, by CODATA."""

CODATA: dict[str, tuple[float, float]] = {
    "EV_PER_A2_IN_N_PER_M": (JOULE_PER_EV * 1e20, 1e-7),
    "EV_PER_A3_IN_GPA": (JOULE_PER_EV * 1e21, 1e-7),
    "EV_PER_A3_IN_KBAR": (JOULE_PER_EV * 1e22, 1e-7),
    "BOLTZMANN": (constants.k / JOULE_PER_EV, 1e-5),  # no other constant changed so much in 2018
    "THZ_IN_INVERSE_CM": (1e12 / constants.c / 100, 1e-15),  # exact by definition
    "HBAR": (constants.hbar / JOULE_PER_EV * FREQUENCY, 1e-7),
    "FREQUENCY_FACTOR": (FREQUENCY / (2e12 * math.pi), 1e-6),  # phonopy keeps the values of 1986
}
"""Name → value by SciPy, and relative tolerance: ASE takes the values of 2014, SciPy later ones, about 1e-8 apart."""


@pytest.mark.parametrize(("name", "value", "tolerance"), [(name, *pair) for name, pair in CODATA.items()])
def test_conversions_agree_with_codata(name: str, value: float, tolerance: float) -> None:
    assert getattr(units, name) == pytest.approx(value, rel=tolerance)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("FREQUENCY_FACTOR", "DefaultToTHz"), ("PHONOPY_EV", "EV"), ("PHONOPY_AMU", "AMU")],
)
def test_frequencies_have_the_factor_of_phonopy_to_the_last_bit(ours: str, theirs: str) -> None:
    assert getattr(units, ours) == getattr(get_physical_units(), theirs)


def test_importing_the_units_loads_no_phonopy() -> None:
    code = "import sys, flatforce.core.units; print('phonopy' in sys.modules, 'ase' in sys.modules)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.split() == ["False", "True"]
