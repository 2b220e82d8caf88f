"""Settings of a run of `pw.x`, as the header of its output states them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from flatforce.data.readers.opening import element_of, parse_float
from flatforce.data.readers.vasp_settings import by_element

if TYPE_CHECKING:
    from collections.abc import Sequence

RYDBERG: Final = 13.605693122994
"""eV, CODATA 2018, as in pw.x since version 6.5."""

XC_NAMES: Final = {
    "SLA PW PBX PBC": "PBE",
    "SLA PW PBE PBE": "PBE",
    "SLA PW PSX PSC": "PBEsol",
    "SLA PZ NOGX NOGC": "LDA",
    "PZ": "LDA",
}
"""Components of a functional, as pw.x prints them → its name (pw.x, `funct.f90`)."""

DISPERSION: Final = (
    (r"(?:DFT-D3|Grimme-D3|DFT\+D3).*BJ", "D3(BJ)"),
    (r"(?:DFT-D3|Grimme-D3|DFT\+D3)", "D3"),
    (r"(?:DFT-D2|Grimme-D2|DFT\+D|Parameters for Dispersion Correction)", "D2"),
    (r"(?:Tkatchenko|TS-vdW|TS vdW)", "TS"),
    (r"(?:Many[- ]body dispersion|MBD)", "MBD"),
    (r"XDM", "XDM"),
)
"""Text of the header → dispersion correction, the more special first."""


def espresso_settings(header: str, symbols: Sequence[str]) -> dict[str, Any]:
    """Read the settings of a run.

    Parameters
    ----------
    header
        Output before the first step.
    symbols
        Chemical symbol of each atom, from which the charge is counted.

    Returns
    -------
    Settings with the keys of `readers.content.SETTINGS`; None where unknown.
    """
    cutoff = _first(r"kinetic-energy cutoff\s*=\s*([\d.]+)\s*Ry", header)
    species = _species(header)
    electrons = _first(r"number of electrons\s*=\s*([\d.]+)", header)
    valence = [species[symbol][0] for symbol in symbols if symbol in species]
    charge = None
    if electrons is not None and species and len(valence) == len(symbols):
        charge = round(sum(valence) - parse_float(electrons), 4) + 0.0
    return {
        "code": "espresso",
        "xc": _xc(header),
        "cutoff": None if cutoff is None else parse_float(cutoff) * RYDBERG,
        "dispersion": next((name for text, name in DISPERSION if re.search(text, header)), "none"),
        "spin": _spin(header),
        "soc": "spin-orbit" in header.lower() and "without spin-orbit" not in header.lower(),
        "hubbard": _hubbard(header, symbols),
        "potentials": by_element({symbol: title for symbol, (_, title) in species.items() if title}),
        "charge": charge,
    }


def _first(pattern: str, text: str) -> str | None:
    match = re.search(pattern, text, re.MULTILINE)
    return match[1] if match else None


def _xc(header: str) -> str | None:
    text = _first(r"Exchange-correlation\s*=\s*(.+?)\s*(?:\(|$)", header)
    if text is None:
        return None
    name = " ".join(text.upper().replace("-", " ").replace("+", " ").split())
    exact = _first(r"EXX-fraction\s*=\s*([\d.]+)", header)
    return XC_NAMES.get(name, text.strip()) + (f" (EXX {parse_float(exact):g})" if exact else "")


def _spin(header: str) -> str:
    if "Noncollinear calculation" in header or "Non magnetic calculation with spin-orbit" in header:
        return "noncollinear"
    if re.search(r"[Ss]tarting magnetic structure|[Ss]tarting magnetization|SPIN UP", header):
        return "collinear"
    return "none"


def _species(header: str) -> dict[str, tuple[float, str]]:
    """Read the valence of each species and the file of its pseudopotential."""
    files: dict[str, str] = {}
    for symbol, name in re.findall(r"PseudoPot\. #\s*\d+ for\s+(\S+) read from file:\s*\n\s*(\S+)", header):
        files[element_of(symbol)] = name.rsplit("/", maxsplit=1)[-1]
    table = re.search(r"atomic species\s+valence\s+mass\s+pseudopotential\s*\n((?:.*\S.*\n)+)", header)
    species = {}
    for row in (table[1] if table else "").splitlines():
        symbol, valence = element_of(row.split()[0]), parse_float(row.split()[1])
        species[symbol] = (valence, files.get(symbol, ""))
    return species or {symbol: (float("nan"), name) for symbol, name in files.items()}


def _hubbard(header: str, symbols: Sequence[str]) -> str | None:
    values = dict.fromkeys(symbols, "none")
    for label, orbital, strength in re.findall(r"^\s*U\((\w+?)-(\w+)\)\s*=\s*([\d.]+)", header, re.MULTILINE):
        values[element_of(label)] = f"{orbital[-1]} U {parse_float(strength):g} eV"
    table = re.search(r"(?:Simplified )?LDA\+U calculation.*\n.*\n((?:\s+\S+\s+\d\s+[-\d.]+.*\n)+)", header)
    for row in (table[1] if table else "").splitlines():
        label, momentum, strength, *_ = row.split()
        values[element_of(label)] = f"{'spdf'[int(momentum)]} U {parse_float(strength):g} eV"
    return by_element(values)
