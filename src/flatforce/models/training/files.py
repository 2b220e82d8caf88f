"""Files of torch, written atomically."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from flatforce.core.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path


def save_torch(path: Path, content: Any) -> None:
    """Write an object with torch; after an interruption the file is either complete or unchanged.

    Parameters
    ----------
    path
        Path of the file.
    content
        A module, or states of modules.
    """
    import torch

    # in memory first: on a full disk torch's own writer raises a RuntimeError that names neither file nor disk
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(path, lambda part: _write_buffer(part, buffer))


def _write_buffer(path: Path, buffer: io.BytesIO) -> None:
    path.write_bytes(buffer.getbuffer())
