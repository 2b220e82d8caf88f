"""Any ASE calculator as a backend: `ase:package.module:Class?key=value&key=value`."""

from __future__ import annotations

import ast
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import numpy as np
from ase.data import chemical_symbols

from flatforce.core.errors import ModelError
from flatforce.data.stress_labels import calculated_stress
from flatforce.models.protocols import RawPrediction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator


DEFAULT_CUTOFF = 10.0
"""Å. A calculator does not tell its range; `cutoff=…` in the spec overrides."""


def load(name: str, *, device: str, dtype: str) -> AseBackend:
    """Make the calculator that a spec names.

    Parameters
    ----------
    name
        `package.module:Class?key=value`; `cutoff` and `elements` (comma-separated) are ours, the rest is
        the class's.
    device
        Not passed on: a calculator decides for itself.
    dtype
        Not passed on: a calculator decides for itself.

    Returns
    -------
    The backend.

    Raises
    ------
    ModelError
        If there is no such class, or it refuses its arguments.
    """
    del device, dtype
    place, _, query = name.partition("?")
    module, _, attribute = place.partition(":")
    arguments: dict[str, Any] = {key: _literal(value) for key, value in parse_qsl(query)}
    local = "cutoff" in arguments
    cutoff = float(arguments.pop("cutoff", DEFAULT_CUTOFF))
    elements = arguments.pop("elements", None)
    try:
        calculator = getattr(import_module(module), attribute)(**arguments)
    except Exception as error:
        raise ModelError(
            f"The calculator {place} could not be made.",
            why=f"{type(error).__name__}: {error}",
            fix="write ase:package.module:Class?key=value",
        ) from error
    known = frozenset(str(elements).split(",")) if elements else frozenset(chemical_symbols[1:])
    return AseBackend(calculator, cutoff=cutoff, elements=known, local=local)


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


class AseBackend:
    """An ASE calculator, one frame at a time.

    Parameters
    ----------
    calculator
        The calculator.
    cutoff
        Å, range of its forces.
    elements
        Species it knows.
    local
        Whether the cutoff is strict.
    """

    layers = 1
    dtype = "float64"
    device = "cpu"
    batch_atoms = 1

    def __init__(
        self, calculator: BaseCalculator, *, cutoff: float, elements: frozenset[str], local: bool = False
    ) -> None:
        self.calculator, self.cutoff, self.elements, self.local = calculator, cutoff, elements, local

    def predict(self, frames: Sequence[Atoms], *, stress: bool) -> list[RawPrediction]:
        """Evaluate frames.

        Parameters
        ----------
        frames
            Fully periodic cells.
        stress
            Whether the stress is wanted.

        Returns
        -------
        One prediction a frame.
        """
        found = []
        for frame in frames:
            atoms = frame.copy()
            atoms.calc = self.calculator
            tensor = calculated_stress(atoms) if stress else None
            forces = np.array(atoms.get_forces(apply_constraint=False), dtype=float)
            found.append(RawPrediction(float(atoms.get_potential_energy()), forces, tensor))
        return found
