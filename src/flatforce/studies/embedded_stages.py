"""Stages on a defect embedded in a large supercell: its spectra, the dilute limit, unfolding, line shapes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.errors import DataError
from flatforce.core.hashing import hash_file
from flatforce.core.results import Record, claim_folder, read_arrays, read_record, stage_key, write_record
from flatforce.data.frames import read_structure, write_frames
from flatforce.data.readers.keyed_xyz import FORCES
from flatforce.models import load
from flatforce.models.slab import pad_vacuum
from flatforce.studies.inputs import Reporter, input_hashes, unreported

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.phonons.config import (
        DefectPhononConfig,
        DiluteConfig,
        EmbedConfig,
        LineShapeConfig,
        UnfoldConfig,
    )
    from flatforce.properties.phonons.force_constants.pristine_host import Host
    from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants
    from flatforce.structures.defects import DefectCell


def embedded_defect(
    spec: str,
    structure: Path,
    defect: str,
    config: DefectPhononConfig,
    embedding: EmbedConfig,
    folder: Path,
    *,
    device: str = "auto",
    report: Reporter = unreported,
) -> dict[str, Any]:
    """Embed the relaxed defect of a smaller cell, and compute the spectra of the shells around it.

    Parameters
    ----------
    spec
        Force field.
    structure
        File of the relaxed primitive cell.
    defect
        Name of the defect.
    config
        Settings of the smaller cell, whose result stands in `folder`.
    embedding
        Settings.
    folder
        Parent of the result folders.
    device
        `cpu`, `cuda`, or `auto`.
    report
        Opens the progress display.

    Returns
    -------
    The content of `result.json`.
    """
    from flatforce.properties.phonons.defects.embedded_spectra import embedded_spectra
    from flatforce.properties.phonons.defects.supercell_phonons import set_masses
    from flatforce.properties.phonons.force_constants.embedding import embed
    from flatforce.structures.defects import build_defect

    small = folder / f"{config.supercell[0]}x{config.supercell[1]}"
    inside = folder / f"embedded_{embedding.size}x{embedding.size}"
    settings = embedding.model_dump(mode="json") | {
        "defect": defect,
        "shells": config.shells,
        "broadening": config.broadening,
        "masses": config.masses,
    }
    inputs = input_hashes(spec, structure) | {"relaxed": hash_file(small / "relaxed.extxyz")}
    potential = load(spec, device=device)
    if claim_folder(inside, settings, inputs):
        start = time.perf_counter()
        primitive = pad_vacuum(read_structure(structure), potential.cutoff)
        with report(inside.name) as progress:
            made = embed(
                potential,
                primitive,
                build_defect(primitive, config.supercell, defect),
                read_structure(small / "relaxed.extxyz"),
                embedding,
                scratch=inside / "forces" / stage_key(settings, inputs),
                progress=progress,
            )
            for cell in (made.cell.atoms, made.host.primitive):
                set_masses(cell, config.masses)
            found = embedded_spectra(
                made, radii=config.shells, broadening=config.broadening, progress=progress
            )
        made.force_constants.save(inside / "force_constants.hdf5")
        said = found.problems
        record = Record("embedded defect", settings, found.metrics, found.units, inputs, not said, said)
        write_frames(inside / "primitive.extxyz", [primitive])
        arrays = found.arrays() | made.host.arrays()
        write_record(inside, record.taking(time.perf_counter() - start), arrays)
    return read_record(inside)


def _embedding(folder: Path) -> tuple[SparseForceConstants, DefectCell, Host]:
    """Read back what an embedding has left."""
    from flatforce.properties.phonons.defects.supercell_phonons import set_masses
    from flatforce.properties.phonons.force_constants.pristine_host import Host
    from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants
    from flatforce.structures.defects import DefectCell, build_defect

    config = read_record(folder)["config"]
    primitive = set_masses(read_structure(folder / "primitive.extxyz"), config["masses"])
    constants = SparseForceConstants.load(folder / "force_constants.hdf5")
    made = build_defect(primitive, (config["size"], config["size"]), config["defect"])
    cell = DefectCell(constants.atoms, made.pristine, made.site_of, made.centre, made.name)
    return constants, cell, Host.from_arrays(primitive, read_arrays(folder))


def dilute(
    embedded: Path, config: DiluteConfig, folder: Path, *, report: Reporter = unreported
) -> dict[str, Any]:
    """Compute the spectra of an embedded defect in the infinite sheet.

    Parameters
    ----------
    embedded
        Result folder of the embedding; shells and broadening are taken from it.
    config
        Settings.
    folder
        Result folder.
    report
        Opens the progress display.

    Returns
    -------
    The content of `result.json`.
    """
    from flatforce.properties.phonons.defects.dilute_limit import dilute_limit

    source = _record(embedded)
    shared = {name: source["config"][name] for name in ("defect", "shells", "broadening")}
    settings = config.model_dump(mode="json") | shared
    inputs = {"embedded": source["key"]}
    if claim_folder(folder, settings, inputs):
        start = time.perf_counter()
        with report("dilute limit") as progress:
            found = dilute_limit(
                *_embedding(embedded),
                config,
                radii=shared["shells"],
                broadening=shared["broadening"],
                progress=progress,
            )
        said = found.problems
        record = Record("dilute limit", settings, found.metrics, found.units, inputs, not said, said)
        write_record(folder, record.taking(time.perf_counter() - start), found.arrays())
    return read_record(folder)


def unfold(
    embedded: Path, config: UnfoldConfig, folder: Path, *, report: Reporter = unreported
) -> dict[str, Any]:
    """Compute the spectral function of an embedded defect along the path of the primitive cell.

    Parameters
    ----------
    embedded
        Result folder of the embedding.
    config
        Settings.
    folder
        Result folder.
    report
        Opens the progress display.

    Returns
    -------
    The content of `result.json`.
    """
    from flatforce.properties.phonons.spectra.unfolding import unfold_bands

    source = _record(embedded)
    settings = config.model_dump(mode="json") | {"defect": source["config"]["defect"]}
    inputs = {"embedded": source["key"]}
    if claim_folder(folder, settings, inputs):
        start = time.perf_counter()
        with report("unfolding") as progress:
            found = unfold_bands(*_embedding(embedded), config, progress=progress)
        record = Record("unfolded bands", settings, found.metrics, found.units, inputs)
        write_record(folder, record.taking(time.perf_counter() - start), found.arrays())
    return read_record(folder)


def line_shape(embedded: Path, forces: Path, config: LineShapeConfig, folder: Path) -> dict[str, Any]:
    """Compute Huang–Rhys factors and the emission line shape of an embedded defect.

    Parameters
    ----------
    embedded
        Result folder of the embedding.
    forces
        File of the relaxed smaller cell with the forces of the excited state less those of the ground state, under
        any customary key.
    config
        Settings.
    folder
        Result folder.

    Returns
    -------
    The content of `result.json`.

    Raises
    ------
    DataError
        If the file holds no forces, or those of another cell.
    """
    from flatforce.properties.phonons.force_constants.sparse import SparseForceConstants
    from flatforce.properties.phonons.spectra.huang_rhys import distribute_forces, huang_rhys_factors
    from flatforce.properties.phonons.spectra.line_shape import emission_line_shape as shape_of

    settings = config.model_dump(mode="json")
    inputs = {"embedded": _record(embedded)["key"], "forces": hash_file(forces)}
    if claim_folder(folder, settings, inputs):
        start = time.perf_counter()
        small_atom = read_arrays(embedded)["small_atom"]
        push = _forces_of(read_structure(forces))
        if len(push) != small_atom.max() + 1:
            raise DataError(
                f"{forces} holds {len(push)} atoms, the embedded cell {small_atom.max() + 1}.",
                fix="give forces on the relaxed cell that was embedded, in its order",
            )
        if config.remove_mean:
            push = push - push.mean(axis=0)
        constants = SparseForceConstants.load(embedded / "force_constants.hdf5")
        factors = huang_rhys_factors(constants, distribute_forces(push, small_atom), steps=config.steps)
        energy = np.arange(-config.above, config.below, config.width / 10) / 1e3
        shape = shape_of(factors, energy, temperature=config.temperature, width=config.width / 1e3)
        quanta = np.arange(0.0, 1.1 * float(factors.energy.max()), config.width / 1e4)
        metrics = {
            "huang_rhys": factors.total,
            "relaxation_energy": 1e3 * factors.relaxation_energy,
            "omitted_relaxation_energy": 1e3 * factors.omitted_relaxation_energy,
            "debye_waller_factor": float(np.exp(-factors.total)),
        }
        units = {"huang_rhys": "1", "relaxation_energy": "meV", "omitted_relaxation_energy": "meV", "debye_waller_factor": "1"}
        arrays = {
            "energy": 1e3 * energy,
            "shape": shape / 1e3,
            "quanta": 1e3 * quanta,
            "spectral_function": factors.spectral_function(quanta, config.width / 2e3) / 1e3,
        }
        record = Record("line shape", settings, metrics, units, inputs)
        write_record(folder, record.taking(time.perf_counter() - start), arrays)
    return read_record(folder)


def _forces_of(atoms: Atoms) -> FloatArray:
    if atoms.calc is not None and "forces" in atoms.calc.results:
        return np.asarray(atoms.calc.results["forces"], dtype=float)
    for key in FORCES:
        if key in atoms.arrays:
            return np.asarray(atoms.arrays[key], dtype=float)
    raise DataError("The structure holds no forces.", fix="write them as `forces` or `REF_forces`")


def _record(embedded: Path) -> dict[str, Any]:
    return read_record(embedded, kind="embedded defect", made_by="defect phonons --embed")
