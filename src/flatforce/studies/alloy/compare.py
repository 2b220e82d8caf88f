"""The comparison of models of an alloy's formation energies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from flatforce.core.errors import ConfigError
from flatforce.core.hashing import hash_file, hash_value
from flatforce.data.bundled import dataset_path
from flatforce.studies.alloy.energies import ClusterExpansionStage
from flatforce.studies.session import hash_model

if TYPE_CHECKING:
    from flatforce.core.outcome import Outcome
    from flatforce.properties.alloys.force_field_energies import ForceFieldEnergies
    from flatforce.properties.alloys.table import AlloyTable
    from flatforce.studies.stage import Context, Source


@dataclass(frozen=True)
class ModelComparisonStage(ClusterExpansionStage):
    """Compares models of formation energies on one table; the folder holds `splits.json`, `scores.csv`, `predictions.csv`."""

    kind: ClassVar[str] = "alloy comparison"
    files: ClassVar[tuple[str, ...]] = ("splits.json", "scores.csv", "predictions.csv")
    sections: ClassVar[tuple[str, ...] | None] = ("alloy", "energies", "expansion", "splits", "compare")

    frames: str | None = None
    """Labelled frames behind the table, for force fields that are fine-tuned."""

    def inputs(self) -> dict[str, Source | str | None]:
        """Return parent, table, frames and the hashes of the force fields."""
        compare = self.config.compare
        specs = compare.force_fields | {
            label: config.start_from for label, config in compare.fine_tuned.items()
        }
        hashes = {f"{label}: model": hash_model(spec) for label, spec in specs.items()}
        frames = None if self.frames is None else dataset_path(self.frames)
        return {**super().inputs(), **hashes, "frames": frames}

    def compute(self, context: Context) -> Outcome:
        """Evaluate the force fields on all orderings, then fit and score every model on the same splits."""
        from flatforce.data.frame_files import read_labelled
        from flatforce.properties.alloys.compared_models import (
            ComparisonData,
            ComparisonSettings,
            compare_on_table,
        )

        study, lattice, table = self.config, self.lattice, self.read_table()
        force_fields: dict[str, ForceFieldEnergies] = {}
        for label, spec in study.compare.force_fields.items():
            force_fields[label] = self._energies(context, table, spec)
            context.progress(len(force_fields), len(study.compare.force_fields), f"energies by {label}")
        frames = None if self.frames is None else read_labelled(dataset_path(self.frames))
        return compare_on_table(
            ComparisonData(lattice, table, force_fields, frames),
            ComparisonSettings(study.compare, study.splits, study.expansion, study.energies),
            folder=context.folder,
            progress=context.progress,
        )

    def _energies(self, context: Context, table: AlloyTable, spec: str) -> ForceFieldEnergies:
        """Read the energies of a force field from the cache; compute them if they are not there."""
        from flatforce.properties.alloys.force_field_energies import (
            force_field_energies,
            read_force_field_energies,
            write_force_field_energies,
        )

        settings: dict[str, Any] = self.config.energies.model_dump(mode="json")
        key = hash_value([hash_model(spec), hash_file(self.table / "table.csv"), settings])
        cache = context.folder / "energies" / key
        energies = read_force_field_energies(cache)
        if energies is None:
            potential = context.session.member(spec).potential
            computed = force_field_energies(
                self.lattice, table, potential, self.config.energies, scratch=context.scratch / key
            )
            write_force_field_energies(cache, computed)
            energies = read_force_field_energies(cache)
        if energies is None:
            raise ConfigError(f"The energies by {spec} could not be kept in {cache}.")
        return energies
