"""`flatforce alloy enumerate | energies | fit | compare | hull | mc | sqs`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flatforce.cli.options import Device, Output, finish
from flatforce.cli.tables import show, show_model_comparison, show_rows

if TYPE_CHECKING:
    from flatforce.studies.alloy.config import AlloyStudy

app = typer.Typer(
    help="Formation energies and ordering of substitutional alloys.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

Study = Annotated[
    Path,
    typer.Option(
        "--config",
        "-c",
        help="YAML file of the alloy study; `flatforce settings alloy energies` lists its keys.",
    ),
]
Table = Annotated[Path, typer.Argument(help="Result folder of `flatforce alloy energies`.")]
Fit = Annotated[Path, typer.Argument(help="Result folder of `flatforce alloy fit`.")]
Frames = Annotated[
    str | None, typer.Option(help="Labelled relaxations: a file or the name of a bundled dataset.")
]


def _study(path: Path) -> AlloyStudy:
    from flatforce.studies.alloy.config import AlloyStudy

    return AlloyStudy.from_yaml(path)


@app.command("enumerate")
def enumerate_orderings(
    config: Study,
    output: Output,
    random: Annotated[
        tuple[int, int, int] | None,
        typer.Option(
            metavar="COUNT N M", help="Random orderings of N × M cells instead of all distinct ones."
        ),
    ] = None,
    concentration: Annotated[
        float | None, typer.Option(help="Concentration of the last species in random orderings, 0 to 1.")
    ] = None,
) -> None:
    """List the symmetry-distinct orderings, or random ones."""
    from flatforce.studies.alloy.orderings import enumerate_alloy

    result = enumerate_alloy(_study(config), output, random=random, concentration=concentration)
    show("orderings", result["metrics"], result["units"], output)


@app.command()
def energies(
    config: Study,
    output: Output,
    model: Annotated[
        str | None, typer.Option(help="Force field; with --labels it only guides the first steps.")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="YAML file of `flatforce label`: relax by DFT.")] = None,
    frames: Frames = None,
    orderings: Annotated[
        Path | None, typer.Option(help="File of orderings; all distinct ones if left out.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Relax orderings and end members, and compute formation energies."""
    from flatforce.core.progress import show_progress
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
        report=show_progress,
    )
    show("formation energies", result["metrics"], result["units"], output)
    finish(converged=result["converged"], warnings=result["warnings"])


@app.command()
def fit(config: Study, table_folder: Table, output: Output) -> None:
    """Fit a cluster expansion to formation energies."""
    from flatforce.studies.alloy.energies import alloy_fit

    result = alloy_fit(_study(config), table_folder, output)
    show("cluster expansion", result["metrics"], result["units"], output)
    finish(converged=result["converged"], warnings=result["warnings"])


@app.command()
def compare(
    config: Study, table_folder: Table, output: Output, frames: Frames = None, device: Device = "auto"
) -> None:
    """Compare force fields, cluster expansions and models of the composition on the same splits."""
    from flatforce.core.progress import show_progress
    from flatforce.studies.alloy.compare import alloy_compare

    result = alloy_compare(
        _study(config), table_folder, output, frames=frames, device=device, report=show_progress
    )
    show_model_comparison(result, output)
    finish(converged=result["converged"], warnings=result["warnings"])


@app.command()
def hull(config: Study, fit_folder: Fit, output: Output) -> None:
    """Search for the ground states of a cluster expansion."""
    from flatforce.studies.alloy.thermodynamics import alloy_hull

    result = alloy_hull(_study(config), fit_folder, output)
    hidden = ("n_sites", "energy_above_hull")
    ground_states = result["details"]["ground_states"]
    show_rows([{key: value for key, value in row.items() if key not in hidden} for row in ground_states])
    show("convex hull", result["metrics"], result["units"], output)
    finish(converged=result["converged"], warnings=result["warnings"])


@app.command()
def mc(config: Study, fit_folder: Fit, output: Output) -> None:
    """Sample a cluster expansion by Monte Carlo; order parameter and transition temperature."""
    from flatforce.core.progress import show_progress
    from flatforce.studies.alloy.thermodynamics import alloy_monte_carlo

    result = alloy_monte_carlo(_study(config), fit_folder, output, report=show_progress)
    show("Monte Carlo", result["metrics"], result["units"], output)
    finish(converged=result["converged"], warnings=result["warnings"])


@app.command()
def sqs(config: Study, output: Output) -> None:
    """Make a special quasirandom structure (SQS)."""
    from flatforce.studies.alloy.orderings import alloy_sqs

    result = alloy_sqs(_study(config), output)
    show("special quasirandom structure", result["metrics"], result["units"], output)
