"""Exceptions for users; each states what went wrong, why, and how to fix it."""

from __future__ import annotations

from typing import Self


class FlatforceError(Exception):
    """Base of all exceptions that the package raises for invalid input.

    Parameters
    ----------
    what
        One sentence that states what went wrong.
    why
        The cause, where it is not obvious.
    fix
        What the user can do about it, if possible with a command or a key to type.
    """

    def __init__(self, what: str, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what, self.why, self.fix = what, why, fix

    def __reduce__(self) -> tuple[type[Self], tuple[str, str, str]]:
        """Pickle all three parts, so that the exception can be sent between processes."""
        return type(self), (self.what, self.why, self.fix)

    def __str__(self) -> str:
        """Return what went wrong, why, and the fix, one a line."""
        lines = [self.what]
        if self.why:
            lines.append(f"  why: {self.why}")
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)


class ConfigError(FlatforceError):
    """A setting is unknown, missing or invalid."""


class DataError(FlatforceError):
    """A file or a frame has invalid content."""


class GeometryError(FlatforceError):
    """A structure is not suitable for the computation."""


class ModelError(FlatforceError):
    """A force field is missing, fails, or does not support the structure."""


class MissingDependencyError(FlatforceError):
    """An optional package that the function needs is not installed."""


class ResultError(FlatforceError):
    """A result folder does not exist, is incomplete, or would be overwritten."""


class ResourceError(FlatforceError):
    """A computation needs more memory than is free."""
