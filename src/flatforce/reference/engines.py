"""Labels of one frame by one electronic-structure code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase.calculators.calculator import PropertyNotImplementedError

from flatforce.core.calculators import import_calculator
from flatforce.core.errors import MissingDependencyError
from flatforce.data.frames import Labels
from flatforce.data.stress_labels import calculated_stress
from flatforce.reference.config import EspressoSettings, GpawSettings, VaspSettings
from flatforce.reference.espresso import compute_espresso
from flatforce.reference.vasp import compute_vasp
from flatforce.structures.sheet import slab_virial_residual
from flatforce.structures.symmetry import SYMPREC

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator

    from flatforce.reference.config import AseSettings, Machine, Settings


@dataclass(frozen=True)
class Calculation:
    """Labels of one frame, and the Pulay stress that was subtracted."""

    labels: Labels
    """Energy, forces and stress."""
    pulay_stress: float | None
    """Isotropic stress that was subtracted, in eV/Å³; None if it was not measured."""


def compute(atoms: Atoms, settings: Settings, *, log: str, machine: Machine) -> Calculation:
    """Compute energy, forces and stress.

    Parameters
    ----------
    atoms
        A structure.
    settings
        Code and settings that determine the labels.
    log
        Path of the output of the code; VASP and pw.x run in a folder of that name without its suffix.
    machine
        Commands and potential files.

    Returns
    -------
    Labels; the energy is the free energy, and constraints do not affect the forces.

    Raises
    ------
    ArithmeticError
        If a label is not finite.
    """
    frame = atoms.copy()
    frame.set_constraint()
    labels = _compute_labels(frame, settings, log=log, machine=machine)
    energy, forces, stress = labels.energy, labels.forces, labels.stress
    for name, value in (("energy", energy), ("forces", forces), ("stress", stress)):
        if value is not None and not np.isfinite(value).all():
            raise ArithmeticError(f"the {name} is not finite")
    if not settings.remove_pulay or stress is None:
        return Calculation(Labels(energy=energy, forces=forces, stress=stress), pulay_stress=None)
    pulay = slab_virial_residual(frame, forces=forces, stress=stress)
    return Calculation(Labels(energy=energy, forces=forces, stress=stress - pulay * np.eye(3)), pulay)


def _compute_labels(frame: Atoms, settings: Settings, *, log: str, machine: Machine) -> Labels:
    if isinstance(settings, VaspSettings):
        return compute_vasp(frame, settings, machine, Path(log).with_suffix(""))
    if isinstance(settings, EspressoSettings):
        return compute_espresso(frame, settings, machine, Path(log).with_suffix(""))
    frame.calc = _create_calculator(frame, settings, log=log)
    energy = _free_energy(frame)
    forces = np.asarray(frame.get_forces(apply_constraint=False), dtype=float)
    return Labels(energy=energy, forces=forces, stress=calculated_stress(frame))


def _free_energy(frame: Atoms) -> float:
    """Return the free energy, which the forces are derivatives of; a calculator without smearing has only one energy."""
    try:
        return float(frame.get_potential_energy(force_consistent=True))
    except PropertyNotImplementedError:
        return float(frame.get_potential_energy())


def _create_calculator(atoms: Atoms, settings: GpawSettings | AseSettings, *, log: str) -> BaseCalculator:
    if isinstance(settings, GpawSettings):
        return _create_gpaw(atoms, settings, log=log)
    return import_calculator(settings.calculator)(**settings.parameters)


def _create_gpaw(atoms: Atoms, settings: GpawSettings, *, log: str) -> BaseCalculator:
    try:
        from gpaw import GPAW, PW, FermiDirac
    except ImportError as error:
        raise MissingDependencyError(
            "GPAW is not installed.", why=str(error), fix="pip install 'flatforce[dft]'"
        ) from error
    lengths = atoms.cell.lengths()[:2]
    points = settings.k_points or [max(1, round(settings.k_length / length)) for length in lengths]
    calculator: BaseCalculator = GPAW(
        mode=PW(settings.cutoff),
        xc=settings.xc,
        kpts={"size": (*points, 1), "gamma": settings.gamma_centred},
        occupations=FermiDirac(settings.smearing),
        convergence={"density": settings.density_convergence},
        maxiter=settings.max_iterations,
        symmetry={"point_group": settings.use_symmetry, "tolerance": SYMPREC},
        txt=log,
    )
    return calculator
