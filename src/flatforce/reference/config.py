"""Settings of a labelling run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from flatforce.core.config import Config
from flatforce.core.execution.config import Executor
from flatforce.core.hashing import hash_structure, hash_value

if TYPE_CHECKING:
    from ase import Atoms


class GpawSettings(Config):
    """Plane-wave GPAW as the bundled dataset was made with."""

    engine: Literal["gpaw"] = "gpaw"
    """Which code computes."""
    xc: str = "PBE"
    """Exchange–correlation functional, in GPAW's naming."""
    cutoff: PositiveFloat = 400.0
    """eV. Plane-wave cutoff."""
    k_length: PositiveFloat = 19.9
    """Å. k points along a lattice vector of length a: round(k_length / a), at least 1."""
    k_points: tuple[PositiveInt, PositiveInt] | None = None
    """Along both lattice vectors, in place of `k_length`."""
    gamma_centred: bool = False
    """Whether the k grid contains Γ."""
    smearing: PositiveFloat = 0.02
    """eV. Width of the Fermi–Dirac occupations; the free energy is the label."""
    density_convergence: PositiveFloat = 1e-5
    """Electrons per valence electron."""
    max_iterations: PositiveInt = 200
    """SCF steps before a frame counts as unconverged."""
    remove_pulay: bool = True
    """Whether the isotropic Pulay stress, measured by the slab virial identity, is subtracted."""
    use_symmetry: bool = False
    """Whether k points and density follow the point group of the frame; faster for symmetric cells. Noise of the grid
    then has the symmetry as well."""


class AseSettings(Config):
    """Any ASE calculator."""

    engine: Literal["ase"]
    """Which code computes."""
    calculator: str
    """`package.module:Class`."""
    parameters: dict[str, Any] = {}
    """Keyword arguments of the class."""
    remove_pulay: bool = False
    """Whether the isotropic Pulay stress is subtracted."""


class VaspSettings(Config):
    """VASP, one static run a frame."""

    engine: Literal["vasp"]
    """Which code computes."""
    functional: str = "PE"
    """Tag GGA of VASP; `PE` is PBE."""
    cutoff: PositiveFloat = 500.0
    """eV. Plane-wave cutoff."""
    k_length: PositiveFloat = 40.0
    """Å. k points along a lattice vector of length a: round(k_length / a), at least 1."""
    gamma_centred: bool = True
    """Whether the k grid contains Γ."""
    smearing: PositiveFloat = 0.05
    """eV. Width of Gaussian smearing; the free energy is the label."""
    energy_convergence: PositiveFloat = 1e-6
    """eV, EDIFF."""
    max_iterations: PositiveInt = 120
    """SCF steps, NELM; a run that uses them all is not converged."""
    dispersion: Literal["none", "D3", "D3(BJ)", "D4"] = "none"
    """Correction, IVDW."""
    spin: bool = False
    """Whether spins are polarised, from the moments of the frame if it has any (MAGMOM)."""
    setups: dict[str, str] = {}
    """Species → folder of its POTCAR, where it is not the symbol: W: W_sv."""
    tags: dict[str, str | int | float | bool] = {}
    """Further INCAR tags."""
    remove_pulay: bool = False
    """Whether the isotropic Pulay stress is subtracted."""


