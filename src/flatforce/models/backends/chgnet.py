"""CHGNet: `chgnet:0.3.0`, whose weights come with the package, or `chgnet:my.pth.tar`.

CHGNet evaluates in float32; here it runs in float64 where that is asked for.
"""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ase import Atoms
from ase.data import chemical_symbols

from flatforce.core.errors import MissingDependencyError, ModelError
from flatforce.core.units import EV_PER_A3_IN_GPA
from flatforce.models.precision import default_dtype, torch_device
from flatforce.models.protocols import RawPrediction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BATCH_ATOMS: Final = {"cpu": 200, "cuda": 4000}
"""Atoms a batch."""

HEAVIEST: Final = 94
"""CHGNet was trained on every element up to plutonium but five."""

UNKNOWN: Final = frozenset({"Po", "At", "Rn", "Fr", "Ra"})

PLACES: Final = ("chgnet.graph.converter", "chgnet.graph.crystalgraph", "chgnet.model.model")
"""Modules that hold the precision, each its own copy."""


def load(name: str, *, device: str, dtype: str) -> ChgnetBackend:
    """Load a model.

    Parameters
    ----------
    name
        `0.3.0`, `0.2.0` or `r2scan`, or path of a file.
    device
        `cpu`, `cuda`, or `auto`.
    dtype
        `float64` or `float32`.

    Returns
    -------
    The backend.

    Raises
    ------
    MissingDependencyError
        If CHGNet is not installed.
    ModelError
        If it cannot load the model.
    """
    try:
        from chgnet.model import CHGNet
    except ImportError as error:
        raise MissingDependencyError(
            "CHGNet is not installed.", fix="pip install 'flatforce[chgnet]'"
        ) from error
    import torch

    place = torch_device(device)
    try:
        with redirect_stdout(StringIO()):  # it tells its number of parameters
            if Path(name).is_file():
                model = CHGNet.from_file(name)
            else:
                model = CHGNet.load(model_name=name, use_device=place, verbose=False)
    except Exception as error:
        raise ModelError(
            f"CHGNet could not load {name}.",
            why=f"{type(error).__name__}: {error}",
            fix="0.3.0, 0.2.0 and r2scan come with the package; else give the path of a file",
        ) from error
    return ChgnetBackend(model.to(place).to(getattr(torch, dtype)), device=place, dtype=dtype)


class ChgnetBackend:
    """A CHGNet model.

    Parameters
    ----------
    model
        The torch module.
    device
        `cpu` or `cuda`.
    dtype
        `float64` or `float32`.
    """

    local = False
    elements = frozenset(chemical_symbols[1 : HEAVIEST + 1]) - UNKNOWN

    def __init__(self, model: Any, *, device: str, dtype: str) -> None:
        self.model, self.device, self.dtype = model.eval(), device, dtype
        self.cutoff = float(model.graph_converter.atom_graph_cutoff)
        self.layers = int(model.n_conv)
        self.batch_atoms = BATCH_ATOMS[device]
        model.composition_model.fc.register_forward_pre_hook(_in_its_precision)  # it is handed float32

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
        with precision(self.dtype), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch of CHGNet's own sum over strains
            graphs = [make_graph(frame, self.model) for frame in frames]
            found = self.model.predict_graph(graphs, task="efs" if stress else "ef", batch_size=len(graphs))
        if len(frames) == 1 and isinstance(found, dict):
            found = [found]
        return [
            RawPrediction(
                float(one["e"]) * len(frame),
                one["f"].astype(float),
                one["s"].astype(float) / EV_PER_A3_IN_GPA if stress else None,
            )
            for one, frame in zip(found, frames, strict=True)
        ]


def _in_its_precision(module: Any, given: tuple[Any]) -> tuple[Any]:
    return (given[0].to(module.weight.dtype),)


def make_graph(slab: Atoms, model: Any) -> Any:
    """Build CHGNet's graph of one cell.

    Parameters
    ----------
    slab
        A fully periodic cell.
    model
        Whose graph.

    Returns
    -------
    The graph, in the precision that is set.
    """
    from pymatgen.io.ase import AseAtomsAdaptor

    bare = Atoms(slab.numbers, slab.positions, cell=slab.cell, pbc=True)  # pymatgen would carry labels along
    return model.graph_converter(AseAtomsAdaptor.get_structure(bare))


@contextmanager
def precision(dtype: str) -> Iterator[None]:
    """Set CHGNet's precision, which it keeps in several modules.

    Parameters
    ----------
    dtype
        `float64` or `float32`.

    Yields
    ------
    Nothing.
    """
    import torch

    modules: list[Any] = [sys.modules[name] for name in PLACES]
    before = [module.TORCH_DTYPE for module in modules]
    for module in modules:
        module.TORCH_DTYPE = getattr(torch, dtype)
    try:
        with default_dtype(dtype):
            yield
    finally:
        for module, kept in zip(modules, before, strict=True):
            module.TORCH_DTYPE = kept
