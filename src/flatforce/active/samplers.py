"""Where candidates come from: rattles, strain, thermal displacements along modes, defects, relaxations, dynamics."""

from __future__ import annotations

from contextlib import suppress
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.active.dynamics import run_dynamics
from flatforce.active.trajectories import read_trajectories, write_trajectories
from flatforce.core.errors import FlatforceError, GeometryError
from flatforce.core.hashing import hash_structure
from flatforce.core.progress import Progress, silent
from flatforce.data.splits import PATH
from flatforce.properties.phonons.force_constants.engines import fill_force_constants
from flatforce.properties.phonons.force_constants.finite_displacements import make_phonopy, to_ase
from flatforce.properties.relax import relax
from flatforce.properties.relax_config import RelaxConfig
from flatforce.structures.defects import build_defect, place_defect
from flatforce.structures.strain import rattle_positions, apply_strain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from ase import Atoms

    from flatforce.active.dynamics import Trajectory
    from flatforce.active.sampling import RandomDefects, Rattles, Relaxations, Sampling, Strains, ThermalModes
    from flatforce.models.potential import Potential, Prediction

TRAJECTORIES = "trajectories.extxyz"

DYNAMICS = "dynamics"
"""Config type of frames that dynamics propose."""

KEPT_ARRAYS = {"numbers", "positions", "initial_magmoms", "masses"}
"""A label may hang on them."""

LONGEST: Final = 0.4
"""Å. Thermal displacements along soft modes of a poor model are cut here."""

DISPLACEMENT = 0.01
"""Å, of finite differences where the force field has no analytic second derivatives."""


def propose(
    potential: Potential,
    sheets: Sequence[Atoms],
    config: Sampling,
    *,
    seed: int,
    folder: Path,
    before: Path | None = None,
    learnt: AbstractSet[str] = frozenset(),
    failed: AbstractSet[str] = frozenset(),
    primitive: Atoms | None = None,
    doubt: Callable[[Atoms, Prediction], float] | None = None,
    progress: Progress = silent,
) -> list[Atoms]:
    """Ask every sampler for frames.

    Parameters
    ----------
    potential
        The force field that moves atoms.
    sheets
        Starts.
    config
        Which samplers.
    seed
        Of all of them.
    folder
        Where force constants are kept while they are computed, and `trajectories.extxyz`.
    before
        `trajectories.extxyz` of the round before, for dynamics that go on.
    learnt
        Hashes of the frames that the force field has learnt: trajectories that ended on one go on.
    failed
        Hashes of the frames that could not be labelled: trajectories that ended on one have ended.
    primitive
        Read from `defects.primitive`.
    doubt
        Largest error (eV/Å) that a prediction may have; stops dynamics.
    progress
        Told by the dynamics.

    Returns
    -------
    Candidates, with `sampler` in `info`.
    """
    rng = np.random.default_rng(seed)
    found: list[Atoms] = []
    if config.rattles is not None:
        found += _rattles(sheets, config.rattles, rng)
    if config.strains is not None:
        found += _strains(sheets, config.strains, rng)
    if config.modes is not None:
        found += _modes(potential, sheets, config.modes, rng, folder / "scratch")
    if config.defects is not None and primitive is not None:
        found += _defects(primitive, config.defects, rng)
    if config.relaxations is not None:
        found += _relaxations(potential, sheets, config.relaxations, rng, seed)
    if config.dynamics is not None:
        moving = _trajectories(before, seed, learnt, failed) if config.dynamics.go_on else None
        done = run_dynamics(
            potential, sheets, config.dynamics, seed=seed, doubt=doubt, before=moving, progress=progress
        )
        write_trajectories(folder / TRAJECTORIES, done)
        for number, one in enumerate(done):
            found += [_told(frame, DYNAMICS, **{PATH: f"{DYNAMICS}-{seed}-{number}"}) for frame in one.frames]
    return found


def _trajectories(
    before: Path | None, seed: int, learnt: AbstractSet[str], failed: AbstractSet[str]
) -> list[Trajectory] | None:
    """Take up what doubt ended: past a frame that was learnt, without asking again."""
    if before is None or not before.is_file():
        return None
    found = read_trajectories(before, seed=seed)
    for one in found:
        key = hash_structure(one.atoms)
        if one.doubted and key in learnt:
            one.ended, one.doubted = "", False
        elif one.doubted and key in failed:
            one.ended, one.doubted = f"{one.ended}; that frame has no label", False
    return found


