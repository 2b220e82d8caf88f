"""Settings of a labelling run."""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from flatforce.core.config import Config
from flatforce.core.execution.config import Executor


class GpawSettings(Config):
    """Plane-wave GPAW; the defaults are those of the bundled dataset."""

    engine: Literal["gpaw"] = "gpaw"
    """Code that computes the labels: GPAW with plane waves."""
    xc: str = "PBE"
    """Exchange–correlation functional by the name that GPAW gives it."""
    cutoff: PositiveFloat = 400.0
    """Cutoff energy of the plane waves in eV."""
    k_length: PositiveFloat = 19.9
    """Density of k points as a length in Å: a lattice vector of length a gets round(k_length / a) points, at least 1."""
    k_points: tuple[PositiveInt, PositiveInt] | None = None
    """Numbers of k points along the two in-plane lattice vectors; replaces `k_length`."""
    gamma_centred: bool = False
    """Whether the grid of k points contains Γ."""
    smearing: PositiveFloat = 0.02
    """Width of the Fermi–Dirac occupations in eV; the free energy is the label."""
    density_convergence: PositiveFloat = 1e-5
    """Convergence criterion of the density, in electrons per valence electron."""
    max_iterations: PositiveInt = 200
    """Largest number of SCF iterations; a calculation that needs more is not converged and gives no label."""
    remove_pulay: bool = True
    """Whether the isotropic Pulay stress, measured by the slab virial identity, is subtracted."""
    use_symmetry: bool = False
    """Whether the point group of the frame reduces the k points and symmetrises the density; this is faster for symmetric cells.
    Errors of the real-space grid then have the symmetry as well."""


class AseSettings(Config):
    """Any ASE calculator."""

    engine: Literal["ase"]
    """Code that computes the labels: any calculator of ASE."""
    calculator: str
    """Class of the calculator, written as `package.module:Class`."""
    parameters: dict[str, Any] = {}
    """Keyword arguments with which the class of the calculator is made."""
    remove_pulay: bool = False
    """Whether the isotropic Pulay stress, measured by the slab virial identity, is subtracted."""


class VaspSettings(Config):
    """VASP, one static calculation for each frame."""

    engine: Literal["vasp"]
    """Code that computes the labels: VASP."""
    xc: Literal["PBE", "PBEsol", "RPBE", "revPBE", "PW91", "LDA"] = "PBE"
    """Exchange–correlation functional; others by `tags`, such as {METAGGA: R2SCAN}."""
    cutoff: PositiveFloat = 500.0
    """Cutoff energy of the plane waves in eV (ENCUT)."""
    k_length: PositiveFloat = 40.0
    """Density of k points as a length in Å: a lattice vector of length a gets round(k_length / a) points, at least 1."""
    gamma_centred: bool = True
    """Whether the grid of k points contains Γ."""
    smearing: PositiveFloat = 0.05
    """Width of the Gaussian smearing in eV (SIGMA); the free energy is the label."""
    energy_convergence: PositiveFloat = 1e-6
    """Convergence criterion of the energy in eV (EDIFF)."""
    max_iterations: PositiveInt = 120
    """Largest number of SCF iterations (NELM); a calculation that uses them all is not converged."""
    dispersion: Literal["none", "D3", "D3(BJ)", "D4"] = "none"
    """Dispersion correction that is added to the functional (IVDW)."""
    spin: bool = False
    """Whether the calculation is spin-polarised; it starts from the magnetic moments of the frame if it has any (MAGMOM)."""
    setups: dict[str, str] = {}
    """Element → folder of its POTCAR, where that is not the symbol, such as {W: W_sv}."""
    tags: dict[str, str | int | float | bool] = {}
    """Further INCAR tags; they replace those that the other settings give."""
    remove_pulay: bool = False
    """Whether the isotropic Pulay stress, measured by the slab virial identity, is subtracted."""


