"""Candidates of a screening: sheets from files, and sheets that are generated from prototypes and elements."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from flatforce.core.errors import DataError, FlatforceError, GeometryError, ModelError
from flatforce.data.frame_files import read_frames
from flatforce.models.resumable import evaluate_resumably
from flatforce.structures.isolated_sheet import check_isolated_sheet
from flatforce.structures.monolayers import monolayer_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.progress import Progress
    from flatforce.models.potential import Potential
    from flatforce.properties.screening.config import CandidateConfig


@dataclass(frozen=True)
class Candidate:
    """A sheet to relax, or the reason why there is none."""

    name: str
    """Name, different for all candidates of a screening."""
    source: str
    """File, or the prototype."""
    atoms: Atoms | None
    """The sheet as given; None for a file that cannot be read."""
    failure: str = ""
    """Why it cannot be relaxed; empty if it can."""


def read_candidates(path: Path) -> list[Candidate]:
    """Read sheets from a file, or from all files of a folder and its subfolders.

    Parameters
    ----------
    path
        A file with any number of frames, or a folder of such files, in any formats that ASE reads.

    Returns
    -------
    The sheets in the order of the files; a file of a folder that cannot be read is one candidate without a sheet.

    Raises
    ------
    DataError
        If the file cannot be read, or the folder holds no file.
    """
    if not path.is_dir():
        return _number(_of_file(path, path.name))
    candidates: list[Candidate] = []
    for file in structure_files(path):
        source = file.relative_to(path).as_posix()
        try:
            candidates += _of_file(file, source)
        except DataError as error:
            reason = " ".join(f"the file cannot be read: {error.why or error.what}".split())
            candidates.append(Candidate(source, source, None, reason))
    return _number(candidates)


def structure_files(folder: Path) -> list[Path]:
    """List the files of a folder and its subfolders.

    Parameters
    ----------
    folder
        The folder.

    Returns
    -------
    All files, sorted, apart from hidden ones.

    Raises
    ------
    DataError
        If there is none.
    """
    files = sorted(
        file
        for file in folder.rglob("*")
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )
    if not files:
        raise DataError(f"{folder} holds no files.", fix="give the file or the folder of the structures")
    return files


def _of_file(file: Path, source: str) -> list[Candidate]:
    frames = read_frames(file)
    names = [str(frame.info.get("name") or frame.info.get("material") or "") for frame in frames]
    return [
        Candidate(name or (source if len(frames) == 1 else f"{source}:{k}"), source, frame)
        for k, (name, frame) in enumerate(zip(names, frames, strict=True))
    ]


def _number(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Append a number to each name that occurred before."""
    counts: dict[str, int] = {}
    numbered = []
    for candidate in candidates:
        counts[candidate.name] = number = counts.get(candidate.name, 0) + 1
        numbered.append(replace(candidate, name=f"{candidate.name} #{number}") if number > 1 else candidate)
    return numbered


def join_candidates(*groups: Sequence[Candidate]) -> list[Candidate]:
    """Join candidates of several origins.

    Parameters
    ----------
    *groups
        Candidates.

    Returns
    -------
    All of them in their order, those of the same name numbered.
    """
    return _number(candidate for group in groups for candidate in group)


def checked(candidate: Candidate, potential: Potential) -> Candidate:
    """Check whether a candidate can be relaxed.

    Parameters
    ----------
    candidate
        The candidate.
    potential
        The force field.

    Returns
    -------
    The candidate, with the reason if it is no isolated sheet or holds elements that the force field does not know.
    """
    if candidate.atoms is None or candidate.failure:
        return candidate
    try:
        check_isolated_sheet(candidate.atoms)
        potential.check([candidate.atoms])
    except GeometryError as error:
        return replace(candidate, failure=f"no isolated sheet: {_sentence(error)}")
    except ModelError as error:
        return replace(candidate, failure=f"unknown element: {_sentence(error)}")
    return candidate


def _sentence(error: FlatforceError) -> str:
    return error.what.rstrip(".") + (f" ({error.why})" if error.why else "")


def generate_candidates(
    potential: Potential, config: CandidateConfig, *, checkpoint: Path, progress: Progress
) -> list[Candidate]:
    """Put each pair of elements on each prototype, at the lattice constant of the lowest energy among a few.

    Parameters
    ----------
    potential
        The force field.
    config
        Prototypes, elements and factors of the lattice constant.
    checkpoint
        File of the state of an interrupted run.
    progress
        Called after each batch of energies.

    Returns
    -------
    One candidate for each prototype and pair of elements; a pair with an element that the force field does not know is left for
    `checked` to refuse.
    """
    candidates = []
    for prototype, metal, chalcogen in product(config.prototypes, config.metals, config.chalcogens):
        formula = f"{metal}{chalcogen}" + ("" if prototype == "honeycomb" else "2")
        atoms = monolayer_of(formula, prototype=prototype)
        atoms.info["name"] = f"{prototype}-{formula}"
        candidates.append(Candidate(atoms.info["name"], f"prototype {prototype}", atoms))
    evaluable = [
        candidate.atoms
        for candidate in candidates
        if candidate.atoms is not None and set(candidate.atoms.symbols) <= potential.elements
    ]
    if len(config.scales) > 1 and evaluable:
        trials = [_scaled(atoms, scale) for atoms in evaluable for scale in config.scales]
        predictions = evaluate_resumably(potential, trials, checkpoint=checkpoint, progress=progress)
        energies = np.array([prediction.energy for prediction in predictions]).reshape(len(evaluable), -1)
        for atoms, best in zip(evaluable, energies.argmin(axis=1), strict=True):
            scaled = _scaled(atoms, config.scales[best])
            atoms.set_cell(scaled.cell)
            atoms.positions = scaled.positions
    return candidates


def _scaled(atoms: Atoms, scale: float) -> Atoms:
    """Scale a sheet in all directions, and keep the height of its cell."""
    scaled = atoms.copy()
    middle = atoms.cell[2, 2] / 2
    scaled.set_cell([*(scale * atoms.cell.array[:2]), atoms.cell.array[2]])
    scaled.positions = scale * atoms.positions
    scaled.positions[:, 2] = middle + scale * (atoms.positions[:, 2] - middle)
    return scaled
