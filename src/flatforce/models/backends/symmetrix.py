"""MACE models by the compiled kernels of symmetrix-xl: `symmetrix:file.model`.

The forces are those of mace-torch to some 1e-6 eV/Å, an order of magnitude faster on a CPU. The first use of an
architecture compiles its kernels for minutes and keeps them (`SYMMETRIX_JIT_CACHE`); without a C++ compiler a slower way
that needs none is taken, and without symmetrix-xl mace-torch itself.
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

ADMITTED: Final = {"float64": 5e-5, "float32": 5e-4}
"""eV/Å. Largest difference of a force from mace-torch's at which the kernels are used: splines leave 1e-5."""


def load(name: str, *, device: str, dtype: str) -> SymmetrixBackend | mace.MaceBackend:
    """Load a `.model` file of MACE.

    Parameters
    ----------
    name
        Path of the file, or name of a bundled model.
    device
        `cpu` or `auto` for the kernels; `cuda` means mace-torch.
    dtype
        `float64` or `float32`.

    Returns
    -------
    The backend; that of mace-torch where symmetrix-xl is not installed, or does not know the architecture.
    """
    torch_backend = mace.load(name, device=device, dtype=dtype)
    if torch_backend.device != "cpu":
        return torch_backend
    os.environ.setdefault("OMP_PROC_BIND", "false")  # its default, said: Kokkos warns otherwise
    try:
        from symmetrix import Symmetrix
    except ImportError:
        return torch_backend
    for way in dict.fromkeys([execution(), "non-compiled"]):
        try:
            with _quiet():
                calculator = Symmetrix(model_path(name), dtype=dtype, streamed_edges=way)
        except RuntimeError:  # no such architecture, or the kernel was not compiled
            continue
        return SymmetrixBackend(torch_backend, calculator)
    return torch_backend


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself what the reading of a model says about its format."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def execution() -> str:
    """Choose how the kernels come about.

    Returns
    -------
    `direct`, compiled for the model, where there is a C++ compiler; `non-compiled` otherwise.
    """
    return "direct" if shutil.which("c++") else "non-compiled"


class SymmetrixBackend:
    """A MACE model as compiled kernels.

    Parameters
    ----------
    torch_backend
        The same model by mace-torch; judges the first frame.
    calculator
        The ASE calculator.
    """

    local = True
    device = "cpu"

    def __init__(self, torch_backend: mace.MaceBackend, calculator: Any) -> None:
        self.torch_backend, self.calculator = torch_backend, calculator
        self.elements, self.cutoff = torch_backend.elements, torch_backend.cutoff
        self.layers, self.dtype = torch_backend.layers, torch_backend.dtype
        self.batch_atoms = 1
        self.largest_difference: float | None = None
        """eV/Å, of a force on the first frame from mace-torch's."""

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

        Raises
        ------
        ModelError
            If the forces on the first frame are not those of mace-torch.
        """
        found = []
        for frame in frames:
            atoms = frame.copy()
            atoms.calc = self.calculator
            tensor = np.asarray(atoms.get_stress(voigt=False), dtype=float) if stress else None
            forces = np.array(atoms.get_forces(apply_constraint=False), dtype=float)
            found.append(RawPrediction(float(atoms.get_potential_energy()), forces, tensor))
        if self.largest_difference is None and found:
            (judge,) = self.torch_backend.predict(frames[:1], stress=False)
            self.largest_difference = float(np.abs(judge.forces - found[0].forces).max())
            if not self.largest_difference < ADMITTED[self.dtype]:
                raise ModelError(
                    f"The compiled forces differ from mace-torch's by {self.largest_difference:.1e} eV/Å.",
                    why="the kernels do not fit this model or machine",
                    fix="write mace: instead of symmetrix:, or delete the kernels in SYMMETRIX_JIT_CACHE",
                )
        return found
