"""NequIP models as files hold them: those of `flatforce train`, and packages and checkpoints of NequIP itself."""

from __future__ import annotations

import json
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flatforce.core.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

RANDOM: Final = "random"
"""Name of a small model with random weights for self-tests: it obeys every exact law."""

RANDOM_ARCHITECTURE: Final[dict[str, Any]] = {
    "seed": 0,
    "type_names": ["Se", "W"],
    "r_max": 4.0,
    "num_layers": 2,
    "l_max": 1,
    "parity": True,
    "num_features": 8,
    "avg_num_neighbors": 12.0,
    "per_type_energy_scales": 5.0,
    "per_type_energy_shifts": {"Se": -5.0, "W": -10.0},
}
"""Arguments of `NequIPGNNModel` for the model with random weights."""


def load_module(name: str, *, dtype: str) -> tuple[Any, dict[str, Any]]:
    """Load the torch module of a model.

    Parameters
    ----------
    name
        Path of a model file, or `random`.
    dtype
        `float64` or `float32`.

    Returns
    -------
    NequIP's `GraphModel`, and the arguments with which it was built; empty for a package or checkpoint of NequIP.

    Raises
    ------
    ModelError
        If the model cannot be loaded.
    """
    import torch

    if name == RANDOM:
        return build_module(RANDOM_ARCHITECTURE, dtype=dtype), RANDOM_ARCHITECTURE
    path = Path(name)
    if not path.is_file():
        raise ModelError(f"There is no model {name}.", fix="write nequip:PATH with the path of a model file")
    try:
        with quiet():
            if path.suffix == ".zip":
                from nequip.model.saved_models.package import ModelFromPackage

                return ModelFromPackage(name)["sole_model"], {}
            if path.suffix == ".ckpt":
                from nequip.model.saved_models.checkpoint import ModelFromCheckpoint

                return ModelFromCheckpoint(name)["sole_model"], {}
            content = torch.load(path, map_location="cpu", weights_only=True)
            _check_plain(content["shape"])
            module = build_module(content["shape"], dtype=dtype)
            module.load_state_dict(content["weights"])
    except Exception as error:
        raise ModelError(
            f"{path} is no NequIP model.",
            why=f"{type(error).__name__}: {error}",
            fix="give a file written by `flatforce train`, or a .nequip.zip or .ckpt of NequIP",
        ) from error
    return module, content["shape"]


def build_module(shape: dict[str, Any], *, dtype: str) -> Any:
    """Build a model with random weights.

    Parameters
    ----------
    shape
        Arguments of `NequIPGNNModel`.
    dtype
        `float64` or `float32`.

    Returns
    -------
    NequIP's `GraphModel`, a torch module with random weights, on the CPU.
    """
    from nequip.model import NequIPGNNModel
    from nequip.utils.global_state import set_global_state

    with quiet():
        set_global_state(allow_tf32=False)
        return NequIPGNNModel(**shape, model_dtype=dtype)


def _check_plain(shape: dict[str, Any]) -> None:
    """Refuse arguments that hydra would turn into calls of any function."""
    if "_target_" in json.dumps(shape, default=str):
        raise ModelError("The file names code that builds its parts.", fix="give a file of `flatforce train`")


@contextmanager
def quiet() -> Iterator[None]:
    """Restore the default dtype of torch, which NequIP changes, and suppress warnings.

    Yields
    ------
    Nothing.
    """
    import torch

    previous = torch.get_default_dtype()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_default_dtype(previous)
