"""Formation energies by DFT labels of the smallest supercells, beside those of the force field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.core.errors import FlatforceError
from flatforce.core.progress import Progress, silent
from flatforce.data.frames import get_labels
from flatforce.properties.defect_energies.chemical_potentials import find_limits
from flatforce.properties.spring_hessian import spring_hessian
from flatforce.reference.config import LabelRelaxation
from flatforce.reference.relaxation import RelaxationStart, relax_by_labels
from flatforce.structures.sheet import as_slab, thickness

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ase import Atoms

    from flatforce.properties.defect_energies.chemical_potentials import Limit
    from flatforce.properties.defect_energies.config import DefectEnergyConfig
    from flatforce.properties.defect_energies.energy import DefectEnergy
    from flatforce.reference.relaxation import LabelledPath

PRISTINE: Final = "pristine"
"""Name of the frame of the pristine supercell."""

MAX_ZERO_DIFFERENCE: Final = 0.1
"""eV/atom. A force field that is farther from labels of its own method would be useless."""

LABEL_VACUUM: Final = 12.0
"""Å, least distance of a sheet from its image in a labelled cell; the bundled labels of WSe2 have 11.6 Å."""


@dataclass(frozen=True)
class LabelledEnergies:
    """Energies of defects by labels, in the smallest supercell."""

    size: int
    """Primitive cells along each lattice vector."""
    differences: Mapping[str, float]
    """Defect → eV, lowest labelled energy minus that of the pristine supercell; NaN where no label could be computed."""
    residual_forces: Mapping[str, float]
    """Defect → eV/Å, largest force on an atom in the frame with the lowest energy."""
    limits: list[Limit]
    """Chemical potentials with the labelled energy of the pristine sheet; none where its label failed or has another zero."""
    difference_of_zeros: float
    """eV/atom, labelled energy of the pristine supercell minus that of the force field: large if the methods have other zeros."""
    reason: str
    """Why there are no limits; empty if there are."""
    failures: dict[str, str]
    """Defect or `pristine` → why there is no label."""
    unrelaxed: dict[str, str]
    """Defect or `pristine` → why its relaxation by labels ended early: its energy is higher than that of the minimum."""
    frames: list[Atoms]
    """All labelled frames."""

    def formation_energies(self, defect: DefectEnergy) -> list[float]:
        """Return the formation energy of a defect by labels.

        Parameters
        ----------
        defect
            One of the defects.

        Returns
        -------
        Formation energy in eV with labelled energies of defect and sheet, at each of `limits`.
        """
        return [self.differences[defect.name] + defect.exchange_energy(limit) for limit in self.limits]

    def error(self, defect: DefectEnergy) -> float:
        """Return the error of the force field in the same supercell.

        Parameters
        ----------
        defect
            One of the defects.

        Returns
        -------
        eV, energy of the defect by the force field minus that by labels, each relative to the pristine supercell of its method.
        """
        return float(defect.differences[defect.sizes.index(self.size)] - self.differences[defect.name])

    def details(self) -> dict[str, Any]:
        """Return plain values for the record.

        Returns
        -------
        Size, energies and residual forces by defect, limits, and what failed.
        """
        return {
            "size": self.size,
            "differences": {k: None if np.isnan(x) else x for k, x in self.differences.items()},
            "residual_forces": {k: None if np.isnan(x) else x for k, x in self.residual_forces.items()},
            "limits": [{"name": limit.name, "potentials": dict(limit.potentials)} for limit in self.limits],
            "difference_of_zeros": None if np.isnan(self.difference_of_zeros) else self.difference_of_zeros,
            "failures": self.failures,
            "unrelaxed": self.unrelaxed,
        }


def label_defects(
    relaxed: Mapping[str, Atoms],
    primitive: Atoms,
    energy: float,
    config: DefectEnergyConfig,
    *,
    cache: Path,
    progress: Progress = silent,
) -> LabelledEnergies:
    """Label relaxed defects and the pristine supercell, and relax the defects further by labels where the settings ask for it.

    Parameters
    ----------
    relaxed
        Defect → its smallest supercell, relaxed by the force field.
    primitive
        Primitive cell of the sheet.
    energy
        eV, its energy by the force field.
    config
        Settings, with those of the labels.
    cache
        Folder of finished labels.
    progress
        Called after each round of labels.

    Returns
    -------
    Labelled energies of the defects relative to the pristine supercell, limits of the chemical potentials, and what failed.
    """
    assert config.verify is not None  # noqa: S101  # the caller asks
    size = min(config.sizes)
    pristine = primitive.repeat((size, size, 1))
    host = {str(symbol): int(count) for symbol, count in primitive.symbols.formula.count().items()}
    target = LabelRelaxation(
        max_force=config.verify_max_force, max_steps=config.verify_steps, relax_cell=False
    )
    frames = {PRISTINE: pristine, **relaxed}
    height = LABEL_VACUUM + max(thickness(atoms) for atoms in frames.values())
    starts = [_start(name, atoms, height, config) for name, atoms in frames.items()]
    paths = dict(
        zip(
            frames,
            relax_by_labels(starts, config.verify, target, cache=cache, progress=progress),
            strict=True,
        )
    )
    minima = {name: _lowest(path) for name, path in paths.items()}
    flat = minima[PRISTINE][0]
    names = list(relaxed)
    zeros = (flat / size**2 - energy) / len(primitive)
    limits, reason = _limits(host, flat / size**2, relaxed, config, zeros=zeros)
    return LabelledEnergies(
        size=size,
        differences={name: minima[name][0] - flat for name in names},
        residual_forces={name: minima[name][1] for name in names},
        limits=limits,
        difference_of_zeros=zeros,
        reason=reason,
        failures={name: path.reason for name, path in paths.items() if not path.frames},
        unrelaxed={name: path.reason for name, path in paths.items() if path.frames and not path.relaxed},
        frames=[frame for path in paths.values() for frame in path.frames],
    )


def _start(name: str, atoms: Atoms, height: float, config: DefectEnergyConfig) -> RelaxationStart:
    """Prepare a frame; all have cells of one height, since cells of two heights have two sets of plane waves."""
    assert config.verify is not None  # noqa: S101  # the caller asks
    frame = as_slab(atoms, gap=height - thickness(atoms))
    frame.calc = None
    frame.info = {"name": name}
    return RelaxationStart(frame, config.verify.settings, spring_hessian(frame, relax_cell=False))


def _lowest(path: LabelledPath) -> tuple[float, float]:
    """Lowest energy in eV, and the largest force on an atom in its frame in eV/Å."""
    if not path.frames:
        return float("nan"), float("nan")
    labels = min((get_labels(frame) for frame in path.frames), key=lambda one: one.energy)
    return labels.energy, float(np.linalg.norm(labels.forces, axis=1).max())


def _limits(
    host: Mapping[str, int],
    energy: float,
    relaxed: Mapping[str, Atoms],
    config: DefectEnergyConfig,
    *,
    zeros: float,
) -> tuple[list[Limit], str]:
    """Limits of the chemical potentials with the labelled energy of a primitive cell, or why there are none."""
    if np.isnan(energy):
        return [], "there is no label of the pristine supercell"
    if abs(zeros) > MAX_ZERO_DIFFERENCE:
        return [], (
            f"labels and force field differ by {zeros:+.2f} eV/atom for the pristine sheet: they are not of one method, and energies of "
            "defects cannot be compared"
        )
    others = {symbol for atoms in relaxed.values() for symbol in atoms.get_chemical_symbols()} - set(host)
    try:
        return find_limits(host, energy, config.references, others), ""
    except FlatforceError as error:
        return [], f"the references do not belong to the labels: {error.what}"
