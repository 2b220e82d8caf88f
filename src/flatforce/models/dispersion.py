"""Settings of a D3 dispersion correction, as the name of a force field states them: `d3:zero+revpbe:mace:my.model`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flatforce.core.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Container

DAMPINGS: Final = ("bj", "zero", "bjm", "zerom")
"""Damping functions: of Becke and Johnson, to zero, and both in the modified form of D. G. A. Smith et al."""

MIN_CUTOFF: Final = 10.0
"""Å. Of the attraction of two WSe2 layers in contact, pairs farther apart than this hold 8 %."""


@dataclass(frozen=True)
class DispersionSettings:
    """Which D3 correction is added to a force field."""

    functional: str = "pbe"
    """Functional of the labels, whose parameters are taken; a name of torch-dftd."""
    damping: str = "bj"
    """One of `DAMPINGS`."""
    cutoff: float = 25.0
    """Å, largest distance of the pairs that are summed. The attraction of two WSe2 layers in contact is then 0.2 % less than without a cutoff."""

    def __str__(self) -> str:
        """Write all settings, such as `pbe+bj+25`."""
        return f"{self.functional}+{self.damping}+{self.cutoff:g}"


def split_dispersion(name: str, kinds: Container[str]) -> tuple[DispersionSettings, str]:
    """Split what stands behind `d3:` into the settings and the force field that is corrected.

    Parameters
    ----------
    name
        `SPEC` or `SETTINGS:SPEC`. The settings are joined by `+`, in any order: a functional, a damping, a cutoff in Å.
    kinds
        Kinds of force fields, which are no functionals.

    Returns
    -------
    The settings, defaults for those that are not named, and the name of the force field.

    Raises
    ------
    ModelError
        If a setting occurs twice, the cutoff is too short, or the force field is missing, a committee, or itself corrected by D3.

    Examples
    --------
    >>> split_dispersion("mace:wse2-pbe", {"mace"})
    (DispersionSettings(functional='pbe', damping='bj', cutoff=25.0), 'mace:wse2-pbe')
    >>> split_dispersion("zero+20:my.model", {"mace"})
    (DispersionSettings(functional='pbe', damping='zero', cutoff=20.0), 'my.model')
    """
    first, colon, rest = name.partition(":")
    has_settings = bool(colon) and first not in kinds
    spec = rest if has_settings else name
    if not spec:
        raise ModelError(f"d3:{name} names no force field.", fix="write d3:mace:wse2-pbe")
    kind, _, members = spec.partition(":")
    if kind == "d3":
        raise ModelError(f"d3:{name} would count dispersion twice.", fix=f"write {spec}")
    if kind == "committee":
        each = ",".join(
            f"d3:{first}:{member}" if has_settings else f"d3:{member}" for member in members.split(",")
        )
        raise ModelError("D3 is not added to a committee but to its members.", fix=f"write committee:{each}")
    return _read_settings(first) if has_settings else DispersionSettings(), spec


def range_hint(spec: str) -> str:
    """Say what to do where the interaction range of a force field must be strict and is not.

    Parameters
    ----------
    spec
        Name of the force field.

    Returns
    -------
    What to change; D3 reaches farther than the neighbour graph of any model.
    """
    if spec.startswith("d3:"):
        return "leave d3: out, since dispersion reaches farther than such a range"
    return "append ?cutoff=6.0 to the model name"


def _read_settings(text: str) -> DispersionSettings:
    found: dict[str, str] = {}
    for part in text.lower().split("+"):
        name = "damping" if part in DAMPINGS else "cutoff" if _is_number(part) else "functional"
        if name in found or not part:
            raise ModelError(
                f"The settings {text!r} of D3 are not understood.",
                why=f"{found[name]} and {part} are both a {name}"
                if part and name in found
                else "one is empty",
                fix="write a functional, a damping and a cutoff in Å at most once, such as d3:pbe+zero+20:mace:wse2-pbe",
            )
        found[name] = part
    cutoff = float(found.pop("cutoff", DispersionSettings.cutoff))
    if not MIN_CUTOFF <= cutoff < float("inf"):
        raise ModelError(
            f"A cutoff of {cutoff:g} Å is too short for dispersion."
            if cutoff < MIN_CUTOFF
            else "D3 needs a finite cutoff.",
            why="the attraction decays with the fourth power of the distance of two sheets",
            fix=f"choose {MIN_CUTOFF:g} Å or more; {DispersionSettings.cutoff:g} is the default",
        )
    return DispersionSettings(**found, cutoff=cutoff)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
