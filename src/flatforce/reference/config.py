"""Settings of a labelling run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from flatforce.core.config import Config
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


Settings = Annotated[GpawSettings | AseSettings, Field(discriminator="engine")]


class LabelConfig(Config):
    """A labelling run: what is computed, and how the machine is used."""

    settings: Settings = GpawSettings()
    """What decides the numbers; part of the key under which a label is cached."""
    workers: PositiveInt = max(1, os.cpu_count() or 1)
    """Frames computed at the same time."""
    threads: PositiveInt = 1
    """OpenMP threads of each worker."""
    launcher: list[str] = []
    """Words put before the worker's command, such as [mpirun, -np, "4"]."""
    timeout: PositiveFloat = 86400.0
    """s. A frame that takes longer is recorded as failed."""


def label_key(atoms: Atoms, settings: GpawSettings | AseSettings) -> str:
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
    return hash_value([hash_structure(atoms), settings.model_dump(mode="json")])
