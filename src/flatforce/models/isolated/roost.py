"""Roost, a network of the composition alone, in an environment of its own: `python -m flatforce.models.isolated.roost`.

R. E. A. Goodall and A. A. Lee, Nat. Commun. 11, 6280 (2020); the model is that of aviary. Targets are standardised and
brought back, members of an ensemble differ in their seed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from flatforce.core.errors import ModelError
from flatforce.models.isolated.environments import environments

if TYPE_CHECKING:
    from pathlib import Path

KIND = "roost"

RATE = 3e-4
"""Step of AdamW, as in aviary's examples."""


def roost_python() -> Path | None:
    """Find the interpreter of its environment.

    Returns
    -------
    None if there is no complete one.
    """
    found = [one for one in environments() if one.name == KIND and one.complete]
    return found[0].python if found else None


def predict_compositions(
    python: Path,
    train: list[str],
    targets: list[float],
    test: list[str],
    *,
    epochs: int,
    members: int,
    seed: int,
) -> list[float]:
    """Learn and predict over there.

    Parameters
    ----------
    python
        Of `roost_python`.
    train
        Formulas.
    targets
        One for each.
    test
        Formulas.
    epochs
        Passes over the training formulas.
    members
        Of the ensemble.
    seed
        Of the first one.

    Returns
    -------
    One for each test formula, in the unit of the targets.

    Raises
    ------
    ModelError
        If the run fails.
    """
    task = {
        "train": train,
        "targets": targets,
        "test": test,
        "epochs": epochs,
        "members": members,
        "seed": seed,
    }
    clean = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "PYTHONHOME"}}
    done = subprocess.run(
        [str(python), "-m", "flatforce.models.isolated.roost"],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        env=clean | {"WANDB_MODE": "disabled"},
        check=False,
    )
    if done.returncode:
        raise ModelError("Roost failed.", why=" | ".join(done.stderr.strip().splitlines()[-3:]))
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


def learn(task: dict[str, Any]) -> list[float]:
    """Train an ensemble and predict; runs in the environment of Roost.

    Parameters
    ----------
    task
        As `predict_compositions` writes it.

    Returns
    -------
    Means of the members.
    """
    import numpy as np
    import pandas as pd
    import torch
    from aviary.data import Normalizer
    from aviary.roost.data import CompositionData, collate_batch
    from aviary.roost.model import Roost

    def batch(formulas: list[str], values: list[float]) -> Any:
        table = pd.DataFrame({"material_id": range(len(formulas)), "composition": formulas, "target": values})
        data = CompositionData(df=table, task_dict={"target": "regression"})
        return collate_batch([data[k] for k in range(len(data))])

    inputs, (wanted,), *_ = batch(task["train"], task["targets"])
    ahead, *_ = batch(task["test"], [0.0] * len(task["test"]))
    normalizer = Normalizer()
    normalizer.fit(wanted)
    found = []
    for member in range(task["members"]):
        torch.manual_seed(task["seed"] + member)
        model = Roost(
            robust=False,
            n_targets=[1],
            task_dict={"target": "regression"},
            trunk_hidden=(256, 128),
            out_hidden=(128, 64),
        )
        optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=1e-6)
        model.train()
        for _ in range(task["epochs"]):
            optimizer.zero_grad()
            (said,) = model(*inputs)
            loss = torch.nn.functional.l1_loss(said, normalizer.norm(wanted))
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            (said,) = model(*ahead)
        found.append(normalizer.denorm(said).flatten().numpy())
    return [float(one) for one in np.mean(found, axis=0)]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(learn(json.loads(sys.stdin.read()))) + "\n")
