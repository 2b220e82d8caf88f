"""Files of splits: which frames are in the training, validation and test set, by the hashes of their structures."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from flatforce.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from pathlib import Path

SPLIT_FILE: Final = "split.json"
"""Name of the file in the folder of a training run."""

FOLD: Final = "fold-"
"""Begin of the name of a subset of a k-fold split."""


@dataclass(frozen=True)
class Split:
    """Subsets of a split, as content hashes of frames."""

    train: frozenset[str]
    """Training set; empty if the file does not name it, as if all other frames were in it."""
    valid: frozenset[str]
    """Validation set; empty if the split has none."""
    test: frozenset[str]
    """Test set."""
    is_complete: bool
    """Whether frames in no subset are left out: the file is one of `flatforce data split` and names a training set. The
    `split.json` of a training run only tells what is held out, and frames that were added since are trained on."""
    origin: dict[str, Any]
    """What a model card records of it: `hash`, `by`, and `fold`, where there are."""


def split_path(path: Path) -> Path:
    """Return the file of a split.

    Parameters
    ----------
    path
        A file, or the folder of a training run.

    Returns
    -------
    The file itself, or `split.json` in the folder.
    """
    return path / SPLIT_FILE if path.is_dir() else path


def read_split(path: Path, *, fold: int | None = None) -> Split:
    """Read which frames are in which subset.

    Parameters
    ----------
    path
        `split.json` of a training run or its folder, or a file written by `flatforce data split`.
    fold
        Number of the fold that is the test set, for a split made with `--folds`.

    Returns
    -------
    The subsets. Those of a k-fold split are the fold as test set and the others as training set; it has no validation set.

    Raises
    ------
    DataError
        If the file is missing or damaged, or has no test set.
    """
    path = split_path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"The split {path} cannot be read.",
            why=str(error),
            fix="give split.json of a training run, or a file written by `flatforce data split`",
        ) from error
    content = content if isinstance(content, dict) else {}
    subsets: dict[str, Any] = content.get("subsets", content)
    origin = {key: content[key] for key in ("hash", "by") if key in content}
    folds = [name for name in subsets if name.startswith(FOLD)]
    if folds or fold is not None:
        test = _check_fold(path, folds, fold)
        others = frozenset(key for name in folds if name != test for key in subsets[name])
        return Split(others, frozenset(), frozenset(subsets[test]), True, origin | {"fold": fold})
    if "test" not in subsets:
        raise DataError(
            f"{path} has no subset `test`.",
            why=f"it has {', '.join(subsets) or 'none'}",
            fix="give split.json of a training run, or a file of `flatforce data split FRAMES -o split.json`",
        )
    train, valid = (frozenset(subsets.get(name, ())) for name in ("train", "valid"))
    return Split(train, valid, frozenset(subsets["test"]), "subsets" in content and bool(train), origin)


def _check_fold(path: Path, folds: list[str], fold: int | None) -> str:
    """Return the name of the fold that is the test set."""
    name = f"{FOLD}{fold}"
    if name in folds:
        return name
    if not folds:
        raise ConfigError(
            f"{path} has no folds, but fold {fold} is asked for.",
            fix="leave out `fold`, or make a split with folds: flatforce data split FRAMES --folds 5 -o split.json",
        )
    numbers = f"0 to {len(folds) - 1}"
    raise ConfigError(
        f"{path} has {len(folds)} folds, and none of them is named as test set."
        if fold is None
        else f"{path} has no fold {fold}.",
        why=f"its folds are {numbers}",
        fix=f"name the fold that is the test set: `fold: 0` in the settings of a training, --fold 0 in `evaluate` ({numbers}); "
        "`flatforce sweep` with `vary: {fold: [0, 1, …]}` trains on each",
    )
