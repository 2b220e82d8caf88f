"""Empirical coverage of calibrated intervals: over all atoms, by config type and by element, each with its margin.

The number over all atoms hides for whom the intervals hold. Atoms whose environment is unlike any in the calibration set have no
interval (see `environments`); they are counted, and the coverage is that of the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.special import stdtrit

from flatforce.active.calibration import LEVELS, REPORTED_LEVELS, Calibration, empirical_coverage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flatforce.active.environments import CalibratedEnvironments
    from flatforce.active.labelled_atoms import LabelledAtoms
    from flatforce.core.arrays import BoolArray, FloatArray

MAX_OUTSIDE: Final = 0.1
"""Fraction of atoms without an interval above which a config type is named; frames like those of the calibration set have a few per
cent."""


@dataclass(frozen=True)
class CalibratedUncertainty:
    """Calibration of the uncertainty of a force field, with what it was calibrated on."""

    calibration: Calibration
    """Conformal scale factors."""
    tolerance: FloatArray
    """(L,) half width of the 95 % confidence interval of the coverage on frames like those of the calibration set; NaN for a
    single frame or trajectory."""
    n_groups: int
    """Number of independent frames or trajectories in the calibration set."""
    environments: CalibratedEnvironments
    """Environments of the calibration set."""

    def margin(self, n_atoms: int, n_groups: int) -> FloatArray:
        """Compute how far the coverage on other frames may be from its level if these frames are like those of the calibration set.

        Parameters
        ----------
        n_atoms
            Number of atoms on which the coverage is measured.
        n_groups
            Number of independent frames or trajectories that they belong to.

        Returns
        -------
        (L,) half width of the 95 % prediction interval by Student's t, from the scatter of the coverage over the frames of the
        calibration set, or over independent atoms if that is larger; NaN if the tolerance is.
        """
        if self.n_groups < 2 or not n_atoms:
            return np.full(len(self.calibration.levels), np.nan)
        quantile = stdtrit(self.n_groups - 1, 0.975)
        levels = np.asarray(self.calibration.levels)
        of_a_frame = self.n_groups * (self.tolerance / quantile) ** 2
        scatter = np.maximum(of_a_frame / n_groups, levels * (1 - levels) / n_atoms)
        return np.asarray(np.sqrt(self.tolerance**2 + quantile**2 * scatter))


@dataclass(frozen=True)
class GroupCoverage:
    """Coverage on the atoms of one config type or one element."""

    n_atoms: int
    """Number of atoms."""
    n_outside: int
    """Number of them without an interval, since their environment is unlike any in the calibration set."""
    coverage: FloatArray
    """(L,) fraction of the errors of the other atoms within their intervals; NaN if there is none."""
    margin: FloatArray
    """(L,) how far the coverage may be from its level for frames like those of the calibration set; NaN if unknown."""

    @property
    def outside_fraction(self) -> float:
        """Fraction of the atoms without an interval."""
        return self.n_outside / self.n_atoms

    def at(self, level: float) -> float:
        """Return the coverage at a level.

        Parameters
        ----------
        level
            One of `LEVELS`.

        Returns
        -------
        Fraction of the errors within their intervals; NaN if no atom has one.
        """
        return float(self.coverage[LEVELS.index(level)])

    def as_values(self) -> dict[str, Any]:
        """Return plain values for `result.json`.

        Returns
        -------
        `n_atoms`, `n_outside`, and at each level the `coverage` and its `margin`, None where unknown.
        """
        return {
            "n_atoms": self.n_atoms,
            "n_outside": self.n_outside,
            "coverage": [None if np.isnan(value) else float(value) for value in self.coverage],
            "margin": [None if np.isnan(value) else float(value) for value in self.margin],
        }


@dataclass(frozen=True)
class Coverage:
    """Coverage of calibrated intervals on test atoms."""

    overall: GroupCoverage
    """All atoms."""
    by_config_type: Mapping[str, GroupCoverage]
    """Config type → atoms of its frames."""
    by_element: Mapping[str, GroupCoverage]
    """Chemical symbol → its atoms in all frames."""

    @property
    def metrics(self) -> dict[str, float]:
        """Coverage over all atoms with an interval at 68 and 95 %, left out if there is none; fraction of the others."""
        metrics = {f"coverage_{100 * level:.0f}": self.overall.at(level) for level in REPORTED_LEVELS}
        metrics = {name: value for name, value in metrics.items() if not np.isnan(value)}
        return metrics | {"outside_fraction": self.overall.outside_fraction}

    def details_with(self, uncertainty: CalibratedUncertainty) -> dict[str, Any]:
        """Return calibration and coverage as plain values for `result.json`.

        Parameters
        ----------
        uncertainty
            The calibration.

        Returns
        -------
        `levels`, `scale_factors`, `coverage` and `coverage_tolerance` at each level; `coverage_by_config_type` and
        `coverage_by_element`: name → values of `GroupCoverage.as_values`.
        """
        return {
            "levels": uncertainty.calibration.levels,
            "scale_factors": uncertainty.calibration.factors,
            "coverage": self.overall.as_values()["coverage"],
            "coverage_tolerance": [None if np.isnan(x) else float(x) for x in uncertainty.tolerance],
            "coverage_by_config_type": {
                name: group.as_values() for name, group in self.by_config_type.items()
            },
            "coverage_by_element": {name: group.as_values() for name, group in self.by_element.items()},
        }

    @property
    def warnings(self) -> list[str]:
        """Config types and elements for which the intervals do not hold, and config types that have none."""
        texts = [
            f"The uncertainty of {name} is too small: its {100 * level:.0f} % intervals cover {100 * group.at(level):.0f} % of the "
            f"errors, below {100 * level:.0f} ± {100 * margin:.0f} %; add such frames to the calibration set."
            for groups, words in ((self.by_config_type, "config type {}"), (self.by_element, "element {}"))
            for key, group in groups.items()
            for name in (words.format(key),)
            for level, margin in ((level, group.margin[LEVELS.index(level)]) for level in REPORTED_LEVELS)
            if group.at(level) < level - margin
        ]
        unknown = {
            name: group for name, group in self.by_config_type.items() if group.outside_fraction > MAX_OUTSIDE
        }
        counts = [f"{100 * group.outside_fraction:.0f} % of {name}" for name, group in unknown.items()]
        if counts:
            texts.append(
                f"Atoms have no interval, since their environment is unlike any in the calibration set: {', '.join(counts)}."
            )
        return texts


def measure_coverage(atoms: LabelledAtoms, uncertainty: CalibratedUncertainty) -> Coverage:
    """Measure the coverage of calibrated intervals.

    Parameters
    ----------
    atoms
        Atoms of the test set.
    uncertainty
        The calibration.

    Returns
    -------
    Coverage over all atoms, by config type and by element.
    """

    def of(selected: BoolArray) -> GroupCoverage:
        inside = selected & ~atoms.outside
        n_inside = int(inside.sum())
        coverage = np.full(len(LEVELS), np.nan)
        if n_inside:
            coverage = empirical_coverage(
                uncertainty.calibration, atoms.error[inside], atoms.uncertainty[inside]
            )
        margin = uncertainty.margin(n_inside, len(np.unique(atoms.group[inside])))
        return GroupCoverage(int(selected.sum()), int((selected & atoms.outside).sum()), coverage, margin)

    return Coverage(
        of(np.ones(len(atoms.error), dtype=bool)),
        {str(name): of(atoms.config_type == name) for name in np.unique(atoms.config_type)},
        {str(name): of(atoms.symbol == name) for name in np.unique(atoms.symbol)},
    )
