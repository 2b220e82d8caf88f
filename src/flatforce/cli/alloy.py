"""`flatforce alloy enumerate | energies | fit | compare | hull | mc | sqs`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flatforce.cli.options import Device, Output, finish, finish_result, new_session
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
    from flatforce.studies.alloy.orderings import OrderingsStage

    result = OrderingsStage(_study(config), random, concentration).run(new_session(), output)
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
    from flatforce.reference.config import LabelConfig
    from flatforce.studies.alloy.energies import AlloyEnergiesStage

    stage = AlloyEnergiesStage(
        _study(config),
        orderings,
        None if labels is None else LabelConfig.from_yaml(labels),
        frames,
        with_model=model is not None,
    )
    result = stage.run(new_session(model, device), output)
    finish_result("formation energies", result, output)


@app.command()
def fit(config: Study, table_folder: Table, output: Output) -> None:
    """Fit a cluster expansion to formation energies."""
    from flatforce.studies.alloy.energies import ClusterExpansionStage

    result = ClusterExpansionStage(_study(config), table_folder).run(new_session(), output)
    finish_result("cluster expansion", result, output)


@app.command()
def compare(
    config: Study, table_folder: Table, output: Output, frames: Frames = None, device: Device = "auto"
) -> None:
    """Compare force fields, cluster expansions and models of the composition on the same splits."""
    from flatforce.studies.alloy.compare import ModelComparisonStage

    stage = ModelComparisonStage(_study(config), table_folder, frames)
    result = stage.run(new_session(None, device), output)
    show_model_comparison(result, output)
    finish(converged=result["converged"], warnings=result["warnings"])


@app.command()
def hull(config: Study, fit_folder: Fit, output: Output) -> None:
    """Search for the ground states of a cluster expansion."""
    from flatforce.studies.alloy.thermodynamics import ConvexHullStage

    result = ConvexHullStage(_study(config), fit_folder).run(new_session(), output)
    hidden = ("n_sites", "energy_above_hull")
    ground_states = result["details"]["ground_states"]
    show_rows([{key: value for key, value in row.items() if key not in hidden} for row in ground_states])
    finish_result("convex hull", result, output)


@app.command()
def mc(config: Study, fit_folder: Fit, output: Output) -> None:
    """Sample a cluster expansion by Monte Carlo; order parameter and transition temperature."""
    from flatforce.studies.alloy.thermodynamics import MonteCarloStage

    result = MonteCarloStage(_study(config), fit_folder).run(new_session(), output)
    finish_result("Monte Carlo", result, output)


@app.command()
def sqs(config: Study, output: Output) -> None:
    """Make a special quasirandom structure (SQS)."""
    from flatforce.studies.alloy.orderings import SqsStage

    result = SqsStage(_study(config)).run(new_session(), output)
    show("special quasirandom structure", result["metrics"], result["units"], output)
