"""A MACE model and a Python module that makes an ASE calculator of it, for programs that know nothing of flatforce."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flatforce.core.trust import pickles_allowed
from flatforce.models.backends.ase import AseBackend
from flatforce.models.backends.mace_files import import_mace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.models.protocols import RawPrediction


def write_model(module: Any, path: Path) -> None:
    """Write a MACE model as mace-torch stores it.

    Parameters
    ----------
    module
        Torch module of the model.
    path
        File that is written.
    """
    import_mace().save(module, path)


def predict_by_module(path: Path, frames: Sequence[Atoms]) -> list[RawPrediction]:
    """Evaluate frames by the class `SheetCalculator` of a Python file.

    Parameters
    ----------
    path
        The Python file, with `model.model` beside it.
    frames
        Sheets.

    Returns
    -------
    One prediction for each frame, in their order.
    """
    import_mace()
    spec = importlib.util.spec_from_file_location("exported_calculator", path)
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018  # it is a Python file
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with pickles_allowed(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        calculator = module.SheetCalculator()
    backend = AseBackend(calculator, cutoff=calculator.cutoff, elements=frozenset(frames[0].symbols))
    return backend.predict(frames, stress=True)
