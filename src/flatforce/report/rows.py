"""Rows of the tables that both the page and the command line show; nothing heavy is imported here."""

from __future__ import annotations

from typing import Any, Final

BENCHMARK_COLUMNS: Final = {
    "energy_mae": "energy MAE (meV/atom)",
    "energy_median_ae": "energy median AE",
    "area_mae": "area MAE (Å²/atom)",
    "area_median_ae": "area median AE",
    "converged_fraction": "converged",
    "failed_fraction": "failed",
    "mean_steps": "steps",
}
"""Metric of a relaxation benchmark → heading of its column."""

COMPARISON_COLUMNS: Final = {
    "evaluation comparison": {
        "energy_mae": "energy MAE (meV/atom)",
        "energy_rmse": "energy RMSE (meV/atom)",
        "force_mae": "force MAE (meV/Å)",
        "force_rmse": "force RMSE (meV/Å)",
        "stress_mae": "stress MAE (N/m)",
        "stress_rmse": "stress RMSE (N/m)",
    },
    "phonon comparison": {
        "min_frequency": "lowest frequency (THz)",
        "max_frequency": "highest frequency (THz)",
        "za_exponent": "exponent of the flexural band",
        "band_rmsd": "difference of the bands from the first (THz)",
    },
}
"""Kind of comparison → number → heading of its column."""

SCORE_COLUMNS: Final = {
    "mae": "MAE",
    "rmse": "RMSE",
    "max_error": "max error",
    "mae_per_atom": "MAE (meV/atom)",
    "spearman": "Spearman ρ",
    "hull_mae": "hull MAE",
    "ground_state_recall": "ground-state recall",
    "ground_state_precision": "ground-state precision",
    "regret": "regret",
}
"""Score → heading of its column, in meV/site where the heading names no unit and the score is an energy."""

EXTRAPOLATION_COLUMNS: Final = {"size": "MAE, larger cells", "window": "MAE, held-out concentrations"}
"""Kind of split other than cross-validation → heading of the column of its mean absolute error."""

SUMMARY_COLUMNS: Final = (
    "model",
    "MAE",
    "95 % interval of the MAE",
    "p value",
    *EXTRAPOLATION_COLUMNS.values(),
)
"""Columns of a model comparison that a terminal has room for."""

MODE_COLUMNS: Final = (
    "THz",
    "cm⁻¹",
    "degeneracy",
    "irrep",
    "participation number",
    "projection by shell",
    "enhancement",
    "classification",
)
"""Columns of a table of modes."""

GAMMA_COLUMNS: Final = ("THz", "cm⁻¹", "meV", "degeneracy", "irrep")
"""Columns of a table of modes of a pristine sheet at Γ."""

PEAK_COLUMNS: Final = ("THz", "cm⁻¹", "width (THz)", "height (1/THz)", "states", "classification")
"""Columns of a table of peaks of the local density of states."""
COVERAGE_LEVELS: Final = (0.68, 0.95)
"""Levels of the intervals that tables show."""

COVERAGE_COLUMNS: Final = ("atoms", "outside: no interval", "coverage at 68 %", "coverage at 95 %")
"""Columns of a table of the coverage of calibrated intervals."""


def coverage_rows(details: dict[str, Any], key: str) -> list[list[str]]:
    """List the coverage of calibrated intervals by config type or by element.

    Parameters
    ----------
    details
        Details of a result with calibrated intervals.
    key
        `coverage_by_config_type` or `coverage_by_element`.

    Returns
    -------
    Heading, then one row for each: numbers of atoms, and of those without an interval; at each level the coverage of the others in
    per cent, and the level with its margin. A coverage below the margin is marked.
    """
    rows = [[key.removeprefix("coverage_by_").replace("_", " "), *COVERAGE_COLUMNS]]
    for name, group in details.get(key, {}).items():
        fraction = group["n_outside"] / group["n_atoms"]
        cells = [name, str(group["n_atoms"]), f"{group['n_outside']} ({100 * fraction:.0f} %)"]
        for level, coverage, margin in zip(
            details["levels"], group["coverage"], group["margin"], strict=True
        ):
            if level in COVERAGE_LEVELS:
                cells.append(_coverage_text(level, coverage, margin))
        rows.append(cells)
    return rows


def _coverage_text(level: float, coverage: float | None, margin: float | None) -> str:
    if coverage is None:
        return "–"
    expected = f"{100 * level:.0f} ± " + ("?" if margin is None else f"{100 * margin:.0f}")
    mark = " too low" if margin is not None and coverage < level - margin else ""
    return f"{100 * coverage:.0f} % (expected {expected}){mark}"


