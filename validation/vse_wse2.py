"""v_Se in WSe2: convergence of spectra with the supercell, and the modes near the vacancy with their uncertainty.

    flatforce relax mace:wse2-pbe wse2.extxyz -o relax
    flatforce defect phonons symmetrix:wse2-pbe relax/relaxed.extxyz v_Se:top --sizes 6 9 12 18 \
        --embed 100 --dilute -o series
    flatforce defect phonons committee:A.model,B.model,C.model relax/relaxed.extxyz v_Se:top -s 6 6 \
        --committee --calibrate wse2-pbe -o committee
    python validation/vse_wse2.py series committee

It prints Markdown; `vse_wse2.md` holds the output.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.signal import find_peaks, peak_widths

from flatforce.core.results import read_arrays, read_record

BROADENING = 0.08
"""THz, standard deviation of the Gaussian in the spectra."""

MIN_PROMINENCE = 0.05
"""Smallest prominence of a listed peak, relative to the highest one."""

FREQUENCY_TOLERANCE = 0.15
"""THz, largest distance between a mode of the series and the same mode of the committee."""


def main() -> None:
    series, committee = (Path(name) for name in sys.argv[1:3])
    sizes(series)
    resonances(series)
    modes(series, committee)


def sizes(series: Path) -> None:
    arrays = read_arrays(series / "finite_size")
    step = arrays["frequency"][1] - arrays["frequency"][0]
    print("| cell | atoms | ∫\\|g − g_dilute\\| / 3 | time |\n|---|---|---|---|")
    for name, count, ldos in zip(arrays["names"], arrays["n_atoms"], arrays["ldos"], strict=True):
        difference = np.abs(ldos - arrays["ldos"][-1]).sum() * step / 3
        seconds = read_record(series / str(name))["wall_time"]
        atoms = f"{count:.0f}" if np.isfinite(count) else "∞"
        print(f"| {name} | {atoms} | {100 * difference:.2f} % | {seconds:.0f} s |")
    record = read_record(series / "dilute")
    print(f"\n∫ΔDOS of the dilute limit: {record['metrics']['removed_states']:.4f} states.\n")


def resonances(series: Path) -> None:
    arrays = read_arrays(series / "dilute")
    frequency, (pristine, defect) = arrays["frequency"], arrays["shell_ldos"][:, 0]
    rise = defect - pristine
    step = frequency[1] - frequency[0]
    peaks, _ = find_peaks(rise, prominence=MIN_PROMINENCE * rise.max())
    widths = peak_widths(rise, peaks, rel_height=0.5)[0] * step
    instrument = 2 * np.sqrt(2 * np.log(2)) * BROADENING
    print(
        "| peak of the dilute local DOS above the pristine (THz) | height (1/THz) | width without broadening (THz) |"
    )
    print("|---|---|---|")
    for peak, width in zip(peaks, widths, strict=True):
        intrinsic = np.sqrt(max(0.0, width**2 - instrument**2))
        print(f"| {frequency[peak]:.2f} | {rise[peak]:.2f} | {intrinsic:.2f} |")
    print()


def modes(series: Path, committee: Path) -> None:
    trends = read_record(series / "finite_size")["details"]["modes"]
    uncertainties = read_record(committee / "committee")
    print(
        f"Uncertainty from {uncertainties['metrics']['n_members']:.0f} models, "
        f"calibration factor {uncertainties['metrics']['calibration_factor']:.2f}.\n"
    )
    print(
        "| THz | ± THz | irrep | participation number, by size | growth with N | classification |\n|---|---|---|---|---|---|"
    )
    for mode in trends:
        uncertainty = _uncertainty(mode, uncertainties["details"]["modes"])
        by_size = " → ".join(
            "–" if number is None else f"{number:.0f}" for number in mode["participation_number"]
        )
        growth = "–" if mode["growth"] is None else f"{mode['growth']:.2f}"
        print(
            f"| {mode['frequency']:.3f} | {uncertainty} | {mode['irrep']} | {by_size} | {growth} | {mode['classification']} |"
        )


def _uncertainty(mode: dict[str, Any], committee_modes: list[dict[str, Any]]) -> str:
    same = [
        other
        for other in committee_modes
        if other["irrep"] == mode["irrep"]
        and abs(other["frequency"] - mode["frequency"]) < FREQUENCY_TOLERANCE
        and other["uncertainty"]
    ]
    if not same:
        return "–"
    nearest = min(same, key=lambda other: abs(other["frequency"] - mode["frequency"]))
    return f"{nearest['uncertainty']:.3f}"


if __name__ == "__main__":
    main()
