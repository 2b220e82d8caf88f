"""MACE models in the ML-IAP format of LAMMPS, written by mace-torch's own exporter and evaluated without LAMMPS."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase.data import chemical_symbols

from flatforce.models.backends.mace_files import import_mace, load_module
from flatforce.models.exports.run_lammps import PairData
from flatforce.models.precision import default_dtype
from flatforce.models.protocols import RawPrediction

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ase import Atoms

NONLINEAR: Final = "NonLinear"
"""Part of the names of mace-torch's non-linear interaction blocks."""


def load_double(name: str) -> Any:
    """Load a MACE model in double precision.

    Parameters
    ----------
    name
        Path of a `.model` file, or name of a bundled or published model.

    Returns
    -------
    Torch module on the CPU.
    """
    import_mace()
    return load_module(name, device="cpu").double().eval()


def nonlinear_blocks(module: Any) -> list[str]:
    """List the non-linear interaction blocks of a MACE model.

    Parameters
    ----------
    module
        Torch module of the model.

    Returns
    -------
    Names of their classes, in the order of the layers; empty for the models that `flatforce train` makes.
    """
    names = [type(block).__name__ for block in module.interactions]
    return [name for name in names if NONLINEAR in name]


def elements_of(module: Any) -> list[str]:
    """List the elements of a MACE model.

    Parameters
    ----------
    module
        Torch module of the model.

    Returns
    -------
    Chemical symbols, in the order of the model.
    """
    return [chemical_symbols[int(number)] for number in module.atomic_numbers]


def write_mliap(module: Any, path: Path) -> None:
    """Write the file that `pair_style mliap unified` reads.

    Parameters
    ----------
    module
        Torch module of the model; it is changed, so that it cannot be used for anything else.
    path
        File that is written.
    """
    torch = import_mace()
    with warnings.catch_warnings(), default_dtype("float64"):
        warnings.simplefilter("ignore")  # TorchScript is deprecated; mace-torch compiles the wrapper by it
        from mace.calculators.lammps_mliap_mace import LAMMPS_MLIAP_MACE

        module.lammps_mliap = True
        torch.save(LAMMPS_MLIAP_MACE(module), path)


def predict_mliap(path: Path, frames: Sequence[Atoms]) -> list[RawPrediction]:
    """Evaluate a file in ML-IAP format without LAMMPS, with a neighbour list of mace-torch.

    Parameters
    ----------
    path
        The file.
    frames
        Fully periodic cells.

    Returns
    -------
    One prediction for each frame, in their order.
    """
    torch = import_mace()
    model = torch.load(path, map_location="cpu", weights_only=False)
    return [_predict(model, frame) for frame in frames]


def _predict(model: Any, frame: Atoms) -> RawPrediction:
    from mace.data.neighborhood import get_neighborhood

    pairs, shifts, *_ = get_neighborhood(
        frame.positions, 2 * model.rcutfac, pbc=(True, True, True), cell=frame.cell.array
    )
    rij = frame.positions[pairs[1]] - frame.positions[pairs[0]] + shifts
    elems = np.array([model.element_types.index(symbol) for symbol in frame.symbols])
    data = PairData(np.arange(len(frame)), elems, pairs, rij, nlocal=len(frame))
    model.compute_forces(data)
    return RawPrediction(
        float(data.energy), data.forces, -(data.virial + data.virial.T) / 2 / frame.cell.volume
    )
