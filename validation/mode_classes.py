"""Thresholds of the classification of modes (local, resonance, extended), measured on v_Se in WSe2.

    flatforce relax mace:wse2-pbe wse2.extxyz -o relax
    flatforce phonons mace:wse2-pbe relax/relaxed.extxyz -s 6 6 -o pristine
    flatforce defect phonons mace:wse2-pbe relax/relaxed.extxyz v_Se:top --sizes 4 6 -o series
    python validation/mode_classes.py pristine series

It prints Markdown; `mode_classes.md` holds the output. Three questions:

* How large are holes in the pristine bands on the mesh of `BAND_MESH` points, apart from the gap (`MIN_BAND_DISTANCE`)?
* How often does a mode of the pristine cell look concentrated around a site, when its degenerate sets are combined so that
  they are as concentrated as possible (`MIN_ENHANCEMENT`)?
* Which peaks of the LDOS does each supercell show, and which of them are those of the largest (`MIN_PEAK_STATES`)?
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from phonopy.harmonic.force_constants import compact_fc_to_full_fc

from flatforce.core.results import read_arrays, read_record
from flatforce.properties.phonons.force_constants.finite_displacements import make_phonopy, to_ase
from flatforce.properties.phonons.spectra import mode_classes
from flatforce.properties.phonons.spectra.mode_classes import (
    BAND_MESH,
    LdosPeak,
    find_ldos_peaks,
)
from flatforce.properties.phonons.spectra.modes import assign_shells
from flatforce.report.results.phonons import PhononResult

FRACTIONS = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Numbers of states that are compared as thresholds."""

RADII = (4.0, 7.0)
"""Å, radii of the shells."""

SAME_PEAK = 0.15
"""THz, largest distance of two peaks that count as the same one."""

TINY = 1e-6
"""Relative size of the perturbation that combines degenerate modes without moving them."""


def main() -> None:
    pristine, series = PhononResult(sys.argv[1]), Path(sys.argv[2])
    phonon = pristine.to_phonopy()
    bands = np.asarray(phonon.run_mesh((BAND_MESH, BAND_MESH, 1), is_gamma_center=True).frequencies)
    holes(bands)
    concentrations(pristine)
    for threshold in FRACTIONS:
        peaks(series, bands, threshold)


def holes(bands: np.ndarray) -> None:
    ordered = np.sort(bands.ravel())
    widths = np.sort(np.diff(ordered[ordered > 0.1]))[
        ::-1
    ]  # the mesh leaves a hole above the acoustic modes at Γ
    print("Largest distances between neighbouring frequencies of the pristine bands above 0.1 THz:")
    print(", ".join(f"{width:.3f}" for width in widths[:5]), "THz.\n")


def concentrations(pristine: PhononResult) -> None:
    """Enhancements of the modes of the pristine supercell, combined by a tiny perturbation of the shell."""
    phonon = pristine.to_phonopy()
    supercell = make_phonopy(to_ase(phonon.supercell), (1, 1))
    supercell.force_constants = compact_fc_to_full_fc(phonon.primitive, np.asarray(phonon.force_constants))
    atoms = to_ase(supercell.primitive)
    matrix = np.asarray(supercell.run_qpoints([[0, 0, 0]], with_dynamical_matrices=True).dynamical_matrices)[
        0
    ].real
    site = int(np.argmax(atoms.positions[:, 2]))
    shells = assign_shells(atoms.positions, atoms.positions[site], atoms.cell.array, list(RADII))
    near = np.repeat(shells == 0, 3)
    _, vectors = np.linalg.eigh(matrix + TINY * np.abs(matrix).max() * np.diag(near.astype(float)))
    weights = (vectors**2).reshape(len(atoms), 3, -1).sum(axis=1)
    enhancements = np.array(
        [weights[shells == shell].sum(axis=0) / (shells == shell).mean() for shell in range(len(RADII))]
    ).max(axis=0)
    print(
        "Enhancements of the modes of the pristine supercell: "
        + ", ".join(
            f"{percentile} % below {np.percentile(enhancements, percentile):.2f}"
            for percentile in (50, 90, 95, 99)
        )
        + f"; {100 * (enhancements >= mode_classes.MIN_ENHANCEMENT).mean():.0f} % reach {mode_classes.MIN_ENHANCEMENT:g}.\n"
    )


def peaks(series: Path, bands: np.ndarray, threshold: float) -> None:
    """Peaks of each supercell, compared with those of the last one: the dilute limit, or the largest cell."""
    mode_classes.MIN_PEAK_STATES = threshold  # type: ignore[misc]  # the threshold is what is varied
    found = {name: _peaks(series / name, bands) for name in _names(series)}
    reference = list(found.values())[-1]
    print(
        f"At least {threshold:g} states:\n\n| cell | peaks (THz, states) | not in the last | missed |\n|---|---|---|---|"
    )
    for name, of_cell in found.items():
        extra = sum(not _has(reference, peak) for peak in of_cell)
        missed = sum(not _has(of_cell, peak) for peak in reference)
        texts = ", ".join(f"{peak.frequency:.2f} ({peak.states:.2f})" for peak in of_cell)
        print(f"| {name} | {texts} | {extra} | {missed} |")
    print()


def _names(series: Path) -> list[str]:
    return [str(name) for name in read_arrays(series / "finite_size")["names"]]


def _peaks(folder: Path, bands: np.ndarray) -> list[LdosPeak]:
    arrays, kind = read_arrays(folder), read_record(folder)["kind"]
    if kind == "embedded defect":
        defect, pristine, n_sites = (
            arrays["shell_ldos"][0],
            arrays["pristine_shell_ldos"][0],
            arrays["shell_sites"][0],
        )
    elif kind == "dilute limit":
        defect, pristine = arrays["shell_ldos"][1, 0], arrays["shell_ldos"][0, 0]
        n_sites = next(
            read_arrays(other.parent)["shell_sites"][0]
            for other in sorted(folder.parent.glob("embedded*/result.json"))
        )
    else:
        pristine, defect = arrays["shell_ldos"][:, 0] / arrays["shell_sites"][:, :1]
        n_sites = arrays["shell_sites"][1, 0]
    return find_ldos_peaks(arrays["frequency"], defect, pristine, n_sites=int(n_sites), bands=bands)


def _has(peaks_: list[LdosPeak], peak: LdosPeak) -> bool:
    return any(abs(other.frequency - peak.frequency) < SAME_PEAK for other in peaks_)


if __name__ == "__main__":
    main()
