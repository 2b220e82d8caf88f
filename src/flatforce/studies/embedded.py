"""Stages on a defect embedded in a large supercell: its spectra, the dilute limit, unfolding, line shapes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from flatforce.core.results import read_arrays, read_record
from flatforce.studies.stage import Context, Source, Stage

if TYPE_CHECKING:
    from flatforce.core.outcome import Outcome
    from flatforce.properties.phonons.config import (
        DefectPhononConfig,
        DiluteConfig,
        EmbedConfig,
        LineShapeConfig,
        UnfoldConfig,
    )

SHARED = ("defect", "shells", "broadening")
"""Settings of an embedding that the dilute limit takes over."""


@dataclass(frozen=True)
class EmbeddedStage(Stage):
    """Embeds the relaxed defect of a smaller cell, and computes the spectra of the shells around it."""

    kind: ClassVar[str] = "embedded defect"
    revision: ClassVar[int] = 2
    files: ClassVar[tuple[str, ...]] = ("sparse_force_constants.hdf5", "primitive.extxyz")

    structure: Source
    defect: str
    small: DefectPhononConfig
    """Settings of the smaller cell, whose result stands in `parent`."""
    config: EmbedConfig
    parent: Path
    """Parent of the result folders."""

    @property
    def relaxed(self) -> Path:
        """File of the smaller relaxed cell."""
        n, m = self.small.supercell
        return self.parent / f"{n}x{m}" / "relaxed.extxyz"

    def inputs(self) -> dict[str, Source | str | None]:
        """Return the primitive cell and the smaller relaxed cell."""
        return {"structure": self.structure, "relaxed": self.relaxed}

    def settings(self) -> dict[str, Any]:
        """Return the defect, and the settings of the spectra, which are those of the smaller cell."""
        small = self.small
        return {
            "defect": self.defect,
            "shells": small.shells,
            "broadening": small.broadening,
            "masses": small.masses,
        }

    def title(self, folder: Path) -> str:
        """Return the name of the folder."""
        return folder.name

    def compute(self, context: Context) -> Outcome:
        """Compute the rows near the defect exactly, take all others from the pristine host, and the spectra."""
        from flatforce.models.slab import pad_vacuum
        from flatforce.properties.phonons.defects.embedded_spectra import embedded_phonons
        from flatforce.properties.phonons.force_constants.large_cell import RelaxedCell
        from flatforce.structures.defects import build_defect

        primitive = pad_vacuum(context.structure(self.structure), context.potential.cutoff)
        cell = build_defect(primitive, self.small.supercell, self.defect)
        return embedded_phonons(
            context.potential,
            RelaxedCell(primitive, cell, context.structure(self.relaxed)),
            self.config,
            spectra=self.small,
            scratch=context.scratch,
            progress=context.progress,
        )


@dataclass(frozen=True)
class DiluteStage(Stage):
    """Computes the spectra of an embedded defect in the infinite sheet."""

    kind: ClassVar[str] = "dilute limit"
    revision: ClassVar[int] = 2
    needs_model: ClassVar[bool] = False

    embedded: Path
    """Result folder of the embedding; shells and broadening are taken from it."""
    config: DiluteConfig
    record: dict[str, Any]
    """`result.json` of the embedding."""

    @classmethod
    def of(cls, embedded: Path, config: DiluteConfig) -> Self:
        """Build the stage on the folder of an embedding.

        Parameters
        ----------
        embedded
            Result folder of the embedding.
        config
            Settings.

        Returns
        -------
        The stage that computes the dilute limit from that folder.
        """
        return cls(embedded, config, read_embedding(embedded))

    def inputs(self) -> dict[str, Source | str | None]:
        """Return the key of the embedding."""
        return {"embedded": self.record["key"]}

    def settings(self) -> dict[str, Any]:
        """Return the settings taken over from the embedding."""
        return {name: self.record["config"][name] for name in SHARED}

    def compute(self, context: Context) -> Outcome:
        """Solve for the Green function of the infinite sheet."""
        from flatforce.properties.phonons.defects.dilute_limit import dilute_limit
        from flatforce.properties.phonons.defects.stored_embedding import load_embedding

        shared = self.settings()
        return dilute_limit(
            load_embedding(self.embedded),
            self.config,
            radii=shared["shells"],
            broadening=shared["broadening"],
            progress=context.progress,
        )


@dataclass(frozen=True)
class UnfoldStage(Stage):
    """Computes the spectral function of an embedded defect along the band path of the primitive cell."""

    kind: ClassVar[str] = "unfolded bands"
    needs_model: ClassVar[bool] = False

    embedded: Path
    """Result folder of the embedding."""
    config: UnfoldConfig

    def inputs(self) -> dict[str, Source | str | None]:
        """Return the key of the embedding."""
        return {"embedded": read_embedding(self.embedded)["key"]}

    def settings(self) -> dict[str, Any]:
        """Return the defect."""
        return {"defect": read_embedding(self.embedded)["config"]["defect"]}

    def compute(self, context: Context) -> Outcome:
        """Project the spectrum onto plane waves of the primitive cell."""
        from flatforce.properties.phonons.defects.stored_embedding import load_embedding
        from flatforce.properties.phonons.spectra.unfolding import unfold_bands

        return unfold_bands(load_embedding(self.embedded), self.config, progress=context.progress)


@dataclass(frozen=True)
class LineShapeStage(Stage):
    """Computes Huang–Rhys factors and the emission line shape of an embedded defect."""

    kind: ClassVar[str] = "line shape"
    needs_model: ClassVar[bool] = False

    embedded: Path
    """Result folder of the embedding."""
    forces: Path
    """File of the relaxed smaller cell with the forces of the excited state less those of the ground state, under any
    customary key."""
    config: LineShapeConfig

    def inputs(self) -> dict[str, Source | str | None]:
        """Return the key of the embedding and the file of the forces."""
        return {"embedded": read_embedding(self.embedded)["key"], "forces": self.forces}

    def settings(self) -> dict[str, Any]:
        """Return nothing beyond the configuration."""
        return {}

    def compute(self, context: Context) -> Outcome:
        """Project the forces onto the modes of the embedded defect."""
        from flatforce.data.frame_files import read_sheet
        from flatforce.properties.phonons.force_constants.sparse import FILE_NAME, SparseForceConstants
        from flatforce.properties.phonons.spectra.line_shape import line_shape

        return line_shape(
            SparseForceConstants.load(self.embedded / FILE_NAME),
            read_arrays(self.embedded)["small_atom"],
            read_sheet(
                self.forces
            ),  # not a copy of the session, which has no calculator and thus no forces of it
            self.config,
            progress=context.progress,
        )


def read_embedding(folder: Path) -> dict[str, Any]:
    """Read the record of an embedding.

    Parameters
    ----------
    folder
        Its result folder.

    Returns
    -------
    Content of its `result.json` as plain values.
    """
    return read_record(folder, kind="embedded defect", made_by="defect phonons --embed")
