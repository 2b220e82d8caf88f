"""MACE models as JSON, which symmetrix and its pair style of LAMMPS read without Python."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final

from flatforce.core.errors import MissingDependencyError, ModelError
from flatforce.core.trust import pickles_allowed
from flatforce.models.backends.ase import AseBackend
from flatforce.models.backends.symmetrix import quiet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.models.protocols import RawPrediction

SPLINE_POINTS: Final = 1024
"""Points of each radial spline. With 256, symmetrix's default, forces on V_Se in WSe₂ deviate by 1.5e-5 eV/Å from those of mace-torch;
with 1024 by 2e-7 eV/Å. The file has the same size."""


def require_symmetrix() -> None:
    """Check that symmetrix-xl is installed.

    Raises
    ------
    MissingDependencyError
        If it is not.
    """
    try:
        import symmetrix  # noqa: F401  # only whether it is there
    except ImportError as error:
        raise MissingDependencyError(
            "symmetrix-xl is not installed.", why=str(error), fix="pip install 'flatforce[fast]'"
        ) from error


def write_symmetrix(model: Path, path: Path, *, head: str | None) -> None:
    """Write a MACE model as JSON.

    Parameters
    ----------
    model
        `.model` file of mace-torch.
    path
        JSON file that is written.
    head
        Head of the model that is the default; None for a model with one head.

    Raises
    ------
    ModelError
        If symmetrix does not support the architecture.
    """
    from symmetrix.extract_mace_data import extract_mace_data

    try:
        with quiet(), pickles_allowed():
            content = extract_mace_data(str(model), head=head, num_spline_points=SPLINE_POINTS)
    except Exception as error:  # symmetrix fails in many ways where it does not know a block
        raise ModelError(
            "symmetrix does not support this architecture.",
            why=f"{type(error).__name__}: {error}",
            fix="export it to LAMMPS or ASE: --to lammps, --to ase",
        ) from error
    path.write_text(json.dumps(content), encoding="utf-8")


def predict_symmetrix(path: Path, frames: Sequence[Atoms]) -> list[RawPrediction]:
    """Evaluate frames by symmetrix from its JSON file.

    Parameters
    ----------
    path
        The JSON file.
    frames
        Fully periodic cells.

    Returns
    -------
    One prediction for each frame, in their order.
    """
    os.environ.setdefault("OMP_PROC_BIND", "false")  # given explicitly since Kokkos warns otherwise
    with quiet():
        from symmetrix import Symmetrix

        calculator = Symmetrix(str(path), dtype="float64", streamed_edges="non-compiled")
        backend = AseBackend(calculator, cutoff=calculator.cutoff, elements=frozenset(frames[0].symbols))
        return backend.predict(frames, stress=True)
