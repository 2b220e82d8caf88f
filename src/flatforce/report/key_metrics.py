"""The few numbers that matter for each kind of result, in words; the page and the command line show them, nothing heavy is imported."""

from __future__ import annotations

from typing import Any, Final

MAX_NUMBERS: Final = 5
"""Numbers that a summary shows."""

KEY_METRICS: Final[dict[str, dict[str, str]]] = {
    "train": {
        "force_mae": "force MAE on the test set",
        "energy_mae": "energy MAE on the test set",
        "stress_mae": "stress MAE on the test set",
        "force_r2": "R² of the forces",
    },
    "evaluate": {
        "force_mae": "force MAE",
        "energy_mae": "energy MAE",
        "energy_mae_aligned": "energy MAE with fitted reference energies",
        "stress_mae": "stress MAE",
        "n_frames": "frames",
    },
    "relaxation benchmark": {
        "energy_mae": "energy MAE",
        "area_mae": "area MAE",
        "energy_median_ae": "median energy error",
        "failed_fraction": "fraction of failed relaxations",
        "n_materials": "materials",
    },
    "relax": {
        "a": "lattice constant a",
        "b": "lattice constant b",
        "max_force": "largest force left",
        "max_membrane_stress": "largest stress left",
        "energy": "energy",
    },
    "screening": {
        "n_sheets": "sheets",
        "n_relaxed": "relaxed sheets",
        "n_distinct": "of these different",
        "n_below": "of these below the limit of the energy above the hull",
        "n_failed": "failed sheets",
    },
    "phonons": {
        "min_frequency": "lowest frequency",
        "max_frequency": "highest frequency",
        "za_exponent": "exponent of the flexural (ZA) band",
        "membrane_stress": "stress of the sheet",
        "residual_force": "largest force left",
    },
    "molecular dynamics": {
        "temperature": "temperature",
        "energy_drift": "drift of the energy",
        "area": "mean area",
        "n_hops": "hops",
        "ns_per_day": "speed",
    },
    "thermal expansion": {
        "a_300K": "lattice constant at 300 K",
        "alpha_300K": "linear expansion at 300 K",
        "min_alpha": "most negative expansion",
        "area_modulus": "area modulus",
        "rest_alpha_300K": "part of longer flexural waves",
    },
    "neb": {
        "barrier": "barrier",
        "barrier_reverse": "barrier of the way back",
        "barrier_std": "standard deviation of the barrier",
        "attempt_frequency": "attempt frequency",
        "imaginary_frequency": "imaginary frequency of the saddle point",
        "distance_ratio": "smallest distance relative to the training set",
    },
    "hops": {
        "n_hops": "distinct hops",
        "lowest_barrier": "lowest barrier",
    },
    "elastic": {
        "C11": "C₁₁",
        "C12": "C₁₂",
        "youngs_modulus_x": "Young's modulus along x",
        "bending_rigidity": "bending rigidity",
        "bending_rigidity_tubes": "bending rigidity from tubes",
    },
    "defect phonons": {
        "min_frequency": "lowest frequency",
        "removed_states": "change of the number of modes",
        "n_local_modes": "local modes",
        "n_resonances": "resonances",
        "relaxation_energy": "energy gained by relaxation",
    },
    "embedded defect": {
        "n_atoms": "atoms in the cell",
        "lowest_frequency": "lowest frequency",
        "truncation_error": "truncation error of the force constants",
        "convergence_error": "convergence error of the spectrum",
    },
    "dilute limit": {
        "n_sites": "sites that the defect changes",
        "lowest_frequency": "lowest frequency",
        "removed_states": "change of the number of modes",
    },
    "committee": {
        "n_members": "members",
        "ldos_uncertainty": "uncertainty of the local DOS",
        "band_uncertainty": "uncertainty of the bands",
        "mode_uncertainty": "uncertainty of the modes",
        "calibration_factor": "conformal scale factor",
    },
    "strain series": {
        "n_strains": "strains",
        "max_ldos_difference": "largest change of the local DOS",
        "mean_slope": "mean slope of the modes",
    },
    "line shape": {
        "huang_rhys": "Huang–Rhys factor",
        "debye_waller_factor": "weight of the zero-phonon line",
        "relaxation_energy": "relaxation energy",
    },
    "learning round": {
        "n_labels": "labels",
        "force_mae": "force MAE on the test set",
        "coverage_68": "coverage of the 68 % intervals",
        "coverage_95": "coverage of the 95 % intervals",
        "n_selected": "frames selected for labels",
    },
    "strain optimum": {
        "formation_energy_change": "formation energy, relative to no strain",
        "strain_x": "strain along x",
        "strain_y": "strain along y",
        "standard_deviation": "standard deviation there",
        "n_evaluations": "evaluations",
    },
    "statistics": {
        "n_frames": "frames",
        "n_materials": "materials",
        "n_elements": "elements",
        "force_max": "largest force",
        "force_median": "median force",
    },
    "alloy energies": {
        "n_orderings": "orderings",
        "min_formation_energy": "lowest formation energy",
        "max_formation_energy": "highest formation energy",
        "n_stable": "stable orderings",
        "n_dropped": "dropped orderings",
    },
    "cluster expansion": {
        "cv_rmse": "cross-validation RMSE",
        "rmse": "training RMSE",
        "n_parameters": "non-zero interactions",
        "n_orderings": "orderings",
    },
    "alloy hull": {
        "n_ground_states": "ground states",
        "min_formation_energy": "lowest formation energy",
        "n_candidates": "candidates",
    },
    "alloy monte carlo": {
        "transition_temperature": "transition temperature",
        "transition_temperature_error": "its error",
    },
    "model export": {
        "max_force_difference": "largest difference of a force",
        "max_stress_difference": "largest difference of the membrane stress",
        "frequency_difference": "difference of the frequency of one phonon",
        "frequency": "frequency of that phonon",
    },
    "force constants export": {
        "max_force_constant_difference": "largest difference of a force constant",
        "frequency_difference": "largest difference of a frequency",
        "max_frequency": "highest frequency",
    },
}
"""Kind of result → metric → what it is."""


