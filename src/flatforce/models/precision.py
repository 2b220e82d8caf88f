"""Default dtype of torch for the length of a `with` block, and the device that a model runs on."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from flatforce.core.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def default_dtype(dtype: str) -> Iterator[None]:
    """Set the default dtype of torch for the length of a `with` block.

    Parameters
    ----------
    dtype
        `float32` or `float64`.

    Yields
    ------
    Nothing.
    """
    import torch

    previous = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        yield
    finally:
        torch.set_default_dtype(previous)


def torch_device(name: str) -> str:
    """Choose the device that a model runs on.

    Parameters
    ----------
    name
        `cpu`, `cuda`, or `auto` for a GPU if there is one.

    Returns
    -------
    `cpu` or `cuda`, as torch names it.

    Raises
    ------
    ModelError
        If this machine does not have the device.
    """
    import torch

    has_gpu = torch.cuda.is_available()
    if name == "auto":
        return "cuda" if has_gpu else "cpu"
    kind = name.partition(":")[0]
    if kind != "cpu" and not (kind == "cuda" and has_gpu):
        raise ModelError(
            f"There is no device {name}.",
            why="torch finds a GPU" if has_gpu else "torch finds no GPU",
            fix="write --device cpu or --device auto",
        )
    return name
