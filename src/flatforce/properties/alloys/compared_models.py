"""The models of a comparison, and the comparison of all of them on one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flatforce.core.errors import ConfigError, DataError
from flatforce.core.progress import Progress, silent
from flatforce.models.isolated.roost import roost_python
from flatforce.properties.alloys.compare import ModelComparison, compare_models
from flatforce.properties.alloys.design import make_designs
from flatforce.properties.alloys.expansion_predictors import (
    DeltaExpansion,
    ForceField,
    NestedExpansion,
    fit_in_sample,
)
from flatforce.properties.alloys.force_field_energies import INPUTS
from flatforce.properties.alloys.mapping import exchange_groups
from flatforce.properties.alloys.predictors import (
    RELAXED_BY_DFT,
    ComparedModel,
    CompositionOracle,
    RedlichKister,
    Zero,
)
from flatforce.properties.alloys.roost import RoostPredictor
from flatforce.properties.alloys.splits import make_splits
from flatforce.properties.alloys.trained_predictors import EnergyOnlyModel, FineTunedForceField
from flatforce.structures.alloys import ORDERING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.properties.alloys.config import (
        AlloyEnergyConfig,
        AlloySplitConfig,
        ClusterExpansionConfig,
        ModelComparisonConfig,
    )
    from flatforce.properties.alloys.design import Design
    from flatforce.properties.alloys.force_field_energies import ForceFieldEnergies
    from flatforce.properties.alloys.table import AlloyTable
    from flatforce.structures.alloys import AlloyLattice


@dataclass(frozen=True)
class ComparisonSettings:
    """Settings of a model comparison."""

    compare: ModelComparisonConfig
    """Which models are compared."""
    splits: AlloySplitConfig
    """Which splits are made."""
    expansion: ClusterExpansionConfig
    """Which cluster expansions are tried."""
    energies: AlloyEnergyConfig
    """How force fields relax."""


@dataclass(frozen=True)
class ComparisonData:
    """What the models of a comparison are fitted to and tested on."""

    lattice: AlloyLattice
    """The alloy."""
    table: AlloyTable
    """The table with the true formation energies."""
    force_fields: Mapping[str, ForceFieldEnergies]
    """Label of each force field → its energies of all orderings."""
    frames: Sequence[Atoms] | None
    """Labelled frames behind the table, for fine-tuning; None for none."""


def compare_on_table(
    data: ComparisonData, settings: ComparisonSettings, *, folder: Path, progress: Progress = silent
) -> ModelComparison:
    """Compare all models of the settings on one table.

    Parameters
    ----------
    data
        The table, and what the models need besides.
    settings
        Settings.
    folder
        Folder in which trainings are cached.
    progress
        Called after each model.

    Returns
    -------
    Predictions and errors of every model on the test rows of every split.
    """
    lattice, table = data.lattice, data.table
    groups = exchange_groups(lattice, table.orderings)
    splits = make_splits(table, settings.splits, groups=groups)
    designs = make_designs(lattice, table.orderings, settings.expansion)
    models = [
        *_cheap_models(data, settings, designs),
        *_trained_models(data, settings, folder),
    ]
    evaluations = compare_models(
        table, models, splits, groups=groups, seed=settings.splits.seed, progress=progress
    )
    return ModelComparison(
        table,
        splits,
        evaluations,
        {model.predictor.name: getattr(model.predictor, "selections", []) for model in models},
        {model.predictor.name: model.pretrained for model in models},
        fit_in_sample(table, designs, settings.expansion),
    )


def _cheap_models(
    data: ComparisonData, settings: ComparisonSettings, designs: Sequence[Design]
) -> Iterator[ComparedModel]:
    """Yield the models whose fits take seconds."""
    table = data.table
    yield ComparedModel(Zero())
    for degree in settings.compare.degree:
        yield ComparedModel(RedlichKister(table.concentrations, degree))
    yield ComparedModel(CompositionOracle(table.concentrations, table.formation_energies))
    yield ComparedModel(NestedExpansion(designs, settings.expansion))
    for label, force_field in data.force_fields.items():
        for key, model_input in INPUTS.items():
            energies = force_field.energies[key]
            for recalibrated in (False, True):
                yield ComparedModel(
                    ForceField(f"{label} ({key})", energies, model_input, recalibrated=recalibrated)
                )
        yield ComparedModel(DeltaExpansion(label, force_field.energies["self"], designs, settings.expansion))


def _trained_models(
    data: ComparisonData, settings: ComparisonSettings, folder: Path
) -> Iterator[ComparedModel]:
    """Yield the models whose training takes minutes."""
    config, table = settings.compare, data.table
    python = roost_python()
    if config.roost is not None and python is not None:
        yield ComparedModel(RoostPredictor(table.orderings, python, config.roost), expensive=True)
    by_ordering = _group_by_ordering(table, data.frames) if config.fine_tuned else {}
    for label, fine_tuning in config.fine_tuned.items():
        yield ComparedModel(
            FineTunedForceField(
                data.lattice,
                table,
                by_ordering,
                fine_tuning,
                settings.energies,
                folder / "trained" / label,
                label,
            ),
            expensive=True,
            pretrained=fine_tuning.start_from,
        )
    if config.energy_only is not None:
        inputs: dict[str, Sequence[Atoms]] = {RELAXED_BY_DFT: table.relaxed}
        inputs |= {f"relaxed by {label}": entry.relaxed for label, entry in data.force_fields.items()}
        for model_input, sheets in inputs.items():
            predictor = EnergyOnlyModel(
                table,
                sheets,
                config.energy_only,
                folder / "trained" / "energy_only",
                model_input,
                f"energy-only, {model_input}",
            )
            yield ComparedModel(predictor, expensive=True)


def _group_by_ordering(table: AlloyTable, frames: Sequence[Atoms] | None) -> dict[str, list[Atoms]]:
    """Group labelled frames by the name of their ordering."""
    if frames is None:
        raise ConfigError(
            "Fine-tuning a force field needs labelled frames.", fix="give --frames, those behind the table"
        )
    groups: dict[str, list[Atoms]] = {}
    for frame in frames:
        frame.info["material"] = frame.info.get(ORDERING, frame.info.get("material"))
        groups.setdefault(str(frame.info["material"]), []).append(frame)
    missing = [row.name for row in table.rows if row.name not in groups]
    if missing:
        raise DataError(
            f"There are no frames of {', '.join(missing[:3])}{' …' if len(missing) > 3 else ''}.",
            fix="give --frames, those that the table was made from",
        )
    return groups
