"""Torch's default precision, for as long as it is needed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def default_dtype(dtype: str) -> Iterator[None]:
    """Let torch make numbers of that precision.

    Parameters
    ----------
    dtype
        `float32` or `float64`.

    Yields
    ------
    Nothing.
    """
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        yield
    finally:
        torch.set_default_dtype(before)
