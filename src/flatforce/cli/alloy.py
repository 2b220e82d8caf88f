"""`flatforce alloy enumerate | energies | fit | compare | hull | mc | sqs`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flatforce.cli.options import Device, Output, finish, show, show_contest, show_rows

if TYPE_CHECKING:
    from flatforce.studies.alloy.files import AlloyStudy

app = typer.Typer(help="Substitutional alloys of a sheet.", no_args_is_help=True)

Study = Annotated[Path, typer.Option("--config", "-c", help="YAML that says which alloy.")]
Table = Annotated[Path, typer.Argument(help="Folder of `alloy energies`.")]
Fit = Annotated[Path, typer.Argument(help="Folder of `alloy fit`.")]
Frames = Annotated[str | None, typer.Option(help="Labelled relaxations: a file or a bundled dataset.")]


def _study(path: Path) -> AlloyStudy:
    from flatforce.studies.alloy.files import AlloyStudy

    return AlloyStudy.from_yaml(path)


@app.command("enumerate")
def enumerate_orderings(
    config: Study,
    output: Output,
    random: Annotated[
        tuple[int, int, int] | None, typer.Option(help="count n m: random orderings of n × m cells instead.")
    ] = None,
    share: Annotated[float | None, typer.Option(help="Of the last species in random orderings.")] = None,
) -> None:
    """List symmetry-distinct orderings."""
    from flatforce.studies.alloy.orderings import enumerate_alloy

    result = enumerate_alloy(_study(config), output, random=random, share=share)
    show("orderings", result["metrics"], result["units"], output)


@app.command()
def energies(
    config: Study,
    output: Output,
    model: Annotated[str | None, typer.Option(help="Force field; with --labels a guide only.")] = None,
    labels: Annotated[Path | None, typer.Option(help="YAML of `flatforce label`: relax by DFT.")] = None,
    frames: Frames = None,
    orderings: Annotated[Path | None, typer.Option(help="Orderings; all distinct ones if left out.")] = None,
    device: Device = "auto",
) -> None:
    """Relax orderings and end members; formation energies."""
    from flatforce.core.progress import reporting
    from flatforce.reference.config import LabelConfig
    from flatforce.studies.alloy.energies import alloy_energies

    result = alloy_energies(
        _study(config),
        output,
        orderings=orderings,
        model=model,
        labels=None if labels is None else LabelConfig.from_yaml(labels),
        frames=frames,
        device=device,
        report=reporting,
    )
    show("formation energies", result["metrics"], result["units"], output)
    finish(converged=result["converged"], warnings=result["warnings"])


@app.command()
def fit(config: Study, table: Table, output: Output) -> None:
    """Fit a cluster expansion."""
    from flatforce.studies.alloy.energies import alloy_fit

    result = alloy_fit(_study(config), table, output)
    show("cluster expansion", result["metrics"], result["units"], output)
    finish(converged=result["converged"], warnings=result["warnings"])


@app.command()
def compare(
    config: Study, table: Table, output: Output, frames: Frames = None, device: Device = "auto"
) -> None:
    """Compare force fields, cluster expansions and composition-only models on the same splits."""
    from flatforce.core.progress import reporting
    from flatforce.studies.alloy.compare import alloy_compare

    result = alloy_compare(_study(config), table, output, frames=frames, device=device, report=reporting)
    show_contest(result, output)
    finish(converged=result["converged"], warnings=result["warnings"])


@app.command()
def hull(config: Study, fitted: Fit, output: Output) -> None:
    """Search for ground states."""
    from flatforce.studies.alloy.thermodynamics import alloy_hull

    result = alloy_hull(_study(config), fitted, output)
    hidden = ("n_sites", "above_hull")
    found = result["details"]["ground_states"]
    show_rows([{key: value for key, value in row.items() if key not in hidden} for row in found])
    show("convex hull", result["metrics"], result["units"], output)
    finish(converged=result["converged"], warnings=result["warnings"])


@app.command()
def mc(config: Study, fitted: Fit, output: Output) -> None:
    """Sample a cluster expansion by Monte Carlo."""
    from flatforce.core.progress import reporting
    from flatforce.studies.alloy.thermodynamics import alloy_monte_carlo

    result = alloy_monte_carlo(_study(config), fitted, output, report=reporting)
    show("Monte Carlo", result["metrics"], result["units"], output)
    finish(converged=result["converged"], warnings=result["warnings"])


@app.command()
def sqs(config: Study, output: Output) -> None:
    """Make a special quasirandom structure."""
    from flatforce.studies.alloy.orderings import alloy_sqs

    result = alloy_sqs(_study(config), output)
    show("quasirandom structure", result["metrics"], result["units"], output)
