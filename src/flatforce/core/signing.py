"""Signatures of pickles that flatforce writes for itself, so that those of other users are never loaded."""

from __future__ import annotations

import hmac
import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from flatforce.core.trust import trust_file

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES: Final = 32
"""Length of the user's key, and of a signature."""


def sign(content: bytes) -> bytes | None:
    """Put the user's signature before a content.

    Parameters
    ----------
    content
        Any bytes.

    Returns
    -------
    Signature and content; None if the user's key can neither be read nor made.
    """
    key = _user_key()
    return None if key is None else hmac.digest(key, content, "sha256") + content


def signed_content(signed: bytes) -> bytes | None:
    """Verify a signature.

    Parameters
    ----------
    signed
        What `sign` returned.

    Returns
    -------
    The content; None if this user did not sign it, or it was changed or cut since.
    """
    key, signature, content = _user_key(), signed[:KEY_BYTES], signed[KEY_BYTES:]
    if key is None or not hmac.compare_digest(hmac.digest(key, content, "sha256"), signature):
        return None
    return content


def _user_key() -> bytes | None:
    """Read the key from beside the file of trusted hashes; it is made when it is first needed."""
    path = trust_file().with_name("signing.key")
    with suppress(OSError):
        if not path.is_file():
            _make_key(path)
        key = path.read_bytes()
        return key if len(key) == KEY_BYTES else None
    return None


def _make_key(path: Path) -> None:
    """Write a key whole, readable by the user alone; of two processes, the first wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".part-{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(secrets.token_bytes(KEY_BYTES))
        with suppress(FileExistsError):
            os.link(part, path)
    finally:
        part.unlink(missing_ok=True)