COMPARED: Final = {
    "evaluation comparison": ("force_mae", "force MAE"),
    "benchmark comparison": ("energy_mae", "energy MAE"),
    "phonon comparison": ("band_rmsd", "difference of the bands from the first"),
}
"""Kind of comparison → the number of each force field that its summary shows, and what it is."""


def key_metrics(record: dict[str, Any]) -> dict[str, str]:
    """Choose the numbers of a result that matter most.

    Parameters
    ----------
    record
        Content of `result.json`.

    Returns
    -------
    Name of each metric → what it is, at most five; the first metrics under their own names for a kind without a choice.
    """
    metrics = record["metrics"]
    quantity, text = COMPARED.get(record["kind"], ("", ""))
    if quantity:
        compared = [name for name in metrics if name.endswith(f": {quantity}")]
        return {name: f"{text}, {name.rpartition(': ')[0]}" for name in compared[:MAX_NUMBERS]}
    chosen = {name: words for name, words in KEY_METRICS.get(record["kind"], {}).items() if name in metrics}
    named = chosen or {name: name.replace("_", " ") for name in metrics}
    return dict(list(named.items())[:MAX_NUMBERS])


def is_diagnostic(name: str) -> bool:
    """Tell whether a metric says how a number was computed rather than what it is.

    Parameters
    ----------
    name
        Name of the metric.

    Returns
    -------
    True for residuals of sum rules, matching of sites, counts of rows and steps, and times.
    """
    return name.endswith(("_residual_before", "_residual_after", "_time")) or name in DIAGNOSTICS


DIAGNOSTICS: Final = frozenset(
    {
        "n_rows",
        "n_displacements",
        "n_exact_rows",
        "lanczos_steps",
        "border_shift",
        "matched_site_difference",
        "symmetry_shift",
        "max_site_distance",
        "mean_steps",
        "n_steps",
        "n_frames",
        "expected_temperature_std",
        "row_check_difference",
        "n_check_rows",
    }
)
"""Metrics of the computation itself."""
