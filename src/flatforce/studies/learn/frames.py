"""Files of an active-learning run: labelled frames, and the structures from which samplers start."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flatforce.active.run_frames import RunFrames, check_species, divide_frames
from flatforce.core.hashing import hash_file, hash_structure
from flatforce.data.bundled import dataset_path
from flatforce.data.frame_files import read_frames, read_labelled
from flatforce.properties.barriers.matching import match_ends
from flatforce.structures.isolated_sheet import check_isolated_sheet
from flatforce.studies.learn.checks import check_structure, labelled_files, structure_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.active.config import LearnConfig


def read_run_frames(config: LearnConfig) -> RunFrames:
    """Read all files that a run names, and divide the labelled frames.

    Parameters
    ----------
    config
        Settings.

    Returns
    -------
    Initial training set, test set, pool, and structures.

    Raises
    ------
    DataError
        If a file has no frame, a set has too few frames, or a species occurs in no initial frame.
    """
    test = None if config.test is None else list(_read_distinct([config.test]).values())
    labelled = divide_frames(config, _read_distinct(config.initial), _read_distinct(config.pool), test)
    defects, target = config.sampling.defects, config.target
    frames = RunFrames(
        labelled,
        sheets=[frame for name in config.structures for frame in _read_structures(name)],
        primitive=None if defects is None else _read_structures(defects.primitive)[0],
        path_ends=_read_paths(config),
        target=None if target is None else _read_structures(target.structure)[0],
        pristine=_read_structures(target.pristine)[0] if target and target.pristine else None,
        hashes=_hash_files(config),
    )
    check_species(frames, config)
    return frames


def _read_distinct(names: Sequence[str]) -> dict[str, Atoms]:
    """Read labelled frames: content hash → frame, copies once."""
    return {hash_structure(frame): frame for name in names for frame in read_labelled(dataset_path(name))}


def _read_structures(name: str) -> list[Atoms]:
    check_structure(name)
    sheets = read_frames(Path(name))
    for sheet in sheets:
        check_isolated_sheet(sheet)
    return sheets


def _read_paths(config: LearnConfig) -> list[tuple[Atoms, Atoms]]:
    """Read the ends of all paths, and check that their atoms match."""
    paths = config.sampling.paths
    pairs = []
    for names in [] if paths is None else paths.ends:
        start, end = (_read_structures(name)[0] for name in names)
        match_ends(start, end, keep_order=paths is not None and paths.path.keep_order)
        pairs.append((start, end))
    return pairs


def _hash_files(config: LearnConfig) -> dict[str, str]:
    return {name: hash_file(dataset_path(name)) for name in labelled_files(config)} | {
        name: hash_file(Path(name)) for name in structure_files(config)
    }
