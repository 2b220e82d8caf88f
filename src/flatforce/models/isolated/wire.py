"""Messages between this process and a worker: pickles with their length before them, over a pair of pipes."""

from __future__ import annotations

import pickle
import struct
from typing import IO, Any, Final

LENGTH: Final = struct.Struct("<Q")


def send(stream: IO[bytes], message: object) -> None:
    """Write one message.

    Parameters
    ----------
    stream
        A pipe.
    message
        Anything that can be pickled.
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
    What was sent.

    Raises
    ------
    EOFError
        If the other end is gone.
    """
    return pickle.loads(_exactly(stream, LENGTH.unpack(_exactly(stream, LENGTH.size))[0]))


def _exactly(stream: IO[bytes], count: int) -> bytes:
    content = stream.read(count)
    if len(content) < count:
        raise EOFError
    return content