def _told(atoms: Atoms, sampler: str, **more: Any) -> Atoms:
    kept = {"material", "md_time", "temperature", "doubt", "defect"}
    atoms.info = {key: value for key, value in atoms.info.items() if key in kept}
    atoms.info |= {"sampler": sampler, "config_type": sampler} | more
    for name in set(atoms.arrays) - KEPT_ARRAYS:
        del atoms.arrays[name]
    return atoms


def _rattles(sheets: Sequence[Atoms], config: Rattles, rng: np.random.Generator) -> list[Atoms]:
    return [
        _told(rattle_positions(sheet, amplitude=amplitude, rng=rng), "rattle", amplitude=amplitude)
        for sheet in sheets
        for amplitude in config.amplitudes
        for _ in range(config.count)
    ]


def _strains(sheets: Sequence[Atoms], config: Strains, rng: np.random.Generator) -> list[Atoms]:
    found = []
    for sheet in sheets:
        for _ in range(config.count):
            xx, yy, xy = rng.uniform(-config.largest, config.largest, size=3)
            moved = apply_strain(sheet, xx=xx, yy=yy, xy=xy)
            found.append(_told(rattle_positions(moved, amplitude=config.rattle, rng=rng), "strain"))
    return found


def _modes(
    potential: Potential,
    sheets: Sequence[Atoms],
    config: ThermalModes,
    rng: np.random.Generator,
    scratch: Path,
) -> list[Atoms]:
    found = []
    for number, sheet in enumerate(sheets):
        phonon = make_phonopy(sheet, (1, 1))
        inside = scratch / f"modes-{number}"
        fill_force_constants(phonon, potential, engine="auto", displacement=DISPLACEMENT, scratch=inside)
        known = phonon.force_constants
        for temperature in config.temperatures:
            phonon.generate_displacements(
                number_of_snapshots=config.count,
                temperature=temperature,
                random_seed=int(rng.integers(2**31)),
                max_distance=LONGEST,
            )
            for cell in phonon.supercells_with_displacements or []:
                moved = sheet.copy()
                moved.positions = to_ase(cell).positions
                found.append(_told(moved, "modes", temperature=temperature))
            phonon.force_constants = known  # phonopy drops them with the displacements that it made
    return found


def _defects(primitive: Atoms, config: RandomDefects, rng: np.random.Generator) -> list[Atoms]:
    size = (config.size, config.size)
    pristine = primitive.repeat((*size, 1))
    wanted: list[tuple[str, ...]] = [(word,) for word in config.defects]
    wanted += list(combinations_with_replacement(config.defects, 2)) if config.pairs else []
    found = []
    for words in wanted:
        for _ in range(config.count):
            placed: list[str] = []
            with suppress(GeometryError):  # no site may be left for the second
                for word in "+".join(words).split("+"):
                    placed.append(place_defect(pristine, word, taken=placed, rng=rng))
                cell = build_defect(primitive, size, "+".join(placed)).atoms
                moved = rattle_positions(cell, amplitude=config.rattle, rng=rng)
                found.append(_told(moved, "defects", defect="+".join(words)))
    return found


def _relaxations(
    potential: Potential, sheets: Sequence[Atoms], config: Relaxations, rng: np.random.Generator, seed: int
) -> list[Atoms]:
    found = []
    for which, sheet in enumerate(sheets):
        for number in range(config.count):
            start = rattle_positions(sheet, amplitude=config.rattle, rng=rng)
            name = f"relaxation-{seed}-{which}-{number}"
            path: list[Atoms] = []
            with suppress(FlatforceError):  # a poor model may lose the sheet: then it proposes nothing here
                path = relax(potential, start, RelaxConfig(max_force=0.02, max_steps=200)).trajectory
            for step in path[:: config.every]:
                bare = step.copy()
                bare.calc = None
                found.append(_told(bare, "relaxation", **{PATH: name}))
    return found
