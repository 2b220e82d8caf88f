"""VASP's tags as the settings that decide whether two frames may be in one dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from flatforce.data.readers.opening import parse_float

XC_NAMES: Final = {"PE": "PBE", "PS": "PBEsol", "91": "PW91", "CA": "LDA", "RP": "RPBE", "RE": "revPBE"}
"""Value of VASP's tag GGA → name of the functional, https://www.vasp.at/wiki/index.php/GGA."""

DISPERSION: Final = {
    10: "D2",
    1: "D2",
    11: "D3",
    12: "D3(BJ)",
    13: "D4",
    2: "TS",
    20: "TS",
    4: "dDsC",
    202: "MBD",
}
"""Value of VASP's tag IVDW → dispersion correction, https://www.vasp.at/wiki/index.php/IVDW."""

XC_OF_POTENTIALS: Final = {"PAW_PBE": "PBE", "PAW_GGA": "PW91", "PAW": "LDA"}
"""Family of PAW potentials → functional that VASP uses where no tag names one."""

UNNAMED: Final = "-1"
"""Value of IVDW for a dispersion correction that shows in the output though no tag names it."""

ORBITALS: Final = {0: "s", 1: "p", 2: "d", 3: "f"}
"""Value of VASP's tag LDAUL → orbital on which U acts; −1 stands for none."""


@dataclass(frozen=True)
class Potential:
    """A PAW potential of a run."""

    element: str
    """Chemical symbol."""
    title: str
    """Such as `PAW_PBE W_sv 04Sep2015`."""
    count: int
    """Number of its atoms."""
    valence: float
    """Number of its valence electrons; NaN where the file does not state it."""


def dft_settings(tags: dict[str, str], *, potentials: list[Potential], kpoints: str | None) -> dict[str, Any]:
    """Convert VASP's tags to the names and values that all codes share.

    Parameters
    ----------
    tags
        Tag → value, as VASP prints it.
    potentials
        PAW potentials, in the order of the species.
    kpoints
        Grid of k points, such as `6x6x1 gamma`.

    Returns
    -------
    Settings with the keys of `readers.content.SETTINGS`; None where unknown.
    """
    return {
        "code": "vasp",
        "xc": _xc(tags, [potential.title for potential in potentials]),
        "cutoff": _number(tags.get("ENCUT") or tags.get("ENMAX")),
        "kpoints": kpoints,
        "smearing": f"ISMEAR {tags['ISMEAR'].strip()}, {parse_float(tags['SIGMA']):g} eV"
        if {"ISMEAR", "SIGMA"} <= set(tags)
        else None,
        "dispersion": _dispersion(tags),
        "spin": _spin(tags),
        "soc": parse_logical(tags.get("LSORBIT", "F")),
        "hubbard": by_element(_hubbard(tags, potentials)),
        "potentials": by_element({potential.element: potential.title for potential in potentials}),
        "charge": _charge(tags, potentials),
    }


def by_element(values: dict[str, str]) -> str | None:
    """Write a setting that belongs to elements as one text.

    Parameters
    ----------
    values
        Chemical symbol → value.

    Returns
    -------
    Such as `Se=none; W=d 4 eV`; None without values.
    """
    return "; ".join(f"{element}={value}" for element, value in sorted(values.items())) or None


def parse_logical(text: str) -> bool:
    """Parse a Fortran logical.

    Parameters
    ----------
    text
        `T`, `.TRUE.` and the like.

    Returns
    -------
    True where the text stands for `.TRUE.` in Fortran.
    """
    return text.strip().strip(".").upper().startswith("T")


def _xc(tags: dict[str, str], titles: list[str]) -> str:
    meta_gga = tags.get("METAGGA", "--").strip().strip("-")
    if meta_gga and meta_gga.upper() not in {"F", "NONE"}:
        return meta_gga.upper()
    tag = tags.get("GGA", "--").strip().upper()
    name = XC_NAMES.get(tag)
    if name is None:
        families = {title.split()[0].removesuffix("_GW") for title in titles if title.split()}
        names = {XC_OF_POTENTIALS.get(family, family) for family in families}
        name = names.pop() if tag in {"--", ""} and len(names) == 1 else tag
    if not parse_logical(tags.get("LHFCALC", "F")):
        return name
    exact, screening = _number(tags.get("AEXX")), _number(tags.get("HFSCREEN"))
    return f"hybrid on {name} (AEXX {0.25 if exact is None else exact:g}, HFSCREEN {screening or 0:g} 1/Å)"


def _spin(tags: dict[str, str]) -> str:
    if parse_logical(tags.get("LNONCOLLINEAR", "F")) or parse_logical(tags.get("LSORBIT", "F")):
        return "noncollinear"
    return "collinear" if int(tags.get("ISPIN", "1").split()[0]) == 2 else "none"


def _hubbard(tags: dict[str, str], potentials: list[Potential]) -> dict[str, str]:
    values = {potential.element: "none" for potential in potentials}
    if not parse_logical(tags.get("LDAU", "F")):
        return values
    orbitals, u, j = (
        [parse_float(text) for text in tags.get(name, "").split()] for name in ("LDAUL", "LDAUU", "LDAUJ")
    )
    for k, potential in enumerate(potentials):
        orbital = ORBITALS.get(int(orbitals[k]) if k < len(orbitals) else -1)
        strengths = (u[k] if k < len(u) else 0.0, j[k] if k < len(j) else 0.0)
        if orbital is not None and any(strengths):
            text = f"{orbital} U {strengths[0]:g} eV" + (f" J {strengths[1]:g} eV" if strengths[1] else "")
            values[potential.element] = text
    return values


def _charge(tags: dict[str, str], potentials: list[Potential]) -> float | None:
    electrons = _number(tags.get("NELECT"))
    nuclei = sum(potential.count * potential.valence for potential in potentials)
    if electrons is None or not potentials or nuclei != nuclei:  # noqa: PLR0124  # NaN: a valence is unknown
        return None
    return round(nuclei - electrons, 4) + 0.0


def _dispersion(tags: dict[str, str]) -> str:
    if parse_logical(tags.get("LUSE_VDW", "F")):
        return "vdW-DF"
    tag = int(tags.get("IVDW", "0").split()[0])
    if tag == 0 and parse_logical(tags.get("LVDW", "F")):
        tag = 1
    if tag == int(UNNAMED):
        return "a correction without a name"
    return "none" if tag == 0 else DISPERSION.get(tag, f"IVDW {tag}")


def _number(text: str | None) -> float | None:
    return None if text is None or not text.strip() else parse_float(text.split()[0])
