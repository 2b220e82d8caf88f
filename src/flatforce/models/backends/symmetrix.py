"""MACE models with the compiled kernels of symmetrix-xl: `symmetrix:file.model`.

The forces agree with those of mace-torch to about 1e-6 eV/Å and are an order of magnitude faster on a CPU. The first use of an
architecture compiles its kernels, which takes minutes, and stores them in `SYMMETRIX_JIT_CACHE`. Without a C++ compiler slower
kernels are used that need no compilation, and without symmetrix-xl mace-torch itself.
"""

from __future__ import annotations

import logging
import os
import shutil
import warnings
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from flatforce.core.errors import ModelError
from flatforce.models.backends import mace
from flatforce.models.protocols import RawPrediction
from flatforce.models.spec import model_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

FORCE_TOLERANCE: Final = {"float64": 5e-5, "float32": 5e-4}
"""eV/Å. Largest difference between a force of the kernels and of mace-torch at which the kernels are used; their splines cause
differences of 1e-5."""


def load(name: str, *, device: str, dtype: str) -> SymmetrixBackend | mace.MaceBackend:
    """Load a `.model` file of MACE.

    Parameters
    ----------
    name
        Path of the file, or name of a bundled model.
    device
        `cpu` or `auto` for the kernels; on `cuda` mace-torch is used.
    dtype
        `float64` or `float32`.

    Returns
    -------
    The backend; that of mace-torch if symmetrix-xl is not installed or does not support the architecture.
    """
    torch_backend = mace.load(name, device=device, dtype=dtype)
    if torch_backend.device != "cpu":
        return torch_backend
    os.environ.setdefault(
        "OMP_PROC_BIND", "false"
    )  # the default, given explicitly since Kokkos warns otherwise
    try:
        from symmetrix import Symmetrix
    except ImportError:
        return torch_backend
    for mode in dict.fromkeys([execution_mode(), "non-compiled"]):
        try:
            with quiet():
                calculator = Symmetrix(model_path(name), dtype=dtype, streamed_edges=mode)
        except RuntimeError:  # the architecture is not supported, or its kernel was not compiled
            continue
        return SymmetrixBackend(torch_backend, calculator)
    return torch_backend


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress messages about the format of the model.

    Yields
    ------
    Nothing.
    """
    previous_level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous_level)


def execution_mode() -> str:
    """Choose how the kernels are executed.

    Returns
    -------
    `direct` (compiled for the model) if there is a C++ compiler, else `non-compiled`.
    """
    return "direct" if shutil.which("c++") else "non-compiled"


class SymmetrixBackend:
    """A MACE model with compiled kernels as a backend.

    Parameters
    ----------
    torch_backend
        The same model with mace-torch, by which the forces on the first frame are verified.
    calculator
        ASE calculator of symmetrix-xl.
    """

    local = True
    device = "cpu"

    def __init__(self, torch_backend: mace.MaceBackend, calculator: Any) -> None:
        self.torch_backend, self.calculator = torch_backend, calculator
        self.elements, self.cutoff = torch_backend.elements, torch_backend.cutoff
        self.layers, self.dtype = torch_backend.layers, torch_backend.dtype
        self.batch_atoms = 1
        self.max_force_difference: float | None = None
        """eV/Å, largest difference from a force of mace-torch on the first frame; None before the first prediction."""

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
            If the forces on the first frame differ from those of mace-torch.
        """
        predictions = []
        for frame in frames:
            atoms = frame.copy()
            atoms.calc = self.calculator
            tensor = np.asarray(atoms.get_stress(voigt=False), dtype=float) if stress else None
            forces = np.array(atoms.get_forces(apply_constraint=False), dtype=float)
            predictions.append(RawPrediction(float(atoms.get_potential_energy()), forces, tensor))
        if self.max_force_difference is None and predictions:
            (reference,) = self.torch_backend.predict(frames[:1], stress=False)
            self.max_force_difference = float(np.abs(reference.forces - predictions[0].forces).max())
            if not self.max_force_difference < FORCE_TOLERANCE[self.dtype]:
                raise ModelError(
                    f"The forces of the compiled kernels differ from those of mace-torch by {self.max_force_difference:.1e} eV/Å.",
                    why="the kernels were compiled for another model or machine",
                    fix="write mace: instead of symmetrix:, or delete the kernels in SYMMETRIX_JIT_CACHE",
                )
        return predictions
