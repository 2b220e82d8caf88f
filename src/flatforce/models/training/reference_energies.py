"""Reference energies of the elements, which a model adds to the energy that it learns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import DataError
from flatforce.data.audit.energies import MIN_SINGULAR
from flatforce.data.frames import ISOLATED, config_type, get_labels
from flatforce.models.atomic_energies import compositions, fit_energies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.models.training.config import TrainConfig


def reference_energy_warnings(frames: Sequence[Atoms], config: TrainConfig) -> list[str]:
    """Warn where compositions do not determine the reference energies.

    Parameters
    ----------
    frames
        Labelled frames.
    config
        Settings of the training.

    Returns
    -------
    One sentence; empty where the energies are given, fine-tuned, or determined by the frames.
    """
    species = sorted({symbol for frame in frames for symbol in frame.get_chemical_symbols()})
    if config.start_from is not None or config.e0s != "least_squares" or len(species) < 2:
        return []
    singular = np.linalg.svd(compositions(frames, species), compute_uv=False)
    n_free = len(species) - int((singular > MIN_SINGULAR * singular[0]).sum())
    if n_free == 0:
        return []
    subject = (
        f"the compositions of the frames do not determine the reference energies of {', '.join(species)}"
    )
    effect = (
        "the smallest ones that fit are used, and energies of other compositions have no absolute meaning"
    )
    return [
        f"{subject}: {effect}; add isolated atoms (config_type {ISOLATED}) and set e0s: isolated, or give the energies under e0s"
    ]


def choose_reference_energies(
    frames: Sequence[Atoms], config: TrainConfig, *, species: Sequence[str] | None = None
) -> dict[str, float]:
    """Choose the energies of isolated atoms, as `e0s` asks.

    Parameters
    ----------
    frames
        Labelled frames.
    config
        Settings of the training; `e0s` gives the energies, or how they are obtained.
    species
        Elements that need an energy; those of the frames if None.

    Returns
    -------
    Element → reference energy in eV.

    Raises
    ------
    DataError
        If there is no energy for an element.
    """
    needed = sorted(species or {symbol for frame in frames for symbol in frame.get_chemical_symbols()})
    if isinstance(config.e0s, dict):
        energies = dict(config.e0s)
    elif config.e0s == "isolated":
        energies = {
            frame.get_chemical_symbols()[0]: get_labels(frame, need_forces=False).energy
            for frame in frames
            if config_type(frame) == ISOLATED and len(frame) == 1
        }
    else:
        fitted_frames = [frame for frame in frames if set(frame.get_chemical_symbols()) <= set(needed)]
        labels = [get_labels(frame, need_forces=False).energy for frame in fitted_frames]
        energies = fit_energies(fitted_frames, labels, needed, min_singular=MIN_SINGULAR)
    missing = [symbol for symbol in needed if symbol not in energies]
    if missing:
        raise DataError(
            f"There is no reference energy for {', '.join(missing)}.",
            fix=f"give it under e0s, add frames with config_type {ISOLATED}, or set e0s: least_squares",
        )
    return {symbol: energies[symbol] for symbol in needed}
