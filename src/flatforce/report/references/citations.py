"""The references of a result: the package, its methods, its force field and the DFT code behind the labels; only those that were used."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from flatforce.core.errors import ResultError
from flatforce.core.results import read_record
from flatforce.models.spec import PUBLISHED
from flatforce.report.references.bibliography import Reference, all_references, with_version
from flatforce.report.references.methods import KINDS, LABELS, MODELS, PACKAGES, PUBLISHED_MACE, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


def references_of(records: Iterable[dict[str, Any]]) -> list[Reference]:
    """List what a paper that uses results should cite.

    Parameters
    ----------
    records
        Contents of `result.json`.

    Returns
    -------
    References in the order of the file, flatforce first; programs carry the version that computed, where it is the same in
    all results.
    """
    results = list(records)
    keys = {"flatforce"}.union(*(_keys(record) for record in results))
    versions = {
        key: {version for record in results if (version := _version(record, package))}
        for key, package in PACKAGES.items()
    }
    used = [reference for key, reference in all_references().items() if key in keys]
    return [
        with_version(reference, next(iter(versions[reference.key])))
        if len(versions.get(reference.key, ())) == 1
        else reference
        for reference in used
    ]


def references_in(folder: Path) -> list[Reference]:
    """List what a paper that uses the results of a folder should cite.

    Parameters
    ----------
    folder
        A result folder, or a folder of them at any depth; files of other programs are skipped.

    Returns
    -------
    References in the order of the file, flatforce first.

    Raises
    ------
    ResultError
        If there is no finished result.
    """
    records = []
    for path in sorted(folder.rglob("result.json")):
        with suppress(ResultError):
            records.append(read_record(path.parent))
    if not records:
        raise ResultError(
            f"There is no finished result in {folder}.", fix="give the folder that a command wrote"
        )
    return references_of(records)


def _version(record: dict[str, Any], package: str) -> str:
    versions = record.get("versions")
    return str(versions.get(package, "")) if isinstance(versions, dict) else ""


def _keys(record: dict[str, Any]) -> set[str]:
    keys = set(KINDS.get(record["kind"], ()))
    settings = [*_leaves(record["config"])]
    for name, chooses, method in SETTINGS:
        if any(key == name and chooses(value) for key, value in settings):
            keys.update(method)
    for text in _texts([record.get("inputs"), record.get("subject"), record["config"], record["details"]]):
        keys.update(LABELS.get(text, ()), _model_keys(text))
    return keys


def _model_keys(text: str) -> set[str]:
    """Keys of the force fields that a text names, such as `mace:…`, `committee:mace:…,mace:…`, or an architecture."""
    keys: set[str] = set()
    for part in text.removeprefix("committee:").split(","):
        kind, colon, name = part.partition(":")
        if colon or part == text:
            keys.update(MODELS.get(kind, ()) if colon or kind != "ase" else ())
        if kind == "mace" and name in PUBLISHED:
            keys.update(PUBLISHED_MACE)
        if kind == "d3":  # the force field that is corrected follows, with settings before it or without
            keys.update(_model_keys(name), _model_keys(name.partition(":")[2]))
    return keys


def _leaves(values: Any) -> Iterator[tuple[str, Any]]:
    """Walk through nested settings: the name and the value of each, sections included."""
    if isinstance(values, dict):
        for name, value in values.items():
            yield str(name), value
            yield from _leaves(value)
    elif isinstance(values, list):
        for value in values:
            yield from _leaves(value)


def _texts(values: Any) -> Iterator[str]:
    if isinstance(values, str):
        yield values
    elif isinstance(values, dict | list):
        for value in values.values() if isinstance(values, dict) else values:
            yield from _texts(value)
