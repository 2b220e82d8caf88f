"""Exports to other programs as objects."""

from __future__ import annotations

from flatforce.report.results.result import Result


class ExportResult(Result):
    """Certificate of a force field that was exported, compared with the original on a sheet."""

    KIND = "model export"
    MADE_BY = "export"

    @property
    def files(self) -> list[str]:
        """Names of the files for the other program, in `folder`."""
        return sorted(self.details["files"])

    @property
    def max_force_difference(self) -> float:
        """Largest difference of a force component from flatforce (eV/Å)."""
        return self._number("max_force_difference")

    @property
    def max_stress_difference(self) -> float:
        """Largest difference of the membrane stress from flatforce (N/m)."""
        return self._number("max_stress_difference")

    @property
    def frequency_difference(self) -> float:
        """Difference of the frequency of one phonon from flatforce (THz)."""
        return self._number("frequency_difference")


class ForceConstantsExportResult(Result):
    """Certificate of force constants that were exported and read back."""

    KIND = "force constants export"
    MADE_BY = "export"

    @property
    def files(self) -> list[str]:
        """Names of the files for the other program, in `folder`."""
        return sorted(self.details["files"])

    @property
    def max_force_constant_difference(self) -> float:
        """Largest difference of a force constant that was read back (eV/Å²)."""
        return self._number("max_force_constant_difference")

    @property
    def frequency_difference(self) -> float:
        """Largest difference of a frequency from flatforce (THz)."""
        return self._number("frequency_difference")
