"""The exported model inside LAMMPS, in the isolated environment `lammps`."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase import units
from ase.stress import voigt_6_to_full_3x3_stress

from flatforce.core.errors import ModelError
from flatforce.models.exports import run_lammps
from flatforce.models.exports.lammps_files import PairStyle, atom_types, check_text, data_text
from flatforce.models.isolated.environments import Environment, clean_environ, list_environments
from flatforce.models.protocols import RawPrediction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

ENVIRONMENT: Final = "lammps"
"""Name of the isolated environment."""

BAR: Final = float(units.bar)
"""1 bar in eV/Å³."""

DUMP_HEADER: Final = 9
"""Lines above the atoms in a dump file of LAMMPS."""

SHOWN_LOG_LINES: Final = 3
"""Number of last lines of a failed run that the error shows."""


def lammps_environment() -> Environment | None:
    """Find the isolated environment of LAMMPS.

    Returns
    -------
    The environment; None if it has not been built for this version of flatforce.
    """
    complete = [env for env in list_environments() if env.name == ENVIRONMENT and env.complete]
    return complete[0] if complete else None


def predict_in_lammps(model: Path, frames: Sequence[Atoms], python: Path) -> list[RawPrediction]:
    """Evaluate frames by LAMMPS itself, with its ghost atoms and its neighbour list.

    Parameters
    ----------
    model
        File in ML-IAP format.
    frames
        Structures in the cells of `to_lammps_cell`, all of the same elements.
    python
        Python interpreter of the environment of LAMMPS.

    Returns
    -------
    One prediction for each frame, in their order.

    Raises
    ------
    ModelError
        If LAMMPS fails.
    """
    with tempfile.TemporaryDirectory(prefix="flatforce-lammps-") as name:
        folder = Path(name)
        pair = PairStyle(f"mliap unified {model.resolve()} 0", "", atom_types(frames[0]))
        for k, frame in enumerate(frames):
            (folder / f"frame-{k}.data").write_text(data_text(frame), encoding="utf-8")
        (folder / "in.check").write_text(check_text(pair, len(frames)), encoding="utf-8")
        run_in_lammps(folder / "in.check", ["-log", "none"], python)
        return [_read(folder, k) for k in range(len(frames))]


def run_in_lammps(deck: Path, arguments: Sequence[str], python: Path) -> str:
    """Run an input file in the folder where it is.

    Parameters
    ----------
    deck
        The input file.
    arguments
        Arguments of LAMMPS.
    python
        Python interpreter of the environment of LAMMPS.

    Returns
    -------
    What LAMMPS wrote to standard output, with its thermodynamic table.

    Raises
    ------
    ModelError
        If LAMMPS fails.
    """
    process = subprocess.run(
        [str(python), str(Path(run_lammps.__file__)), deck.name, *arguments],
        cwd=deck.parent,
        capture_output=True,
        text=True,
        env=clean_environ(),
        check=False,
    )
    if process.returncode:
        lines = [*process.stdout.strip().splitlines(), *process.stderr.strip().splitlines()]
        raise ModelError(
            f"LAMMPS failed with status {process.returncode}.",
            why=" | ".join(lines[-SHOWN_LOG_LINES:]),
            fix="build its environment again: flatforce env remove lammps, then flatforce env create lammps",
        )
    return process.stdout


def _read(folder: Path, number: int) -> RawPrediction:
    """Read what LAMMPS wrote about one frame; its pressure is positive under compression."""
    table: Any = np.loadtxt(folder / f"forces-{number}.txt", skiprows=DUMP_HEADER, ndmin=2)
    energy, *pressure = map(float, (folder / f"energy-{number}.txt").read_text(encoding="utf-8").split())
    stress = -BAR * voigt_6_to_full_3x3_stress(pressure)
    return RawPrediction(energy, table[:, 1:], stress)
