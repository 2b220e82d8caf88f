"""A defect in a strained sheet, strain by strain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias

from flatforce.core.errors import ConfigError
from flatforce.core.results import read_arrays, read_record
from flatforce.properties.relax_config import RelaxConfig
from flatforce.studies.checks import parent_problems, raise_together
from flatforce.studies.comparison import ComparisonStage
from flatforce.studies.defect import DefectPhononStage
from flatforce.studies.relax import RelaxStage
from flatforce.studies.stage import Context, Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.core.outcome import Outcome
    from flatforce.properties.phonons.config import DefectPhononConfig
    from flatforce.studies.session import Session

StrainKind: TypeAlias = Literal["biaxial", "x", "y"]
"""Strain in both directions, or in one with the other length held."""

MAX_STRAIN: Final = 0.3
"""Largest strain that is accepted, beyond the ideal strength of graphene (0.19 to 0.27: Liu, Ming and Li 2007)."""

COMPONENTS: Final[dict[str, dict[str, float]]] = {
    "biaxial": {"xx": 1.0, "yy": 1.0},
    "x": {"xx": 1.0},
    "y": {"yy": 1.0},
}


@dataclass(frozen=True)
class StrainSeriesStage(ComparisonStage):
    """Follows the modes of a defect from strain to strain."""

    kind: ClassVar[str] = "strain series"
    revision: ClassVar[int] = 2
    needs_model: ClassVar[bool] = False

    defect: str
    strain_kind: StrainKind
    supercell: tuple[int, int]
    strains: Sequence[float]
    keys: dict[str, str]
    """Name of each folder of the series → key of its result."""
    parent: Path
    """Parent of the folders."""

    def inputs(self) -> dict[str, Source | str | None]:
        """Return the keys of the results at each strain."""
        return {**self.keys}

    def settings(self) -> dict[str, Any]:
        """Return defect, kind of strain, and supercell."""
        return {"defect": self.defect, "kind": self.strain_kind, "supercell": list(self.supercell)}

    def compute(self, context: Context) -> Outcome:
        """Match the modes at each strain with those at the smallest one."""
        import numpy as np

        from flatforce.properties.phonons.defects.member_spectra import member_from_arrays
        from flatforce.properties.phonons.defects.strain_series import compare_strains

        del context
        folders = [self.parent / name for name in self.keys if name.endswith("/defect")]
        members = [
            member_from_arrays(read_arrays(folder), read_record(folder)["details"]["modes"])
            for folder in folders
        ]
        return compare_strains(np.array(self.strains), members)


@dataclass(frozen=True)
class StrainSeriesRun:
    """A defect at several strains, `strain_x_+0.0100/` each, and their comparison in `strain/`."""

    structure: Source
    """Relaxed primitive cell."""
    defect: str
    """Notation of the defect."""
    config: DefectPhononConfig
    """Settings of every cell."""
    strains: Sequence[float]
    """Two strains or more; 0.01 is one per cent."""
    strain_kind: StrainKind = "biaxial"
    """Which lengths change."""

    def run(self, session: Session, folder: Path) -> dict[str, dict[str, Any]]:
        """Compute the series; finished folders are read back.

        Parameters
        ----------
        session
            Force field and structures.
        folder
            Parent of the result folders.

        Returns
        -------
        Name of each folder → content of its `result.json`.
        """
        ordered = sorted(set(self.strains))
        names = [f"strain_{self.strain_kind}_{strain:+.4f}" for strain in ordered]
        self._check(names, session, folder)
        records: dict[str, dict[str, Any]] = {}
        for strain, name in zip(ordered, names, strict=True):
            records |= self._run_strain(strain, name, session, folder)
        keys = {name: record["key"] for name, record in records.items()}
        comparison = StrainSeriesStage(
            self.defect, self.strain_kind, self.config.supercell, ordered, keys, folder
        )
        records["strain"] = comparison.run(session, folder / "strain")
        return records

    def _check(self, names: list[str], session: Session, folder: Path) -> None:
        """Refuse strains that cannot be told apart, and what would make the first stage fail."""
        if len(set(names)) < max(2, len(set(self.strains))):
            raise ConfigError(
                "A strain series needs two strains or more.", fix="repeat --strain; 0.0001 is the finest step"
            )
        if beyond := [strain for strain in self.strains if abs(strain) > MAX_STRAIN]:
            raise ConfigError(
                f"A strain of {beyond[0]:g} is {100 * beyond[0]:g} %, at which no sheet holds.",
                why="strains are fractions, not per cent",
                fix="write 0.01 for one per cent: --strain -0.01 0 0.01",
            )
        raise_together(parent_problems(folder), subject="The strain series")
        if not (folder / "strain" / "result.json").is_file():
            errors = DefectPhononStage(self.structure, self.defect, self.config).problems(session)
            raise_together(list(errors), subject="The strain series")

    def _run_strain(
        self, strain: float, name: str, session: Session, folder: Path
    ) -> dict[str, dict[str, Any]]:
        """Relax the strained sheet at its lattice constants, then the defect in it."""
        from flatforce.structures.strain import apply_strain

        inside = folder / name
        components = {axis: factor * strain for axis, factor in COMPONENTS[self.strain_kind].items()}
        start = apply_strain(session.structure(self.structure), **components)
        relaxation = RelaxStage(start, RelaxConfig(relax_cell=False))
        relaxed = relaxation.run(session, inside / "relax")
        stage = DefectPhononStage(inside / "relax" / "relaxed.extxyz", self.defect, self.config)
        return {f"{name}/relax": relaxed, f"{name}/defect": stage.run(session, inside / "defect")}
