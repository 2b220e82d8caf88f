"""Datasets and force fields as objects: training, evaluation, statistics, active learning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flatforce.core.errors import ResultError
from flatforce.report.results.result import Result

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flatforce.core.arrays import FloatArray
    from flatforce.models.potential import Potential


class TrainResult(Result):
    """A trained force field, or a committee of them."""

    KIND = "train"
    MADE_BY = "train"

    @property
    def cards(self) -> list[dict[str, Any]]:
        """Model card of each member: elements, cutoff, architecture, data, test errors."""
        return list(self.details["cards"])

    @property
    def spec(self) -> str:
        """Name of the force field, as every command takes it: `mace:…`, or `committee:…` for several members."""
        specs = [f"{card['kind']}:{self.folder / card['file']}" for card in self.cards]
        return specs[0] if len(specs) == 1 else f"committee:{','.join(specs)}"

    def model(self, *, device: str = "auto") -> Potential:
        """Load the force field.

        Parameters
        ----------
        device
            `cpu`, `cuda`, or `auto`.

        Returns
        -------
        The force field in double precision, on its device.

        Examples
        --------
        >>> import flatforce as ff
        >>> done = ff.train("wse2-pbe", epochs=1, n_frames=8, stage_two=None, model={"hidden_irreps": "8x0e", "r_max": 4.0})
        >>> sorted(done.model().elements)
        ['Se', 'W']
        """
        from flatforce.models import load

        return load(self.spec, device=device)

    @property
    def force_mae(self) -> float:
        """Mean absolute error of the forces on the test set (meV/Å), mean over the members."""
        return self._number("force_mae")

    @property
    def energy_mae(self) -> float:
        """Mean absolute error of the energy on the test set (meV/atom), mean over the members."""
        return self._number("energy_mae")


class EvaluationResult(Result):
    """Errors of a force field against DFT labels."""

    KIND = "evaluate"
    MADE_BY = "evaluate"

    @property
    def energy_mae(self) -> float:
        """Mean absolute error of the energy (meV/atom)."""
        return self._number("energy_mae")

    @property
    def force_mae(self) -> float:
        """Mean absolute error of the force components (meV/Å)."""
        return self._number("force_mae")

    @property
    def stress_mae(self) -> float:
        """Mean absolute error of the membrane stress (N/m)."""
        return self._number("stress_mae")

    @property
    def by_config_type(self) -> dict[str, dict[str, float]]:
        """Name of each config type → its errors, in the units of `units`."""
        return dict(self.details["config_type"])

    @property
    def by_element(self) -> dict[str, float]:
        """Chemical symbol → mean absolute error of the forces on its atoms (meV/Å)."""
        return dict(self.details["element_force_mae"])

    @property
    def energies(self) -> FloatArray:
        """(2, F) eV/atom, labels and predictions of each frame."""
        return self._array("energy")

    @property
    def forces(self) -> FloatArray:
        """(2, A, 3) eV/Å, labels and predictions of each atom of every frame."""
        return self._array("forces")

    @property
    def coverage(self) -> dict[str, dict[str, Any]]:
        """Name of each config type → numbers of atoms `n_atoms` and `n_outside`, `coverage` of the others at each level, `margin`."""
        self._check_calibrated()
        return dict(self.details["coverage_by_config_type"])

    @property
    def outside(self) -> NDArray[Any]:
        """(A,) whether the environment of each test atom is unlike any in the calibration set: it has no interval."""
        self._check_calibrated()
        return self._array("outside")

    def interval(self, level: int = 68) -> FloatArray:
        """Return the calibrated intervals of the forces, for an evaluation of a committee with `calibrate`.

        Parameters
        ----------
        level
            68 or 95, in per cent.

        Returns
        -------
        (A,) eV/Å, half width for each test atom; NaN for an atom outside the calibration set.

        Raises
        ------
        ResultError
            If the evaluation has no intervals.

        Examples
        --------
        >>> import flatforce as ff
        >>> ff.evaluate("mace:wse2-pbe", ff.read("wse2-pbe")[:2]).interval(95)
        Traceback (most recent call last):
        ...
        flatforce.core.errors.ResultError: ...
        """
        self._check_calibrated()
        return self._array(f"force_interval_{level}")

    def _check_calibrated(self) -> None:
        if "coverage_by_config_type" not in self.details:
            raise ResultError(
                f"{self.folder} has no intervals of forces.",
                why="the model is no committee, or was evaluated without frames that calibrate it",
                fix="ff.evaluate(committee, frames, calibrate=calibration_frames), or `flatforce evaluate … --calibrate FRAMES`",
            )


class StatisticsResult(Result):
    """What a dataset holds: the numbers of its frames by element and by space group."""

    KIND = "statistics"
    MADE_BY = "data stats"

    @property
    def elements(self) -> dict[str, int]:
        """Chemical symbol → number of frames that hold it."""
        return dict(self.details["elements"])

    @property
    def space_groups(self) -> dict[int, int]:
        """Number of each space group → number of frames."""
        return {int(number): count for number, count in self.details["space_groups"].items()}


class LearningRoundResult(Result):
    """One round of active learning."""

    KIND = "learning round"
    MADE_BY = "learn"

    @property
    def n_labels(self) -> int:
        """Number of labels that active learning had asked for before this round."""
        return int(self._number("n_labels"))

    @property
    def force_mae(self) -> float:
        """Mean absolute error of the forces on the test set (meV/Å)."""
        return self._number("force_mae")

    @property
    def coverage(self) -> dict[str, dict[str, Any]]:
        """Name of each config type → numbers of atoms `n_atoms` and `n_outside`, `coverage` of the others at each level, `margin`."""
        return dict(self.details["coverage_by_config_type"])

    @property
    def outside(self) -> NDArray[Any]:
        """(A,) whether the environment of each test atom is unlike any in the calibration set: it has no interval."""
        return self._array("outside")

    @property
    def stop_reason(self) -> str:
        """Why active learning ended with this round; empty if it went on."""
        return str(self.details["stop_reason"])


class RelaxationBenchmarkResult(Result):
    """Relaxed energies and areas of many materials against DFT."""

    KIND = "relaxation benchmark"
    MADE_BY = "benchmark relax"

    @property
    def energy_mae(self) -> float:
        """Mean absolute error of the relaxed energy (meV/atom)."""
        return self._number("energy_mae")

    @property
    def area_mae(self) -> float:
        """Mean absolute error of the relaxed area (Å²/atom)."""
        return self._number("area_mae")

    @property
    def by_element(self) -> dict[str, dict[str, float]]:
        """Chemical symbol → errors of the materials that hold it."""
        return dict(self.details["element"])

    @property
    def table(self) -> NDArray[Any]:
        """One row for each material, as a structured array with the columns of `materials.csv`."""
        import csv

        import numpy as np

        with self._file("materials.csv").open(
            encoding="utf-8", newline=""
        ) as stream:  # a reason may hold commas
            lines = ["\t".join(cell.replace("\t", " ") for cell in row) for row in csv.reader(stream)]
        return np.atleast_1d(
            np.genfromtxt(lines, delimiter="\t", names=True, dtype=None, encoding="utf-8", comments="\0")
        )
