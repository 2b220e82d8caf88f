"""Potentials of MatGL as its files hold them.

MatGL silently fills weights that are missing from a checkpoint with random numbers; flatforce refuses such a checkpoint.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from flatforce.core.errors import MissingDependencyError, ModelError


def import_matgl() -> Any:
    """Import MatGL.

    Returns
    -------
    The package `torch`, imported after MatGL.

    Raises
    ------
    MissingDependencyError
        If MatGL is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import matgl.ext.ase  # noqa: F401  # the import fails if a dependency is missing
            import torch
    except ImportError as error:
        raise MissingDependencyError(
            "MatGL is not installed.", why=str(error), fix="pip install 'flatforce[matgl]'"
        ) from error
    return torch


def load_module(name: str) -> Any:
    """Load a potential of MatGL.

    Parameters
    ----------
    name
        Folder written by MatGL, or name of a model on its hub.

    Returns
    -------
    MatGL's `Potential`, a torch module, on the CPU.

    Raises
    ------
    ModelError
        If it cannot be loaded, its weights do not fit its architecture, or it is no potential.
    """
    import_matgl()
    import matgl
    from matgl.utils import io

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            files = io._get_file_paths(Path(name), str_path=name)  # noqa: SLF001  # of the folder, or of the hub's cache
            module = matgl.load_model(name)
    except Exception as error:
        root = error.__cause__ or error
        raise ModelError(
            f"MatGL could not load {name}.",
            why=f"{type(root).__name__}: {str(root).splitlines()[0]}",
            fix="write matgl:FOLDER with a folder that holds model.pt, state.pt and model.json; a name on the hub needs the network",
        ) from error
    if not hasattr(module, "calc_stresses"):
        raise ModelError(
            f"{name} is a {type(module).__name__}, which is no force field.",
            fix="give the folder of a potential",
        )
    _check_weights(name, Path(files["state.pt"]), module)
    return module


def _check_weights(name: str, state: Path, module: Any) -> None:
    """Refuse a checkpoint whose weights do not fit the architecture, which MatGL loads silently."""
    import torch

    stored = set(torch.load(state, map_location="cpu", weights_only=True))
    expected = set(module.state_dict())
    mismatched = sorted(stored ^ expected)
    if mismatched:
        raise ModelError(
            f"{name} was not written by the version of MatGL that is installed.",
            why=f"{len(expected - stored)} weights are missing and {len(stored - expected)} unknown, such as {mismatched[0]}",
            fix="install the version of MatGL that wrote it, or train the model again",
        )
