"""Emission line shape of an electronic transition at a defect, by the generating function of its Huang–Rhys factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from flatforce.core.errors import DataError
from flatforce.core.outcome import Outcome
from flatforce.core.progress import Progress, silent
from flatforce.core.units import BOLTZMANN
from flatforce.data.readers.keyed_xyz import FORCES
from flatforce.properties.phonons.spectra.huang_rhys import distribute_forces, huang_rhys_factors

if TYPE_CHECKING:
    from typing import Any

    from ase import Atoms
    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray, IntArray
    from flatforce.properties.phonons.config import LineShapeConfig
    from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants
    from flatforce.properties.phonons.spectra.huang_rhys import HuangRhysFactors

PADDING: Final = 4
"""Factor by which the energy range of the Fourier transform exceeds that of the line shape, so that its tails are not aliased."""


@dataclass(frozen=True, repr=False)
class LineShape(Outcome):
    """Huang–Rhys factors and emission line shape of a transition."""

    kind: ClassVar[str] = "line shape"

    factors: HuangRhysFactors
    """Partial Huang–Rhys factors."""
    energy: FloatArray
    """(G) eV, E_ZPL − E: distance below the zero-phonon line."""
    shape: FloatArray
    """(G) 1/eV, normalised emission line shape."""
    quanta: FloatArray
    """(P) eV, vibrational energies of the spectral function."""
    spectral_function: FloatArray
    """(P) 1/eV, electron–phonon spectral function; its integral is the total Huang–Rhys factor."""

    units = {
        "huang_rhys": "",
        "relaxation_energy": "meV",
        "omitted_relaxation_energy": "meV",
        "debye_waller_factor": "",
    }

    @property
    def metrics(self) -> dict[str, float]:
        """Total Huang–Rhys factor, relaxation energy, and the weight of the zero-phonon line at zero temperature."""
        return {
            "huang_rhys": self.factors.total,
            "relaxation_energy": 1e3 * self.factors.relaxation_energy,
            "omitted_relaxation_energy": 1e3 * self.factors.omitted_relaxation_energy,
            "debye_waller_factor": float(np.exp(-self.factors.total)),
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the curves of the figures, in meV and 1/meV.

        Returns
        -------
        `energy` and `shape` (G), `quanta` and `spectral_function` (P).
        """
        return {
            "energy": 1e3 * self.energy,
            "shape": self.shape / 1e3,
            "quanta": 1e3 * self.quanta,
            "spectral_function": self.spectral_function / 1e3,
        }


def line_shape(
    constants: SparseForceConstants,
    small_atom: IntArray,
    excited: Atoms,
    config: LineShapeConfig,
    *,
    progress: Progress = silent,
) -> LineShape:
    """Compute the Huang–Rhys factors and the emission line shape of an embedded defect.

    Parameters
    ----------
    constants
        Force constants of the large cell in the ground state.
    small_atom
        (N,) index of the atom of the relaxed small cell that each atom of the large cell corresponds to; -1 outside it.
    excited
        The relaxed small cell with the forces of the excited state minus those of the ground state.
    config
        Settings.
    progress
        Called after each step of the Lanczos chain.

    Returns
    -------
    The factors, the line shape and the spectral function.

    Raises
    ------
    DataError
        If the structure has no forces, or is not the small cell.
    """
    forces = _read_forces(excited)
    n_atoms = int(small_atom.max()) + 1
    if len(forces) != n_atoms:
        raise DataError(
            f"The structure with the excited-state forces has {len(forces)} atoms, the relaxed defect cell has {n_atoms}.",
            fix="compute the forces in the relaxed defect cell that was embedded (its relaxed.extxyz), with its order of atoms",
        )
    if config.remove_mean:
        forces = forces - forces.mean(axis=0)
    factors = huang_rhys_factors(
        constants, distribute_forces(forces, small_atom), steps=config.steps, progress=progress
    )
    energy = np.arange(-config.above, config.below, config.width / 10) / 1e3
    shape = emission_line_shape(factors, energy, temperature=config.temperature, width=config.width / 1e3)
    quanta = np.arange(0.0, 1.1 * float(factors.energy.max()), config.width / 1e4)
    return LineShape(factors, energy, shape, quanta, factors.spectral_function(quanta, config.width / 2e3))


def _read_forces(atoms: Atoms) -> FloatArray:
    if atoms.calc is not None and "forces" in atoms.calc.results:
        return np.asarray(atoms.calc.results["forces"], dtype=float)
    for key in FORCES:
        if key in atoms.arrays:
            return np.asarray(atoms.arrays[key], dtype=float)
    raise DataError(
        "The structure has no forces.", fix="write the forces as an array `forces` or `REF_forces`"
    )


def emission_line_shape(
    factors: HuangRhysFactors, energy: FloatArray, *, temperature: float, width: float
) -> FloatArray:
    """Compute the emission line shape by the generating function.

    Parameters
    ----------
    factors
        Partial Huang–Rhys factors.
    energy
        (G) eV, distance below the zero-phonon line, E_ZPL − E; evenly spaced by less than a sixth of the width.
    temperature
        K.
    width
        eV, full width at half maximum of the Lorentzian zero-phonon line.

    Returns
    -------
    (G) 1/eV, line shape; its integral over all energies is 1.

    Raises
    ------
    DataError
        If the grid is too coarse for the width.
    """
    step = float(energy[1] - energy[0])
    if step > width / 6:
        raise DataError(
            f"The spacing of the energy grid is {step:.2g} eV, too coarse for a line that is {width:.2g} eV wide.",
            fix="pass a grid with a spacing below a sixth of the width, or increase the width",
        )
    count = 2 ** int(np.ceil(np.log2(PADDING * len(energy))))
    time = np.arange(count // 2) * 2 * np.pi / (count * step)
    exponent = -width / 2 * time + 1j * energy[0] * time
    for quantum, factor, number in zip(
        factors.energy, factors.factor, bose_einstein(factors.energy, temperature), strict=True
    ):
        emission = (number + 1) * np.exp(-1j * quantum * time)
        exponent = exponent + factor * (emission + number * np.exp(1j * quantum * time) - 2 * number - 1)
    generating = np.exp(exponent)
    generating[0] /= 2
    shape: FloatArray = np.fft.ifft(generating, count).real * count * time[1] / np.pi
    return shape[: len(energy)]


def bose_einstein(energy: FloatArray, temperature: float) -> FloatArray:
    """Compute the Bose–Einstein occupation of vibrations.

    Parameters
    ----------
    energy
        (K,) eV, vibrational energies.
    temperature
        K.

    Returns
    -------
    (K,) mean occupation number of each vibration.
    """
    if temperature <= 0:
        return np.zeros_like(energy)
    occupation: FloatArray = 1 / np.expm1(energy / (BOLTZMANN * temperature))
    return occupation
