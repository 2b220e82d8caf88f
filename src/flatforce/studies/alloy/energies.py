"""Formation energies of an alloy, and the cluster expansion that is fitted to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from flatforce.core.errors import ConfigError, DataError
from flatforce.data.bundled import dataset_path
from flatforce.studies.alloy.stage import AlloyStage
from flatforce.studies.checks import collected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ase import Atoms

    from flatforce.core.errors import FlatforceError
    from flatforce.core.outcome import Outcome
    from flatforce.properties.alloys.table import AlloyTable
    from flatforce.reference.config import LabelConfig
    from flatforce.structures.alloys import AlloyLattice
    from flatforce.studies.alloy.config import AlloyStudy
    from flatforce.studies.session import Session
    from flatforce.studies.stage import Context, Source


@dataclass(frozen=True)
class AlloyEnergiesStage(AlloyStage):
    """Computes formation energies by a force field, by DFT, or from frames that are labelled already.

    The folder holds `table.csv`, `orderings.extxyz`, `relaxed.extxyz`, and with DFT `frames.extxyz` and `labels/`. The force
    field is that of the session; with `labels` it only guides the first steps.
    """

    kind: ClassVar[str] = "alloy energies"

    orderings: Path | None = None
    """File of orderings; all distinct ones up to `max_cells` if None. End members are added."""
    labels: LabelConfig | None = None
    """How frames are labelled by DFT."""
    frames: str | None = None
    """Labelled relaxations: a file or a bundled dataset."""
    with_model: bool = False
    """Whether the session has a force field."""

    @property
    def needs_model(self) -> bool:  # type: ignore[override]  # of this stage it is a choice
        """Whether the energies depend on the force field of the session."""
        return self.with_model

    @property
    def sections(self) -> tuple[str, ...]:  # type: ignore[override]  # of this stage they depend on the source
        """Sections of the study that are read."""
        counted = self.orderings is None and self.frames is None
        return ("alloy", "energies", "max_cells") if counted else ("alloy", "energies")

    def inputs(self) -> dict[str, Source | str | None]:
        """Return parent, frames and orderings."""
        frames = None if self.frames is None else dataset_path(self.frames)
        return {**super().inputs(), "frames": frames, "orderings": self.orderings}

    def settings(self) -> dict[str, Any]:
        """Return the settings of the labels, and the name of the frames."""
        labels = None if self.labels is None else self.labels.settings.model_dump(mode="json")
        return {"frames": self.frames} | ({} if labels is None else {"labels": labels})

    def problems(self, session: Session) -> Iterator[FlatforceError]:
        """Check that there is exactly one source of energies, and that the force field knows the species."""
        if (self.frames is None) == (not self.with_model and self.labels is None):
            yield ConfigError(
                "Formation energies need exactly one source.",
                fix="give --model, --labels (with --model as a guide), or --frames",
            )
            return
        yield from super().problems(session)
        if self.orderings is None and self.frames is None:
            yield from self.enumeration_problems(self.config.max_cells)
        if self.with_model and not list(super().problems(session)):
            yield from collected(lambda: session.potential.check(_end_members(self.lattice)))

    def compute(self, context: Context) -> Outcome:
        """Relax all orderings, or read their relaxations."""
        from flatforce.data.frame_files import read_labelled
        from flatforce.properties.alloys.energies import DftLabels, energies_by_labels, energies_by_model
        from flatforce.properties.alloys.formation import make_table
        from flatforce.properties.alloys.labelled import energies_from_frames

        lattice, config, progress = self.lattice, self.config.energies, context.progress
        if self.frames is not None:
            results = energies_from_frames(lattice, read_labelled(dataset_path(self.frames)), config)
            return make_table(lattice, results, config)
        sheets = read_orderings(lattice, self.config, self.orderings)
        potential = context.potential if self.with_model else None
        if self.labels is not None:
            labels = DftLabels(self.labels, context.folder / "labels", potential)
            results, frames = energies_by_labels(lattice, sheets, labels, config, progress=progress)
            return replace(make_table(lattice, results, config), labelled_frames=tuple(frames))
        results = energies_by_model(lattice, sheets, context.potential, config, progress=progress)
        return replace(make_table(lattice, results, config), model=context.potential.spec)


@dataclass(frozen=True)
class ClusterExpansionStage(AlloyStage):
    """Fits a cluster expansion to a whole table; the folder holds `expansion.ce` (icet, eV per site), `interactions.csv`."""

    kind: ClassVar[str] = "cluster expansion"
    sections: ClassVar[tuple[str, ...] | None] = ("alloy", "expansion")

    table: Path
    """Result folder of the formation energies."""

    def inputs(self) -> dict[str, Source | str | None]:
        """Return parent and table."""
        from flatforce.studies.alloy.files import table_file

        return {**super().inputs(), "table": table_file(self.table)}

    def problems(self, session: Session) -> Iterator[FlatforceError]:
        """Check that the table is of this alloy and large enough."""
        yield from list(super().problems(session)) or collected(self.read_table)

    def read_table(self) -> AlloyTable:
        """Read the table, and refuse one of another alloy."""
        from flatforce.studies.alloy.files import check_table, read_table

        table = read_table(self.table)
        check_table(self.lattice, table)
        return table

    def compute(self, context: Context) -> Outcome:
        """Select cutoffs and regression method by cross-validation, and fit."""
        from flatforce.properties.alloys.expansion_fit import fit_cluster_expansion

        del context
        return fit_cluster_expansion(self.lattice, self.read_table(), self.config.expansion)


def _end_members(lattice: AlloyLattice) -> list[Atoms]:
    from flatforce.structures.orderings import enumerate_orderings

    return enumerate_orderings(lattice, max_cells=1)


def read_orderings(lattice: AlloyLattice, study: AlloyStudy, path: Path | None) -> list[Atoms]:
    """Read orderings, and add the end members that are missing.

    Parameters
    ----------
    lattice
        Lattice of the study.
    study
        The study.
    path
        File of orderings; all distinct ones up to `max_cells` if None.

    Returns
    -------
    Orderings, each with its name in `info`.

    Raises
    ------
    DataError
        If there is no such file.
    """
    from flatforce.data.frame_files import read_frames
    from flatforce.properties.alloys.formation import is_end_member
    from flatforce.structures.alloys import ORDERING
    from flatforce.structures.isolated_sheet import check_isolated_sheet
    from flatforce.structures.orderings import enumerate_orderings

    if path is None:
        return enumerate_orderings(lattice, max_cells=study.max_cells)
    if not path.is_file():
        raise DataError(f"There is no file {path}.", fix="give --orderings an existing file")
    orderings = read_frames(path)
    for number, ordering in enumerate(orderings):
        check_isolated_sheet(ordering)
        ordering.info.setdefault(ORDERING, f"{lattice.name}-given-{number:03d}")
        ordering.info.setdefault("name", ordering.info[ORDERING])
    end_members = [ordering for ordering in _end_members(lattice) if is_end_member(lattice, ordering)]
    formulas = {
        ordering.get_chemical_formula() for ordering in orderings if len(ordering) == len(lattice.parent)
    }
    return [sheet for sheet in end_members if sheet.get_chemical_formula() not in formulas] + orderings
