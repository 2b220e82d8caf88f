"""Local modes, resonances and extended modes of a chain whose defect is known in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from flatforce.core.arrays import FloatArray, IntArray
from flatforce.properties.phonons.spectra.defect_modes import Mode, list_defect_modes
from flatforce.properties.phonons.spectra.mode_classes import (
    MIN_ENHANCEMENT,
    MIN_PEAK_STATES,
    LdosPeak,
    classify_mode,
    count_classes,
    find_ldos_peaks,
)
from flatforce.properties.phonons.spectra.modes import ModeSet, gaussian_dos, site_weights

TOP = 5.0
"""THz, highest frequency of the pristine chain."""

BROADENING = 0.08

GRID = np.arange(-0.5, 9.0, BROADENING / 5)

BANDS = np.linspace(0.0, TOP, 1000)


@dataclass
class ChainSpectrum:
    """Modes of a chain around its first atom, and peaks of its local density of states there."""

    modes: list[Mode]
    peaks: list[LdosPeak]


def chain(
    n: int, *, mass_ratio: float = 1.0, side_frequency: float | None = None
) -> tuple[ModeSet, IntArray]:
    """Periodic chain, the same along all axes: one atom of another mass, or a side atom on a weak spring at it."""
    count = n if side_frequency is None else n + 1
    matrix = np.zeros((count, count))
    matrix[:n, :n] = (TOP / 2) ** 2 * (2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1))
    matrix[0, n - 1] = matrix[n - 1, 0] = -((TOP / 2) ** 2)
    if side_frequency is not None:
        spring = side_frequency**2
        matrix[n, n] = spring
        matrix[0, 0] += spring / 10  # the side atom has a tenth of the mass of the others
        matrix[0, n] = matrix[n, 0] = -spring / np.sqrt(10)
    scale = np.ones(count)
    scale[0] = mass_ratio**-0.5
    squares, vectors = np.linalg.eigh(np.kron(matrix * np.outer(scale, scale), np.eye(3)))
    frequencies = np.sign(squares) * np.sqrt(np.abs(squares))
    shells = np.ones(count, dtype=int)
    shells[[0, count - 1]] = 0
    return ModeSet(frequencies[None], vectors[None].astype(complex), np.ones(1)), shells


def shell_ldos(modes: ModeSet, shells: IntArray) -> FloatArray:
    """LDOS of an average site of the innermost shell."""
    weights = site_weights(modes)[:, :, shells == 0].sum(axis=2)
    ldos: FloatArray = gaussian_dos(modes.frequencies, weights, GRID, BROADENING) / (shells == 0).sum()
    return ldos


def spectrum(n: int, *, mass_ratio: float = 1.0, side_frequency: float | None = None) -> ChainSpectrum:
    """Classify the modes of a chain with a defect."""
    modes, shells = chain(n, mass_ratio=mass_ratio, side_frequency=side_frequency)
    pristine, pristine_shells = chain(n)
    peaks = find_ldos_peaks(
        GRID, shell_ldos(modes, shells), shell_ldos(pristine, pristine_shells), n_sites=2, bands=BANDS
    )
    return ChainSpectrum(list_defect_modes(modes, shells, n_shells=2, bands=BANDS, peaks=peaks), peaks)


@pytest.mark.parametrize("n", [60, 120])
def test_a_light_atom_has_a_local_mode_where_theory_puts_it(n: int) -> None:
    mass_ratio = 0.5
    result = spectrum(n, mass_ratio=mass_ratio)
    exact = TOP / np.sqrt(1 - (1 - mass_ratio) ** 2)
    assert exact > TOP + 0.5  # well outside the band
    local = [mode for mode in result.modes if mode.classification == "local"]
    assert [mode.frequency for mode in local] == pytest.approx([exact], rel=1e-6)
    assert [mode.degeneracy for mode in local] == [3]
    decay = (1 - (1 - mass_ratio)) / (1 + (1 - mass_ratio))  # amplitude from atom to atom
    masses = np.where(np.arange(-30, 31) == 0, mass_ratio, 1.0)
    weight = masses * decay ** (2 * np.abs(np.arange(-30, 31)))
    participation_number = weight.sum() ** 2 / (weight**2).sum()
    assert local[0].participation_number == pytest.approx(participation_number, rel=1e-3)
    peaks = [peak for peak in result.peaks if peak.classification == "local"]
    assert [peak.frequency for peak in peaks] == pytest.approx([exact], abs=0.01)
    assert count_classes(result.peaks)["n_local_modes"] == 1


@pytest.mark.parametrize("n", [60, 120, 180])
def test_an_atom_on_a_weak_spring_has_a_resonance_and_no_local_mode(n: int) -> None:
    result = spectrum(n, side_frequency=2.0)
    assert count_classes(result.peaks) == {"n_local_modes": 0.0, "n_resonances": 1.0}
    (peak,) = result.peaks
    assert peak.frequency == pytest.approx(2.0, abs=0.1)  # whatever the size of the cell
    assert peak.width > 2.35 * BROADENING  # wider than the broadening alone: it leaks into the band
    assert peak.states == pytest.approx(3.0, rel=0.25)
    classes = {mode.classification for mode in result.modes}
    assert classes == {"resonance", "extended"}
    assert max(result.modes, key=lambda mode: mode.enhancement).classification == "resonance"


def test_without_a_defect_nothing_is_local_or_resonant() -> None:
    modes, shells = chain(60)
    ldos = shell_ldos(modes, shells)
    assert ldos.max() > 0.3
    assert find_ldos_peaks(GRID, ldos, ldos, n_sites=2, bands=BANDS) == []
    round_off = ldos + 1e-16 * np.random.default_rng(0).random(len(ldos))  # warns of nothing either
    assert find_ldos_peaks(GRID, round_off, ldos, n_sites=2, bands=BANDS) == []
    listed = list_defect_modes(modes, shells, n_shells=2, bands=BANDS, peaks=[])
    assert listed
    assert {mode.classification for mode in listed} == {"extended"}


def test_growth_of_the_cell_leaves_a_local_mode_alone_and_spreads_the_others() -> None:
    small, large = (spectrum(n, mass_ratio=0.5).modes for n in (60, 120))
    numbers = {
        name: [
            float(np.mean([mode.participation_number for mode in modes if mode.classification == name]))
            for modes in (small, large)
        ]
        for name in ("local", "extended")
    }
    assert numbers["local"][1] == pytest.approx(numbers["local"][0], rel=1e-6)
    assert numbers["extended"][1] > 1.7 * numbers["extended"][0]


def test_the_three_classes_exclude_one_another() -> None:
    peak = LdosPeak(frequency=3.0, height=0.5, width=0.4, states=1.0, classification="resonance")
    enhanced = 2 * MIN_ENHANCEMENT

    def of(frequency: float, distance: float, enhancement: float) -> str:
        return classify_mode(frequency, distance=distance, enhancement=enhancement, peaks=[peak])

    assert of(7.0, 2.0, enhanced) == "local"
    assert (
        of(7.0, 2.0, 1.0) == "extended"
    )  # outside the bands, but spread over the cell: the whole band has moved
    assert of(3.1, 0.0, enhanced) == "resonance"
    assert of(3.1, 0.0, 1.0) == "extended"  # in a peak, but not near the defect
    assert of(4.0, 0.0, enhanced) == "extended"  # near the defect by chance, where the LDOS has no peak


def test_a_peak_holds_the_states_that_were_put_into_it() -> None:
    width = BROADENING * 2 * np.sqrt(2 * np.log(2))

    def bump(states: float) -> FloatArray:
        gaussian: FloatArray = np.exp(-0.5 * ((GRID - 3.0) / BROADENING) ** 2) / np.sqrt(2 * np.pi)
        return states / 4 * gaussian / BROADENING

    (peak,) = find_ldos_peaks(GRID, bump(1.5), np.zeros_like(GRID), n_sites=4, bands=BANDS)
    assert peak.states == pytest.approx(1.5, rel=0.02)
    assert peak.width == pytest.approx(width, rel=0.02)
    too_small = bump(0.9 * MIN_PEAK_STATES)
    assert find_ldos_peaks(GRID, too_small, np.zeros_like(GRID), n_sites=4, bands=BANDS) == []
    (alone,) = find_ldos_peaks(GRID, bump(1.5), np.zeros_like(GRID), n_sites=4, bands=np.empty(0))
    assert alone.classification == "local"
    assert find_ldos_peaks(GRID[:1], np.ones(1), np.zeros(1), n_sites=4, bands=BANDS) == []


def test_an_instability_is_no_local_mode() -> None:
    for frequency, expected in ((-2.0, "extended"), (20.0, "local")):
        assert classify_mode(frequency, distance=2.0, enhancement=5.0, peaks=[]) == expected
