"""Elastic constants and thermal expansion as objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flatforce.report.results.result import Result

if TYPE_CHECKING:
    from flatforce.core.arrays import FloatArray


class ElasticResult(Result):
    """Elastic constants and bending rigidity of a sheet."""

    KIND = "elastic"
    MADE_BY = "elastic"

    @property
    def stiffness(self) -> FloatArray:
        """(3, 3) N/m, elastic constants with relaxed ions; Voigt order xx, yy, xy."""
        return self._array("stiffness")

    @property
    def clamped_stiffness(self) -> FloatArray:
        """(3, 3) N/m, elastic constants with the ions at their fractional positions."""
        return self._array("clamped")

    @property
    def angles(self) -> FloatArray:
        """(A) radians from the x axis, directions of `youngs_modulus` and `poisson_ratio`."""
        return self._array("angle")

    @property
    def youngs_modulus(self) -> FloatArray:
        """(A) N/m, Young's modulus for uniaxial stress along each of `angles`."""
        return self._array("youngs_modulus")

    @property
    def poisson_ratio(self) -> FloatArray:
        """(A) Poisson's ratio for uniaxial stress along each of `angles`."""
        return self._array("poisson_ratio")

    @property
    def bending_rigidity(self) -> float:
        """Bending rigidity from the flexural branch, mean of two directions (eV)."""
        return self._number("bending_rigidity")


class ExpansionResult(Result):
    """Lattice constant and thermal expansion of a sheet."""

    KIND = "thermal expansion"
    MADE_BY = "expansion"

    @property
    def temperature(self) -> FloatArray:
        """(T) K, of `alpha` and `lattice_constant`."""
        return self._array("temperature")

    @property
    def alpha(self) -> FloatArray:
        """(T) 1/K, coefficient of linear thermal expansion."""
        return self._array("alpha")

    @property
    def lattice_constant(self) -> FloatArray:
        """(T) Å, length of the first lattice vector, zero-point motion included."""
        return self._array("a")

    @property
    def frequency(self) -> FloatArray:
        """(Q, M) THz, frequencies on the mesh."""
        return self._array("mode_frequency")

    @property
    def grueneisen(self) -> FloatArray:
        """(Q, M) Grüneisen parameters −∂ ln ω/∂ ln A of the modes in `frequency`."""
        return self._array("grueneisen")
