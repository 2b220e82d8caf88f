"""Seeded mutations of text files: what disks, editors and copies do to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np


def cut(lines: list[str], rng: np.random.Generator) -> list[str]:
    text = "".join(lines)
    return [text[: int(rng.integers(1, len(text)))]]


def star(lines: list[str], rng: np.random.Generator) -> list[str]:
    return _replace_number(lines, rng, lambda field: "*" * len(field))


def nan(lines: list[str], rng: np.random.Generator) -> list[str]:
    return _replace_number(lines, rng, lambda _: "NaN")


def swap(lines: list[str], rng: np.random.Generator) -> list[str]:
    i, j = rng.integers(len(lines), size=2)
    lines[i], lines[j] = lines[j], lines[i]
    return lines


def duplicate(lines: list[str], rng: np.random.Generator) -> list[str]:
    i = int(rng.integers(len(lines)))
    return [*lines[: i + 1], *lines[i:]]


def drop(lines: list[str], rng: np.random.Generator) -> list[str]:
    i = int(rng.integers(len(lines)))
    return [*lines[:i], *lines[i + 1 :]]


def crlf(lines: list[str], rng: np.random.Generator) -> list[str]:
    del rng
    return [line.replace("\n", "\r\n") for line in lines]


def latin(lines: list[str], rng: np.random.Generator) -> list[str]:
    i = int(rng.integers(len(lines)))
    lines[i] = lines[i].rstrip("\n") + " \udce9t\udce9\n"  # written as bytes of Latin-1
    return lines


def _replace_number(lines: list[str], rng: np.random.Generator, change: Callable[[str], str]) -> list[str]:
    """Change one field that is a number with a decimal point."""
    places = [(k, field) for k, line in enumerate(lines) for field in line.split() if _is_decimal(field)]
    k, field = places[int(rng.integers(len(places)))]
    lines[k] = lines[k].replace(field, change(field), 1)
    return lines


def _is_decimal(field: str) -> bool:
    return "." in field and field.lstrip("-").replace(".", "", 1).isdigit()


MUTATIONS = {f.__name__: f for f in (cut, star, nan, swap, duplicate, drop, crlf, latin)}
