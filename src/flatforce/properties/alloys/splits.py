"""Splits of an alloy's table that all models share: folds, larger cells, a window of compositions, learning curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flatforce.core.arrays import IntArray
    from flatforce.properties.alloys.config import AlloySplitConfig
    from flatforce.properties.alloys.table import AlloyTable

SplitKind = Literal["folds", "size", "window", "learning_curve"]
"""Cross-validation, the largest cells, a window of compositions, or random training sets of a given size."""


@dataclass(frozen=True)
class Split:
    """One division of the rows into a training and a test set."""

    kind: SplitKind
    """What the split tests."""
    label: str
    """Repeat and fold, size and sample, or what is held out."""
    train: IntArray
    """(m,) indices of the training rows, with the end members."""
    test: IntArray
    """(k,) indices of the test rows."""

    @property
    def is_first_repeat(self) -> bool:
        """Whether this is a fold of the first repeat of the cross-validation."""
        return self.kind == "folds" and self.label.startswith("0.")

    @property
    def train_size(self) -> int:
        """Number of training orderings of a point of the learning curve, end members apart."""
        return int(self.label.partition(".")[0])

    def to_names(self, names: Sequence[str]) -> dict[str, Any]:
        """Describe the split by names of orderings.

        Parameters
        ----------
        names
            Names of the rows.

        Returns
        -------
        Plain values: kind, label, and the names in the training and the test set.
        """
        return {
            "kind": self.kind,
            "label": self.label,
            "train": [names[row] for row in self.train],
            "test": [names[row] for row in self.test],
        }


@dataclass(frozen=True)
class _Rows:
    """Rows of a table as the splits need them."""

    table: AlloyTable
    mixed: IntArray
    """Indices of the mixed rows."""
    end_members: IntArray
    """Indices of the end members."""
    group_of: list[int]
    """Group of each row."""
    groups: list[IntArray]
    """Indices of the mixed rows of each group."""


def make_splits(
    table: AlloyTable, config: AlloySplitConfig, *, groups: Sequence[int] | None = None
) -> list[Split]:
    """Divide a table into training and test sets.

    Parameters
    ----------
    table
        The table.
    config
        Settings.
    groups
        (n,) group of each row: rows of a group never stand in train and test at once, neither in folds nor in learning
        curves; each row is its own group if not given.

    Returns
    -------
    All splits; a kind that the table is too small for is left out.
    """
    mixed = np.array(table.mixed_rows, dtype=int)
    group_of = list(range(len(table.rows))) if groups is None else list(groups)
    rows = _Rows(
        table,
        mixed,
        np.setdiff1d(np.arange(len(table.rows)), mixed),
        group_of,
        [
            mixed[[group_of[row] == group for row in mixed]]
            for group in sorted({group_of[row] for row in mixed})
        ],
    )
    return [
        *_cross_validation(rows, config),
        *_largest_cells(rows),
        *_composition_window(rows, config.window),
        *_learning_curve(rows, config),
    ]


def _cross_validation(rows: _Rows, config: AlloySplitConfig) -> Iterator[Split]:
    for repeat in range(config.repeats):
        rng = np.random.default_rng([config.seed, repeat])
        for fold, test in enumerate(_stratified_folds(rows, config.folds, rng)):
            train = np.concatenate([rows.end_members, np.setdiff1d(rows.mixed, test)])
            yield Split("folds", f"{repeat}.{fold}", train, np.sort(test))


def _largest_cells(rows: _Rows) -> Iterator[Split]:
    sizes = np.array([row.n_sites for row in rows.table.rows])
    largest = rows.mixed[sizes[rows.mixed] == sizes[rows.mixed].max()]
    yield from _hold_out(rows, "size", f"{sizes.max()} sites", largest)


def _composition_window(rows: _Rows, window: tuple[float, float] | None) -> Iterator[Split]:
    if window is None:
        return
    x = np.array([row.x for row in rows.table.rows])
    low, high = window
    inside = rows.mixed[(x[rows.mixed] >= low) & (x[rows.mixed] <= high)]
    yield from _hold_out(rows, "window", f"x from {low:g} to {high:g}", inside)


def _hold_out(rows: _Rows, kind: SplitKind, label: str, test: IntArray) -> Iterator[Split]:
    train = np.setdiff1d(rows.mixed, test)
    if len(test) and len(train):
        yield Split(kind, label, np.concatenate([rows.end_members, train]), test)


def _learning_curve(rows: _Rows, config: AlloySplitConfig) -> Iterator[Split]:
    for size in config.train_sizes or _default_sizes(len(rows.mixed)):
        for sample in range(config.samples):
            order = np.random.default_rng([config.seed, size, sample]).permutation(len(rows.groups))
            mixed_train = np.concatenate([rows.groups[group] for group in order])[:size]
            train_groups = {rows.group_of[row] for row in mixed_train}
            test = np.array([row for row in rows.mixed if rows.group_of[row] not in train_groups], dtype=int)
            if len(test):
                train = np.concatenate([rows.end_members, np.sort(mixed_train)])
                yield Split("learning_curve", f"{size}.{sample}", train, test)


def _stratified_folds(rows: _Rows, n_folds: int, rng: np.random.Generator) -> list[IntArray]:
    """Distribute shuffled groups of rows by composition, so that each fold holds all compositions alike."""
    shuffled = [rows.groups[group] for group in rng.permutation(len(rows.groups))]
    by_composition = sorted(
        shuffled, key=lambda group: min(rows.table.rows[row].concentrations for row in group)
    )
    folds: list[list[int]] = [[] for _ in range(min(n_folds, len(rows.groups)))]
    for number, group in enumerate(by_composition):
        folds[number % len(folds)].extend(int(row) for row in group)
    return [np.array(fold, dtype=int) for fold in folds]


def _default_sizes(n_mixed: int) -> list[int]:
    """Return sizes that grow by about half, from four to what leaves a quarter to test."""
    sizes, size = [], 4
    while size <= 0.75 * n_mixed:
        sizes.append(size)
        size = round(1.5 * size)
    return sizes
