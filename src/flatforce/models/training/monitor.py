"""Where the numbers of each epoch go: a CSV always, TensorBoard or W&B when asked for."""

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
    """The history of a run.

    Parameters
    ----------
    folder
        Where `metrics.csv` stands.
    kinds
        `tensorboard`, `wandb`.
    config
        Settings, for W&B.
    """

    def __init__(self, folder: Path, kinds: Sequence[str], config: dict[str, Any]) -> None:
        self.path = folder / "metrics.csv"
        self.board = _tensorboard(folder) if "tensorboard" in kinds else None
        self.wandb = _wandb(folder, config) if "wandb" in kinds else None

    def write(self, history: Sequence[dict[str, float]]) -> None:
        """Record the history so far; the last row is new.

        Parameters
        ----------
        history
            One flat row an epoch.
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
        """End the live monitors."""
        if self.board is not None:
            self.board.close()
        if self.wandb is not None:
            self.wandb.finish()


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
