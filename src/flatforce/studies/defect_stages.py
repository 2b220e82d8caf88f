"""Stages of a defect: one supercell, and several compared."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.core.results import Record, claim_folder, read_arrays, read_record, stage_key, write_record
from flatforce.data.frames import read_structure, write_frames
from flatforce.models import load
from flatforce.models.slab import pad_vacuum
from flatforce.studies import embedded_stages
from flatforce.studies.inputs import Reporter, input_hashes, unreported

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flatforce.properties.phonons.config import DefectPhononConfig, DiluteConfig, EmbedConfig


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
    from flatforce.properties.phonons.defects.imaginary_modes import follow
    from flatforce.properties.phonons.defects.supercell_phonons import defect_phonons as run
    from flatforce.properties.phonons.spectra.modes import IMAGINARY

    settings = config.model_dump(mode="json") | {"defect": defect}
    inputs = input_hashes(spec, structure)
    potential = load(spec, device=device)
    atoms = read_structure(structure)
    potential.check([atoms])
    if claim_folder(folder, settings, inputs):
        start = time.perf_counter()
        sheet = pad_vacuum(atoms, potential.cutoff)
        with report(f"{defect} {folder.name}") as progress:
            found = run(
                potential,
                sheet,
                defect,
                config,
                scratch=folder / "forces" / stage_key(settings, inputs),
                progress=progress,
            )
            said = list(found.problems)
            lowest = int(found.gamma.frequencies[0].argmin())
            frequency = float(found.gamma.frequencies[0][lowest])
            if frequency < IMAGINARY:
                vector = found.gamma.vectors[0].real[:, lowest].reshape(-1, 3)
                followed = follow(
                    potential, found.relaxed, vector, frequency, config.relaxation, progress=progress
                )
                said.append(followed.text)
                write_frames(folder / "followed.extxyz", [followed.relaxed])
        details = {
            "modes": [mode.plain() for mode in found.modes],
            "point_group": found.point_group,
            "centre": found.cell.centre.tolist(),
            "engine": found.engine_report.engine,
            "row_check_difference": found.engine_report.difference,
        }
        write_frames(folder / "relaxed.extxyz", [found.relaxed])
        found.constants.save(folder / "force_constants.hdf5")
        record = Record(
            "defect phonons", settings, found.metrics, found.units, inputs, not said, said, details
        )
        write_record(folder, record.taking(time.perf_counter() - start), found.arrays())
    return read_record(folder)


def defect_sizes(
    spec: str,
    structure: Path,
    defect: str,
    configs: Sequence[DefectPhononConfig],
    folder: Path,
    *,
    embedding: EmbedConfig | None = None,
    dilution: DiluteConfig | None = None,
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
    dilution
        Of the limit of an infinite sheet, taken from the embedding; none if not given.
    device
        `cpu`, `cuda`, or `auto`.
    report
        Opens the progress display.

    Returns
    -------
    Name of each folder → content of its `result.json`; `finite_size` where there are two sizes or more.

    Raises
    ------
    GeometryError
        If the defect cannot be embedded: before anything is computed.
    """
    from flatforce.properties.phonons.defects.finite_size import SizeSpectrum, classify_modes, compare_sizes
    from flatforce.properties.phonons.force_constants.embedding import check_embeddable
    from flatforce.properties.phonons.spectra.localisation import Mode

    if embedding is not None:
        cells = max(config.supercell[0] * config.supercell[1] for config in configs)
        check_embeddable(load(spec, device=device), read_structure(structure), embedding, cells=cells)
    found: dict[str, dict[str, Any]] = {}
    spectra, listed = [], []
    for config in configs:
        name = f"{config.supercell[0]}x{config.supercell[1]}"
        inside = folder / name
        found[name] = defect_phonons(spec, structure, defect, config, inside, device=device, report=report)
        arrays = read_arrays(inside)
        modes = [Mode(**mode) for mode in found[name]["details"]["modes"]]
        listed.append((len(arrays["numbers"]), modes))
        spectra.append(
            SizeSpectrum(
                name,
                len(arrays["numbers"]),
                arrays["frequency"],
                arrays["shell_ldos"][1, 0] / arrays["shell_sites"][1, 0],
                np.array([mode.frequency for mode in modes if mode.gap_mode]),
            )
        )
    if embedding is not None:
        largest = max(configs, key=lambda config: config.supercell[0] * config.supercell[1])
        name = f"embedded_{embedding.size}x{embedding.size}"
        found[name] = embedded_stages.embedded_defect(
            spec, structure, defect, largest, embedding, folder, device=device, report=report
        )
        arrays = read_arrays(folder / name)
        count = int(found[name]["metrics"]["n_atoms"])
        spectra.append(SizeSpectrum(name, count, arrays["frequency"], arrays["shell_ldos"][0], np.empty(0)))
        if dilution is not None:
            found["dilute"] = embedded_stages.dilute(
                folder / name, dilution, folder / "dilute", report=report
            )
            arrays = read_arrays(folder / "dilute")
            spectra.append(
                SizeSpectrum("dilute", np.inf, arrays["frequency"], arrays["shell_ldos"][1, 0], np.empty(0))
            )
    if len(spectra) > 1:
        size = compare_sizes(spectra)
        inside = folder / "finite_size"
        inputs = {name: result["key"] for name, result in found.items()}
        followed = classify_modes(listed) if len(listed) > 1 else []
        details = {"modes": [asdict(one) for one in followed]}
        record = Record("finite size", {"defect": defect}, size.metrics, size.units, inputs, details=details)
        arrays = {
            "names": np.array(size.names),
            "n_atoms": np.array(size.n_atoms),
            "frequency": size.frequency,
            "ldos": size.ldos,
        }
        write_record(inside, record, arrays)
        found["finite_size"] = read_record(inside)
    return found
