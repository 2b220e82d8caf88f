"""Formation and binding energies as an object."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from flatforce.core.errors import ResultError
from flatforce.report.results.result import Result

if TYPE_CHECKING:
    from ase import Atoms


class DefectEnergyResult(Result):
    """Formation energies of defects at the limits of the chemical potentials, and binding energies of complexes."""

    KIND = "defect energies"
    MADE_BY = "defect_energies"

    @property
    def table(self) -> list[dict[str, Any]]:
        """Each defect: `name`, `removed` atoms, `formation_energies` (eV, by limit), `binding_energy` (eV), `concentrations` (1/cm²)."""
        return list(self.details["defects"])

    @property
    def limits(self) -> dict[str, dict[str, float]]:
        """Name of each limit → chemical potential of each element (eV)."""
        return {limit["name"]: dict(limit["potentials"]) for limit in self.details["limits"]}

    def formation_energy(self, defect: str) -> dict[str, float]:
        """Look up the formation energy of a defect.

        Parameters
        ----------
        defect
            Its notation, as in `table`.

        Returns
        -------
        Name of each limit → formation energy in eV.

        Raises
        ------
        ResultError
            If it was not computed.

        Examples
        --------
        >>> import flatforce as ff
        >>> model = ff.load("mace:wse2-pbe")
        >>> sheet = ff.monolayer("WSe2")
        >>> energies = ff.defect_energies(
        ...     model, sheet, "v_Se:top", sizes=[3], max_force=0.05
        ... )
        >>> energies.formation_energy("v_Se:top")["Se-rich"] > energies.formation_energy("v_Se:top")["W-rich"]
        True
        """
        for row in self.table:
            if row["name"] == defect:
                return dict(zip(self.limits, row["formation_energies"], strict=True))
        names = ", ".join(row["name"] for row in self.table)
        raise ResultError(f"There is no defect {defect}.", fix=f"choose one of {names}")

    @property
    def binding_energies(self) -> dict[str, float]:
        """Complex → energy that its parts gain by being together (eV); negative where they repel one another."""
        return {row["name"]: row["binding_energy"] for row in self.table if row["binding_energy"] is not None}

    @property
    def label_errors(self) -> dict[str, float]:
        """Defect → error of the force field against labels in the smallest supercell (eV); empty without `verify`."""
        ending = ": label_error"
        return {
            name.removesuffix(ending): float("nan") if x is None else x
            for name, x in self.metrics.items()
            if name.endswith(ending)
        }

    @cached_property
    def structures(self) -> dict[str, Atoms]:
        """Defect and supercell, such as `v_Se:top 6x6` → relaxed cell."""
        from ase.io import read

        frames = list(read(self._file("relaxed.extxyz"), index=":"))
        return {str(frame.info["name"]): frame for frame in frames}
