"""Stages of a defect: one supercell, several, and one embedded in a much larger one."""

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
from flatforce.models.potential import padded
from flatforce.studies.inputs import Reporter, input_hashes, unreported

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.phonons.defect import DefectPhononConfig
    from flatforce.properties.phonons.embedding import EmbedConfig
    from flatforce.properties.phonons.vibronic import LineShapeConfig


def defect_phonons(
    spec: str,
    structure: Path,
    defect: str,
    config: DefectPhononConfig,
    folder: Path,
    *,
    device: str = "auto",
    report: Reporter = unreported,
) -> dict[str, Any]:
    """Compute the phonons of a defect in one supercell, beside the pristine one.

    Parameters
    ----------
    spec
        Force field.
    structure
        File of the relaxed primitive cell.
    defect
        Name of the defect, see `structures.defects.parse_defect`.
    config
        Settings.
    folder
        Result folder.
    device
        `cpu`, `cuda`, or `auto`.
    report
        Opens the progress display.

    Returns
    -------
    The content of `result.json`.
    """
    from flatforce.properties.phonons.defect import defect_phonons as run

    settings = config.model_dump(mode="json") | {"defect": defect}
    inputs = input_hashes(spec, structure)
    potential = load(spec, device=device)
    atoms = read_structure(structure)
    potential.check([atoms])
    if claim_folder(folder, settings, inputs):
        start = time.perf_counter()
        sheet = padded(atoms, potential.cutoff)
        with report(f"{defect} {folder.name}") as progress:
            found = run(
                potential,
                sheet,
                defect,
                config,
                scratch=folder / "forces" / stage_key(settings, inputs),
                progress=progress,
            )
        said = found.problems
        details = {
            "modes": [mode.plain() for mode in found.modes],
            "point_group": found.point_group,
            "centre": found.cell.centre.tolist(),
            "engine": found.filled.engine,
            "row_difference": found.filled.difference,
        }
        write_frames(folder / "relaxed.extxyz", [found.relaxed])
        record = Record(
            "defect phonons", settings, found.metrics, found.units, inputs, not said, said, details
        )
        write_record(folder, record.taking(time.perf_counter() - start), found.arrays())
    return read_record(folder)


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
    from flatforce.properties.phonons.embedded_spectra import embedded_spectra
    from flatforce.properties.phonons.embedding import embed
    from flatforce.structures.defects import build_defect

    small = folder / f"{config.supercell[0]}x{config.supercell[1]}"
    inside = folder / f"embedded_{embedding.size}x{embedding.size}"
    settings = embedding.model_dump(mode="json") | {
        "defect": defect,
        "shells": config.shells,
        "broadening": config.broadening,
    }
    inputs = input_hashes(spec, structure) | {"relaxed": hash_file(small / "relaxed.extxyz")}
    potential = load(spec, device=device)
    if claim_folder(inside, settings, inputs):
        start = time.perf_counter()
        primitive = padded(read_structure(structure), potential.cutoff)
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
            found = embedded_spectra(
                made, radii=config.shells, broadening=config.broadening, progress=progress
            )
        made.force_constants.save(inside / "force_constants.hdf5")
        record = Record("embedded defect", settings, found.metrics, found.units, inputs)
        write_record(inside, record.taking(time.perf_counter() - start), found.arrays())
    return read_record(inside)


def defect_sizes(
    spec: str,
    structure: Path,
    defect: str,
    configs: Sequence[DefectPhononConfig],
    folder: Path,
    *,
    embedding: EmbedConfig | None = None,
    device: str = "auto",
    report: Reporter = unreported,
) -> dict[str, dict[str, Any]]:
    """Compute a defect in supercells of several sizes, `NxM/` each, and compare them in `finite_size/`.

    Parameters
    ----------
    spec
        Force field.
    structure
        File of the relaxed primitive cell.
    defect
        Name of the defect.
    configs
        Settings, one a size.
    folder
        Parent of the result folders.
    embedding
        Of the largest relaxed cell into a larger one; none if not given.
    device
        `cpu`, `cuda`, or `auto`.
    report
        Opens the progress display.

    Returns
    -------
    Name of each folder → content of its `result.json`; `finite_size` where there are two sizes or more.
    """
    from flatforce.properties.phonons.finite_size import SizeSpectrum, finite_size

    found: dict[str, dict[str, Any]] = {}
    spectra = []
    for config in configs:
        name = f"{config.supercell[0]}x{config.supercell[1]}"
        inside = folder / name
        found[name] = defect_phonons(spec, structure, defect, config, inside, device=device, report=report)
        arrays = read_arrays(inside)
        modes = found[name]["details"]["modes"]
        spectra.append(
            SizeSpectrum(
                name,
                len(arrays["numbers"]),
                arrays["frequency"],
                arrays["shell_dos"][1, 0] / arrays["shell_sites"][1, 0],
                np.array([mode["frequency"] for mode in modes if mode["outside_bands"]]),
            )
        )
    if embedding is not None:
        largest = max(configs, key=lambda config: config.supercell[0] * config.supercell[1])
        name = f"embedded_{embedding.size}x{embedding.size}"
        found[name] = embedded_defect(
            spec, structure, defect, largest, embedding, folder, device=device, report=report
        )
        arrays = read_arrays(folder / name)
        count = int(found[name]["metrics"]["n_atoms"])
        spectra.append(SizeSpectrum(name, count, arrays["frequency"], arrays["shell_dos"][0], np.empty(0)))
    if len(spectra) > 1:
        size = finite_size(spectra)
        inside = folder / "finite_size"
        inputs = {name: result["key"] for name, result in found.items()}
        record = Record("finite size", {"defect": defect}, size.metrics, size.units, inputs)
        arrays = {
            "names": np.array(size.names),
            "n_atoms": np.array(size.n_atoms),
            "frequency": size.frequency,
            "near_dos": size.near_dos,
        }
        write_record(inside, record, arrays)
        found["finite_size"] = read_record(inside)
    return found


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
    from flatforce.properties.phonons.sparse import SparseForceConstants
    from flatforce.properties.phonons.vibronic import forces_on_large_cell, huang_rhys
    from flatforce.properties.phonons.vibronic import line_shape as shape_of

    settings = config.model_dump(mode="json")
    inputs = {"embedded": read_record(embedded)["key"], "forces": hash_file(forces)}
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
        factors = huang_rhys(constants, forces_on_large_cell(push, small_atom), steps=config.steps)
        energy = np.arange(-config.above, config.below, config.width / 10) / 1e3
        shape = shape_of(factors, energy, temperature=config.temperature, width=config.width / 1e3)
        quanta = np.arange(0.0, 1.1 * float(factors.energy.max()), config.width / 1e4)
        metrics = {
            "huang_rhys": factors.total,
            "relaxation_energy": 1e3 * factors.relaxation_energy,
            "left_out": 1e3 * factors.left_out,
            "zero_phonon_weight": float(np.exp(-factors.total)),
        }
        units = {"huang_rhys": "1", "relaxation_energy": "meV", "left_out": "meV", "zero_phonon_weight": "1"}
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
