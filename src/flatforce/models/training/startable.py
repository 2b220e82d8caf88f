"""What can be checked of a training before its folder is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flatforce.models.precision import torch_device
from flatforce.models.training.data import species_of
from flatforce.models.training.reference_energies import choose_reference_energies

if TYPE_CHECKING:
    from flatforce.models.training.config import TrainConfig
    from flatforce.models.training.data import TrainingData


def check_startable(config: TrainConfig, data: TrainingData) -> None:
    """Check that the device exists and that every element has a reference energy.

    Parameters
    ----------
    config
        Settings of the training. The workers of a pool have devices of their own, which are not checked.
    data
        Frames of the run.
    """
    if not config.executors:
        torch_device(config.device)
    if config.start_from is None:
        species = sorted(species_of([*data.train_valid, *data.test]))
        choose_reference_energies([*data.isolated, *data.train_valid], config, species=species)
