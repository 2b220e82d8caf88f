"""D3 dispersion on top of any force field, `d3:mace:wse2-pbe`, by torch-dftd.

A sheet is evaluated with more vacuum than the cutoff of D3, so that it is not attracted by its own image out of plane.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase.data import chemical_symbols
from ase.stress import voigt_6_to_full_3x3_stress
from ase.units import Bohr

from flatforce.core.errors import MissingDependencyError, ModelError
from flatforce.data.label_origin import METHODS
from flatforce.models.dispersion import DispersionSettings, split_dispersion
from flatforce.models.loading import Precision, load_backend
from flatforce.models.model_card import read_card
from flatforce.models.protocols import RawPrediction
from flatforce.models.slab import pad_vacuum
from flatforce.models.spec import BACKENDS, split_spec
from flatforce.structures.neighbour_graph import build_neighbour_graph

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms

    from flatforce.models.protocols import Backend

COORDINATION_CUTOFF: Final = 40 * Bohr
"""Å, largest distance of the pairs that count as coordination, as in S. Grimme's program."""

MAX_ATOMIC_NUMBER: Final = 94
"""D3 has parameters for every element up to plutonium."""


def load(name: str, *, device: str, dtype: Precision) -> D3Backend:
    """Load a force field and the correction that is added to it.

    Parameters
    ----------
    name
        `SPEC` or `SETTINGS:SPEC`, see `split_dispersion`.
    device
        Device of the force field and of the correction.
    dtype
        Arithmetic of the force field; the correction is computed in `float64`.

    Returns
    -------
    The backend, whose predictions are those of the force field plus D3.

    Raises
    ------
    MissingDependencyError
        If torch-dftd is not installed.
    ModelError
        If torch-dftd has no parameters for the functional, or the model card says that the labels hold dispersion already or are
        of another functional.
    """
    try:
        from torch_dftd.dftd3_xc_params import get_dftd3_default_params
        from torch_dftd.nn.dftd3_module import DFTD3Module
    except ImportError as error:
        raise MissingDependencyError(
            "torch-dftd is not installed.", why=str(error), fix="pip install 'flatforce[dispersion]'"
        ) from error
    import torch

    settings, spec = split_dispersion(name, BACKENDS)
    try:
        parameters = get_dftd3_default_params(settings.damping, settings.functional)
    except ValueError as error:
        raise ModelError(
            f"D3 with {settings.damping} damping has no parameters for {settings.functional}.",
            why=str(error),
            fix="choose a functional of torch-dftd, such as pbe, pbesol, revpbe, rscan, r2scan or hse06",
        ) from error
    _check_labels(spec, settings)
    base = load_backend(spec, device=device, dtype=dtype)
    module = DFTD3Module(
        parameters,
        cutoff=settings.cutoff,
        cnthr=min(COORDINATION_CUTOFF, settings.cutoff),
        dtype=torch.float64,
        bidirectional=True,
        cutoff_smoothing="poly",
    )
    return D3Backend(base, module.to(base.device), settings)


def _check_labels(spec: str, settings: DispersionSettings) -> None:
    """Refuse to correct a model whose card says that its labels hold dispersion, or are of another functional."""
    kind, name = split_spec(spec)
    labels = read_card(f"{kind}:{name}").get("labels")
    stated = [str(label) for label in labels] if isinstance(labels, list) else []
    held = [label for label in stated if label not in METHODS]
    if held:
        raise ModelError(
            f"{spec} holds dispersion already.",
            why=f"its model card says that its labels were computed with {', '.join(held)}",
            fix=f"use it as it is: {spec}",
        )
    if "PBE" in stated and settings.functional != "pbe":
        raise ModelError(
            f"The parameters of D3 for {settings.functional} do not fit {spec}.",
            why="its model card says that its labels were computed with PBE",
            fix=f"write d3:{settings.damping}:{spec}",
        )


class D3Backend:
    """The sum of a force field and D3.

    Parameters
    ----------
    base
        Backend of the force field.
    module
        `DFTD3Module` of torch-dftd in float64, on the device of the force field.
    settings
        Settings of the correction.
    """

    local = False
    """The pairs of D3 are no edges of the force field's neighbour graph."""

    def __init__(self, base: Backend, module: Any, settings: DispersionSettings) -> None:
        self.base, self.module, self.settings = base, module, settings
        self.elements = base.elements & frozenset(chemical_symbols[1 : MAX_ATOMIC_NUMBER + 1])
        self.cutoff, self.dtype, self.device = base.cutoff, base.dtype, base.device
        self.layers = max(
            base.layers, math.ceil(2 * settings.cutoff / base.cutoff)
        )  # C6 depends on neighbours of both
        self.batch_atoms = base.batch_atoms

    def predict(self, frames: Sequence[Atoms], *, stress: bool) -> list[RawPrediction]:
        """Evaluate one batch of fully periodic cells.

        Parameters
        ----------
        frames
            Sheets in cells with three periodic axes, with vacuum along the third.
        stress
            Whether the stress is computed.

        Returns
        -------
        One prediction for each frame, in their order.
        """
        predictions = []
        for frame, bare in zip(frames, self.base.predict(frames, stress=stress), strict=True):
            energy, forces, tensor = self.correction(frame)
            total = None if bare.stress is None else bare.stress + tensor
            predictions.append(RawPrediction(bare.energy + energy, bare.forces + forces, total))
        return predictions

    def correction(self, frame: Atoms) -> tuple[float, np.ndarray, np.ndarray]:
        """Compute the correction of one sheet alone.

        Parameters
        ----------
        frame
            A sheet in a cell with three periodic axes, with vacuum along the third.

        Returns
        -------
        Energy in eV, (N, 3) forces in eV/Å, and (3, 3) stress in eV/Å³ in the cell of the frame, tension positive.
        """
        import torch

        slab = pad_vacuum(frame, self.settings.cutoff)
        graph = build_neighbour_graph(slab, self.settings.cutoff)

        def tensor(array: np.ndarray) -> Any:
            return torch.tensor(array, device=self.device)

        (result,) = self.module.calc_energy_and_forces(
            Z=tensor(slab.numbers.astype(np.int64)),
            pos=tensor(slab.positions),
            edge_index=tensor(np.stack([graph.sender, graph.receiver]).astype(np.int64)),
            cell=tensor(slab.cell.array),
            shift_pos=tensor(graph.shift),
            damping=self.settings.damping,
        )
        stress = voigt_6_to_full_3x3_stress(result["stress"]) * (slab.get_volume() / frame.get_volume())
        return float(result["energy"]), result["forces"], stress
