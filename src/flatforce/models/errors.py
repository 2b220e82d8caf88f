"""Errors of predictions against labels; per group, with every unit in the name's table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.core.units import EV_PER_A2_IN_N_PER_M
from flatforce.data.frames import config_type, get_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.prediction import Prediction

ERROR_UNITS: Final = {
    "energy_mae": "meV/atom",
    "energy_rmse": "meV/atom",
    "energy_r2": "1",
    "force_mae": "meV/Å",
    "force_rmse": "meV/Å",
    "force_r2": "1",
    "stress_mae": "N/m",
    "stress_rmse": "N/m",
    "stress_r2": "1",
}


@dataclass(frozen=True)
class Comparison:
    """Predictions beside labels, flat, with the frame or atom each number belongs to."""

    energy: FloatArray
    """(2, F) eV/atom: label, prediction."""
    forces: FloatArray
    """(2, A, 3) eV/Å, all atoms of all frames; NaN where not labelled."""
    stress: FloatArray
    """(2, S, 3) N/m, components xx, yy, xy, frames with a stress label only."""
    frame_group: list[str]
    """(F) config type."""
    atom_group: list[str]
    """(A) config type."""
    atom_symbol: list[str]
    """(A) species."""
    stress_group: list[str]
    """(S) config type."""


def compare(frames: Sequence[Atoms], predictions: Sequence[Prediction]) -> Comparison:
    """Put predictions beside labels.

    Parameters
    ----------
    frames
        Labelled frames.
    predictions
        One a frame.

    Returns
    -------
    Both, flat.
    """
    labels = [get_labels(frame, need_forces=False) for frame in frames]
    energy = [
        (lab.energy / len(f), p.energy / len(f))
        for f, lab, p in zip(frames, labels, predictions, strict=True)
    ]
    forces = [np.concatenate([lab.forces for lab in labels]), np.concatenate([p.forces for p in predictions])]
    stress, groups = [], []
    for frame, lab, p in zip(frames, labels, predictions, strict=True):
        if lab.stress is None or p.membrane_stress is None or frame.cell[2, 2] <= 0:
            continue
        label = lab.stress[:2, :2] * frame.cell[2, 2] * EV_PER_A2_IN_N_PER_M
        stress.append([_three(label), _three(p.membrane_stress)])
        groups.append(config_type(frame))
    return Comparison(
        energy=np.array(energy).T,
        forces=np.array(forces),
        stress=np.array(stress).reshape(-1, 2, 3).transpose(1, 0, 2),
        frame_group=[config_type(frame) for frame in frames],
        atom_group=[config_type(frame) for frame in frames for _ in frame],
        atom_symbol=[symbol for frame in frames for symbol in frame.get_chemical_symbols()],
        stress_group=groups,
    )


def _three(tensor: FloatArray) -> list[float]:
    return [float(tensor[0, 0]), float(tensor[1, 1]), float(tensor[0, 1])]


def error_metrics(found: Comparison, *, group: str | None = None) -> dict[str, float]:
    """Summarise a comparison.

    Parameters
    ----------
    found
        Predictions beside labels.
    group
        Only this config type; None for all.

    Returns
    -------
    The names of `ERROR_UNITS`; forces and stress only where labelled, R² only where labels vary.
    """

    def of(names: list[str]) -> list[int]:
        return [i for i, name in enumerate(names) if group in (None, name)]

    metrics: dict[str, float] = {}
    metrics |= _three_errors("energy", found.energy[:, of(found.frame_group)], 1e3)
    metrics |= _three_errors("force", found.forces[:, of(found.atom_group)], 1e3)
    metrics |= _three_errors("stress", found.stress[:, of(found.stress_group)], 1.0)
    return metrics


def _three_errors(name: str, pair: FloatArray, scale: float) -> dict[str, float]:
    pair = pair[:, np.isfinite(pair[0])]
    if pair.size == 0:
        return {}
    error = pair[1] - pair[0]
    metrics = {
        f"{name}_mae": float(scale * np.abs(error).mean()),
        f"{name}_rmse": float(scale * np.sqrt((error**2).mean())),
    }
    variance = float(((pair[0] - pair[0].mean()) ** 2).mean())
    if variance > 0:
        metrics[f"{name}_r2"] = float(1 - (error**2).mean() / variance)
    return metrics


def element_force_errors(found: Comparison) -> dict[str, float]:
    """Mean absolute force error of each species.

    Parameters
    ----------
    found
        Predictions beside labels.

    Returns
    -------
    Species → meV/Å.
    """
    symbols = np.array(found.atom_symbol)
    error = np.abs(found.forces[1] - found.forces[0])
    known = np.isfinite(error).all(axis=1)
    return {str(s): float(1e3 * error[known & (symbols == s)].mean()) for s in np.unique(symbols[known])}
