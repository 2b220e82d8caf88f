"""Stages of an alloy study: formation energies, cluster expansion."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flatforce.core.errors import ConfigError, DataError
from flatforce.core.hashing import hash_file
from flatforce.core.results import claim_folder, read_record
from flatforce.data.bundled import dataset_path
from flatforce.data.frames import read_frames, read_labelled
from flatforce.models import load
from flatforce.properties.alloys.energies import energies_by_labels, energies_by_model
from flatforce.properties.alloys.expansion_fit import fit_cluster_expansion
from flatforce.properties.alloys.formation import is_end_member, make_table
from flatforce.properties.alloys.labelled import energies_from_frames
from flatforce.structures.alloys import ORDERING, alloy_lattice
from flatforce.structures.orderings import enumerate_orderings
from flatforce.studies.alloy.files import check_table, parent_hash, read_table, write_outcome
from flatforce.studies.inputs import Reporter, input_hashes, unreported

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.progress import Progress
    from flatforce.models.potential import Potential
    from flatforce.properties.alloys.table import AlloyTable
    from flatforce.reference.config import LabelConfig
    from flatforce.structures.alloys import AlloyLattice
    from flatforce.studies.alloy.config import AlloyStudy


def alloy_energies(
    study: AlloyStudy,
    folder: Path,
    *,
    orderings: Path | None = None,
    model: str | None = None,
    labels: LabelConfig | None = None,
    frames: str | None = None,
    device: str = "auto",
    report: Reporter = unreported,
) -> dict[str, Any]:
    """Compute formation energies by a force field, by DFT, or from frames that are labelled already.

    Parameters
    ----------
    study
        The alloy.
    folder
        Result folder: `table.csv`, `orderings.extxyz`, `relaxed.extxyz`, and with DFT `frames.extxyz` and `labels/`.
    orderings
        File of orderings; all distinct ones up to `max_cells` if None. End members are added.
    model
        Force field; with `labels` it only guides the first steps.
    labels
        How frames are labelled.
    frames
        Labelled relaxations: a file or a bundled dataset.
    device
        `cpu`, `cuda`, or `auto`.
    report
        Opens the progress display.

    Returns
    -------
    The content of `result.json`.

    Raises
    ------
    ConfigError
        If no source of energies is given, or two.
    """
    if (frames is None) == (model is None and labels is None):
        raise ConfigError(
            "Formation energies need exactly one source.",
            fix="give --model, --labels (with --model as a guide), or --frames",
        )
    lattice = alloy_lattice(study.alloy)
    settings = study.model_dump(mode="json", include={"alloy", "energies"})
    files = [dataset_path(frames)] if frames else []
    if orderings is not None:
        files.append(orderings)
    elif frames is None:
        settings["max_cells"] = study.max_cells
    inputs = input_hashes(model, *files) | parent_hash(study)
    if labels is not None:
        settings["labels"] = labels.settings.model_dump(mode="json")
    settings["frames"] = frames
    if not claim_folder(folder, settings, inputs):
        return read_record(folder)
    start = time.perf_counter()
    with report("alloy energies") as progress:
        if frames is not None:
            table = _table_from_frames(lattice, study, frames)
        else:
            sheets = read_orderings(lattice, study, orderings)
            potential = None if model is None else load(model, device=device)
            if labels is not None:
                table = _table_by_labels(
                    lattice,
                    study,
                    sheets,
                    labels,
                    guide=potential,
                    cache=folder / "labels",
                    progress=progress,
                )
            else:
                assert potential is not None  # noqa: S101  # one source is given
                table = _table_by_model(lattice, study, sheets, potential, progress=progress)
    write_outcome(folder, table, settings, inputs, start=start)
    return read_record(folder)


def _table_from_frames(lattice: AlloyLattice, study: AlloyStudy, frames: str) -> AlloyTable:
    results = energies_from_frames(lattice, read_labelled(dataset_path(frames)), study.energies)
    return make_table(lattice, results, study.energies)


def _table_by_labels(
    lattice: AlloyLattice,
    study: AlloyStudy,
    orderings: list[Atoms],
    labels: LabelConfig,
    *,
    guide: Potential | None,
    cache: Path,
    progress: Progress,
) -> AlloyTable:
    results, frames = energies_by_labels(
        lattice, orderings, labels, study.energies, cache=cache, guide=guide, progress=progress
    )
    return replace(make_table(lattice, results, study.energies), labelled_frames=tuple(frames))


def _table_by_model(
    lattice: AlloyLattice,
    study: AlloyStudy,
    orderings: list[Atoms],
    potential: Potential,
    *,
    progress: Progress,
) -> AlloyTable:
    results = energies_by_model(lattice, orderings, potential, study.energies, progress=progress)
    return replace(make_table(lattice, results, study.energies), model=potential.spec)


def read_orderings(lattice: AlloyLattice, study: AlloyStudy, path: Path | None) -> list[Atoms]:
    """Read orderings, and add the end members that are missing.

    Parameters
    ----------
    lattice
        Lattice of the study.
    study
        The study.
    path
        File of orderings; all distinct ones up to `max_cells` if None.

    Returns
    -------
    Orderings, each with its name in `info`.

    Raises
    ------
    DataError
        If there is no such file.
    """
    if path is None:
        return enumerate_orderings(lattice, max_cells=study.max_cells)
    if not path.is_file():
        raise DataError(f"There is no file {path}.", fix="give --orderings an existing file")
    orderings = read_frames(path)
    for number, ordering in enumerate(orderings):
        ordering.info.setdefault(ORDERING, f"{lattice.name}-given-{number:03d}")
        ordering.info.setdefault("name", ordering.info[ORDERING])
    distinct = enumerate_orderings(lattice, max_cells=1)
    end_members = [ordering for ordering in distinct if is_end_member(lattice, ordering)]
    formulas = {
        ordering.get_chemical_formula() for ordering in orderings if len(ordering) == len(lattice.parent)
    }
    return [sheet for sheet in end_members if sheet.get_chemical_formula() not in formulas] + orderings


def alloy_fit(study: AlloyStudy, table_folder: Path, folder: Path) -> dict[str, Any]:
    """Fit a cluster expansion to a whole table; cross-validation selects cutoffs and regression method.

    Parameters
    ----------
    study
        The alloy.
    table_folder
        Result folder of `alloy_energies`.
    folder
        Result folder: `expansion.ce` (icet, eV per site), `interactions.csv`.

    Returns
    -------
    The content of `result.json`.
    """
    lattice, table = alloy_lattice(study.alloy), read_table(table_folder)
    check_table(lattice, table)
    settings = study.model_dump(mode="json", include={"alloy", "expansion"})
    inputs = {"table": hash_file(table_folder / "table.csv")} | parent_hash(study)
    if claim_folder(folder, settings, inputs):
        start = time.perf_counter()
        fit = fit_cluster_expansion(lattice, table, study.expansion)
        write_outcome(folder, fit, settings, inputs, start=start)
    return read_record(folder)
