"""One frame through one electronic-structure code."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ase.calculators.calculator import PropertyNotImplementedError

from flatforce.core.errors import ConfigError, MissingDependencyError
from flatforce.data.frames import Labels, calculated_stress
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
class Computed:
    """Labels of one frame and what was taken off its stress."""

    labels: Labels
    pulay_stress: float | None
    """eV/Å³, on the diagonal; None if not measured."""


def compute(atoms: Atoms, settings: Settings, *, log: str, machine: Machine) -> Computed:
    """Compute energy, forces and stress.

    Parameters
    ----------
    atoms
        A structure.
    settings
        The code and its settings.
    log
        Path of the code's own output; VASP and pw.x run in a folder of that name.
    machine
        Programs and potentials.

    Returns
    -------
    The labels. The energy is the free energy, forces ignore constraints.

    Raises
    ------
    ArithmeticError
        If a number is not finite.
    """
    frame = atoms.copy()
    frame.set_constraint()
    labels = _labels(frame, settings, log=log, machine=machine)
    energy, forces, stress = labels.energy, labels.forces, labels.stress
    for name, value in (("energy", energy), ("forces", forces), ("stress", stress)):
        if value is not None and not np.isfinite(value).all():
            raise ArithmeticError(f"{name} not finite")
    if not settings.remove_pulay or stress is None:
        return Computed(Labels(energy=energy, forces=forces, stress=stress), pulay_stress=None)
    pulay = slab_virial_residual(frame, forces=forces, stress=stress)
    return Computed(Labels(energy=energy, forces=forces, stress=stress - pulay * np.eye(3)), pulay)


def _labels(frame: Atoms, settings: Settings, *, log: str, machine: Machine) -> Labels:
    if isinstance(settings, VaspSettings):
        return compute_vasp(frame, settings, machine, Path(log).with_suffix(""))
    if isinstance(settings, EspressoSettings):
        return compute_espresso(frame, settings, machine, Path(log).with_suffix(""))
    frame.calc = _calculator(frame, settings, log=log)
    energy = _energy(frame)
    forces = np.asarray(frame.get_forces(apply_constraint=False), dtype=float)
    return Labels(energy=energy, forces=forces, stress=calculated_stress(frame))


def _energy(frame: Atoms) -> float:
    """Take the free energy, whose derivatives the forces are; a calculator that smears nothing has just one energy."""
    try:
        return float(frame.get_potential_energy(force_consistent=True))
    except PropertyNotImplementedError:
        return float(frame.get_potential_energy())


def _calculator(atoms: Atoms, settings: GpawSettings | AseSettings, *, log: str) -> BaseCalculator:
    if isinstance(settings, GpawSettings):
        return _gpaw(atoms, settings, log=log)
    module, _, name = settings.calculator.partition(":")
    try:
        factory = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"There is no calculator {settings.calculator}.",
            why=str(error),
            fix="write it as package.module:Class",
        ) from error
    made: BaseCalculator = factory(**settings.parameters)
    return made


def _gpaw(atoms: Atoms, settings: GpawSettings, *, log: str) -> BaseCalculator:
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
