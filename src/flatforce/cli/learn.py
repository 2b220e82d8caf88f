"""`flatforce learn`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flatforce.cli.options import Output, finish, show_rows


def learn(
    config: Annotated[Path, typer.Argument(help="YAML: what to begin with, how to sample, label and train.")],
    output: Output,
) -> None:
    """Active learning: sample, select, label, train, assess, until it is enough."""
    from flatforce.active.config import LearnConfig
    from flatforce.core.progress import reporting
    from flatforce.studies.learn.rounds import learn as run

    rounds = run(LearnConfig.from_yaml(config), output, report=reporting)
    shown = ("n_learnt", "n_labels", "force_mae", "force_mae_high", "energy_mae", "covered_68", "covered_95")
    show_rows([{"round": k} | {key: one["metrics"][key] for key in shown} for k, one in enumerate(rounds)])
    typer.echo(f"ended: {rounds[-1]['details']['stop']}")
    finish(
        converged=all(one["converged"] for one in rounds),
        warnings=[text for one in rounds for text in one["warnings"]],
    )
