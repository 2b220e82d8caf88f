"""Settings of an alloy study; importing them costs no more than pydantic."""

from __future__ import annotations

from pydantic import PositiveInt

from flatforce.core.config import Config
from flatforce.properties.alloys.config import (
    AlloyEnergyConfig,
    AlloySplitConfig,
    ClusterExpansionConfig,
    HullConfig,
    ModelComparisonConfig,
    MonteCarloConfig,
    SqsConfig,
)
from flatforce.structures.alloy_config import AlloyConfig


class AlloyStudy(Config):
    """One alloy, and what `flatforce alloy` computes of it."""

    alloy: AlloyConfig
    """The lattice of the alloy and the species that mix on it."""
    max_cells: PositiveInt = 4
    """Number of primitive cells of the largest ordering that is enumerated."""
    energies: AlloyEnergyConfig = AlloyEnergyConfig()
    """How the formation energies of the orderings are computed."""
    expansion: ClusterExpansionConfig = ClusterExpansionConfig()
    """Which cluster expansions are tried, and how one is selected."""
    splits: AlloySplitConfig = AlloySplitConfig()
    """How the table of formation energies is split for the model comparison."""
    compare: ModelComparisonConfig = ModelComparisonConfig()
    """Which models are compared besides those that need no force field."""
    hull: HullConfig = HullConfig()
    """Which orderings are searched for ground states, and how their probabilities are estimated."""
    monte_carlo: MonteCarloConfig | None = None
    """Ensemble, temperatures and cells of the Monte Carlo sampling; left out if null."""
    sqs: SqsConfig | None = None
    """Cell and concentrations of a special quasirandom structure; left out if null."""