def comparison_rows(result: dict[str, Any]) -> list[list[str]]:
    """List models and their scores.

    Parameters
    ----------
    result
        `result.json` of an alloy comparison.

    Returns
    -------
    Rows of texts, the header first; the in-sample cluster expansion is last, marked as not comparable.
    """
    header = [
        "model",
        "input structures",
        *SCORE_COLUMNS.values(),
        "95 % interval of the MAE",
        "p value",
        *EXTRAPOLATION_COLUMNS.values(),
        "CPU time (s)",
        "training labels",
        "labels per prediction",
    ]
    rows = [header]
    for name, model in result["details"]["models"].items():
        folds = model["scores"].get("folds", {})
        low, high = model["mae_interval"]
        rows.append(
            [
                name,
                model["model_input"],
                *(_text(folds.get(key)) for key in SCORE_COLUMNS),
                f"{_text(low)} – {_text(high)}",
                _text(model["p_value"]),
                *(_text(model["scores"].get(kind, {}).get("mae")) for kind in EXTRAPOLATION_COLUMNS),
                f"{model['cpu_seconds']:.1f}",
                f"{model['training_labels']:.0f}",
                f"{model['labels_per_prediction']:.1f}",
            ]
        )
    in_sample = result["details"]["in_sample"]
    empty = [""] * (len(header) - 4)
    rows.append(
        [
            "cluster expansion, in-sample (not comparable)",
            "training set",
            _text(in_sample["mae"]),
            _text(in_sample["rmse"]),
            *empty,
        ]
    )
    return rows


def _text(value: float | None, *, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}g}"


def benchmark_rows(result: dict[str, Any]) -> list[list[str]]:
    """List force fields and their benchmark metrics.

    Parameters
    ----------
    result
        `result.json` of a comparison of relaxation benchmarks.

    Returns
    -------
    Rows of texts, the header first.
    """
    rows = [
        [model, *("–" if metrics.get(key) is None else f"{metrics[key]:.4g}" for key in BENCHMARK_COLUMNS)]
        for model, metrics in result["details"]["models"].items()
    ]
    return [["model", *BENCHMARK_COLUMNS.values()], *rows]


def force_field_rows(result: dict[str, Any]) -> list[list[str]]:
    """List force fields side by side, whatever they were compared on.

    Parameters
    ----------
    result
        `result.json` of a comparison of evaluations, of relaxation benchmarks, or of phonons.

    Returns
    -------
    Rows of texts, the header first; the last row is the baseline, where there is one.
    """
    if result["kind"] == "benchmark comparison":
        return benchmark_rows(result)
    models, columns = result["details"]["models"], COMPARISON_COLUMNS[result["kind"]]
    baseline = result["details"].get("baseline")
    entries = models | ({} if baseline is None else {"no force field (baseline)": {"model": "–", **baseline}})
    rows = [
        [name, *(_text(entry.get(key), digits=4) for key in columns), entry["model"] or "–"]
        for name, entry in entries.items()
    ]
    return [["name", *columns.values(), "force field"], *rows]


def mode_row(mode: dict[str, Any]) -> list[str]:
    """Describe a mode of a defect cell.

    Parameters
    ----------
    mode
        As `result.json` holds it.

    Returns
    -------
    Texts, one for each of `MODE_COLUMNS`.
    """
    from flatforce.core.units import THZ_IN_INVERSE_CM

    return [
        f"{mode['frequency']:.3f}",
        f"{THZ_IN_INVERSE_CM * mode['frequency']:.1f}",
        str(mode["degeneracy"]),
        mode["irrep"],
        f"{mode['participation_number']:.1f}",
        " · ".join(f"{projection:.2f}" for projection in mode["shells"]),
        f"{mode['enhancement']:.1f}",
        mode["classification"],
    ]


def peak_row(peak: dict[str, Any]) -> list[str]:
    """Describe a peak that a defect adds to the local density of states.

    Parameters
    ----------
    peak
        As `result.json` holds it.

    Returns
    -------
    Texts, one for each of `PEAK_COLUMNS`.
    """
    from flatforce.core.units import THZ_IN_INVERSE_CM

    return [
        f"{peak['frequency']:.3f}",
        f"{THZ_IN_INVERSE_CM * peak['frequency']:.1f}",
        f"{peak['width']:.2f}",
        f"{peak['height']:.2f}",
        f"{peak['states']:.2f}",
        peak["classification"],
    ]


def gamma_row(mode: dict[str, Any]) -> list[str]:
    """Describe a mode of a pristine sheet at Γ.

    Parameters
    ----------
    mode
        As `result.json` holds it.

    Returns
    -------
    Texts, one for each of `GAMMA_COLUMNS`.
    """
    from flatforce.core.units import THZ_IN_INVERSE_CM, THZ_IN_MEV

    frequency = mode["frequency"]
    return [
        f"{frequency:.3f}",
        f"{THZ_IN_INVERSE_CM * frequency:.1f}",
        f"{THZ_IN_MEV * frequency:.2f}",
        str(mode["degeneracy"]),
        mode["irrep"],
    ]
