"""Relaxation by labels: each step is a frame of a labelling run, so that many go side by side and nothing is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS
from ase.stress import full_3x3_to_voigt_6_stress
from pydantic import PositiveFloat, PositiveInt

from flatforce.core.config import Config
from flatforce.core.progress import Progress, silent
from flatforce.core.units import EV_PER_A2_IN_N_PER_M
from flatforce.data.frames import Labels, attach_labels, describe
from flatforce.reference.config import label_key
from flatforce.reference.label import label
from flatforce.reference.tasks import read_outcome
from flatforce.structures.sheet import IN_PLANE
from flatforce.structures.symmetry import find_symmetry, symmetrise

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.reference.config import LabelConfig, Settings
    from flatforce.structures.symmetry import Symmetry

SAME = 1e-6
"""Å. Round-off of a relaxation by a force field."""

LONGEST_STEP = 0.1
"""Å, of any atom in one step of the optimiser."""


class LabelRelaxation(Config):
    """Where a relaxation by labels ends."""

    max_force: PositiveFloat = 0.01
    """eV/Å. Largest force left on any atom."""
    max_stress: PositiveFloat = 0.05
    """N/m. Largest component of the membrane stress left."""
    max_steps: PositiveInt = 20
    """Labels of one structure."""
    relax_cell: bool = True
    """Whether the cell changes in its plane."""


@dataclass(frozen=True)
class LabelledPath:
    """The labelled steps of one relaxation."""

    frames: list[Atoms]
    """With `step` in `info`; the last one of a relaxed sheet has `relaxed`."""
    relaxed: bool
    reason: str = ""
    """Why it ended early."""


def relax_by_labels(
    sheets: Sequence[Atoms],
    config: LabelConfig,
    target: LabelRelaxation,
    *,
    cache: Path,
    settings: Sequence[Settings] | None = None,
    curvatures: Sequence[FloatArray] | None = None,
    progress: Progress = silent,
) -> list[LabelledPath]:
    """Relax sheets with BFGS, the next step of all of them labelled side by side.

    Parameters
    ----------
    sheets
        Starts, each with three periodic axes and its vacuum; `info` is kept on every step.
    config
        How frames are labelled.
    target
        Where a relaxation ends.
    cache
        Folder of labels: a killed run goes on from there.
    settings
        One for each sheet, in place of the one of `config`.
    curvatures
        For each sheet, the second derivatives that BFGS starts from, in the coordinates of ASE's `FrechetCellFilter`
        (of the positions alone if the cell is kept): a good guess saves labels. None for 70 eV/Å² throughout.
    progress
        Told after each round with the number of sheets that ended.

    Returns
    -------
    One path for each sheet.
    """
    lost: dict[str, str] = {}
    chosen = [config.settings] * len(sheets) if settings is None else list(settings)
    guesses = [None] * len(sheets) if curvatures is None else list(curvatures)
    while True:
        walks = [
            _walk(sheet, one, target, cache=cache, guess=guess, lost=lost)
            for sheet, one, guess in zip(sheets, chosen, guesses, strict=True)
        ]
        open_ = [
            (walk, one) for walk, one in zip(walks, chosen, strict=True) if not isinstance(walk, LabelledPath)
        ]
        progress(len(walks) - len(open_), len(walks), f"{len(open_)} to be labelled")
        if not open_:
            return [walk for walk in walks if isinstance(walk, LabelledPath)]
        done = label([walk for walk, _ in open_], config, cache=cache, settings=[one for _, one in open_])
        reasons = dict(done.failures)
        for (
            walk,
            one,
        ) in open_:  # what no worker could begin is in no cache: asked again, it would fail for ever
            key = label_key(walk, one)
            if read_outcome(cache / f"{key}.json") is None:
                lost[key] = reasons.get(describe(walk), "its worker left no outcome")


class _Missing(Exception):  # noqa: N818  # no error: it asks for work
    def __init__(self, frame: Atoms) -> None:
        super().__init__("not labelled yet")
        self.frame = frame


class _FromCache(Calculator):  # type: ignore[misc]  # ASE is untyped
    """Labels that are known; what is not raises `_Missing`, what failed `ArithmeticError`."""

    implemented_properties: ClassVar = ["energy", "free_energy", "forces", "stress"]

    def __init__(
        self, sheet: Atoms, cache: Path, settings: Settings, lost: dict[str, str], *, relax_cell: bool
    ) -> None:
        super().__init__()
        self.cache, self.settings, self.lost, self.relax_cell = cache, settings, lost, relax_cell
        self.symmetry = find_symmetry(sheet)
        self.labelled = sheet
        """The frame whose labels were given last: the one asked for, rid of what broke the symmetry of the start."""

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        """Look the label up.

        Parameters
        ----------
        atoms
            The frame.
        properties
            Of ASE.
        system_changes
            Of ASE.

        Raises
        ------
        _Missing
            If it is not known.
        ArithmeticError
            If labelling failed.
        """
        super().calculate(atoms, properties, system_changes)
        self.labelled = _symmetric(atoms, self.symmetry)
        key = label_key(self.labelled, self.settings)
        outcome = read_outcome(self.cache / f"{key}.json")
        if outcome is None and key in self.lost:
            raise ArithmeticError(self.lost[key])
        if outcome is None:
            raise _Missing(self.labelled)
        if outcome["status"] != "done":
            raise ArithmeticError(outcome["reason"])
        if outcome["stress"] is None and self.relax_cell:
            raise ArithmeticError("its label has no stress: set relax_cell: false to keep the cell")
        self.results = {
            "energy": outcome["energy"],
            "free_energy": outcome["energy"],
            "forces": np.array(outcome["forces"]),
        }
        if outcome["stress"] is not None:
            self.results["stress"] = full_3x3_to_voigt_6_stress(np.array(outcome["stress"]))


def _walk(
    sheet: Atoms,
    settings: Settings,
    target: LabelRelaxation,
    *,
    cache: Path,
    guess: FloatArray | None,
    lost: dict[str, str],
) -> LabelledPath | Atoms:
    """Follow a relaxation as far as it is known; the frame to be labelled next, if it goes on."""
    atoms = sheet.copy()
    atoms.calc = known = _FromCache(sheet, cache, settings, lost, relax_cell=target.relax_cell)
    path: list[Atoms] = []
    try:
        moving = FrechetCellFilter(atoms, mask=list(IN_PLANE)) if target.relax_cell else atoms
        optimizer = BFGS(moving, logfile=None, maxstep=LONGEST_STEP)
        if guess is not None:
            optimizer.H0 = guess.copy()  # BFGS updates in place
        for _ in optimizer.irun(fmax=0.0, steps=target.max_steps - 1):
            path.append(_step(atoms, known.labelled, sheet, len(path)))
            if _calm(atoms, target):
                path[-1].info["relaxed"] = True
                return LabelledPath(path, relaxed=True)
    except _Missing as missing:
        frame = missing.frame
        frame.info = dict(sheet.info)
        frame.calc = None
        return frame
    except ArithmeticError as error:
        return LabelledPath(path, relaxed=False, reason=str(error))
    return LabelledPath(path, relaxed=False, reason=f"not relaxed after {len(path)} labels")


def _calm(atoms: Atoms, target: LabelRelaxation) -> bool:
    if float(np.linalg.norm(atoms.get_forces(), axis=1).max()) >= target.max_force:
        return False
    if not target.relax_cell:
        return True
    membrane = atoms.get_stress(voigt=False)[:2, :2] * atoms.cell[2, 2] * EV_PER_A2_IN_N_PER_M
    return bool(np.abs(membrane).max() < target.max_stress)


def _symmetric(atoms: Atoms, symmetry: Symmetry) -> Atoms:
    """Take noise off that breaks the symmetry of the start: it would cost k points; a symmetric frame stays to the bit."""
    found = symmetrise(atoms, symmetry)
    shift = max(np.abs(found.positions - atoms.positions).max(), np.abs(found.cell - atoms.cell).max())
    return atoms.copy() if shift < SAME else found


def _step(atoms: Atoms, labelled: Atoms, sheet: Atoms, number: int) -> Atoms:
    stressed = "stress" in atoms.calc.results
    stress = atoms.get_stress(voigt=False).copy() if stressed else None
    labels = Labels(atoms.get_potential_energy(), atoms.get_forces().copy(), stress)
    bare = labelled.copy()
    bare.calc = None
    bare.info = {key: value for key, value in sheet.info.items() if key != "relaxed"} | {
        "config_type": "relaxation",
        "step": number,
    }
    if "name" in sheet.info:
        bare.info["name"] = f"{sheet.info['name']}-{number:02d}"
    return attach_labels(bare, labels)
