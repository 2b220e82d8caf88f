"""A screening as an object."""

from __future__ import annotations

import csv
from functools import cached_property
from typing import TYPE_CHECKING, Any

from flatforce.core.errors import MissingDependencyError
from flatforce.properties.screening.result import COLUMNS
from flatforce.report.results.result import Result

if TYPE_CHECKING:
    from ase import Atoms


class ScreeningResult(Result):
    """Many sheets, relaxed and ranked."""

    KIND = "screening"
    MADE_BY = "screen"

    @cached_property
    def ranking(self) -> list[dict[str, Any]]:
        """One dictionary for each sheet, the best first, with the columns of `ranking.csv`; numbers that are not known are NaN."""
        with self._file("ranking.csv").open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        return [
            {
                name: kind(row[name] or "nan") if kind is float else kind(row[name])
                for name, kind in COLUMNS.items()
            }
            for row in rows
        ]

    @property
    def atoms(self) -> list[Atoms]:
        """Sheets whose relaxation converged, in the order of the ranking, read anew each time."""
        from flatforce.data.frame_files import read_frames

        path = self.folder / "relaxed.extxyz"
        return read_frames(path) if path.is_file() else []

    @property
    def hull(self) -> str:
        """What the convex hull is made of, as a sentence."""
        return str(self.details["hull"])

    @property
    def n_below(self) -> int:
        """Number of different sheets whose energy above the hull is below the limit."""
        return int(self._number("n_below"))

    def to_pymatgen(self) -> list[Any]:
        """Convert the relaxed sheets to entries of pymatgen, for its phase diagrams and their plots.

        Returns
        -------
        One `ComputedStructureEntry` for each converged sheet, in the order of the ranking, with the energy of the force field in eV; its
        `entry_id` is the name of the sheet.

        Raises
        ------
        MissingDependencyError
            If pymatgen is not installed.

        Examples
        --------
        >>> import flatforce as ff
        >>> screening = ff.screen("mace:wse2-pbe", [ff.monolayer("WSe2")])
        >>> [entry] = screening.to_pymatgen()
        >>> entry.composition.reduced_formula
        'WSe2'
        """
        try:
            from pymatgen.entries.computed_entries import ComputedStructureEntry
            from pymatgen.io.ase import AseAtomsAdaptor
        except ImportError as error:
            raise MissingDependencyError(
                "pymatgen is not installed.", why=str(error), fix="pip install 'flatforce[hull]'"
            ) from error
        return [
            ComputedStructureEntry(
                AseAtomsAdaptor.get_structure(atoms),
                float(atoms.info["energy_per_atom"]) * len(atoms),
                entry_id=atoms.info["name"],
            )
            for atoms in self.atoms
        ]
