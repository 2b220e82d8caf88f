"""Molecular dynamics as an object."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from flatforce.report.results.result import Result

if TYPE_CHECKING:
    from ase import Atoms

    from flatforce.core.arrays import FloatArray
    from flatforce.properties.dynamics.samples import Samples


class MdResult(Result):
    """Trajectories of a sheet, and what they show. A temperature is named as in `temperatures`, the first one by default."""

    KIND = "molecular dynamics"
    MADE_BY = "md"

    @property
    def names(self) -> list[str]:
        """Name of each trajectory, such as `300K_1`."""
        return list(self.details["end_reasons"])

    @property
    def temperatures(self) -> list[str]:
        """Name of each temperature, such as `300K`."""
        return [str(label) for label in self.details["temperatures"]]

    @property
    def hops(self) -> list[dict[str, Any]]:
        """Atoms that left their sites: `trajectory`, `atom`, `symbol`, `time` (fs), `distance` (Å)."""
        return list(self.details["hops"])

    @cached_property
    def last(self) -> list[Atoms]:
        """Last structure of each trajectory, with velocities (Å/fs) in `arrays`."""
        from ase.io import read

        return list(read(self._file("last.extxyz"), index=":"))

    def _samples(self, name: str) -> Samples:
        from flatforce.core.errors import ResultError
        from flatforce.properties.dynamics.samples import Samples

        if name not in self.names:
            raise ResultError(f"There is no trajectory {name}.", fix=f"choose one of {', '.join(self.names)}")
        return Samples(self._file("trajectories.hdf5"), name)

    def positions(self, name: str) -> FloatArray:
        """Read the positions of a trajectory.

        Parameters
        ----------
        name
            One of `names`.

        Returns
        -------
        (T, N, 3) Å, positions of all atoms in each recorded frame, not wrapped into the cell.

        Examples
        --------
        >>> import flatforce as ff
        >>> model = ff.load("mace:wse2-pbe")
        >>> run = ff.md(model, ff.monolayer("WSe2"), steps=20, equilibration=0)
        >>> run.positions("300K_1").shape
        (3, 3, 3)
        """
        return self._samples(name).read("positions")

    def velocities(self, name: str) -> FloatArray:
        """Read the velocities of a trajectory.

        Parameters
        ----------
        name
            One of `names`.

        Returns
        -------
        (T, N, 3) Å/fs, velocities of all atoms in each recorded frame.

        Examples
        --------
        >>> import flatforce as ff
        >>> model = ff.load("mace:wse2-pbe")
        >>> run = ff.md(model, ff.monolayer("WSe2"), steps=20, equilibration=0)
        >>> bool(abs(run.velocities("300K_1")).max() < 0.1)
        True
        """
        return self._samples(name).read("velocities")

    @property
    def frequency(self) -> FloatArray:
        """(F) THz, grid of `vdos`, of the first temperature."""
        return self._array(f"frequency_{self.temperatures[0]}")

    @property
    def vdos(self) -> FloatArray:
        """(F) states/THz, vibrational density of states of the whole sheet at the first temperature; its integral is 3 N."""
        return self._array(f"vdos_{self.temperatures[0]}")

    @property
    def pair_distribution(self) -> dict[str, FloatArray]:
        """Pair of elements, such as `Se-W` → (R) g(r) of in-plane distances `distance` (Å), at the first temperature."""
        label = self.temperatures[0]
        return {name: self._array(f"pair_{name}_{label}") for name in self.details["pairs"]}

    @property
    def distance(self) -> FloatArray:
        """(R) Å, in-plane distances of `pair_distribution`."""
        return self._array(f"distance_{self.temperatures[0]}")
