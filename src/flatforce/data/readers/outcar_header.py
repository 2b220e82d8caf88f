"""What an `OUTCAR` states before and between its steps: potentials, numbers of atoms, and settings."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from flatforce.data.readers.opening import element_of, parse_float
from flatforce.data.readers.vasp_settings import Potential

TAG: Final = re.compile(r"^\s{3}([A-Z_]+)\s*=\s*(\S+)")
SIGMA: Final = re.compile(r"ISMEAR\s*=\s*(-?\d+);\s*SIGMA\s*=\s*(\S+)")
HUBBARD: Final = re.compile(r"for each species (LDAU[LUJ])\s*=\s*(.+)")
GRID: Final = re.compile(r"generate k-points for:\s+(\d+)\s+(\d+)\s+(\d+)")


@dataclass
class OutcarHeader:
    """Settings of a run, as far as its lines have been read."""

    tags: dict[str, str] = field(default_factory=dict)
    """Tag → value, as VASP prints it."""
    potentials: list[str] = field(default_factory=list)
    """Potentials in the order of the species; VASP lists them twice."""
    titles: list[str] = field(default_factory=list)
    """Potentials as their own headers name them; empty with NWRITE = 0."""
    counts: list[int] = field(default_factory=list)
    """Number of atoms of each species, once the first table was read."""
    counts_text: str = ""
    """The line that states them."""
    n_ions: int | None = None
    """Number of atoms of the run."""
    kpoints: str | None = None
    """Grid of k points, such as `6x6x1`."""

    def parse(self, line: str) -> None:
        """Read a line that may state a setting.

        Parameters
        ----------
        line
            Any line of the file.
        """
        if line.startswith(" POTCAR:"):
            self.potentials.append(" ".join(line.split(":")[1].split()))
        elif line.startswith("   TITEL"):
            self.titles.append(" ".join(line.split("=")[1].split()))
        elif "ions per type" in line:
            self.counts_text = line.split("=")[1].rstrip()
        elif "NIONS" in line:
            self.n_ions = int(line.split("NIONS")[1].split("=")[1].split(maxsplit=1)[0])
        elif match := GRID.search(line):
            self.kpoints = "x".join(match.groups())
        elif match := SIGMA.search(line):
            self.tags["ISMEAR"], self.tags["SIGMA"] = match.groups()
        elif match := HUBBARD.search(line):
            self.tags |= {"LDAU": "T", match[1]: match[2]}
        elif line.startswith("   ZVAL"):
            self.tags["ZVAL"] = line.split("=")[1]
        elif match := TAG.match(line):
            self.tags[match[1]] = match[2].rstrip(";")

    @property
    def n_atoms(self) -> int:
        """Number of atoms of the run."""
        if not self.counts:
            self.counts = _counts(self.counts_text, self.n_ions, len(self.potentials))
        return sum(self.counts)

    @property
    def species(self) -> list[Potential]:
        """Potentials with their numbers of atoms; a ValueError if their lists do not agree."""
        valences = [parse_float(text) for text in self.tags.get("ZVAL", "").split()]
        n_species = len(self.counts)
        titles = self.potentials[:n_species]
        if len(titles) < n_species or self.potentials[n_species:] not in ([], titles):
            raise ValueError(f"the lists of potentials do not agree: {', '.join(self.potentials)}")
        if self.titles not in ([], titles):
            raise ValueError(
                f"the potentials are {', '.join(titles)} in one place and {', '.join(self.titles)} in another"
            )
        if len(valences) != len(titles):
            valences = [float("nan")] * len(titles)
        return [
            Potential(element_of(title.split()[1]), title, count, valence)
            for title, count, valence in zip(titles, self.counts, valences, strict=True)
        ]


def _counts(text: str, total: int | None, n_potentials: int) -> list[int]:
    """Split the numbers of ions by type, which run into one another above 999."""
    fields = [int(field) for field in text.split()]
    if total in {None, sum(fields)} and len(fields) <= n_potentials:
        return fields
    for width in range(4, 8):
        padded = text.rjust(-(-len(text) // width) * width)
        chunks = [padded[k : k + width].strip() for k in range(0, len(padded), width)]
        counts = [int(chunk) for chunk in chunks if chunk.isdigit()]
        if sum(counts) == total and len(counts) in {n_potentials, n_potentials // 2}:
            return counts
    raise ValueError(
        f"the numbers of ions by type, {text.split()}, do not sum to the {total} ions of the run"
    )
