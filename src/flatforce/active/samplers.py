"""Generation of candidates: rattles, strains, thermal displacements along modes, defects, relaxations, paths, dynamics."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.active.dynamics import continue_trajectories, run_dynamics, start_trajectories
from flatforce.active.sampling import DYNAMICS
from flatforce.active.trajectories import write_trajectories
from flatforce.core.errors import FlatforceError, GeometryError
from flatforce.core.progress import Progress, silent
from flatforce.data.splits import TRAJECTORY
from flatforce.properties.relax import relax
from flatforce.properties.relax_config import RelaxConfig
from flatforce.structures.defects import build_defect, place_defect
from flatforce.structures.strain import apply_strain, rattle_positions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.active.dynamics_config import DynamicsConfig
    from flatforce.active.sampling import (
        PathsConfig,
        RandomDefectsConfig,
        RattlesConfig,
        RelaxationsConfig,
        SamplingConfig,
        StrainsConfig,
        ThermalModesConfig,
    )
    from flatforce.active.trajectories import ContinuedDynamics, Trajectory
    from flatforce.models.potential import Potential
    from flatforce.models.prediction import Prediction

TRAJECTORIES: Final = "trajectories.extxyz"
"""File of the trajectories of a round."""

CANDIDATE_ARRAYS: Final = {"numbers", "positions", "initial_magmoms", "masses"}
"""Arrays that a candidate keeps, because its label may depend on them."""

CANDIDATE_INFO: Final = {"material", "md_time", "temperature", "force_uncertainty", "defect"}
"""Entries of `info` that a candidate keeps."""

MAX_DISPLACEMENT: Final = 0.4
"""Å. Thermal displacements along the soft modes of a poor model are limited to this length."""

DISPLACEMENT: Final = 0.01
"""Å, of finite differences where the force field has no analytic second derivatives."""

RELAX: Final = RelaxConfig(max_force=0.02, max_steps=200)
"""Settings of the relaxations whose frames are proposed."""


@dataclass(frozen=True)
class Sampler:
    """Generates candidates with the samplers of a `SamplingConfig`."""

    potential: Potential
    """The force field that moves atoms."""
    config: SamplingConfig
    """Which samplers are used, and their settings."""
    folder: Path
    """Folder for intermediate force constants, and for `trajectories.extxyz`."""
    primitive: Atoms | None = None
    """The primitive cell in which random defects are built."""
    path_ends: Sequence[tuple[Atoms, Atoms]] = ()
    """First and last structure of each path of minimum energy."""
    max_uncertainty: Callable[[Atoms, Prediction], float] | None = None
    """Returns the largest uncertainty (eV/Å) of an atom's force in a prediction; it stops dynamics."""

    def propose(
        self,
        sheets: Sequence[Atoms],
        *,
        seed: int,
        continued: ContinuedDynamics | None = None,
        progress: Progress = silent,
    ) -> list[Atoms]:
        """Generate candidates with each sampler.

        Parameters
        ----------
        sheets
            Structures from which the samplers start.
        seed
            Seed of all samplers.
        continued
            Earlier rounds, for on-the-fly dynamics; None in the first round.
        progress
            Called by the dynamics.

        Returns
        -------
        Candidates, with the name of their sampler as `sampler` and `config_type` in `info`.
        """
        config, rng = self.config, np.random.default_rng(seed)
        candidates: list[Atoms] = []
        if config.rattles is not None:
            candidates += _rattle(sheets, config.rattles, rng)
        if config.strains is not None:
            candidates += _strain(sheets, config.strains, rng)
        if config.modes is not None:
            scratch = self.folder / "scratch"
            candidates += _displace_along_modes(self.potential, sheets, config.modes, rng, scratch)
        if config.defects is not None and self.primitive is not None:
            candidates += _build_defects(self.primitive, config.defects, rng)
        if config.relaxations is not None:
            candidates += _relax(self.potential, sheets, config.relaxations, rng, seed)
        if config.paths is not None:
            candidates += self._find_paths(config.paths, seed, progress)
        if config.dynamics is not None:
            previous = continued.read(seed) if continued is not None and config.on_the_fly else None
            candidates += self._run_dynamics(config.dynamics, sheets, seed, previous, progress)
        return candidates

    def _find_paths(self, config: PathsConfig, seed: int, progress: Progress) -> Iterator[Atoms]:
        from flatforce.active.path_images import path_images

        scratch = self.folder / "scratch"
        for number, image in path_images(
            self.potential, self.path_ends, config, scratch=scratch, progress=progress
        ):
            yield _as_candidate(image, "path", **{TRAJECTORY: f"path-{seed}-{number}"})

    def _run_dynamics(
        self,
        config: DynamicsConfig,
        sheets: Sequence[Atoms],
        seed: int,
        previous: Sequence[Trajectory] | None,
        progress: Progress,
    ) -> Iterator[Atoms]:
        started = start_trajectories(sheets, config, seed=seed)
        trajectories = run_dynamics(
            self.potential,
            started if previous is None else continue_trajectories(started, previous),
            config,
            max_uncertainty=self.max_uncertainty,
            progress=progress,
        )
        write_trajectories(self.folder / TRAJECTORIES, trajectories)
        for number, trajectory in enumerate(trajectories):
            name = f"{DYNAMICS}-{seed}-{number}"
            yield from (_as_candidate(frame, DYNAMICS, **{TRAJECTORY: name}) for frame in trajectory.frames)


