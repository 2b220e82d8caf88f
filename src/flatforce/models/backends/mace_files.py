"""MACE models as files hold them: the user's own, bundled ones, and published ones that mace-torch downloads."""

from __future__ import annotations

import warnings
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

from flatforce.core.errors import MissingDependencyError, ModelError
from flatforce.core.trust import pickles_allowed
from flatforce.models.spec import PUBLISHED, model_path


def load_module(name: str, *, device: str) -> Any:
    """Load the torch module of a MACE model.

    Parameters
    ----------
    name
        Path of a `.model` file, or name of a bundled or published model.
    device
        `cpu` or `cuda`.

    Returns
    -------
    Torch module of the model, as mace-torch saved it, in the dtype of its file.

    Raises
    ------
    ModelError
        If the file does not exist or holds no MACE model.
    """
    torch = import_mace()
    if name in PUBLISHED:
        return _fetch(name, device=device)
    path = model_path(name)
    try:
        model = torch.load(path, map_location=device, weights_only=False)
        float(model.r_max)
    except Exception as error:
        raise ModelError(
            f"{path} is no MACE model.",
            why=f"{type(error).__name__}: {error}",
            fix="copy the file again if it was truncated, or install the version of mace-torch that wrote it",
        ) from error
    return model


def _fetch(name: str, *, device: str) -> Any:
    """Download a published model with mace-torch, or take it from its cache."""
    from mace.calculators import mace_mp

    try:
        with pickles_allowed(), warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            return mace_mp(model=name, device=device, return_raw_model=True)
    except Exception as error:
        raise ModelError(
            f"mace:{name} could not be downloaded.",
            why=f"{type(error).__name__}: {error}",
            fix="download its file on a machine with a network and write mace:PATH, or put it into ~/.cache/mace",
        ) from error


def import_mace() -> Any:
    """Import MACE before torch, since e3nn 0.4.4 fails with torch ≥ 2.6 in the other order.

    Returns
    -------
    The package `torch`, imported after MACE.

    Raises
    ------
    MissingDependencyError
        If MACE is not installed.
    """
    try:
        with (
            pickles_allowed(),  # MACE sets the variable for the whole process, for the constants of e3nn
            warnings.catch_warnings(),
            redirect_stdout(StringIO()),  # MACE prints which optional packages are missing
        ):
            warnings.simplefilter("ignore")
            import mace.modules  # noqa: F401  # the import prepares torch for e3nn
            import torch
    except ImportError as error:
        raise MissingDependencyError(
            "MACE is not installed.", why=str(error), fix="pip install 'flatforce[mace]'"
        ) from error
    return torch
