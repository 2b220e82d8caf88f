"""A force field as the rest of the package and a notebook use it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, cast, overload

import numpy as np
from ase import Atoms

from flatforce.core.errors import ModelError
from flatforce.core.progress import Progress, silent
from flatforce.core.units import EV_PER_A2_IN_N_PER_M
from flatforce.models.batches import split_batches
from flatforce.models.prediction import Prediction
from flatforce.models.protocols import TwiceDifferentiable
from flatforce.models.slab import pad_vacuum
from flatforce.structures.sheet import cell_height, check_sheet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flatforce.models.calculator import SheetCalculator
    from flatforce.models.loading import Precision
    from flatforce.models.protocols import Backend, HessianRows, RawPrediction, Structure

MAX_LISTED_ELEMENTS: Final = 8
"""Number of elements that a `repr` lists by symbol; a model of more is described by their number."""


class Potential:
    """A force field that is correct for sheets.

    Whatever periodicity and vacuum a frame has, the backend evaluates a cell with three periodic axes and more vacuum than
    its cutoff, and the out-of-plane components of the stress are set to zero.

    Parameters
    ----------
    spec
        The name by which the force field was loaded, such as `mace:wse2-pbe`.
    backend
        The backend that computes energies, forces and stresses.

    Examples
    --------
    >>> from flatforce.models import load
    >>> load("mace:wse2-pbe", device="cpu")
    <Potential mace:wse2-pbe: Se, W; cutoff 5 Å, interaction range 10 Å; float64 on cpu>
    """

    spec: str
    """Name by which the force field was loaded; `ff.load` and every command take it."""

    def __init__(self, spec: str, backend: Backend) -> None:
        self.spec, self.backend = spec, backend

    def __reduce__(self) -> tuple[Callable[..., Potential], tuple[str], None]:
        """Pickle the name: a process that receives the force field loads it again, onto the same device."""
        from flatforce.models.loading import load

        again = partial(load, device=self.device, dtype=cast("Precision", self.dtype))
        return again, (self.spec,), None

    def __repr__(self) -> str:
        """Describe the force field in one line: name, elements, ranges, arithmetic and device."""
        elements = sorted(self.elements)
        listed = ", ".join(elements) if len(elements) <= MAX_LISTED_ELEMENTS else f"{len(elements)} elements"
        length = f"{self.interaction_range:g} Å" if self.backend.local else "unknown"
        return (
            f"<Potential {self.spec}: {listed}; cutoff {self.cutoff:g} Å, interaction range {length}; "
            f"{self.dtype} on {self.device}>"
        )

    @property
    def elements(self) -> frozenset[str]:
        """Chemical symbols of the elements that the model can evaluate."""
        return self.backend.elements

    @property
    def cutoff(self) -> float:
        """Cutoff of the neighbour graph in Å."""
        return self.backend.cutoff

    @property
    def interaction_range(self) -> float:
        """Number of message-passing layers times the cutoff, in Å: the energy of an atom depends on no atom beyond it."""
        return self.backend.layers * self.backend.cutoff

    @property
    def dtype(self) -> str:
        """Arithmetic of the model, `float64` or `float32`."""
        return self.backend.dtype

    @property
    def device(self) -> str:
        """Device on which the model runs, `cpu` or `cuda`."""
        return self.backend.device

    @property
    def batch_atoms(self) -> int:
        """Number of atoms in one batch with which the model is fastest on this device."""
        return self.backend.batch_atoms

    def calculator(self) -> SheetCalculator:
        """Make an ASE calculator of this force field.

        Returns
        -------
        A calculator of energy, forces and in-plane stress for one structure at a time.

        Examples
        --------
        >>> from flatforce.models import load
        >>> from flatforce.structures.prototypes import monolayer
        >>> sheet = monolayer(("W", "Se"), prototype="2H", a=3.317, thickness=3.36)
        >>> sheet.calc = load("mace:wse2-pbe", device="cpu").calculator()
        >>> sheet.get_forces().shape
        (3, 3)
        """
        from flatforce.models.calculator import SheetCalculator

        return SheetCalculator(self)

    def hessian(self, frame: Atoms) -> HessianRows | None:
        """Prepare single rows of the Hessian of a sheet: analytic ones, or central differences in finite clusters.

        Parameters
        ----------
        frame
            A sheet.

        Returns
        -------
        An object that computes the rows of one atom at a time; None if the interaction range of the model is unknown.

        Examples
        --------
        >>> from flatforce.models import load
        >>> from flatforce.structures.prototypes import monolayer
        >>> sheet = monolayer(("W", "Se"), prototype="2H", a=3.317, thickness=3.36)
        >>> atoms, blocks = load("mace:wse2-pbe", device="cpu").hessian(sheet).rows(0)
        >>> blocks.shape
        (3, 3, 3)
        """
        self.check([frame])
        slab = pad_vacuum(frame, self.cutoff)
        analytic = self.backend.hessian(slab) if isinstance(self.backend, TwiceDifferentiable) else None
        if analytic is None and self.backend.local:
            from flatforce.models.finite_difference_hessian import ClusterHessian

            return ClusterHessian(self.backend, slab)
        return analytic

    def check(self, frames: Sequence[Atoms]) -> None:
        """Refuse frames that the model cannot evaluate.

        Parameters
        ----------
        frames
            Sheets.

        Raises
        ------
        ModelError
            If a frame holds an element that the model was not trained on.
        """
        for frame in frames:
            check_sheet(frame)
            unknown = set(frame.get_chemical_symbols()) - self.elements
            if unknown:
                raise ModelError(
                    f"{self.spec} does not know {', '.join(sorted(unknown))}.",
                    why=f"it was trained on {', '.join(sorted(self.elements))}",
                    fix="choose another model, or train one on frames with these elements: flatforce train -c train.yaml -o DIR",
                )

    @overload
    def evaluate(
        self, frames: Sequence[Atoms], *, stress: bool = True, progress: Progress = silent
    ) -> list[Prediction]: ...

    @overload
    def evaluate(
        self, frames: Structure, *, stress: bool = True, progress: Progress = silent
    ) -> Prediction: ...

    def evaluate(
        self, frames: Sequence[Atoms] | Atoms, *, stress: bool = True, progress: Progress = silent
    ) -> list[Prediction] | Prediction:
        """Predict energy, forces and in-plane stress of one sheet or of many, in batches.

        Parameters
        ----------
        frames
            One sheet or a sequence of sheets, of any periodicity and vacuum.
        stress
            Whether the stress is computed.
        progress
            Called after each batch.

        Returns
        -------
        The prediction for a single sheet; for a sequence a list with one prediction for each frame, in its order.

        Raises
        ------
        ModelError
            If a frame holds an unknown element, or the model returns NaN.

        Examples
        --------
        >>> from flatforce.models import load
        >>> from flatforce.structures.prototypes import monolayer
        >>> model = load("mace:wse2-pbe", device="cpu")
        >>> sheet = monolayer(("W", "Se"), prototype="2H", a=3.317, thickness=3.36)
        >>> prediction = model.evaluate(sheet)
        >>> f"{prediction.energy / len(sheet):.1f} eV/atom"
        '-6.7 eV/atom'
        >>> len(model.evaluate([sheet, sheet]))
        2
        """
        if isinstance(frames, Atoms):
            (prediction,) = self.evaluate([frames], stress=stress, progress=progress)
            return prediction
        self.check(frames)
        predictions: list[Prediction] = []
        for batch in split_batches(frames, self.backend.batch_atoms):
            slabs = [pad_vacuum(frame, self.cutoff) for frame in batch]
            raw_predictions = self.backend.predict(slabs, stress=stress)
            predictions += [
                self._to_sheet(frame, slab, raw)
                for frame, slab, raw in zip(batch, slabs, raw_predictions, strict=True)
            ]
            progress(len(predictions), len(frames), "frames")
        return predictions

    def _to_sheet(self, frame: Atoms, slab: Atoms, raw: RawPrediction) -> Prediction:
        """Convert the stress of the padded cell to that of the frame's own cell, and keep its in-plane components."""
        if not (np.isfinite(raw.energy) and np.isfinite(raw.forces).all()):
            raise ModelError(
                f"{self.spec} returns NaN for {frame.get_chemical_formula()}.",
                why="two atoms may lie on top of each other, or the model is broken",
                fix=f"look at the structure, or test the model: flatforce doctor {self.spec}",
            )
        if raw.stress is None:
            return Prediction(raw.energy, raw.forces, None, None, raw.energy_std, raw.forces_std)
        force_per_length = raw.stress[:2, :2] * slab.cell[2, 2]
        stress = np.zeros((3, 3))
        height = cell_height(frame)
        stress[:2, :2] = force_per_length / (height if height > 0 else slab.cell[2, 2])
        membrane_stress = force_per_length * EV_PER_A2_IN_N_PER_M
        return Prediction(raw.energy, raw.forces, stress, membrane_stress, raw.energy_std, raw.forces_std)
