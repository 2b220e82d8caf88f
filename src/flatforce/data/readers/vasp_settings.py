"""VASP's tags as the settings that decide whether two frames may be in one dataset."""

from __future__ import annotations

from typing import Any, Final

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


def dft_settings(tags: dict[str, str], *, potentials: list[str], kpoints: str | None) -> dict[str, Any]:
    """Convert VASP's tags to the names and values that all codes share.

    Parameters
    ----------
    tags
        Tag → value, as VASP prints it.
    potentials
        Names of the PAW potentials, such as `PAW_PBE Mo`.
    kpoints
        Grid of k points, such as `6x6x1 gamma`.

    Returns
    -------
    Settings with the keys of `readers.content.SETTINGS`; None where unknown.
    """
    return {
        "code": "vasp",
        "xc": _xc(tags, potentials),
        "cutoff": _number(tags.get("ENCUT") or tags.get("ENMAX")),
        "kpoints": kpoints,
        "smearing": f"ISMEAR {tags['ISMEAR'].strip()}, {float(tags['SIGMA']):g} eV"
        if {"ISMEAR", "SIGMA"} <= set(tags)
        else None,
        "dispersion": _dispersion(tags),
        "spin": int(tags.get("ISPIN", "1")) == 2,
        "soc": parse_logical(tags.get("LSORBIT", "F")),
    }


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


def _xc(tags: dict[str, str], potentials: list[str]) -> str:
    meta_gga = tags.get("METAGGA", "--").strip().strip("-")
    if meta_gga and meta_gga.upper() not in {"F", "NONE"}:
        return meta_gga.upper()
    tag = tags.get("GGA", "--").strip().upper()
    name = XC_NAMES.get(tag)
    if name is None:
        families = {title.split()[0].removesuffix("_GW") for title in potentials if title.split()}
        names = {XC_OF_POTENTIALS.get(family, family) for family in families}
        name = names.pop() if tag in {"--", ""} and len(names) == 1 else tag
    return f"hybrid on {name}" if parse_logical(tags.get("LHFCALC", "F")) else name


def _dispersion(tags: dict[str, str]) -> str:
    if parse_logical(tags.get("LUSE_VDW", "F")):
        return "vdW-DF"
    tag = int(tags.get("IVDW", "0"))
    if tag == 0 and parse_logical(tags.get("LVDW", "F")):
        tag = 1
    if tag == int(UNNAMED):
        return "a correction without a name"
    return "none" if tag == 0 else DISPERSION.get(tag, f"IVDW {tag}")


def _number(text: str | None) -> float | None:
    return None if text is None else float(text.split()[0])
