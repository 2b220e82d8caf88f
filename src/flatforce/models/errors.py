"""Errors of predictions against labels, over all frames and by config type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from flatforce.core.units import EV_PER_A2_IN_N_PER_M
from flatforce.data.frames import config_type, get_labels
from flatforce.data.label_origin import hash_labelled
from flatforce.models.atomic_energies import fit_energies
from flatforce.structures.sheet import cell_height

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.models.prediction import Prediction

ERROR_UNITS: Final = {
    "energy_mae": "meV/atom",
    "energy_rmse": "meV/atom",
    "energy_r2": "",
    "force_mae": "meV/Å",
    "force_rmse": "meV/Å",
    "force_r2": "",
    "stress_mae": "N/m",
    "stress_rmse": "N/m",
    "stress_r2": "",
}
"""Name → unit of the mean absolute error, the root mean square error and R² of energies, forces and membrane stresses."""

ALIGNED_UNITS: Final = {"energy_mae_aligned": "meV/atom", "energy_rmse_aligned": "meV/atom"}
"""Name → unit of the errors of energies once the reference energies of the elements are fitted to the labels."""


@dataclass(frozen=True)
class Comparison:
    """Labels and predictions of all frames as flat arrays, with the config type of each entry."""

    energy: FloatArray
    """(2, F) eV/atom, label and prediction of each frame."""
    forces: FloatArray
    """(2, A, 3) eV/Å, label and prediction for all atoms of all frames; NaN where there is no label."""
    stress: FloatArray
    """(2, S, 3) N/m, label and prediction of the components xx, yy, xy for the frames with a stress label."""
    frame_group: list[str]
    """(F) config type of each frame."""
    atom_group: list[str]
    """(A) config type of the frame of each atom."""
    atom_symbol: list[str]
    """(A) chemical symbol of each atom."""
    stress_group: list[str]
    """(S) config type of each frame with a stress label."""
    stress_frame: list[int]
    """(S) index of each frame with a stress label."""
    frame_hash: list[str]
    """(F) hash of the structure and the labels of each frame."""
    frame_size: list[int]
    """(F) number of atoms of each frame."""


def compare(frames: Sequence[Atoms], predictions: Sequence[Prediction]) -> Comparison:
    """Collect the labels and predictions of frames.

    Parameters
    ----------
    frames
        Labelled frames.
    predictions
        Prediction of each frame.

    Returns
    -------
    Labels and predictions as flat arrays.
    """
    labels = [get_labels(frame, need_forces=False) for frame in frames]
    energy = [
        (label.energy / len(frame), prediction.energy / len(frame))
        for frame, label, prediction in zip(frames, labels, predictions, strict=True)
    ]
    forces = [
        np.concatenate([label.forces for label in labels]),
        np.concatenate([prediction.forces for prediction in predictions]),
    ]
    stress, groups, indices = [], [], []
    for index, (frame, label, prediction) in enumerate(zip(frames, labels, predictions, strict=True)):
        if label.stress is None or prediction.membrane_stress is None or cell_height(frame) == 0:
            continue
        membrane_stress = label.stress[:2, :2] * cell_height(frame) * EV_PER_A2_IN_N_PER_M
        stress.append([_in_plane(membrane_stress), _in_plane(prediction.membrane_stress)])
        groups.append(config_type(frame))
        indices.append(index)
    return Comparison(
        energy=np.array(energy).T,
        forces=np.array(forces),
        stress=np.array(stress).reshape(-1, 2, 3).transpose(1, 0, 2),
        frame_group=[config_type(frame) for frame in frames],
        atom_group=[config_type(frame) for frame in frames for _ in frame],
        atom_symbol=[symbol for frame in frames for symbol in frame.get_chemical_symbols()],
        stress_group=groups,
        stress_frame=indices,
        frame_hash=[hash_labelled(frame) for frame in frames],
        frame_size=[len(frame) for frame in frames],
    )


def aligned_errors(frames: Sequence[Atoms], comparison: Comparison) -> dict[str, float]:
    """Compute the errors of energies that are left when the reference energies of the elements are fitted.

    A universal model and a DFT code may count energies from different references. The differences of their energies are then
    linear in the numbers of atoms of each element, which says nothing about the model.

    Parameters
    ----------
    frames
        The frames of the comparison.
    comparison
        Labels and predictions.

    Returns
    -------
    Errors with the names and units of `ALIGNED_UNITS`; empty unless there are more frames than elements, since the fit would leave
    nothing.
    """
    species = sorted({symbol for frame in frames for symbol in frame.get_chemical_symbols()})
    if len(frames) <= len(species):
        return {}
    differences = comparison.energy[1] - comparison.energy[0]
    totals = [difference * len(frame) for difference, frame in zip(differences, frames, strict=True)]
    references = fit_energies(frames, totals, species)
    shifts = np.array(
        [sum(references[s] for s in frame.get_chemical_symbols()) / len(frame) for frame in frames]
    )
    residuals = 1e3 * (differences - shifts)
    return {
        "energy_mae_aligned": float(np.abs(residuals).mean()),
        "energy_rmse_aligned": float(np.sqrt((residuals**2).mean())),
    }


def _in_plane(tensor: FloatArray) -> list[float]:
    return [float(tensor[0, 0]), float(tensor[1, 1]), float(tensor[0, 1])]


def error_metrics(comparison: Comparison, *, group: str | None = None) -> dict[str, float]:
    """Compute the errors of a comparison.

    Parameters
    ----------
    comparison
        Labels and predictions.
    group
        Config type; None for all frames.

    Returns
    -------
    Errors with the names and units of `ERROR_UNITS`; those of forces and stress only if there are labels, R² only if the labels
    vary.
    """

    def select(names: list[str]) -> list[int]:
        return [index for index, name in enumerate(names) if group in (None, name)]

    metrics: dict[str, float] = {}
    metrics |= _summarise("energy", comparison.energy[:, select(comparison.frame_group)], 1e3)
    metrics |= _summarise("force", comparison.forces[:, select(comparison.atom_group)], 1e3)
    metrics |= _summarise("stress", comparison.stress[:, select(comparison.stress_group)], 1.0)
    return metrics


def _summarise(name: str, pair: FloatArray, scale: float) -> dict[str, float]:
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


def element_force_errors(comparison: Comparison) -> dict[str, float]:
    """Compute the mean absolute error of the force components by element.

    Parameters
    ----------
    comparison
        Labels and predictions.

    Returns
    -------
    Element → mean absolute error in meV/Å.
    """
    symbols = np.array(comparison.atom_symbol)
    error = np.abs(comparison.forces[1] - comparison.forces[0])
    labelled = np.isfinite(error).all(axis=1)
    return {
        str(symbol): float(1e3 * error[labelled & (symbols == symbol)].mean())
        for symbol in np.unique(symbols[labelled])
    }
