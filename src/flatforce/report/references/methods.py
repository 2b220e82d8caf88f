"""Which references belong to which method: every kind of result, force field and DFT code names its keys here, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

PHONONS: Final = ("phonopy", "phonopy-jpsj", "spglib", "sum-rules")
"""Force constants and their symmetry."""

BANDS: Final = ("seekpath",)
"""Band paths."""

KINDS: Final[dict[str, tuple[str, ...]]] = {
    "relax": ("ase",),
    "screening": ("ase", "phase-diagrams"),
    "phonons": (*PHONONS, *BANDS),
    "molecular dynamics": ("baoab", "velocity-dos", "spectral-energy-density", "membrane-ripples"),
    "defect energies": ("ase", "chemical-potentials"),
    "thermal expansion": (*PHONONS, "quasi-harmonic", "membrane-crossover"),
    "neb": ("ase", "climbing-image", "improved-tangent", "idpp", "vineyard", "fire", "lbfgs"),
    "elastic": ("ase", "nonlinear-elasticity"),
    "defect phonons": (*PHONONS, *BANDS),
    "finite size": PHONONS,
    "strain series": PHONONS,
    "committee": PHONONS,
    "embedded defect": (*PHONONS, "embedding", "embedding-vibronic", "recursion", "spectral-methods"),
    "dilute limit": (*PHONONS, "green-function"),
    "unfolded bands": (*PHONONS, "recursion", "unfolding"),
    "line shape": ("embedding", "line-shape"),
    "relaxation benchmark": ("ase", "fire", "spglib"),
    "statistics": ("spglib",),
    "strain optimum": ("bayesian-optimisation",),
    "learning round": ("conformal", "conformal-force-fields"),
    "sweep": ("optuna",),
    "alloy orderings": ("icet", "enumeration"),
    "alloy sqs": ("icet", "sqs", "sqs-generation"),
    "alloy energies": ("ase",),
    "cluster expansion": ("icet", "cluster-expansion", "trainstation"),
    "alloy hull": ("icet", "cluster-expansion", "enumeration"),
    "alloy monte carlo": ("icet", "cluster-expansion"),
    "alloy comparison": ("icet", "cluster-expansion", "trainstation"),
    "model export": ("ase",),
    "force constants export": ("phonopy", "phonopy-jpsj"),
}
"""Kind of result → keys of the methods that it always uses."""

SETTINGS: Final[tuple[tuple[str, Callable[[Any], bool], tuple[str, ...]], ...]] = (
    ("dimer", lambda value: value is True, ("dimer",)),
    ("thermostat", lambda value: value == "nose_hoover", ("nose-hoover-chain",)),
    ("ensemble", lambda value: value == "npt", ("cell-rescaling",)),
    ("optimizer", lambda value: value == "FIRE", ("fire",)),
    ("optimizer", lambda value: value == "LBFGS", ("lbfgs",)),
    ("optimizer", lambda value: value == "BFGS", ("model-hessian",)),
    ("polar", lambda value: isinstance(value, dict), ("polar-2d", "dipole-subtraction")),
    ("method", lambda value: value == "sqs", ("sqs", "sqs-generation")),
    ("uncertainty", lambda value: value == "descriptor_distance", ("descriptor-distance",)),
    ("calibration_folds", lambda value: isinstance(value, int) and value > 1, ("cross-conformal",)),
    ("with_map", lambda value: value is True, ("soap", "dscribe")),
)
"""Name of a setting, which of its values choose a method, and the keys of that method."""

PACKAGES: Final = {"flatforce": "flatforce", "ase": "ase", "phonopy": "phonopy", "mace": "mace-torch"}
"""Key of a program → package whose version a result states."""

MODELS: Final[dict[str, tuple[str, ...]]] = {
    "mace": ("mace",),
    "symmetrix": ("mace",),
    "chgnet": ("chgnet",),
    "matgl": ("matgl",),
    "m3gnet": ("m3gnet",),
    "tensornet": ("tensornet",),
    "nequip": ("nequip",),
    "sevennet": ("sevennet",),
    "mattersim": ("mattersim",),
    "roost": ("roost",),
    "ase": ("ase",),
    "d3": ("d3", "d3-bj", "torch-dftd"),
}
"""Kind of force field, or architecture of a model card → keys."""

PUBLISHED_MACE: Final = ("mace-mp",)
"""Keys of the models that mace-torch downloads."""

LABELS: Final[dict[str, tuple[str, ...]]] = {
    "gpaw": ("gpaw",),
    "vasp": ("vasp", "vasp-paw"),
    "espresso": ("espresso",),
    "PBE": ("pbe",),
    "D3": ("d3",),
    "D3(BJ)": ("d3", "d3-bj"),
}
"""DFT code, functional or dispersion correction → keys."""