class EspressoSettings(Config):
    """Quantum ESPRESSO's pw.x, one static run a frame."""

    engine: Literal["espresso"]
    """Which code computes."""
    cutoff: PositiveFloat = 80.0
    """Ry. Plane-wave cutoff of the wave functions."""
    density_cutoff: PositiveFloat | None = None
    """Ry. Of the density; four times the other if not given."""
    k_length: PositiveFloat = 40.0
    """Å. k points along a lattice vector of length a: round(k_length / a), at least 1."""
    gamma_centred: bool = True
    """Whether the k grid contains Γ."""
    smearing: PositiveFloat = 0.004
    """Ry. Width of Marzari–Vanderbilt smearing."""
    energy_convergence: PositiveFloat = 1e-9
    """Ry, conv_thr."""
    max_iterations: PositiveInt = 120
    """SCF steps."""
    spin: bool = False
    """Whether spins are polarised, from the moments of the frame; where it has none, each species begins with half of its
    valence, or as `namelists` say."""
    pseudopotentials: dict[str, str]
    """Species → file in the machine's folder of pseudopotentials."""
    namelists: dict[str, dict[str, str | int | float | bool]] = {}
    """Further entries: system: {vdw_corr: grimme-d3}."""
    remove_pulay: bool = False
    """Whether the isotropic Pulay stress is subtracted."""


Settings = Annotated[
    GpawSettings | AseSettings | VaspSettings | EspressoSettings, Field(discriminator="engine")
]


class Machine(Config):
    """Where programs and potentials stand on this machine; no part of a label's key."""

    vasp: list[str] = ["vasp_std"]
    """Words that start VASP, such as [mpirun, -np, "16", vasp_std]."""
    potcars: str | None = None
    """Folder with SYMBOL/POTCAR for each species."""
    espresso: list[str] = ["pw.x"]
    """Words that start pw.x."""
    pseudopotentials: str | None = None
    """Folder of UPF files."""


class ConvergeConfig(Config):
    """Which values are tried and how good is good enough."""

    cutoff: list[PositiveFloat] = []
    """In the unit of the engine; 0.75, 0.875, 1, 1.25 and 1.5 times that of the settings if empty."""
    k_length: list[PositiveFloat] = []
    """Å; 0.5, 0.75, 1, 1.5 and 2 times that of the settings if empty."""
    vacuum: list[PositiveFloat] = []
    """Å between nuclei of neighbouring images; 0.7, 0.85, 1, 1.3 and 1.7 times that of the frame if empty."""
    tolerance: PositiveFloat = 5.0
    """meV/Å. Largest change of a force component against the finest value of a scan."""


class LabelConfig(Config):
    """A labelling run: what is computed, and how the machine is used."""

    settings: Settings = GpawSettings()
    """What decides the numbers; part of the key under which a label is cached."""
    workers: PositiveInt = max(1, os.cpu_count() or 1)
    """Frames computed at the same time."""
    machine: Machine = Machine()
    """Programs and potentials."""
    threads: PositiveInt = 1
    """OpenMP threads of each worker."""
    launcher: list[str] = []
    """Words put before the worker's command, such as [mpirun, -np, "4"]."""
    timeout: PositiveFloat = 86400.0
    """s. A frame that takes longer is recorded as failed."""
    executors: dict[str, Executor] = {}
    """Parsl pools by name; labels run on `dft`. Without any, `workers` frames run on this machine."""
    converge: ConvergeConfig = ConvergeConfig()
    """What `--converge` tries."""


def spins(settings: Settings) -> bool:
    """Tell whether initial magnetic moments decide a label.

    Parameters
    ----------
    settings
        What decides the numbers.

    Returns
    -------
    True if spins are polarised.
    """
    return bool(getattr(settings, "spin", False))


def label_key(atoms: Atoms, settings: Settings) -> str:
    """Identify a label by structure and settings.

    Parameters
    ----------
    atoms
        A structure.
    settings
        What decides the numbers.

    Returns
    -------
    20 hexadecimal digits.
    """
    plain = settings.model_dump(mode="json")
    if not plain.get("use_symmetry", True):
        del plain["use_symmetry"]  # labels made before there was a choice keep their keys
    if plain.get("k_points", ()) is None:
        del plain["k_points"]  # as above
    moments = np.round(atoms.get_initial_magnetic_moments(), 6) + 0.0
    if spins(settings) and moments.any():
        return hash_value([hash_structure(atoms), plain, moments.tolist()])
    return hash_value([hash_structure(atoms), plain])
