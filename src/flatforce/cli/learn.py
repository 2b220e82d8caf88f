"""`flatforce learn`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flatforce.cli.options import Output, finish
from flatforce.cli.tables import show_rows

COLUMNS = ("n_train", "n_labels", "force_mae", "force_mae_high", "energy_mae", "coverage_68", "coverage_95")
"""Metrics of each round that the closing table shows."""


def learn(
    config: Annotated[
        Path,
        typer.Argument(
            help="YAML file: initial frames, and how frames are sampled, labelled and trained on.",
            metavar="YAML",
        ),
    ],
    output: Output,
) -> None:
    """Run active learning: sample, select, label, train and assess, until a criterion is met."""
    from flatforce.active.config import LearnConfig
    from flatforce.core.progress import show_progress
    from flatforce.studies.learn.rounds import learn as run

    records = run(LearnConfig.from_yaml(config), output, report=show_progress)
    show_rows(
        [
            {"round": number} | {name: record["metrics"][name] for name in COLUMNS}
            for number, record in enumerate(records)
        ]
    )
    typer.echo(f"The run ended: {records[-1]['details']['stop_reason']}")
    finish(
        converged=all(record["converged"] for record in records),
        warnings=[text for record in records for text in record["warnings"]],
    )
