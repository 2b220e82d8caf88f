"""Output of the errors of each epoch: a CSV file always, TensorBoard or Weights & Biases on request."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from flatforce.core.errors import MissingDependencyError
from flatforce.core.files import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Monitor:
    """Writes the errors of a run after each epoch.

    Parameters
    ----------
    folder
        Folder of `metrics.csv`.
    kinds
        Live monitors: `tensorboard`, `wandb`.
    config
        Settings of the training, which Weights & Biases shows.
    """

    def __init__(self, folder: Path, kinds: Sequence[str], config: dict[str, Any]) -> None:
        self.path = folder / "metrics.csv"
        self.board = _tensorboard(folder) if "tensorboard" in kinds else None
        self.wandb = _wandb(folder, config) if "wandb" in kinds else None

    def write(self, history: Sequence[dict[str, float]]) -> None:
        """Write the errors of all epochs so far; the last row is new.

        Parameters
        ----------
        history
            One row of losses and errors for each epoch.
        """
        buffer = io.StringIO()
        table = csv.DictWriter(buffer, fieldnames=list(history[-1]))
        table.writeheader()
        table.writerows(history)
        write_text(self.path, buffer.getvalue())
        row = history[-1]
        if self.board is not None:
            for name, value in row.items():
                self.board.add_scalar(name, value, int(row["epoch"]))
            self.board.flush()
        if self.wandb is not None:
            self.wandb.log(row, step=int(row["epoch"]))

    def close(self) -> None:
        """Close the live monitors."""
        if self.board is not None:
            self.board.close()
        if self.wandb is not None:
            self.wandb.finish()


def describe_errors(row: dict[str, float]) -> str:
    """Describe the validation errors of an epoch for a progress line.

    Parameters
    ----------
    row
        Losses and errors of the epoch.

    Returns
    -------
    Mean absolute errors of forces, if they are fitted, and energies.
    """
    forces = f"force MAE {row['valid_force_mae']:.1f} meV/Å, " if "valid_force_mae" in row else ""
    return f"{forces}energy MAE {row['valid_energy_mae']:.2f} meV/atom"


def _tensorboard(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingDependencyError(
            "TensorBoard is not installed.", why=str(error), fix="pip install 'flatforce[live]'"
        ) from error
    return SummaryWriter(str(folder / "tensorboard"))  # type: ignore[no-untyped-call]  # torch leaves it untyped


def _wandb(folder: Path, config: dict[str, Any]) -> Any:
    try:
        import wandb
    except ImportError as error:
        raise MissingDependencyError(
            "Weights & Biases is not installed.", why=str(error), fix="pip install 'flatforce[live]'"
        ) from error
    return wandb.init(project="flatforce", dir=str(folder), config=config, name=folder.name, resume="allow")
