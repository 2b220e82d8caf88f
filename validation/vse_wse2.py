"""V_Se in WSe2: how spectra converge with the cell, and the modes near the vacancy with error bars.

    flatforce relax mace:wse2-pbe wse2.extxyz -o relax
    flatforce defect phonons symmetrix:wse2-pbe relax/relaxed.extxyz v_Se:top -n 6 -n 9 -n 12 -n 18 \
        --embed 100 --dilute -o series
    flatforce defect phonons committee:A.model,B.model,C.model relax/relaxed.extxyz v_Se:top -n 6 \
        --committee --calibrate wse2-pbe -o committee
    python validation/vse_wse2.py series committee

Prints Markdown; `vse_wse2.md` holds what it gave.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.signal import find_peaks, peak_widths

from flatforce.core.results import read_arrays, read_record

BROADENING = 0.08
"""THz, of the spectra."""

PROMINENT = 0.05
"""Of the highest peak: lower ones are not listed."""

MATCH = 0.15
"""THz, between a mode of the series and of the committee."""


def main() -> None:
    series, committee = (Path(name) for name in sys.argv[1:3])
    sizes(series)
    resonances(series)
    modes(series, committee)


def sizes(series: Path) -> None:
    arrays = read_arrays(series / "finite_size")
    step = arrays["frequency"][1] - arrays["frequency"][0]
    print("| cell | atoms | ∫\\|g − g_dilute\\| / 3 | time |\n|---|---|---|---|")
    for name, count, dos in zip(arrays["names"], arrays["n_atoms"], arrays["ldos"], strict=True):
        away = np.abs(dos - arrays["ldos"][-1]).sum() * step / 3
        taken = read_record(series / str(name))["wall_time"]
        atoms = f"{count:.0f}" if np.isfinite(count) else "∞"
        print(f"| {name} | {atoms} | {100 * away:.2f} % | {taken:.0f} s |")
    record = read_record(series / "dilute")
    print(f"\n∫ΔDOS of the dilute limit: {record['metrics']['removed_states']:.4f} states.\n")


def resonances(series: Path) -> None:
    arrays = read_arrays(series / "dilute")
    frequency, (pristine, defect) = arrays["frequency"], arrays["shell_ldos"][:, 0]
    rise = defect - pristine
    step = frequency[1] - frequency[0]
    places, _ = find_peaks(rise, prominence=PROMINENT * rise.max())
    widths = peak_widths(rise, places, rel_height=0.5)[0] * step
    instrument = 2 * np.sqrt(2 * np.log(2)) * BROADENING
    print(
        "| peak of the dilute local DOS above the pristine (THz) | height (1/THz) | width less broadening (THz) |"
    )
    print("|---|---|---|")
    for place, width in zip(places, widths, strict=True):
        own = np.sqrt(max(0.0, width**2 - instrument**2))
        print(f"| {frequency[place]:.2f} | {rise[place]:.2f} | {own:.2f} |")
    print()


def modes(series: Path, committee: Path) -> None:
    found = read_record(series / "finite_size")["details"]["modes"]
    bars = read_record(committee / "committee")
    print(
        f"Error bars by {bars['metrics']['n_members']:.0f} models, calibration {bars['metrics']['calibration']:.2f}.\n"
    )
    print(
        "| THz | ± THz | irrep | atoms taking part, by size | growth with N | verdict |\n|---|---|---|---|---|---|"
    )
    for mode in found:
        interval = _interval(mode, bars["details"]["modes"])
        by_size = " → ".join("–" if one is None else f"{one:.0f}" for one in mode["participation_number"])
        growth = "–" if mode["growth"] is None else f"{mode['growth']:.2f}"
        print(
            f"| {mode['frequency']:.3f} | {interval} | {mode['irrep']} | {by_size} | {growth} | {mode['verdict']} |"
        )


def _interval(mode: dict[str, Any], bars: list[dict[str, Any]]) -> str:
    same = [
        one
        for one in bars
        if one["irrep"] == mode["irrep"]
        and abs(one["frequency"] - mode["frequency"]) < MATCH
        and one["interval"]
    ]
    if not same:
        return "–"
    nearest = min(same, key=lambda one: abs(one["frequency"] - mode["frequency"]))
    return f"{nearest['interval']:.3f}"


if __name__ == "__main__":
    main()
