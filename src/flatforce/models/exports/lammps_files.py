"""Text files of LAMMPS: the structure, the input file of a short run, and that of a comparison."""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO
from math import ceil
from typing import TYPE_CHECKING, Final

import numpy as np
from ase.data import atomic_numbers
from ase.io.lammpsdata import write_lammps_data

from flatforce.models.slab import pad_vacuum

if TYPE_CHECKING:
    from ase import Atoms

RIPPLE_MARGIN: Final = 10.0
"""Å of vacuum beyond the cutoff: the room that a sheet has to ripple in a run before it meets its image."""

MIN_LENGTH: Final = 20.0
"""Å, length to which the input file repeats a short cell, four times a cutoff of 5 Å."""

NONLINEAR_VERSION: Final = 20251216
"""First version of LAMMPS, as a date, whose ML-IAP handles non-linear blocks of MACE (ACEsuit/mace, pull request 1331; lammps/lammps,
pull request 4808). Earlier ones end without an error, with wrong forces."""

HEADER: Final = """\
units metal
atom_style atomic
atom_modify map yes
newton on
boundary p p p
"""

GUARD: Final = f"""
# The model has non-linear blocks, which LAMMPS before {NONLINEAR_VERSION} evaluates wrongly, without an error.
variable coupling index mliap
if "(${{coupling}} == mliap) && ($(version) < {NONLINEAR_VERSION})" then &
  "print 'ERROR: this model needs a LAMMPS of {NONLINEAR_VERSION} or later'" &
  "quit 1"
"""


@dataclass(frozen=True)
class PairStyle:
    """How an input file names the exported model."""

    style: str
    """Arguments of `pair_style`."""
    model: str
    """File that `pair_coeff` names, with a blank behind it; empty where `pair_style` names it."""
    elements: tuple[str, ...]
    """Chemical symbol of each atom type."""
    nonlinear: bool = False
    """Whether the model has non-linear blocks."""

    @property
    def commands(self) -> str:
        """The two commands of the input file."""
        return f"pair_style {self.style}\npair_coeff * * {self.model}{' '.join(self.elements)}\n"


def to_lammps_cell(sheet: Atoms, *, cutoff: float) -> Atoms:
    """Turn a sheet so that its first lattice vector is along x and its second has a positive y component, as LAMMPS wants it.

    Parameters
    ----------
    sheet
        A sheet of any periodicity and vacuum.
    cutoff
        Å, cutoff of the force field.

    Returns
    -------
    A fully periodic copy with more vacuum than the cutoff, and room to ripple. Where the lattice vectors are left-handed, the first
    two are exchanged, so that the structure is not mirrored.
    """
    atoms = pad_vacuum(sheet, cutoff + RIPPLE_MARGIN)
    if np.linalg.det(atoms.cell.array) < 0:
        atoms.set_cell(atoms.cell.array[[1, 0, 2]])
    cell, rotation = atoms.cell.standard_form()
    atoms.positions = atoms.positions @ rotation.T
    atoms.set_cell(cell.array)
    return atoms


def atom_types(atoms: Atoms) -> tuple[str, ...]:
    """List the elements of a structure in the order of LAMMPS's atom types.

    Parameters
    ----------
    atoms
        A structure.

    Returns
    -------
    Chemical symbols by increasing atomic number; the first is atom type 1.
    """
    return tuple(sorted(set(atoms.symbols), key=atomic_numbers.__getitem__))


def data_text(atoms: Atoms) -> str:
    """Write a structure for `read_data`, with the mass of each atom type.

    Parameters
    ----------
    atoms
        A structure in the cell of `to_lammps_cell`.

    Returns
    -------
    Content of the data file, atoms in the order of the structure.
    """
    stream = StringIO()
    write_lammps_data(
        stream, atoms, specorder=list(atom_types(atoms)), masses=True, units="metal", atom_style="atomic"
    )
    return stream.getvalue()


def run_text(atoms: Atoms, pair: PairStyle, *, title: str, temperature: float) -> str:
    """Write the input file of a short run of molecular dynamics of the sheet, with its plane free to expand.

    Parameters
    ----------
    atoms
        The structure of `sheet.data`.
    pair
        How the model is named.
    title
        First line of the file.
    temperature
        K.

    Returns
    -------
    Content of `in.lammps`: `fix npt` acts on x and y together, never on the vacuum, and the membrane stress is printed in N/m.
    """
    nx, ny = (ceil(MIN_LENGTH / length) for length in atoms.cell.lengths()[:2])
    return f"""\
# {title}
{HEADER}\
{GUARD if pair.nonlinear else ""}
variable temperature index {temperature:g}  # K
variable steps index 1000
variable nx index {nx}  # repetitions of the cell in the plane
variable ny index {ny}

read_data sheet.data  # atom types: {", ".join(f"{k + 1} {symbol}" for k, symbol in enumerate(pair.elements))}
replicate ${{nx}} ${{ny}} 1
{pair.commands}
neighbor 1.0 bin
timestep 0.001  # ps
variable tension_xx equal -pxx*lz*1e-5  # bar Å to N/m, positive under tension
variable tension_yy equal -pyy*lz*1e-5
thermo 100
thermo_style custom step temp pe etotal lx ly pxx pyy v_tension_xx v_tension_yy
dump trajectory all custom 100 trajectory.dump id type element xu yu zu
dump_modify trajectory element {" ".join(pair.elements)} sort id

velocity all create ${{temperature}} 4928 mom yes rot no dist gaussian
# the cell changes in its plane only: a barostat on z would collapse the vacuum
fix dynamics all npt temp ${{temperature}} ${{temperature}} 0.1 x 0.0 0.0 1.0 y 0.0 0.0 1.0 couple xy
run ${{steps}}
"""


def check_text(pair: PairStyle, n_frames: int) -> str:
    """Write an input file that evaluates frames one after the other.

    Parameters
    ----------
    pair
        How the model is named.
    n_frames
        Number of frames, in `frame-0.data` and so on.

    Returns
    -------
    Content of the input file, which writes `forces-0.txt` and `energy-0.txt` and so on.
    """
    return "".join(
        f"""\
clear
{HEADER}\
read_data frame-{k}.data
{pair.commands}\
thermo_style custom step pe pxx pyy pzz pxy pxz pyz
run 0
write_dump all custom forces-{k}.txt id fx fy fz modify sort id format float %.17g
print "$(pe:%.17g) $(pxx:%.17g) $(pyy:%.17g) $(pzz:%.17g) $(pyz:%.17g) $(pxz:%.17g) $(pxy:%.17g)" file energy-{k}.txt
"""
        for k in range(n_frames)
    )
