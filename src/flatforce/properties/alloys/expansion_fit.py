"""A cluster expansion fitted to a whole table, with its interactions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from typing_extensions import override

from flatforce.core.files import write_atomically
from flatforce.core.outcome import Outcome
from flatforce.core.trust import trust
from flatforce.properties.alloys.cluster_expansion import Expansion, interactions, select_and_fit, to_icet
from flatforce.properties.alloys.csv_files import write_csv
from flatforce.properties.alloys.design import make_designs

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.alloys.config import ClusterExpansionConfig
    from flatforce.properties.alloys.table import AlloyTable
    from flatforce.structures.alloys import AlloyLattice


@dataclass(frozen=True, repr=False)
class ClusterExpansionFit(Outcome):
    """A cluster expansion fitted to a whole table."""

    kind: ClassVar[str] = "cluster expansion"
    units = {
        "cv_rmse": "meV/site",
        "rmse": "meV/site",
        "n_parameters": "",
        "n_orderings": "",
    }

    table: AlloyTable
    """The table."""
    expansion: Expansion
    """The fit; its design holds the cluster vectors of the rows."""
    interactions: list[dict[str, Any]]
    """Order, radius (Å), multiplicity and eci (meV per site) of each orbit."""

    @property
    def predictions(self) -> FloatArray:
        """(n,) fitted formation energies of the rows in meV per site; they are in-sample."""
        return self.expansion.predict(self.expansion.design.vectors)

    @property
    @override
    def metrics(self) -> dict[str, float]:
        errors = self.predictions - self.table.formation_energies
        return {
            "cv_rmse": self.expansion.cv_rmse,
            "rmse": float(np.sqrt(np.mean(errors**2))),
            "n_parameters": float(np.count_nonzero(np.abs(self.expansion.parameters) > 0)),
            "n_orderings": float(len(self.table.mixed_rows)),
        }

    @property
    @override
    def details(self) -> dict[str, Any]:
        return {
            "system": self.table.system,
            "cutoffs": list(self.expansion.design.cutoffs),
            "method": self.expansion.method,
        }

    @override
    def arrays(self) -> dict[str, FloatArray]:
        orbits = self.interactions
        return {
            "predictions": self.predictions,
            "formation_energies": self.table.formation_energies,
            "concentrations": self.table.concentrations,
            "parameters": self.expansion.parameters,
            "cluster_vectors": self.expansion.design.vectors,
            "orbit_order": np.array([orbit["order"] for orbit in orbits]),
            "orbit_radius": np.array([orbit["radius"] for orbit in orbits]),
            "orbit_interaction": np.array([orbit["eci"] * orbit["multiplicity"] for orbit in orbits]),
        }

    @override
    def files(self, folder: Path) -> None:
        expansion = to_icet(self.expansion)
        write_atomically(folder / "expansion.ce", lambda part: expansion.write(str(part)))
        trust(folder / "expansion.ce")
        write_csv(folder / "interactions.csv", list(self.interactions[0]), self.interactions)


def fit_cluster_expansion(
    lattice: AlloyLattice, table: AlloyTable, config: ClusterExpansionConfig
) -> ClusterExpansionFit:
    """Fit a cluster expansion to a whole table.

    Parameters
    ----------
    lattice
        The alloy.
    table
        The table.
    config
        Settings.

    Returns
    -------
    The fit with the cutoffs and the regression method that cross-validation selects.
    """
    designs = make_designs(lattice, table.orderings, config)
    rows = np.arange(len(table.rows))
    expansion = select_and_fit(designs, rows, table.formation_energies, config)
    return ClusterExpansionFit(table, expansion, interactions(expansion))
