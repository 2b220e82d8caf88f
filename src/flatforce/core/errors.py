"""One family of errors; each says what happened, why, and how to mend it."""

from __future__ import annotations

from typing import Self


class FlatforceError(Exception):
    """Root of every error the package raises for a user's input.

    Parameters
    ----------
    what
        One sentence: what went wrong.
    why
        The reason, where it is not plain.
    fix
        What the user can do about it.
    """

    def __init__(self, what: str, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what, self.why, self.fix = what, why, fix

    def __reduce__(self) -> tuple[type[Self], tuple[str, str, str]]:
        """Survive pickling, so that an error crosses process borders whole."""
        return type(self), (self.what, self.why, self.fix)

    def __str__(self) -> str:
        """Join the three parts, one a line."""
        lines = [self.what]
        if self.why:
            lines.append(f"  why: {self.why}")
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)


class ConfigError(FlatforceError):
    """A setting is unknown, missing or out of range."""


class DataError(FlatforceError):
    """A file or a frame cannot be used as it is."""


class GeometryError(FlatforceError):
    """A structure is not the sheet that the call needs."""


class ModelError(FlatforceError):
    """A potential is missing, broken, or does not fit the structure."""


class MissingDependencyError(FlatforceError):
    """An optional package is needed and not installed."""


class ResultError(FlatforceError):
    """A result folder is absent, incomplete or would be overwritten."""
