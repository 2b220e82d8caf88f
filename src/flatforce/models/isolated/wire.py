"""Messages between this process and a worker: pickles, preceded by their length, over a pair of pipes."""

from __future__ import annotations

import pickle
import struct
from typing import IO, Any, Final

LENGTH: Final = struct.Struct("<Q")
"""Format of the length of a message in bytes."""


def send(stream: IO[bytes], message: object) -> None:
    """Write one message.

    Parameters
    ----------
    stream
        A pipe.
    message
        An object that can be pickled.
    """
    content = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(LENGTH.pack(len(content)))
    stream.write(content)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """Read one message.

    Parameters
    ----------
    stream
        A pipe.

    Returns
    -------
    The object that the other process sent.

    Raises
    ------
    EOFError
        If the other process has closed its end.
    """
    return pickle.loads(_read_exactly(stream, LENGTH.unpack(_read_exactly(stream, LENGTH.size))[0]))


def _read_exactly(stream: IO[bytes], count: int) -> bytes:
    content = stream.read(count)
    if len(content) < count:
        raise EOFError
    return content
