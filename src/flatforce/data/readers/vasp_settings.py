"""VASP's tags as the settings that decide whether two frames may stand in one dataset."""

from __future__ import annotations

from typing import Any, Final

FUNCTIONALS: Final = {"PE": "PBE", "PS": "PBEsol", "91": "PW91", "CA": "LDA", "RP": "RPBE", "RE": "revPBE"}
"""GGA tags of VASP, https://www.vasp.at/wiki/index.php/GGA."""

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
"""IVDW tags of VASP, https://www.vasp.at/wiki/index.php/IVDW."""

UNNAMED: Final = "-1"
"""Stands for a dispersion correction that shows in the output though no tag names it."""


def settings_of(tags: dict[str, str], *, potentials: list[str], kpoints: str | None) -> dict[str, Any]:
    """Name the settings that matter.

    Parameters
    ----------
    tags
        Tag → text, as VASP prints them.
    potentials
        Names of the PAW potentials, such as `PAW_PBE Mo`.
    kpoints
        The grid, such as `6x6x1 gamma`.

    Returns
    -------
    Keys of `readers.content.SETTINGS`.
    """
    return {
        "code": "vasp",
        "functional": _functional(tags, potentials),
        "cutoff": _number(tags.get("ENCUT") or tags.get("ENMAX")),
        "kpoints": kpoints,
        "smearing": f"ISMEAR {tags['ISMEAR'].strip()}, {float(tags['SIGMA']):g} eV"
        if {"ISMEAR", "SIGMA"} <= set(tags)
        else None,
        "dispersion": _dispersion(tags),
        "spin": int(tags.get("ISPIN", "1")) == 2,
        "soc": truth(tags.get("LSORBIT", "F")),
    }


def truth(text: str) -> bool:
    """Read a Fortran logical.

    Parameters
    ----------
    text
        `T`, `.TRUE.` and the like.

    Returns
    -------
    The value.
    """
    return text.strip().strip(".").upper().startswith("T")


def _functional(tags: dict[str, str], potentials: list[str]) -> str:
    meta = tags.get("METAGGA", "--").strip().strip("-")
    if meta and meta.upper() not in {"F", "NONE"}:
        return meta.upper()
    tag = tags.get("GGA", "--").strip().upper()
    name = FUNCTIONALS.get(tag)
    if name is None:
        family = {word.split()[0].removesuffix("_GW") for word in potentials if word.split()}
        guess = {"PAW_PBE": "PBE", "PAW_GGA": "PW91", "PAW": "LDA"}
        names = {guess.get(word, word) for word in family}
        name = names.pop() if tag in {"--", ""} and len(names) == 1 else tag
    return f"hybrid on {name}" if truth(tags.get("LHFCALC", "F")) else name


def _dispersion(tags: dict[str, str]) -> str:
    if truth(tags.get("LUSE_VDW", "F")):
        return "vdW-DF"
    tag = int(tags.get("IVDW", "0"))
    if tag == 0 and truth(tags.get("LVDW", "F")):
        tag = 1
    if tag == int(UNNAMED):
        return "some correction, not named"
    return "none" if tag == 0 else DISPERSION.get(tag, f"IVDW {tag}")


def _number(text: str | None) -> float | None:
    return None if text is None else float(text.split()[0])
