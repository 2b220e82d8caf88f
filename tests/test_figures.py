"""Figures: every computed point is drawn, every curve is named, scales agree, text is legible on every screen."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from flatforce.core.arrays import FloatArray
from flatforce.core.units import THZ_IN_INVERSE_CM
from flatforce.report.figures import (
    alloy,
    alloy_models,
    benchmark,
    data,
    defect,
    defect_bands,
    embedded,
    model,
    phonons,
    series,
)
from flatforce.report.figures.figure import (
    COLOUR_NAMES,
    COLOURS,
    Figure,
    Panel,
    Series,
    colour_key,
    element_colours,
)
from flatforce.report.interactive import to_html, to_plotly
from flatforce.report.layout import NARROW, WIDE
from flatforce.report.static import draw
from flatforce.report.tiles import contrast_ratio, tile_colours

MIN_CONTRAST = 4.5
"""WCAG 2.2, level AA, for text."""

GRID = np.linspace(0.0, 9.5, 400)

PATH = {
    "ticks": np.array([0.0, 0.17, 0.27, 0.47]),
    "labels": np.array(["Γ", "M", "K", "Γ"]),
    "distance": np.linspace(0.0, 0.47, 153),
}


def positive(rng: np.random.Generator, *shape: int) -> FloatArray:
    spectra: FloatArray = rng.random((*shape, len(GRID)))
    return spectra


def pristine_arrays(rng: np.random.Generator) -> dict[str, Any]:
    return PATH | {
        "bands": np.sort(9 * rng.random((153, 9)), axis=1),
        "frequency": GRID,
        "dos": positive(rng),
        "pdos": positive(rng, 3, 3),
        "symbols": np.array(["W", "Se", "Se"]),
        "thermal": rng.random((11, 4)),
    }


def defect_arrays(rng: np.random.Generator) -> dict[str, Any]:
    return PATH | {
        "bands": np.sort(9 * rng.random((153, 60)), axis=1),
        "pristine_bands": np.sort(9 * rng.random((153, 63)), axis=1),
        "shell_projection": rng.random((153, 60)),
        "frequency": GRID,
        "dos": positive(rng, 2),
        "shell_ldos": positive(rng, 2, 3),
        "shell_sites": np.array([[5, 8, 8], [4, 8, 8]]),
        "site_difference": positive(rng) - 0.5,
        "numbers": np.full(20, 34),
        "temperature": np.linspace(0, 1000, 11),
        "free_energy": rng.random((2, 11)),
        "mean_square_displacement": rng.random((2, 2, 3, 11)),
        "dos_W": positive(rng, 2),
        "dos_Se": positive(rng, 2),
    }


def series_figures(rng: np.random.Generator) -> list[Figure]:
    large = {
        "frequency": GRID,
        "shell_ldos": positive(rng, 2),
        "pristine_shell_ldos": positive(rng, 2),
        "dos_W": positive(rng, 2),
        "dos_Se": positive(rng, 2),
        "row_distance": np.arange(20.0),
        "row_change": rng.random(20),
    }
    dilute = {"frequency": GRID, "shell_ldos": positive(rng, 2, 2), "difference": positive(rng) - 0.5}
    sizes = {
        "names": np.array(["4x4", "6x6", "embedded_20x20", "dilute"]),
        "frequency": GRID,
        "ldos": positive(rng, 4),
    }
    strains = {
        "strain": np.array([-0.01, 0.0, 0.01]),
        "frequency": GRID,
        "ldos": positive(rng, 3),
        "mode_frequencies": 9 * rng.random((3, 4)),
    }
    committee = {
        "frequency": GRID,
        "member_ldos": positive(rng, 3),
        "ldos": positive(rng, 2, 2),
        "bands": rng.random((2, 10, 60)),
    }
    unfolded = PATH | {
        "bands": np.sort(9 * rng.random((153, 9)), axis=1),
        "frequency": GRID,
        "weight": 1 + positive(rng, 153),
    }
    classes = ("local", "resonance", "extended", "extended")
    return [
        embedded.embedding(large, [4.0, 7.0]),
        embedded.dilute(dilute, [4.0, 7.0]),
        embedded.unfolded_bands(unfolded),
        series.sizes(sizes),
        series.strain(strains, [{"classification": name} for name in classes]),
        series.committee(committee),
    ]


def model_figures(rng: np.random.Generator) -> list[Figure]:
    labels = {"energy": rng.random(20), "forces": rng.random((60, 3)), "stress": rng.random((20, 3))}
    predictions = {
        key: np.stack([value, value + 0.01 * rng.random(value.shape)]) for key, value in labels.items()
    }
    groups = {
        "frame_group": np.array(["pristine", "v_Se"] * 10),
        "atom_group": np.array(["pristine", "v_Se"] * 30),
        "stress_group": np.array(["pristine", "v_Se"] * 10),
    }
    metrics = {
        f"{name}_{key}": 0.9 for name in ("energy", "force", "stress", "area") for key in ("mae", "r2")
    }
    units = dict.fromkeys(metrics, "unit")
    relaxed = {"predicted": rng.random((12, 2)), "dft": rng.random((12, 2))}
    elements = {"W": {"energy_mae": 3.0, "area_mae": 0.2}, "Se": {"energy_mae": 0.5, "area_mae": 0.1}}
    energies = {"formation_energies": rng.random(12), "predictions": rng.random((2, 12))}
    scores = {
        name: {"scores": {"folds": {"mae": mae}}, "mae_interval": [0.5 * mae, 2 * mae], "learning_curve": {"5": [mae], "9": [mae / 2]}}
        for name, mae in (("ridge", 2.0), ("forest", 3.0))
    }  # fmt: skip
    orbits = {
        "orbit_order": np.array([1.0, 2, 2, 3]),
        "orbit_radius": rng.random(4),
        "orbit_interaction": rng.random(4),
    }
    return [
        model.parity(predictions | groups, metrics, units),
        model.error_histograms(predictions | groups),
        *benchmark.relaxations(relaxed, metrics, elements),
        *alloy.expansion(orbits | {"formation_energies": rng.random(8), "predictions": rng.random(8)}, {"cv_rmse": 1.0}),
        *alloy_models.model_comparison(energies, scores),
    ]  # fmt: skip


def table_of_elements() -> Figure:
    """Values over the whole scale, the middle of it included."""
    values = {
        "H": 0.0,
        "C": 10.0,
        "N": 20.0,
        "O": 30.0,
        "S": 45.0,
        "Se": 55.0,
        "Mo": 60.0,
        "W": 75.0,
        "Te": 100.0,
    }
    return data.periodic_table(
        values, name="elements", caption="Frames that hold each element.", label="frames"
    )


def all_figures() -> dict[str, Figure]:
    rng = np.random.default_rng(3)
    pristine, vacancy = pristine_arrays(rng), defect_arrays(rng)
    figures = [
        phonons.bands_and_dos(pristine),
        phonons.pdos(pristine),
        phonons.thermal(pristine),
        defect_bands.coloured_bands(vacancy),
        defect_bands.compared_bands(vacancy),
        defect.difference(vacancy),
        defect.radial(vacancy, [4.0, 7.0]),
        defect.thermal(vacancy, [4.0, 7.0]),
        *series_figures(rng),
        *model_figures(rng),
        table_of_elements(),
    ]
    return {figure.name: figure for figure in figures}


FIGURES = all_figures()

every_figure = pytest.mark.parametrize("name", list(FIGURES))


def plain(figure: Figure, *, phone: bool = False) -> dict[str, Any]:
    """What plotly gets in the page."""
    drawing: dict[str, Any] = json.loads(to_plotly(figure, NARROW if phone else WIDE).to_json())
    return drawing


@every_figure
def test_every_computed_point_is_drawn(name: str) -> None:
    figure = FIGURES[name]
    traces = [trace for trace in to_plotly(figure).data if trace.x is not None and trace.x[0] is not None]
    curves = [curve for panel in figure.panels for curve in panel.series]
    assert len(traces) == len(curves) > 0
    for trace, curve in zip(traces, curves, strict=True):
        np.testing.assert_array_equal(trace.x, curve.x)
        np.testing.assert_array_equal(trace.y, curve.y)
        if "lines" in trace.mode:
            assert trace.line.simplify is False  # the page draws bends where plotly leaves points out
            assert not trace.connectgaps


def test_bands_in_the_page_are_those_that_were_computed() -> None:
    arrays = pristine_arrays(np.random.default_rng(0))
    (trace, *_) = to_plotly(phonons.bands_and_dos(arrays)).data
    assert np.isfinite(trace.y).sum() == arrays["bands"].size
    compared = to_plotly(defect_bands.compared_bands(defect_arrays(np.random.default_rng(0)))).data
    by_name = {trace.name: np.isfinite(trace.y).sum() for trace in compared[:2]}
    assert by_name == {"pristine": 153 * 63, "defect": 153 * 60}
    assert compared[0].xaxis == compared[1].xaxis == "x"  # in one panel, on one axis
    assert compared[0].yaxis == compared[1].yaxis == "y"


@every_figure
def test_every_curve_has_an_entry_in_the_legend(name: str) -> None:
    figure = FIGURES[name]
    looks: dict[str, set[str]] = {}
    for panel in figure.panels:
        shown = [curve for curve in panel.series if not curve.guide]
        for curve in shown:
            labelled = curve.name or curve.value_name or len(shown) == 1
            assert labelled, f"{panel.y_label}: a curve without a name"
            if curve.name:
                looks.setdefault(curve.name, set()).add(f"{curve.colour} {curve.dashed}")
    assert all(len(look) == 1 for look in looks.values()), looks
    if len(looks) <= len(COLOURS):
        assert len(set.union(set(), *looks.values())) == len(looks)  # and each name its own look
    in_page = [trace["name"] for trace in plain(figure)["data"] if trace.get("showlegend")]
    assert sorted(in_page) == sorted(looks)
    printed = {text.get_text() for legend in draw(figure).legends for text in legend.get_texts()}
    assert printed == set(looks)


@every_figure
def test_a_phone_shows_the_panels_one_above_the_other(name: str) -> None:
    figure = FIGURES[name]
    layout = plain(figure, phone=True)["layout"]
    numbers = ["" if k == 0 else str(k + 1) for k in range(len(figure.panels))]
    domains = [layout[f"yaxis{number}"]["domain"] for number in numbers]
    assert all(layout[f"xaxis{number}"]["domain"] == [0.0, 1.0] for number in numbers)
    assert all(upper[0] > lower[1] for upper, lower in itertools.pairwise(domains))
    plot_height = layout["height"] - layout["margin"]["t"] - layout["margin"]["b"]
    assert min(high - low for low, high in domains) * plot_height > 150
    assert layout["font"]["size"] >= 12
    n_rows = sum(bool(trace.get("showlegend")) for trace in plain(figure)["data"]) / 3
    assert layout["margin"]["t"] >= 18 * n_rows  # the legend has a place of its own


def test_both_screens_have_the_same_traces() -> None:
    for figure in FIGURES.values():
        assert plain(figure)["data"] == plain(figure, phone=True)["data"]
    html = to_html(FIGURES["pristine-bands"])
    assert "matchMedia" in html
    assert html.count("Plotly.react") == 1


FREQUENCY_FIGURES = [
    name
    for name, figure in FIGURES.items()
    if any("frequency (THz)" in (panel.x_label, panel.y_label) for panel in figure.panels)
]


@pytest.mark.parametrize("name", FREQUENCY_FIGURES)
def test_frequencies_are_given_in_wavenumbers_too(name: str) -> None:
    figure = FIGURES[name]
    number = next(k for k, panel in enumerate(figure.panels, start=1) if panel.wavenumbers)
    panel = figure.panels[number - 1]
    layout = plain(figure)["layout"]
    opposite = layout[f"{panel.wavenumbers}axis{100 + number}"]
    assert opposite["title"]["text"] == "cm⁻¹"
    assert 3 <= len(opposite["tickvals"]) <= 9
    expected = [float(text) / THZ_IN_INVERSE_CM for text in opposite["ticktext"]]
    assert opposite["tickvals"] == pytest.approx(expected)
    shown = layout[f"{panel.wavenumbers}axis" + ("" if number == 1 else str(number))].get("range")
    assert shown is None or opposite["range"] == pytest.approx(shown)
    assert "cm⁻¹" in figure.caption
    secondary = draw(figure).axes[number - 1].child_axes
    assert len(secondary) == 1
    label = secondary[0].get_xlabel() if panel.wavenumbers == "x" else secondary[0].get_ylabel()
    assert label == "cm⁻¹"


@pytest.mark.parametrize(
    "name", ["pristine-bands", "pristine-pdos", "radial-dos", "defect-bands", "dilute-limit"]
)
def test_densities_of_states_start_at_zero(name: str) -> None:
    figure = FIGURES[name]
    spectra = [
        panel
        for panel in figure.panels
        if "DOS" in panel.y_label + panel.x_label and "Δ" not in panel.y_label
    ]
    assert spectra
    for panel in spectra:
        frequencies, density = (
            (panel.y_range, panel.x_range) if panel.y_label == phonons.THZ else (panel.x_range, panel.y_range)
        )
        assert frequencies is not None
        assert frequencies[0] == 0
        assert density is not None
        assert density[0] == 0


@every_figure
def test_captions_hold_on_every_screen(name: str) -> None:
    """On a phone nothing is left or right of anything: panels have letters."""
    figure = FIGURES[name]
    assert not {"Left:", "Right:", "Middle:", "left:", "right:"} & set(figure.caption.split())
    titles = [annotation["text"] for annotation in plain(figure)["layout"].get("annotations", [])]
    letters = [title[:3] for title in titles]
    expected = ["(a)", "(b)", "(c)"][: len(figure.panels)] if len(figure.panels) > 1 else []
    assert letters == expected
    assert [ax.get_title()[:3] for ax in draw(figure).axes if ax.get_title()] == expected


def parity_panels() -> list[Panel]:
    return [panel for figure in FIGURES.values() for panel in figure.panels if panel.square]


def test_parity_plots_have_equal_scales() -> None:
    panels = parity_panels()
    assert len(panels) >= 7
    for panel in panels:
        assert panel.x_range == panel.y_range is not None
    layout = plain(FIGURES["parity"])["layout"]
    for number in ("", "2", "3"):
        assert layout[f"yaxis{number}"]["scaleanchor"] == f"x{number}"
        assert layout[f"yaxis{number}"]["range"] == layout[f"xaxis{number}"]["range"]
    assert [ax.get_box_aspect() for ax in draw(FIGURES["parity"]).axes] == [1, 1, 1]


def test_text_on_the_periodic_table_is_legible() -> None:
    figure = table_of_elements()
    (tiles,) = figure.panels[0].series
    colours = tile_colours(tiles)
    assert len({fill for fill, _ in colours}) == 10  # nine values and the empty tile
    assert min(contrast_ratio(fill, text) for fill, text in colours) >= MIN_CONTRAST
    drawing = plain(figure)
    fills = [shape["fillcolor"] for shape in drawing["layout"]["shapes"]]
    assert {shape["opacity"] for shape in drawing["layout"]["shapes"]} == {1.0}
    texts = drawing["data"][0]["textfont"]["color"]
    assert len(fills) == len(texts) == len(tiles.texts) == 86
    assert min(contrast_ratio(fill, text) for fill, text in zip(fills, texts, strict=True)) >= MIN_CONTRAST
    printed = draw(figure).axes[0]
    assert {text.get_color() for text in printed.texts} == set(texts)
    assert drawing["data"][0]["text"][73] == "W<br>75"


def test_contrast_ratio_is_that_of_the_norm() -> None:
    assert contrast_ratio("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast_ratio("#777777", "#ffffff") == pytest.approx(
        4.48, abs=0.01
    )  # the well-known grey just below 4.5


def test_a_caption_names_the_colours_of_the_elements() -> None:
    colours = element_colours(["W", "Se", "Se"])
    assert colour_key(colours) == "Se green, W pink"
    assert len(COLOUR_NAMES) == len(COLOURS)
    for name in ("pristine-pdos", "defect-difference", "embedding"):
        assert "Se green, W pink" in FIGURES[name].caption
    drawn: Mapping[str, str] = {
        curve.name.removeprefix("Δ "): curve.colour
        for curve in FIGURES["defect-difference"].panels[1].series
        if isinstance(curve, Series)
    }
    assert {symbol: drawn[symbol] for symbol in colours} == colours


def test_labels_that_are_all_zero_are_drawn_without_a_logarithm() -> None:
    arrays = {"energy": np.array([-1.0, -2.0]), "force": np.zeros(5), "stress": np.zeros(0)}
    figure = data.distributions(arrays)
    assert [panel.log_x for panel in figure.panels] == [False, False, False]
    assert [panel.log_y for panel in figure.panels] == [True, False, False]
    draw(figure)
    arrays["force"] = np.array([0.0, 0.1, 1.0])
    assert data.distributions(arrays).panels[1].log_x
