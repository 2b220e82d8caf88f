"""Relaxations and the phonons of pristine sheets as objects."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from flatforce.report.results.result import Result

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ase import Atoms
    from numpy.typing import NDArray
    from phonopy import Phonopy

    from flatforce.core.arrays import FloatArray


class RelaxResult(Result):
    """A relaxed sheet and how it was reached."""

    KIND = "relax"
    MADE_BY = "relax"

    @property
    def atoms(self) -> Atoms:
        """The relaxed sheet, read anew each time, so that it may be changed."""
        from flatforce.data.frame_files import read_structure

        return read_structure(self._file("relaxed.extxyz"))

    @cached_property
    def trajectory(self) -> list[Atoms]:
        """Each step, with energy (eV), forces (eV/Å) and stress (eV/Å³) in its calculator; empty where none was kept."""
        from ase.io import read

        path = self.folder / "trajectory.extxyz"
        return list(read(path, index=":")) if path.is_file() else []

    @property
    def energy(self) -> float:
        """Energy of the cell (eV)."""
        return self._number("energy")

    @property
    def area_per_atom(self) -> float:
        """Area of the sheet divided by its number of atoms (Å²/atom)."""
        return self._number("area_per_atom")

    @property
    def max_force(self) -> float:
        """Largest residual force on any atom (eV/Å)."""
        return self._number("max_force")

    @property
    def n_steps(self) -> int:
        """Number of steps that the optimiser took."""
        return int(self._number("n_steps"))


class BandStructure(Result):
    """What the phonons of a pristine cell and those of a defect cell have in common."""

    @property
    def bands(self) -> FloatArray:
        """(Q, 3 N) THz, frequencies along the band path; imaginary ones are negative."""
        return self._array("bands")

    @property
    def distance(self) -> FloatArray:
        """(Q) 1/Å, position along the band path."""
        return self._array("distance")

    @property
    def special_points(self) -> dict[str, list[float]]:
        """Label of each special point → its positions along the band path (1/Å)."""
        points: dict[str, list[float]] = {}
        for label, position in zip(self._array("labels"), self._array("ticks"), strict=True):
            points.setdefault(str(label), []).append(float(position))
        return points

    @property
    def frequency(self) -> FloatArray:
        """(G) THz, evenly spaced grid of every density of states."""
        return self._array("frequency")

    @property
    def gamma(self) -> FloatArray:
        """(3 N) THz, frequencies at Γ, from the lowest; imaginary ones are negative."""
        labels = [str(label).strip("$\\").replace("Gamma", "Γ") for label in self._array("labels")]
        position = self._array("ticks")[labels.index("Γ")]
        return np.sort(self.bands[np.abs(self.distance - position).argmin()])

    @property
    def min_frequency(self) -> float:
        """Lowest frequency on path and mesh (THz); negative if the sheet is unstable."""
        return self._number("min_frequency")

    @property
    def max_frequency(self) -> float:
        """Highest frequency on the path (THz)."""
        return self._number("max_frequency")


class PhononResult(BandStructure):
    """Phonons of a pristine sheet: bands, densities of states, thermal properties."""

    KIND = "phonons"
    MADE_BY = "phonons"

    @property
    def gamma(self) -> FloatArray:
        """(3 n) THz, frequencies at Γ, from the lowest; imaginary ones are negative."""
        from flatforce.core.units import THZ_IN_INVERSE_CM

        names = [f"gamma_{k + 1}" for k in range(self.bands.shape[1])]
        if not set(names) <= set(self.metrics):  # cells of many atoms do not list them
            return super().gamma
        return np.array([self._number(name) / THZ_IN_INVERSE_CM for name in names])

    @property
    def gamma_modes(self) -> list[dict[str, Any]]:
        """Degenerate sets at Γ: `frequency` (THz), `degeneracy`, and `irrep` in the point group of the sheet."""
        return list(self.details["gamma_modes"])

    @property
    def dos(self) -> FloatArray:
        """(G) states/THz, density of states of a primitive cell; its integral is 3 n."""
        return self._array("dos")

    @property
    def pdos(self) -> FloatArray:
        """(n, 3, G) states/THz, density of states projected onto each atom and Cartesian axis."""
        return self._array("pdos")

    @property
    def symbols(self) -> list[str]:
        """(n) chemical symbol of each atom of the primitive cell."""
        return [str(symbol) for symbol in self._array("symbols")]

    @property
    def thermal(self) -> Mapping[str, FloatArray]:
        """Harmonic thermal properties per mole of primitive cells, (T) each, with temperature (K).

        `free_energy` is in kJ/mol, `entropy` and `heat_capacity` are in J/K/mol.
        """
        columns: NDArray[np.float64] = self._array("thermal").T
        return dict(zip(("temperature", "free_energy", "entropy", "heat_capacity"), columns, strict=True))

    @property
    def za_exponent(self) -> float:
        """Exponent of the flexural branch near Γ; 2 for a sheet without stress, NaN if the branch is imaginary."""
        return self._number("za_exponent")

    @property
    def atoms(self) -> Atoms:
        """The primitive cell of n atoms, as the phonons were computed."""
        from flatforce.properties.phonons.force_constants.finite_displacements import to_ase

        return to_ase(self.to_phonopy().primitive)

    def to_phonopy(self) -> Phonopy:
        """Load the force constants into phonopy, for everything that phonopy computes.

        Returns
        -------
        Phonopy's object with its force constants (eV/Å²); the long-range term of a polar sheet is not part of it.

        Examples
        --------
        >>> import flatforce as ff
        >>> sheet = ff.relax("mace:wse2-pbe", ff.monolayer("WSe2"), keep_symmetry=True).atoms
        >>> waves = ff.phonons("mace:wse2-pbe", sheet, supercell=(4, 4), mesh=12, engine="displacements")
        >>> waves.to_phonopy().force_constants.shape  # of the primitive cell with the whole supercell
        (3, 48, 3, 3)
        """
        import phonopy

        from flatforce.properties.phonons.force_constants.finite_displacements import SYMPREC
        from flatforce.properties.phonons.phonopy_files import check_plain_yaml

        settings = self._file("phonopy.yaml")
        check_plain_yaml(settings)  # phonopy's own reader runs code that a file of somebody else may name
        return phonopy.load(
            settings,
            force_constants_filename=self._file("force_constants.hdf5"),
            is_nac=False,
            symprec=SYMPREC,
            symmetrize_fc=False,  # sum rules were enforced before the file was written
            log_level=0,
        )