def _as_candidate(atoms: Atoms, sampler: str, **info: Any) -> Atoms:
    """Remove what belongs to the structure that the sampler started from, and name the sampler."""
    atoms.info = {key: value for key, value in atoms.info.items() if key in CANDIDATE_INFO}
    atoms.info |= {"sampler": sampler, "config_type": sampler} | info
    for name in set(atoms.arrays) - CANDIDATE_ARRAYS:
        del atoms.arrays[name]
    return atoms


def _rattle(sheets: Sequence[Atoms], config: RattlesConfig, rng: np.random.Generator) -> Iterator[Atoms]:
    for sheet in sheets:
        for amplitude in config.amplitudes:
            for _ in range(config.count):
                frame = rattle_positions(sheet, amplitude=amplitude, rng=rng)
                yield _as_candidate(frame, "rattle", amplitude=amplitude)


def _strain(sheets: Sequence[Atoms], config: StrainsConfig, rng: np.random.Generator) -> Iterator[Atoms]:
    for sheet in sheets:
        for _ in range(config.count):
            xx, yy, xy = rng.uniform(-config.max_strain, config.max_strain, size=3)
            frame = apply_strain(sheet, xx=xx, yy=yy, xy=xy)
            yield _as_candidate(rattle_positions(frame, amplitude=config.rattle, rng=rng), "strain")


def _displace_along_modes(
    potential: Potential,
    sheets: Sequence[Atoms],
    config: ThermalModesConfig,
    rng: np.random.Generator,
    scratch: Path,
) -> Iterator[Atoms]:
    from flatforce.properties.phonons.force_constants.engines import fill_force_constants
    from flatforce.properties.phonons.force_constants.finite_displacements import make_phonopy, to_ase

    for number, sheet in enumerate(sheets):
        phonon = make_phonopy(sheet, (1, 1))
        folder = scratch / f"modes-{number}"
        fill_force_constants(phonon, potential, engine="auto", displacement=DISPLACEMENT, scratch=folder)
        force_constants = phonon.force_constants
        for temperature in config.temperatures:
            phonon.generate_displacements(
                number_of_snapshots=config.count,
                temperature=temperature,
                random_seed=int(rng.integers(2**31)),
                max_distance=MAX_DISPLACEMENT,
            )
            for cell in phonon.supercells_with_displacements or []:
                frame = sheet.copy()
                frame.positions = to_ase(cell).positions
                yield _as_candidate(frame, "modes", temperature=temperature)
            # phonopy discards the force constants when it generates displacements
            phonon.force_constants = force_constants


def _build_defects(
    primitive: Atoms, config: RandomDefectsConfig, rng: np.random.Generator
) -> Iterator[Atoms]:
    combinations: list[tuple[str, ...]] = [(defect,) for defect in config.defects]
    combinations += list(combinations_with_replacement(config.defects, 2)) if config.pairs else []
    for names in combinations:
        for _ in range(config.count):
            placed: list[str] = []
            with suppress(GeometryError):  # there may be no site for the second defect
                for name in names:
                    placed.append(place_defect(primitive, config.supercell, name, occupied=placed, rng=rng))
                cell = build_defect(primitive, config.supercell, "+".join(placed)).atoms
                frame = rattle_positions(cell, amplitude=config.rattle, rng=rng)
                yield _as_candidate(frame, "defects", defect="+".join(names))


def _relax(
    potential: Potential,
    sheets: Sequence[Atoms],
    config: RelaxationsConfig,
    rng: np.random.Generator,
    seed: int,
) -> Iterator[Atoms]:
    for sheet_number, sheet in enumerate(sheets):
        for number in range(config.count):
            initial = rattle_positions(sheet, amplitude=config.rattle, rng=rng)
            path = f"relaxation-{seed}-{sheet_number}-{number}"
            trajectory: list[Atoms] = []
            with suppress(FlatforceError):  # a poor model may tear the sheet apart; then nothing is proposed
                trajectory = relax(potential, initial, RELAX).trajectory
            for step in trajectory[:: config.sampling_interval]:
                frame = step.copy()
                frame.calc = None
                yield _as_candidate(frame, "relaxation", **{TRAJECTORY: path})
