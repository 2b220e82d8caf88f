"""An ASE calculator that looks labels up in a cache, and asks for those that are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from flatforce.reference.keys import label_key
from flatforce.reference.tasks import is_final, read_task_result
from flatforce.structures.symmetry import find_symmetry, symmetrise

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from flatforce.reference.config import Settings
    from flatforce.structures.symmetry import Symmetry

POSITION_TOLERANCE = 1e-6
"""Å. Round-off of a relaxation by a force field: a frame that is symmetric to it is left unchanged."""


class LabelMissing(Exception):  # noqa: N818  # not an error: it asks for work
    """The cache holds no label of a frame yet.

    Parameters
    ----------
    frame
        The frame to be labelled.
    """

    def __init__(self, frame: Atoms) -> None:
        super().__init__("not labelled yet")
        self.frame = frame


class CachedLabels(Calculator):  # type: ignore[misc]  # ASE is untyped
    """Calculator that returns cached labels; it raises `LabelMissing` for an unknown and `ArithmeticError` for a failed frame.

    Parameters
    ----------
    sheet
        Initial structure; its symmetry is imposed on every frame.
    cache
        Folder of results.
    settings
        Code and settings that determine the labels.
    failures
        Key → reason of frames that no worker could start.
    need_stress
        Whether a label without a stress counts as failed.
    timeout
        s, present time limit of a frame: one that failed under a shorter limit is labelled again.
    """

    implemented_properties: ClassVar = ["energy", "free_energy", "forces", "stress"]

    def __init__(
        self,
        sheet: Atoms,
        *,
        cache: Path,
        settings: Settings,
        failures: dict[str, str],
        need_stress: bool,
        timeout: float,
    ) -> None:
        super().__init__()
        self.timeout = timeout
        self.cache, self.settings, self.failures, self.need_stress = cache, settings, failures, need_stress
        self.symmetry = find_symmetry(sheet)
        self.labelled_frame = sheet
        """The frame whose labels were returned last: the given one with the symmetry of the initial structure."""

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        """Look up the labels of a frame.

        Parameters
        ----------
        atoms
            The frame.
        properties
            Passed on to ASE.
        system_changes
            Passed on to ASE.

        Raises
        ------
        LabelMissing
            If the frame has not been labelled.
        ArithmeticError
            If labelling failed.
        """
        super().calculate(atoms, properties, system_changes)
        self.labelled_frame = _impose_symmetry(atoms, self.symmetry)
        key = label_key(self.labelled_frame, self.settings)
        result = read_task_result(self.cache / f"{key}.json")
        if result is None and key in self.failures:
            raise ArithmeticError(self.failures[key])
        if result is None:
            raise LabelMissing(self.labelled_frame)
        if result["status"] != "done" and (key in self.failures or is_final(result, timeout=self.timeout)):
            raise ArithmeticError(result["reason"])
        if result["status"] != "done":  # the machine failed, not the code: it is tried again
            raise LabelMissing(self.labelled_frame)
        if result["stress"] is None and self.need_stress:
            raise ArithmeticError("its label has no stress: set relax_cell: false to keep the cell fixed")
        self.results = {
            "energy": result["energy"],
            "free_energy": result["energy"],
            "forces": np.array(result["forces"]),
        }
        if result["stress"] is not None:
            self.results["stress"] = full_3x3_to_voigt_6_stress(np.array(result["stress"]))


def _impose_symmetry(atoms: Atoms, symmetry: Symmetry) -> Atoms:
    """Remove noise that breaks the symmetry of the initial structure, which would need more k points.

    A frame that is symmetric within the tolerance is returned to the last bit, so that its key does not change.
    """
    symmetric = symmetrise(atoms, symmetry)
    shift = max(
        np.abs(symmetric.positions - atoms.positions).max(), np.abs(symmetric.cell - atoms.cell).max()
    )
    return atoms.copy() if shift < POSITION_TOLERANCE else symmetric
