"""Files as text or bytes, whether they are compressed or not, and numbers as Fortran programs print them."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
from typing import IO, TYPE_CHECKING, Any, Final, TextIO

from ase.data import chemical_symbols

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

OPENERS: Final[dict[str, Callable[..., Any]]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
"""Suffix of a compressed file → function that opens it."""

MISPRINTED: Final = {"r": "Zr"}
"""Species as VASP misprints it in `vasprun.xml` → its symbol."""


def plain_name(path: Path) -> str:
    """Return the name of a file without the suffix of its compression.

    Parameters
    ----------
    path
        A file.

    Returns
    -------
    File name without its folder, such as `vasprun.xml` for `vasprun.xml.gz`.
    """
    return path.stem if path.suffix in OPENERS else path.name


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file, and decompress it on the fly.

    Parameters
    ----------
    path
        A file, compressed by gzip, bzip2 or xz if its suffix says so.

    Returns
    -------
    Binary stream of its decompressed content, to be closed by the caller.
    """
    stream: IO[bytes] = OPENERS.get(path.suffix, open)(path, "rb")
    return stream


def open_text(path: Path) -> TextIO:
    """Open a text file; bytes that are not UTF-8, as in names and comments in Latin-1, are replaced.

    Parameters
    ----------
    path
        A file, compressed by gzip, bzip2 or xz if its suffix says so.

    Returns
    -------
    Text stream of its decompressed content, to be closed by the caller.
    """
    import io

    return io.TextIOWrapper(open_bytes(path), encoding="utf-8", errors="replace")


def whole_lines(stream: Iterable[str]) -> Iterator[str]:
    """Iterate over the lines of a file, without a last one that lacks its newline: its last number may have lost digits.

    Parameters
    ----------
    stream
        The file.

    Returns
    -------
    Iterator over the lines, each with its newline.
    """
    return (line for line in stream if line.endswith("\n"))


def parse_float(text: str) -> float:
    """Parse a number as Fortran prints it.

    Parameters
    ----------
    text
        Such as `0.05D0` or `-1.2E-3`.

    Returns
    -------
    Value of the number, in the unit of the file.

    Raises
    ------
    ValueError
        If the text is no number, such as `****`, which Fortran prints where a number does not fit its field.
    """
    if "_" in text:
        raise ValueError(f"{text.strip()!r} is not a number")
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return float(re.sub("[dD]", "e", text))
    except ValueError:
        raise ValueError(f"{text.strip()!r} is not a number") from None


def parse_row(text: str, decimals: Sequence[int] = ()) -> list[float]:
    """Parse a row of numbers.

    Parameters
    ----------
    text
        The row.
    decimals
        Number of decimals of each field, by which numbers that run into one another, such as `-12.34567-1.23456`, are told
        apart; if empty, fields are separated by spaces.

    Returns
    -------
    (fields,) values in the order of the row, in the unit of the file.

    Raises
    ------
    ValueError
        If a field is no number, or the row has fewer fields than `decimals`.
    """
    fields = text.split()
    if decimals and len(fields) < len(decimals):
        pattern = r"\s*".join(rf"(-?\d*\.\d{{{n}}})" for n in decimals)
        match = re.match(rf"\s*{pattern}", text)
        if match is None:
            raise ValueError(f"the row {' '.join(fields)[:60]!r} does not hold {len(decimals)} numbers")
        fields = list(match.groups())
    return [parse_float(field) for field in fields]


def parse_rows(lines: Iterator[str], count: int, decimals: Sequence[int]) -> list[list[float]]:
    """Parse the rows of a table, and refuse one that ends before.

    Parameters
    ----------
    lines
        Lines, from the first row of the table on.
    count
        Number of rows.
    decimals
        Number of decimals of each field.

    Returns
    -------
    (count, len(decimals)) values, in the unit of the file.

    Raises
    ------
    ValueError
        If a row does not hold the numbers, as where the table is too short.
    """
    return [parse_row(next(lines), decimals)[: len(decimals)] for _ in range(count)]


def element_of(label: str) -> str:
    """Return the chemical symbol of a species as a code names it.

    Parameters
    ----------
    label
        Such as `W_sv`, `H1.25`, `Fe2`, `Se.pbe-dn` or VASP's misprint `r` of zirconium.

    Returns
    -------
    Chemical symbol of the element, such as `Zr`.

    Raises
    ------
    ValueError
        If no element is meant.
    """
    name = label.strip()
    match = re.match(r"([A-Z][a-z]?)(?![a-z])", MISPRINTED.get(name, name))
    symbol = match[1] if match else ""
    if symbol not in chemical_symbols[1:]:
        symbol = symbol[:1]
    if symbol not in chemical_symbols[1:] or not match:
        raise ValueError(f"{name!r} names no element")
    return symbol
