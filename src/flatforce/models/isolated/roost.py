"""Roost, a neural network of the composition alone, in its isolated environment: `python -m flatforce.models.isolated.roost`.

R. E. A. Goodall and A. A. Lee, Nat. Commun. 11, 6280 (2020); the model is that of aviary. The targets are standardised for the
training and the predictions transformed back; the members of an ensemble differ in their seed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from flatforce.core.errors import ModelError
from flatforce.models.isolated.environments import clean_environ, list_environments

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT: Final = "roost"
"""Name of the isolated environment."""

LEARNING_RATE: Final = 3e-4
"""Learning rate of AdamW, as in the examples of aviary."""

SHOWN_LOG_LINES: Final = 3
"""Number of last lines of a failed run that the error shows."""


def roost_python() -> Path | None:
    """Return the Python interpreter of Roost's environment.

    Returns
    -------
    Path of the interpreter; None if there is no complete environment.
    """
    complete = [env for env in list_environments() if env.name == ENVIRONMENT and env.complete]
    return complete[0].python if complete else None


@dataclass(frozen=True)
class RoostTask:
    """Training of an ensemble of Roost, and the formulas that it predicts."""

    train: list[str]
    """Formulas of the training set."""
    targets: list[float]
    """Target of each formula of the training set."""
    test: list[str]
    """Formulas to predict."""
    epochs: int
    """Number of epochs."""
    members: int
    """Number of members of the ensemble."""
    seed: int
    """Seed of the first member."""


def predict_compositions(python: Path, task: RoostTask) -> list[float]:
    """Train an ensemble in Roost's environment and predict.

    Parameters
    ----------
    python
        Python interpreter of the environment, from `roost_python`.
    task
        What is trained and predicted.

    Returns
    -------
    Prediction for each test formula, mean over the members, in the unit of the targets.

    Raises
    ------
    ModelError
        If the run fails.
    """
    process = subprocess.run(
        [str(python), "-m", "flatforce.models.isolated.roost"],
        input=json.dumps(asdict(task)),
        capture_output=True,
        text=True,
        env=clean_environ() | {"WANDB_MODE": "disabled"},
        check=False,
    )
    if process.returncode:
        log = process.stderr.strip().splitlines()
        raise ModelError(
            "The training of Roost failed.",
            why=" | ".join(log[-SHOWN_LOG_LINES:]),
            fix="build its environment again: flatforce env remove roost, then flatforce env create roost",
        )
    predictions: list[float] = json.loads(process.stdout.splitlines()[-1])
    return predictions


def train_ensemble(task: RoostTask) -> list[float]:
    """Train an ensemble and predict; runs in the environment of Roost.

    Parameters
    ----------
    task
        What is trained and predicted.

    Returns
    -------
    Prediction for each test formula, mean over the members, in the unit of the targets.
    """
    import numpy as np
    import pandas as pd
    import torch
    from aviary.data import Normalizer
    from aviary.roost.data import CompositionData, collate_batch
    from aviary.roost.model import Roost

    def collate(formulas: list[str], values: list[float]) -> Any:
        table = pd.DataFrame({"material_id": range(len(formulas)), "composition": formulas, "target": values})
        data = CompositionData(df=table, task_dict={"target": "regression"})
        return collate_batch([data[k] for k in range(len(data))])

    train_inputs, (targets,), *_ = collate(task.train, task.targets)
    test_inputs, *_ = collate(task.test, [0.0] * len(task.test))
    normalizer = Normalizer()
    normalizer.fit(targets)
    predictions = []
    for member in range(task.members):
        torch.manual_seed(task.seed + member)
        model = Roost(
            robust=False,
            n_targets=[1],
            task_dict={"target": "regression"},
            trunk_hidden=(256, 128),
            out_hidden=(128, 64),
        )
        optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=1e-6)
        model.train()
        for _ in range(task.epochs):
            optimizer.zero_grad()
            (output,) = model(*train_inputs)
            loss = torch.nn.functional.l1_loss(output, normalizer.norm(targets))
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            (output,) = model(*test_inputs)
        predictions.append(normalizer.denorm(output).flatten().numpy())
    return [float(mean) for mean in np.mean(predictions, axis=0)]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(train_ensemble(RoostTask(**json.loads(sys.stdin.read())))) + "\n")