class EspressoSettings(Config):
    """Quantum ESPRESSO's pw.x, one static calculation for each frame."""

    engine: Literal["espresso"]
    """Code that computes the labels: pw.x of Quantum ESPRESSO."""
    cutoff: PositiveFloat = 80.0
    """Plane-wave cutoff energy of the wave functions in Ry (ecutwfc)."""
    density_cutoff: PositiveFloat | None = None
    """Plane-wave cutoff energy of the density in Ry (ecutrho); four times `cutoff` if null."""
    k_length: PositiveFloat = 40.0
    """Density of k points as a length in Å: a lattice vector of length a gets round(k_length / a) points, at least 1."""
    gamma_centred: bool = True
    """Whether the grid of k points contains Γ."""
    smearing: PositiveFloat = 0.004
    """Width of the Marzari–Vanderbilt smearing in Ry (degauss)."""
    energy_convergence: PositiveFloat = 1e-9
    """Convergence criterion of the energy in Ry (conv_thr)."""
    max_iterations: PositiveInt = 120
    """Largest number of SCF iterations (electron_maxstep); a calculation that needs more gives no label."""
    spin: bool = False
    """Whether the calculation is spin-polarised. It starts from the magnetic moments of the frame; where the frame has none, from
    half of the valence electrons of each species, or from what `namelists` gives."""
    pseudopotentials: dict[str, str]
    """Element → name of its file in the folder `machine.pseudopotentials`."""
    namelists: dict[str, dict[str, str | int | float | bool]] = {}
    """Further entries of the namelists, such as {system: {vdw_corr: grimme-d3}}."""
    remove_pulay: bool = False
    """Whether the isotropic Pulay stress, measured by the slab virial identity, is subtracted."""


Settings = Annotated[
    GpawSettings | AseSettings | VaspSettings | EspressoSettings, Field(discriminator="engine")
]


class Machine(Config):
    """Commands and potential files of this machine; they do not enter the key of a label."""

    vasp: list[str] = ["vasp_std"]
    """Command that runs VASP, such as [mpirun, -np, "16", vasp_std]."""
    potcars: str | None = None
    """Folder that holds SYMBOL/POTCAR for each species."""
    espresso: list[str] = ["pw.x"]
    """Command that runs pw.x, such as [mpirun, -np, "16", pw.x]."""
    pseudopotentials: str | None = None
    """Folder that holds the UPF files of `pseudopotentials`."""


class ConvergeConfig(Config):
    """Values that a convergence test tries, and its tolerance."""

    cutoff: list[PositiveFloat] = []
    """Cutoff energies to try, in the unit of the engine; 0.75, 0.875, 1, 1.25 and 1.5 times that of the settings if empty."""
    k_length: list[PositiveFloat] = []
    """Densities of k points to try, in Å; 0.5, 0.75, 1, 1.5 and 2 times that of the settings if empty."""
    vacuum: list[PositiveFloat] = []
    """Widths of vacuum between nuclei of neighbouring images to try, in Å; 0.7, 0.85, 1, 1.3 and 1.7 times that of the frame if
    empty."""
    tolerance: PositiveFloat = 5.0
    """Largest difference of a force component from that of the finest value that is accepted, in meV/Å."""


class LabelConfig(Config):
    """A labelling run: what is computed, and how the machine is used."""

    settings: Settings = GpawSettings()
    """Code and settings that determine the labels; they enter the key under which a label is cached."""
    workers: PositiveInt = max(1, os.cpu_count() or 1)
    """Number of frames computed at the same time; all cores of this machine by default."""
    machine: Machine = Machine()
    """Commands and potential files of this machine."""
    threads: PositiveInt = 1
    """Number of OpenMP threads of each worker."""
    launcher: list[str] = []
    """Command that launches each worker, such as [mpirun, -np, "4"]; empty for none."""
    timeout: PositiveFloat = 86400.0
    """Time limit of one frame, in s; a frame that takes longer is recorded as failed."""
    executors: dict[str, Executor] = {}
    """Parsl pools by name; the pool `dft` computes labels. Without any, `workers` frames run on this machine."""
    converge: ConvergeConfig = ConvergeConfig()
    """Values that the convergence test of `flatforce label --converge` tries."""


class LabelRelaxation(Config):
    """Convergence criteria of a relaxation with DFT labels."""

    max_force: PositiveFloat = 0.01
    """Residual force on every atom below which a relaxation is converged, in eV/Å."""
    max_stress: PositiveFloat = 0.05
    """Residual membrane stress, each component, below which a relaxation is converged, in N/m."""
    max_steps: PositiveInt = 20
    """Largest number of labels of one structure."""
    relax_cell: bool = True
    """Whether the two in-plane lattice vectors are relaxed together with the positions."""
