"""Splits of an alloy's table, shared by all models: folds, larger cells, a window of compositions, learning curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, PositiveInt

from flatforce.core.config import Config

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.core.arrays import IntArray
    from flatforce.properties.alloys.table import AlloyTable


class AlloySplits(Config):
    """Which splits are made. End members always train and never count."""

    folds: int = Field(5, ge=2)
    """Of cross-validation."""
    repeats: PositiveInt = 3
    """Of cross-validation, each shuffled anew."""
    window: tuple[float, float] | None = (0.4, 0.6)
    """Shares of the last species whose orderings are held out together; null for none."""
    sizes: list[PositiveInt] = []
    """Training orderings of the learning curve; a few are chosen if empty."""
    draws: PositiveInt = 5
    """Random choices at each of these sizes."""
    seed: int = 0
    """Of all of them."""


@dataclass(frozen=True)
class Split:
    """One way to divide the rows."""

    kind: str
    """`folds`, `size`, `window` or `curve`."""
    label: str
    """Repeat and fold, or what is held out."""
    train: IntArray
    """Places of rows, end members among them."""
    test: IntArray
    """Places of rows."""

    def plain(self, names: Sequence[str]) -> dict[str, Any]:
        """Write it by names.

        Parameters
        ----------
        names
            Of the rows.

        Returns
        -------
        What JSON holds.
        """
        return {
            "kind": self.kind,
            "label": self.label,
            "train": [names[k] for k in self.train],
            "test": [names[k] for k in self.test],
        }


def make_splits(
    table: AlloyTable, config: AlloySplits, *, groups: Sequence[int] | None = None
) -> list[Split]:
    """Divide a table.

    Parameters
    ----------
    table
        The table.
    config
        Settings.
    groups
        (n,) of each row: those of a group are on the same side of folds and learning curves; each its own if not given.

    Returns
    -------
    All splits; a kind that the table is too small for is left out.
    """
    mixed = np.array(table.mixed, dtype=int)
    ends = np.setdiff1d(np.arange(len(table.rows)), mixed)
    of_row = list(range(len(table.rows))) if groups is None else list(groups)
    families = [mixed[[of_row[k] == g for k in mixed]] for g in sorted({of_row[k] for k in mixed})]
    found = []
    for repeat in range(config.repeats):
        rng = np.random.default_rng([config.seed, repeat])
        for fold, test in enumerate(_stratified(table, families, config.folds, rng)):
            train = np.concatenate([ends, np.setdiff1d(mixed, test)])
            found.append(Split("folds", f"{repeat}.{fold}", train, np.sort(test)))
    sizes = np.array([row.n_sites for row in table.rows])
    largest = mixed[sizes[mixed] == sizes[mixed].max()]
    found.extend(_held_out("size", f"{sizes.max()} sites", mixed, largest, ends))
    if config.window is not None:
        x = np.array([row.x for row in table.rows])
        low, high = config.window
        inside = mixed[(x[mixed] >= low) & (x[mixed] <= high)]
        found.extend(_held_out("window", f"x from {low:g} to {high:g}", mixed, inside, ends))
    for size in config.sizes or _curve_sizes(len(mixed)):
        for draw in range(config.draws):
            order = np.random.default_rng([config.seed, size, draw]).permutation(len(families))
            learnt = np.concatenate([families[k] for k in order])[:size]
            seen = {of_row[k] for k in learnt}
            test = np.array([k for k in mixed if of_row[k] not in seen], dtype=int)
            if len(test):
                train = np.concatenate([ends, np.sort(learnt)])
                found.append(Split("curve", f"{size}.{draw}", train, test))
    return found


def _held_out(kind: str, label: str, mixed: IntArray, test: IntArray, ends: IntArray) -> list[Split]:
    rest = np.setdiff1d(mixed, test)
    return [Split(kind, label, np.concatenate([ends, rest]), test)] if len(test) and len(rest) else []


def _stratified(
    table: AlloyTable, families: Sequence[IntArray], folds: int, rng: np.random.Generator
) -> list[IntArray]:
    """Deal shuffled groups of rows out by composition, so that each fold holds all of them alike."""
    shuffled = [families[k] for k in rng.permutation(len(families))]
    by_share = sorted(shuffled, key=lambda rows: min(table.rows[k].shares for k in rows))
    dealt: list[list[int]] = [[] for _ in range(min(folds, len(families)))]
    for number, rows in enumerate(by_share):
        dealt[number % len(dealt)].extend(int(k) for k in rows)
    return [np.array(one, dtype=int) for one in dealt]


def _curve_sizes(count: int) -> list[int]:
    """Choose sizes that grow by about half, from four to what leaves a quarter to test."""
    sizes, size = [], 4
    while size <= 0.75 * count:
        sizes.append(size)
        size = round(1.5 * size)
    return sizes
