"""Examples of required settings, which `flatforce settings` prints so that its templates can be used as they are."""

from __future__ import annotations

from typing import Any, Final

ALLOY: Final[dict[str, Any]] = {
    "name": "MoWS2",
    "species": ["Mo", "W"],
    "prototype": "2H",
    "symbols": ["Mo", "S"],
    "a": 3.187,
    "thickness": 3.13,
    "site": "Mo",
}

EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "run": {
        "structure": {"prototype": "2H", "elements": ["W", "Se"], "a": 3.32, "thickness": 3.36},
        "model": "mace:wse2-pbe",
        "phonons": {},
        "defects": [{"defect": "v_Se:top", "sizes": [6]}],
    },
    "train": {"data": ["wse2-pbe"]},
    "finetune": {"data": ["wse2-pbe"]},
    "sweep": {"train": {"data": ["wse2-pbe"], "epochs": 20}, "vary": {"learning_rate": [0.003, 0.01]}},
    "learn": {"initial": ["wse2-pbe"], "structures": ["structure.extxyz"], "label": {}},
    "alloy enumerate": {"alloy": ALLOY},
    "alloy energies": {"alloy": ALLOY},
    "alloy fit": {"alloy": ALLOY},
    "alloy compare": {"alloy": ALLOY},
    "alloy hull": {"alloy": ALLOY},
    "alloy mc": {
        "alloy": ALLOY,
        "monte_carlo": {"concentration": 0.5, "temperatures": [100.0, 200.0, 300.0]},
    },
    "alloy sqs": {"alloy": ALLOY, "sqs": {"concentrations": {"Mo": 0.5, "W": 0.5}}},
}
"""Command → values that differ from the defaults; a command that is not listed has a default for every key."""
