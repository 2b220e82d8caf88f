"""The comparison of models of an alloy's formation energies, as a stage."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.io import read

from flatforce.core.errors import ConfigError, DataError
from flatforce.core.files import write_arrays, write_text
from flatforce.core.hashing import hash_file, hash_value
from flatforce.core.results import Record, claim_folder, read_record, write_record
from flatforce.data.bundled import dataset_path
from flatforce.data.frames import read_labelled, write_frames
from flatforce.models import load
from flatforce.models.isolated.roost import roost_python
from flatforce.properties.alloys.cluster_expansion import make_designs
from flatforce.properties.alloys.compare import Contestant, compare_models, plain
from flatforce.properties.alloys.energies import energies_by_model
from flatforce.properties.alloys.learners import EnergyNetwork, FineTuned
from flatforce.properties.alloys.mapping import exchange_groups
from flatforce.properties.alloys.predictors import (
    RELAXED_BY_DFT,
    CompositionOracle,
    DeltaExpansion,
    ForceField,
    NestedExpansion,
    RedlichKister,
    Zero,
    in_sample,
)
from flatforce.properties.alloys.roost import RoostPredictor
from flatforce.properties.alloys.scores import SCORE_UNITS
from flatforce.properties.alloys.splits import make_splits
from flatforce.properties.alloys.table import on_lattice, subset
from flatforce.structures.alloys import ORDERING, alloy_lattice
from flatforce.studies.alloy.files import AlloyStudy, check_table, parent_hash, read_table, write_rows
from flatforce.studies.inputs import Reporter, input_hashes, unreported

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential
    from flatforce.properties.alloys.cluster_expansion import Design
    from flatforce.properties.alloys.compare import Judged
    from flatforce.properties.alloys.predictors import Predictor
    from flatforce.properties.alloys.table import AlloyTable
    from flatforce.structures.alloys import AlloyLattice

SHOWN = tuple(SCORE_UNITS)
"""Scores of the table."""

INPUTS = {"ideal": "ideal lattice", "self": "relaxed by itself", "dft": RELAXED_BY_DFT}
"""What a force field may be given; the last one knows more than any new ordering offers, and is marked so."""


def alloy_compare(
    study: AlloyStudy,
    table_folder: Path,
    folder: Path,
    *,
    frames: str | None = None,
    device: str = "auto",
    report: Reporter = unreported,
) -> dict[str, Any]:
    """Compare models of formation energies on one table.

    Parameters
    ----------
    study
        The alloy, the splits and the models.
    table_folder
        Of `alloy_energies`: the truth.
    folder
        Result folder: `splits.json`, `scores.csv`, `predictions.csv`, trainings.
    frames
        Labelled frames behind the table, for force fields that are trained further.
    device
        `cpu`, `cuda`, or `auto`.
    report
        Opens the progress display.

    Returns
    -------
    The content of `result.json`.
    """
    lattice, table = alloy_lattice(study.alloy), read_table(table_folder)
    check_table(lattice, table)
    settings = study.model_dump(mode="json", include={"alloy", "energies", "expansion", "splits", "compare"})
    inputs = {"table": hash_file(table_folder / "table.csv")} | parent_hash(study)
    for label, spec in study.compare.force_fields.items():
        inputs |= {f"{label}: {name}": value for name, value in input_hashes(spec).items()}
    for label, further in study.compare.further.items():
        inputs |= {f"{label}: {name}": value for name, value in input_hashes(further.start_from).items()}
    if frames is not None:
        inputs["frames"] = hash_file(dataset_path(frames))
    if not claim_folder(folder, settings, inputs):
        return read_record(folder)
    start = time.perf_counter()
    groups = exchange_groups(lattice, table.orderings)
    splits = make_splits(table, study.splits, groups=groups)
    names = [row.name for row in table.rows]
    write_text(folder / "splits.json", json.dumps([one.plain(names) for one in splits], indent=1))
    with report("force fields") as progress:
        energies: dict[str, dict[str, FloatArray]] = {}
        relaxed: dict[str, Sequence[Atoms]] = {}
        for number, (label, spec) in enumerate(study.compare.force_fields.items()):
            key = hash_value([input_hashes(spec), inputs["table"], study.energies.model_dump(mode="json")])
            energies[label] = _energies(lattice, table, study, spec, folder / "energies" / key, device)
            relaxed[label] = read(folder / "energies" / key / "relaxed.extxyz", ":")
            progress(number + 1, len(study.compare.force_fields), label)
    with report("compare") as progress:
        designs = make_designs(lattice, table.orderings, study.expansion)
        contestants = _contestants(lattice, table, study, designs, energies, relaxed, folder, frames)
        judged = compare_models(
            table, contestants, splits, groups=groups, seed=study.splits.seed, progress=progress
        )
    record = _record(table, study, designs, judged, contestants, settings, inputs)
    _write_tables(folder, table, judged)
    arrays = {
        "shares": table.shares,
        "truth": table.formation,
        "predictions": np.array([one.predictions for one in judged]),
        "errors": np.array([one.errors for one in judged]),
    }
    write_record(folder, record.taking(time.perf_counter() - start), arrays)
    return read_record(folder)


def _energies(
    lattice: AlloyLattice, table: AlloyTable, study: AlloyStudy, spec: str, folder: Path, device: str
) -> dict[str, FloatArray]:
    """Compute formation energies by a force field for each kind of input; they are kept on disk."""
    path = folder / "energies.npz"
    if not path.is_file():
        potential = load(spec, device=device)
        solved = energies_by_model(lattice, table.orderings, potential, study.energies)
        write_frames(folder / "relaxed.extxyz", [_bare(one.relaxed) for one in solved])
        found = {
            "ideal": _formation(table, _plain_energies(potential, table.orderings)),
            "self": _formation(table, on_lattice(lattice, solved, max_distance=study.energies.max_distance)),
            "dft": _formation(table, _plain_energies(potential, table.relaxed)),
        }
        write_arrays(path, found)
    with np.load(path) as stored:
        return {kind: np.asarray(stored[kind]) for kind in INPUTS}


def _plain_energies(potential: Potential, sheets: Sequence[Atoms]) -> FloatArray:
    return np.array([one.energy for one in potential.evaluate(list(sheets), stress=False)])


def _bare(sheet: Atoms) -> Atoms:
    return Atoms(sheet.symbols, positions=sheet.positions, cell=sheet.cell, pbc=True)


def _formation(table: AlloyTable, energies: FloatArray) -> FloatArray:
    per_site = np.array([e / row.n_sites for e, row in zip(energies, table.rows, strict=True)])
    pure = np.zeros(len(table.species))
    for energy, row in zip(per_site, table.rows, strict=True):
        if row.end_member:
            pure[int(np.argmax(row.shares))] = energy
    return np.asarray(1e3 * (per_site - table.shares @ pure))


def _contestants(
    lattice: AlloyLattice,
    table: AlloyTable,
    study: AlloyStudy,
    designs: Sequence[Design],
    energies: dict[str, dict[str, FloatArray]],
    relaxed: dict[str, Sequence[Atoms]],
    folder: Path,
    frames: str | None,
) -> list[Contestant]:
    cheap: list[Predictor] = [
        Zero(),
        *(RedlichKister(table.shares, terms) for terms in study.compare.terms),
        CompositionOracle(table.shares, table.formation),
        NestedExpansion(designs, study.expansion),
    ]
    for label, kinds in energies.items():
        for kind, sees in INPUTS.items():
            cheap += [
                ForceField(f"{label} ({kind})", kinds[kind], sees, calibrated=calibrated)
                for calibrated in (False, True)
            ]
        cheap.append(DeltaExpansion(label, kinds["self"], designs, study.expansion))
    found = [Contestant(one) for one in cheap]
    python = roost_python()
    if study.compare.roost is not None and python is not None:
        found.append(Contestant(RoostPredictor(table.orderings, python, study.compare.roost), costly=True))
    by_name = _frames_of(table, frames) if study.compare.further else {}
    for label, further in study.compare.further.items():
        tuned = FineTuned(lattice, table, by_name, further, study.energies, folder / "trained" / label, label)
        found.append(Contestant(tuned, costly=True, extra_labels=further.start_from))
    if study.compare.network is not None:
        inputs: dict[str, Sequence[Atoms]] = {INPUTS["dft"]: table.relaxed}
        inputs |= {f"relaxed by {label}": sheets for label, sheets in relaxed.items()}
        for sees, sheets in inputs.items():
            network = EnergyNetwork(
                table,
                sheets,
                study.compare.network,
                folder / "trained" / "network",
                sees,
                f"energies, {sees}",
            )
            found.append(Contestant(network, costly=True))
    return found


def _frames_of(table: AlloyTable, frames: str | None) -> dict[str, list[Atoms]]:
    if frames is None:
        raise ConfigError(
            "A force field that is trained further needs frames.", fix="give --frames, those behind the table"
        )
    found: dict[str, list[Atoms]] = {}
    for frame in read_labelled(dataset_path(frames)):
        frame.info["material"] = frame.info.get(ORDERING, frame.info.get("material"))
        found.setdefault(str(frame.info["material"]), []).append(frame)
    missing = [row.name for row in table.rows if row.name not in found]
    if missing:
        raise DataError(
            f"There are no frames of {', '.join(missing[:3])}{' …' if len(missing) > 3 else ''}.",
            fix="give the frames that the table was made from",
        )
    return found


def _record(
    table: AlloyTable,
    study: AlloyStudy,
    designs: Sequence[Design],
    judged: Sequence[Judged],
    contestants: Sequence[Contestant],
    settings: dict[str, Any],
    inputs: dict[str, str],
) -> Record:
    inside = subset(table, table.mixed)
    try:
        fitted, method = in_sample(table, designs, study.expansion)
        error = np.abs(fitted[table.mixed] - inside.formation)
        own = {"mae": float(error.mean()), "rmse": float(np.sqrt((error**2).mean())), "method": method}
    except DataError as few:
        own = {"mae": None, "rmse": None, "method": few.what}
    metrics = {f"{one.name}: mae": one.scores.get("folds", {}).get("mae", np.nan) for one in judged}
    details = {
        "system": table.system,
        "species": list(table.species),
        "n_orderings": len(table.mixed),
        "models": {
            one.name: plain(one)
            | {
                "chosen": _counted(getattr(contestant.predictor, "chosen", [])),
                "learnt": contestant.extra_labels,
            }
            for one, contestant in zip(judged, contestants, strict=True)
        },
        "in_sample": own,
    }
    said = [f"{one.name}: {text}" for one in judged for text in one.failures[:1]]
    return Record(
        "alloy comparison",
        settings,
        metrics,
        dict.fromkeys(metrics, "meV/site"),
        inputs,
        warnings=said,
        details=details,
        seed=study.splits.seed,
    )


def _counted(chosen: Sequence[str]) -> dict[str, int]:
    return {text: chosen.count(text) for text in dict.fromkeys(chosen)}


def _write_tables(folder: Path, table: AlloyTable, judged: Sequence[Judged]) -> None:
    rows = []
    for one in judged:
        for kind, found in one.scores.items():
            low, high = one.interval if kind == "folds" else (np.nan, np.nan)
            rows.append(
                {"model": one.name, "sees": one.sees, "split": kind}
                | found
                | {"mae_low": low, "mae_high": high, "p_value": one.p_value, "cpu_seconds": one.seconds}
                | {"labels": one.labels, "labels_an_answer": one.labels_an_answer}
            )
    columns = ["model", "sees", "split", *SHOWN, "mae_low", "mae_high", "p_value", "cpu_seconds"]
    columns += ["labels", "labels_an_answer"]
    write_rows(folder / "scores.csv", columns, rows)
    each = [
        {"name": row.name, "x": row.x, "truth": row.formation}
        | {one.name: one.predictions[k] for one in judged}
        for k, row in enumerate(table.rows)
        if not row.end_member
    ]
    write_rows(folder / "predictions.csv", ["name", "x", "truth", *(one.name for one in judged)], each)
