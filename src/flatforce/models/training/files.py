"""Weights on disk."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from flatforce.core.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path


def save_torch(path: Path, content: Any) -> None:
    """Write what torch pickles, whole or not at all.

    Parameters
    ----------
    path
        Where.
    content
        A module, or states.
    """
    import torch

    held = (
        io.BytesIO()
    )  # torch's own writer meets a full disk with a RuntimeError that names neither file nor disk
    torch.save(content, held)
    write_atomically(path, lambda part: _write(part, held))


def _write(path: Path, held: io.BytesIO) -> None:
    path.write_bytes(held.getbuffer())
