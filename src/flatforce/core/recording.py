"""From a computation to its result folder: timed, written, and read back as anyone else will read it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from flatforce.core.files import flush_to_disk
from flatforce.core.results import Record, read_record, write_record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from flatforce.core.identity import Identity
    from flatforce.core.outcome import Outcome


def record_outcome(
    folder: Path,
    identity: Identity,
    compute: Callable[[], Outcome],
    *,
    config: Mapping[str, Any] | None = None,
    inputs: Mapping[str, str] | None = None,
    seed: int | None = None,
) -> dict[str, Any]:
    """Compute an outcome and write its result folder.

    Parameters
    ----------
    folder
        The result folder, which the caller has claimed.
    identity
        What identifies the result.
    compute
        Computes the outcome.
    config
        Settings for the record, where they are more than those of the identity.
    inputs
        Name → hash of each input for the record, where the names differ from those of the identity.
    seed
        Seed of the computation, where it has one.

    Returns
    -------
    Content of `result.json` as plain values.
    """
    start = time.perf_counter()
    outcome = compute()
    outcome.files(folder)
    for path in folder.iterdir():
        if path.is_file():
            flush_to_disk(path)  # a record of finished work must not outlive the work in a power failure
    record = record_of(
        outcome,
        config=identity.settings if config is None else config,
        inputs=identity.inputs if inputs is None else inputs,
        seed=seed,
        wall_time=time.perf_counter() - start,
        identity=identity,
    )
    write_record(folder, record, outcome.arrays())
    return read_record(folder)


def record_of(
    outcome: Outcome,
    *,
    config: Mapping[str, Any],
    inputs: Mapping[str, str] | None = None,
    seed: int | None = None,
    wall_time: float | None = None,
    identity: Identity | None = None,
) -> Record:
    """Describe an outcome for `result.json`.

    Parameters
    ----------
    outcome
        The outcome.
    config
        Settings as plain values.
    inputs
        Name → hash of each input.
    seed
        Seed of the computation, where it has one.
    wall_time
        Time in s that the computation took, where it was measured.
    identity
        What identifies the result; None for one that no stage takes up again, such as that of an import.

    Returns
    -------
    The record: converged if the outcome has no problems; its warnings are the problems, then the notes.
    """
    return Record(
        kind=outcome.kind,
        config=dict(config),
        metrics=outcome.metrics,
        units=dict(outcome.units),
        inputs=dict(inputs or {}),
        converged=not outcome.problems,
        warnings=[*outcome.problems, *outcome.notes],
        details=outcome.details,
        seed=seed,
        wall_time=wall_time,
        revision=1 if identity is None else identity.revision,
        subject={} if identity is None else identity.subject,
        key="" if identity is None else identity.key,
    )
