"""Formation energies by DFT labels of the smallest supercells, beside those of the force field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

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
    """Chemical potentials with the labelled energy of the pristine sheet; none where its label failed."""
    failures: dict[str, str]
    """Defect or `pristine` → why there is no label."""
    unrelaxed: dict[str, str]
    """Defect → why its relaxation by labels ended early: its energy is an upper bound."""
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
        eV at each of `limits`.
        """
        value = self.differences[defect.name]
        return [
            value + sum(n * limit.potentials[element] for element, n in defect.removed.items())
            for limit in self.limits
        ]

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
            "failures": self.failures,
            "unrelaxed": self.unrelaxed,
        }


def label_defects(
    relaxed: Mapping[str, Atoms],
    pristine: Atoms,
    host: Mapping[str, int],
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
    pristine
        The pristine supercell of the same size.
    host
        Element → atoms in the primitive cell.
    config
        Settings, with those of the labels.
    cache
        Folder of finished labels.
    progress
        Called after each round of labels.

    Returns
    -------
    Energies by labels.
    """
    assert config.verify is not None  # noqa: S101  # the caller asks
    size = min(config.sizes)
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
    found = {name: _lowest(path) for name, path in paths.items()}
    flat = found[PRISTINE][0]
    names = list(relaxed)
    return LabelledEnergies(
        size=size,
        differences={name: found[name][0] - flat for name in names},
        residual_forces={name: found[name][1] for name in names},
        limits=[] if np.isnan(flat) else _limits(host, flat / size**2, relaxed, config),
        failures={name: path.reason for name, path in paths.items() if not path.frames},
        unrelaxed={
            name: paths[name].reason for name in names if paths[name].frames and not paths[name].relaxed
        },
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
    host: Mapping[str, int], energy: float, relaxed: Mapping[str, Atoms], config: DefectEnergyConfig
) -> list[Limit]:
    others = {symbol for atoms in relaxed.values() for symbol in atoms.get_chemical_symbols()} - set(host)
    return find_limits(host, energy, config.references, others)
