"""Claims of result folders: a folder belongs to one stage, and no file that flatforce did not write is replaced there."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from flatforce.core.errors import ResultError, shorten_list
from flatforce.core.execution.locks import exclusive
from flatforce.core.files import remove_abandoned_parts, write_text
from flatforce.core.folders import made_if_missing
from flatforce.core.results import read_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from flatforce.core.identity import Identity

CLAIM: Final = "run.json"
"""First file that a stage writes into its folder: kind, settings and inputs of the run to which the folder belongs."""

SCRATCH: Final = ".flatforce-scratch"
"""Subfolder for the parts of an unfinished run; it is removed when the run is finished."""

COMPUTING, WRITING, FINISHED = "computing", "writing", "finished"
"""States of a run: it has written no file yet, may have written some of its own, or all of them."""

RECORD_FILES: Final = ("result.json", "arrays.npz", CLAIM)
"""Files that every stage writes."""


@dataclass(frozen=True)
class Claim:
    """State of a folder that was claimed."""

    finished: bool
    """Whether this very stage is finished there."""
    restarted: str = ""
    """How the settings of an unfinished run in the folder differ, which is not continued; empty if there is none."""


def is_finished(
    folder: Path, identity: Identity, *, extends: Callable[[dict[str, Any]], bool] | None = None
) -> bool:
    """Tell whether a folder holds this very stage, finished.

    Parameters
    ----------
    folder
        The result folder, which need not exist.
    identity
        The stage.
    extends
        Called with the stored record of another result: True if the folder may be taken up again all the same, because the
        stage keeps its parts there and is asked for more of them.

    Returns
    -------
    False if something is left to do.

    Raises
    ------
    ResultError
        If another result is there, this one by an older method, or one of its files is missing.
    """
    if not (folder / "result.json").is_file():
        return False
    record = read_record(folder)
    differences = identity.differences(record)
    if not differences and record.get("revision", 1) == identity.revision:
        _check_complete(folder)
        return True
    if not differences:
        raise ResultError(
            f"{folder} was computed by an older method.",
            why=f"the numbers of `{identity.kind}` changed since then (revision {record.get('revision', 1)} there, "
            f"{identity.revision} now)",
            fix="run again with another folder, -o …, or delete that one",
        )
    if extends is None or not extends(record):
        raise ResultError(
            f"{folder} holds another result.",
            why="its settings or inputs differ: " + shorten_list(differences, "; "),
            fix="choose another folder with -o, or delete that one",
        )
    return False


@contextmanager
def claim(
    folder: Path,
    identity: Identity,
    *,
    writes: Sequence[str] = (),
    extends: Callable[[dict[str, Any]], bool] | None = None,
    may_restart: bool = True,
    writes_at_end: bool = False,
) -> Iterator[Claim]:
    """Keep a folder for a stage and for this process while it computes there.

    Parameters
    ----------
    folder
        The result folder; it is created if missing.
    identity
        The stage.
    writes
        Names of the files that the stage writes beside its record.
    extends
        As in `is_finished`.
    may_restart
        Whether an unfinished run with other settings may be left and this one start anew in the same folder.
    writes_at_end
        Whether none of these files is written before `announce_files` is called, so that an earlier one is of other origin.

    Yields
    ------
    What the folder holds. After the block, parts of a finished run and what killed processes left are removed.

    Raises
    ------
    ResultError
        If another result, another unfinished run or files of other origin are there, or another process computes there.
    """
    with made_if_missing(folder), exclusive(folder):
        finished = is_finished(folder, identity, extends=extends)
        restarted = ""
        if not (folder / "result.json").is_file():
            check_folder(folder, identity.kind, writes)
            restarted = _compare_claims(folder, identity)
            if restarted and not may_restart:
                raise ResultError(
                    f"{folder} holds an unfinished run with other settings or inputs.",
                    why=f"continuing it would mix two runs: {restarted}",
                    fix="choose another folder with -o, or delete that one",
                )
        before = {path.name for path in folder.iterdir()}
        if not finished:
            stored = _read_claim(folder)
            has_own = stored.get("kind") == identity.kind and stored.get("state") in {WRITING, FINISHED}
            _write_claim(folder, identity, state=COMPUTING if writes_at_end and not has_own else WRITING)
        try:
            yield Claim(finished, restarted)
        except BaseException:
            if {path.name for path in folder.iterdir()} - before == {CLAIM}:  # nothing was computed
                (folder / CLAIM).unlink()
            raise
        if not finished and (folder / "result.json").is_file():
            shutil.rmtree(folder / SCRATCH, ignore_errors=True)
            remove_abandoned_parts(folder)
            own = [name for name in (*writes, *RECORD_FILES) if (folder / name).exists()]
            _write_claim(folder, identity, files=own, state=FINISHED)


def check_folder(folder: Path, kind: str, writes: Iterable[str] = ()) -> None:
    """Refuse a folder that holds a file which a stage would write, unless an unfinished run of the same kind is there.

    Parameters
    ----------
    folder
        The result folder, which need not exist.
    kind
        Kind of result.
    writes
        Names of the files that the stage writes beside its record.

    Raises
    ------
    ResultError
        If files would be replaced that flatforce did not write, or an unfinished run of another kind is there.
    """
    if (folder / "result.json").is_file():
        read_record(folder)  # a file of another program is refused here, and another result by `is_finished`
        return
    stored = _read_claim(folder)
    is_same = stored.get("kind") == kind
    if is_same and stored.get("state") != COMPUTING:
        return
    if stored and not is_same and _has_content(folder):
        raise ResultError(
            f"{folder} holds an unfinished run of another kind.",
            why=f"it is a run of `{stored['kind']}`, and this is one of `{kind}`",
            fix="finish it, choose another folder with -o, or delete that one",
        )
    names = [*writes, *([] if stored else RECORD_FILES)] if is_same or not stored else []
    if existing := [name for name in dict.fromkeys(names) if (folder / name).exists()]:
        raise ResultError(
            f"{folder} holds files that would be replaced: {shorten_list(existing)}.",
            why="flatforce did not write them there, or does not know them any more",
            fix="choose another folder with -o, or move these files",
        )


def _check_complete(folder: Path) -> None:
    """Refuse a finished folder from which a file was deleted."""
    if missing := [name for name in _read_claim(folder).get("files", []) if not (folder / name).exists()]:
        raise ResultError(
            f"{folder} is incomplete: {shorten_list(missing)} is missing.",
            why="it was written with the result and is not there any more",
            fix="put it back, or delete the folder to compute it again",
        )


def _compare_claims(folder: Path, identity: Identity) -> str:
    """Describe how an unfinished run in the folder differs from this one; empty if there is none or it is the same."""
    stored = _read_claim(folder)
    if stored.get("kind") != identity.kind or stored.get("key") == identity.key or not _has_content(folder):
        return ""
    return shorten_list(identity.differences(stored), "; ") or "the method has changed since then"


def _has_content(folder: Path) -> bool:
    return any(path.name != CLAIM for path in folder.iterdir())


def _read_claim(folder: Path) -> dict[str, Any]:
    """Read the claim of a folder; empty if there is none, or the file is of other origin."""
    try:
        content = json.loads((folder / CLAIM).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) and {"kind", "key"} <= set(content) else {}


def announce_files(folder: Path) -> None:
    """Note that a run begins to write its files, so that they are known as its own if it is killed before its end.

    Parameters
    ----------
    folder
        The result folder, which the caller has claimed.
    """
    content = json.dumps(_read_claim(folder) | {"state": WRITING}, indent=1)
    write_text(folder / CLAIM, content + "\n", durable=True)


def _write_claim(folder: Path, identity: Identity, files: Sequence[str] = (), *, state: str) -> None:
    content = {
        "kind": identity.kind,
        "key": identity.key,
        "revision": identity.revision,
        "config": identity.settings,
        "inputs": identity.inputs,
        "state": state,
        "files": list(dict.fromkeys(files)),
    }
    write_text(folder / CLAIM, json.dumps(content, indent=1) + "\n", durable=True)
