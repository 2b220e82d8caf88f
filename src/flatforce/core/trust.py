"""Files that can run code when they are loaded: only those that this user made or trusted are loaded.

Python's pickles, in which MACE, CHGNet, SevenNet, NequIP and icet keep their models, run any code that their author put
into them. The SHA-256 hashes of trusted files stand in a text file of the user, one line for each file.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flatforce.core.errors import TrustError

if TYPE_CHECKING:
    from collections.abc import Iterator

TRUST: Final = "FLATFORCE_TRUST"
"""Variable of the environment: `1` trusts every file that is loaded, else hashes separated by commas; child processes inherit it."""

TRUST_FILE: Final = "FLATFORCE_TRUST_FILE"
"""Variable of the environment with the path of the file of trusted hashes."""

WEIGHTS_ONLY: Final = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
"""Variable of the environment by which torch reads pickles where the caller of `torch.load` says nothing."""

FROM_USER: Final = os.environ.get(WEIGHTS_ONLY)
"""Its value before a package was imported that sets it."""


def trust_file() -> Path:
    """Return the path of the file of trusted hashes.

    Returns
    -------
    `FLATFORCE_TRUST_FILE`, or `flatforce/trusted.txt` in the user's data folder.
    """
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return Path(os.environ.get(TRUST_FILE) or data / "flatforce" / "trusted.txt")


@contextmanager
def trusting_all() -> Iterator[None]:
    """Trust every file that is loaded inside the block, as `--trust` does; their hashes are remembered.

    Yields
    ------
    None; afterwards only files of known hashes are trusted again.
    """
    earlier = os.environ.get(TRUST, "")
    os.environ[TRUST] = "1"
    try:
        yield
    finally:
        os.environ[TRUST] = earlier


def trust(path: Path) -> None:
    """Remember the hash of a file, so that it is loaded without further questions.

    Parameters
    ----------
    path
        Path of the file. Where the file of hashes cannot be written, the hash is remembered as long as the process runs.
    """
    _remember(_hash(path), str(path.resolve()))


def _remember(digest: str, what: str) -> None:
    if digest in _trusted_hashes():
        return
    if os.environ.get(TRUST) != "1":
        os.environ[TRUST] = ",".join(filter(None, [os.environ.get(TRUST, ""), digest]))
    with suppress(OSError):
        trust_file().parent.mkdir(parents=True, exist_ok=True)
        line = f"{digest}  {datetime.now(UTC):%Y-%m-%d}  {what.encode('unicode_escape').decode()}\n"
        with trust_file().open("a", encoding="utf-8") as stream:  # one short line: appends do not mix
            stream.write(line)


def require_trusted_text(text: str, *, contents: str) -> None:
    """Refuse a text that makes a program run, such as the name of a force field in a file of settings, unless it is trusted.

    Parameters
    ----------
    text
        The text.
    contents
        What it is, for the message.

    Raises
    ------
    TrustError
        If `--trust` was not given for it.
    """
    digest = hashlib.sha256(text.encode()).hexdigest()
    if os.environ.get(TRUST) == "1":
        _remember(digest, text)
    elif digest not in _trusted_hashes():
        raise TrustError(
            f"{text} can run code, and you have not trusted it.",
            why=f"it is {contents}",
            fix="if you wrote it, or trust where it comes from, repeat the command with --trust; you are asked once",
        )


def require_trust(path: Path, *, contents: str) -> None:
    """Refuse a file that can run code when it is loaded, unless this user made or trusted it.

    Parameters
    ----------
    path
        Path of the file.
    contents
        What the file holds, for the message: `a pickle of mace-torch`.

    Raises
    ------
    TrustError
        If its hash is unknown and `--trust` was not given.
    """
    if os.environ.get(TRUST) == "1":
        trust(path)
        return
    digest = _hash(path)
    if digest in _trusted_hashes():
        return
    raise TrustError(
        f"{path} can run code when it is loaded, and you have neither made nor trusted it.",
        why=f"it is {contents}; its SHA-256 {digest[:12]}… is not in {trust_file()}, "
        "as it is not for a file that was changed or damaged",
        fix=f"if you trust where it comes from, repeat the command with --trust, or call ff.trust({str(path)!r}) in Python: "
        "its hash is remembered, and you are asked once for each file",
    )


@contextmanager
def pickles_allowed(allowed: bool = True) -> Iterator[None]:
    """Let `torch.load` read pickles where the caller does not say whether it may, for as long as the block runs.

    Parameters
    ----------
    allowed
        False only undoes what a package does that is imported in the block: modules of MACE allow it for the whole process.

    Yields
    ------
    None; afterwards `torch.load` reads weights only, unless its caller or the user's environment asks for more.
    """
    if allowed:
        os.environ[WEIGHTS_ONLY] = "1"
    try:
        yield
    finally:
        os.environ.pop(WEIGHTS_ONLY, None)
        if FROM_USER is not None:
            os.environ[WEIGHTS_ONLY] = FROM_USER


def _trusted_hashes() -> set[str]:
    """Return the hashes of the user's file and of this process."""
    hashes = set(os.environ.get(TRUST, "").split(","))
    with suppress(OSError):
        lines = trust_file().read_text(encoding="utf-8", errors="replace").splitlines()
        hashes |= {line.split()[0] for line in lines if line.strip()}
    return hashes


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
