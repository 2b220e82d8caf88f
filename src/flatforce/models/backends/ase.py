"""Any ASE calculator as a backend: `ase:package.module:Class?key=value&key=value`."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import numpy as np
from ase.calculators.calculator import FileIOCalculator
from ase.data import chemical_symbols

from flatforce.core.calculators import import_calculator
from flatforce.core.errors import ModelError, TrustError
from flatforce.core.trust import pickles_allowed, require_trust, require_trusted_text
from flatforce.data.stress_labels import calculated_stress
from flatforce.models.protocols import RawPrediction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from ase.calculators.calculator import BaseCalculator


DEFAULT_CUTOFF = 10.0
"""Å. Cutoff that is assumed for a calculator, whose interaction range is unknown; `?cutoff=…` in the spec gives it."""


def load(name: str, *, device: str, dtype: str) -> AseBackend:
    """Create the calculator that a spec names.

    Parameters
    ----------
    name
        `package.module:Class?key=value&key=value`. `cutoff` (Å, a strict range of the forces) and `elements`
        (comma-separated) describe the calculator to flatforce; the other keys are arguments of the class.
    device
        Without effect, since the calculator chooses its device.
    dtype
        Without effect, since the calculator chooses its arithmetic.

    Returns
    -------
    The backend, which evaluates one fully periodic cell at a time.

    Raises
    ------
    ModelError
        If there is no such class, or it does not accept its arguments.
    """
    del device, dtype
    class_path, _, query = name.partition("?")
    arguments: dict[str, Any] = {key: _literal(value) for key, value in parse_qsl(query)}
    local = "cutoff" in arguments
    cutoff = float(arguments.pop("cutoff", DEFAULT_CUTOFF))
    elements = arguments.pop("elements", None)
    try:
        with pickles_allowed(False):  # the import of MACE allows them for the whole process
            calculator_class = import_calculator(class_path)
        _check_trust(name, calculator_class, arguments)
        calculator = calculator_class(**arguments)
    except TrustError:
        raise
    except Exception as error:
        raise ModelError(
            f"The calculator {class_path} could not be created.",
            why=f"{type(error).__name__}: {error}",
            fix="write ase:package.module:Class?key=value, such as ase:ase.calculators.emt:EMT",
        ) from error
    symbols = frozenset(str(elements).split(",")) if elements else frozenset(chemical_symbols[1:])
    return AseBackend(calculator, cutoff=cutoff, elements=symbols, local=local)


def _check_trust(name: str, calculator_class: type[BaseCalculator], arguments: dict[str, Any]) -> None:
    """Ask before a file is handed to a calculator, which may unpickle it, and before a calculator starts a program."""
    for value in arguments.values():
        for text in value if isinstance(value, list | tuple) else [value]:
            if isinstance(text, str) and Path(text).is_file():
                require_trust(
                    Path(text), contents=f"an argument of {calculator_class.__name__}, which may hold pickles"
                )
    if issubclass(calculator_class, FileIOCalculator) or {"command", "profile"} & set(arguments):
        require_trusted_text(f"ase:{name}", contents="a calculator that starts a program")


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


class AseBackend:
    """An ASE calculator as a backend, which evaluates one frame at a time.

    Parameters
    ----------
    calculator
        The ASE calculator.
    cutoff
        Å, range of its forces.
    elements
        Chemical symbols of the elements that it can evaluate.
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
        """Evaluate one batch of fully periodic cells.

        Parameters
        ----------
        frames
            Fully periodic cells.
        stress
            Whether the stress is computed.

        Returns
        -------
        One prediction for each frame, in their order.

        Raises
        ------
        ModelError
            If the calculator fails.
        """
        predictions = []
        for frame in frames:
            atoms = frame.copy()
            atoms.calc = self.calculator
            try:  # before the stress, whose NotImplementedError only means that there is none
                forces = np.array(atoms.get_forces(apply_constraint=False), dtype=float)
            except Exception as error:
                raise ModelError(
                    f"The calculator {type(self.calculator).__name__} fails for {frame.get_chemical_formula()}.",
                    why=f"{type(error).__name__}: {error}",
                    fix="if it does not know all species, append those that it knows: ?elements=Cu,Au",
                ) from error
            tensor = calculated_stress(atoms) if stress else None
            predictions.append(RawPrediction(float(atoms.get_potential_energy()), forces, tensor))
        return predictions
