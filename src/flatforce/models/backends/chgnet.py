"""CHGNet: `chgnet:0.3.0`, whose weights come with the package, or `chgnet:my.pth.tar`.

CHGNet evaluates in float32; flatforce runs it in float64 if that is asked for.
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
"""Device → number of atoms in one batch with which the model is fastest."""

MAX_ATOMIC_NUMBER: Final = 94
"""CHGNet was trained on every element up to plutonium except `UNKNOWN`."""

UNKNOWN: Final = frozenset({"Po", "At", "Rn", "Fr", "Ra"})
"""Elements up to plutonium on which CHGNet was not trained."""

DTYPE_MODULES: Final = ("chgnet.graph.converter", "chgnet.graph.crystalgraph", "chgnet.model.model")
"""Modules of CHGNet that each hold a copy of its dtype."""


def load(name: str, *, device: str, dtype: str) -> ChgnetBackend:
    """Load a model.

    Parameters
    ----------
    name
        `0.3.0`, `0.2.0` or `r2scan`, or path of a model file.
    device
        `cpu`, `cuda`, or `auto` for a GPU if there is one.
    dtype
        `float64` or `float32`.

    Returns
    -------
    The backend, which evaluates batches of fully periodic cells on that device.

    Raises
    ------
    MissingDependencyError
        If CHGNet is not installed.
    ModelError
        If CHGNet cannot load the model.
    """
    try:
        from chgnet.model import CHGNet
    except ImportError as error:
        raise MissingDependencyError(
            "CHGNet is not installed.", fix="pip install 'flatforce[chgnet]'"
        ) from error
    import torch

    torch_name = torch_device(device)
    try:
        with redirect_stdout(StringIO()):  # CHGNet prints its number of parameters
            if Path(name).is_file():
                model = CHGNet.from_file(name)
            else:
                model = CHGNet.load(model_name=name, use_device=torch_name, verbose=False)
    except Exception as error:
        raise ModelError(
            f"CHGNet could not load {name}.",
            why=f"{type(error).__name__}: {error}",
            fix="write chgnet:0.3.0, chgnet:0.2.0 or chgnet:r2scan, which come with the package, or chgnet:PATH",
        ) from error
    return ChgnetBackend(model.to(torch_name).to(getattr(torch, dtype)), device=torch_name, dtype=dtype)


class ChgnetBackend:
    """A CHGNet model as a backend.

    Parameters
    ----------
    model
        Torch module of the model.
    device
        `cpu` or `cuda`.
    dtype
        `float64` or `float32`.
    """

    local = False
    elements = frozenset(chemical_symbols[1 : MAX_ATOMIC_NUMBER + 1]) - UNKNOWN

    def __init__(self, model: Any, *, device: str, dtype: str) -> None:
        self.model, self.device, self.dtype = model.eval(), device, dtype
        self.cutoff = float(model.graph_converter.atom_graph_cutoff)
        self.layers = int(model.n_conv)
        self.batch_atoms = BATCH_ATOMS[device]
        model.composition_model.fc.register_forward_pre_hook(_cast_input)  # CHGNet hands it float32

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
        """
        with precision(self.dtype), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch warns of CHGNet's sum over strains
            graphs = [make_graph(frame, self.model) for frame in frames]
            outputs = self.model.predict_graph(graphs, task="efs" if stress else "ef", batch_size=len(graphs))
        if len(frames) == 1 and isinstance(outputs, dict):
            outputs = [outputs]
        return [
            RawPrediction(
                float(output["e"]) * len(frame),
                output["f"].astype(float),
                output["s"].astype(float) / EV_PER_A3_IN_GPA if stress else None,
            )
            for output, frame in zip(outputs, frames, strict=True)
        ]


def _cast_input(module: Any, inputs: tuple[Any]) -> tuple[Any]:
    return (inputs[0].to(module.weight.dtype),)


def make_graph(slab: Atoms, model: Any) -> Any:
    """Build CHGNet's graph of one cell.

    Parameters
    ----------
    slab
        A fully periodic cell.
    model
        Torch module of the model, which defines the cutoffs.

    Returns
    -------
    The graph, in the dtype that `precision` sets.
    """
    from pymatgen.io.ase import AseAtomsAdaptor

    unlabelled = Atoms(
        slab.numbers, slab.positions, cell=slab.cell, pbc=True
    )  # pymatgen would copy the labels
    return model.graph_converter(AseAtomsAdaptor.get_structure(unlabelled))


@contextmanager
def precision(dtype: str) -> Iterator[None]:
    """Set the dtype of CHGNet, which several of its modules hold, for the length of a `with` block.

    Parameters
    ----------
    dtype
        `float64` or `float32`.

    Yields
    ------
    Nothing.
    """
    import torch

    modules: list[Any] = [sys.modules[name] for name in DTYPE_MODULES]
    previous_dtypes = [module.TORCH_DTYPE for module in modules]
    for module in modules:
        module.TORCH_DTYPE = getattr(torch, dtype)
    try:
        with default_dtype(dtype):
            yield
    finally:
        for module, previous_dtype in zip(modules, previous_dtypes, strict=True):
            module.TORCH_DTYPE = previous_dtype
