"""CASM's `properties.calc.json`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from flatforce.data.readers.content import NO_FORCES, FileContent, Refusal, build_frame
from flatforce.data.readers.opening import open_text

if TYPE_CHECKING:
    from pathlib import Path


def read_casm(path: Path) -> FileContent:
    """Read the one relaxed structure of a calculation, in the layout of CASM 0.2 or 1.0.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    One frame, or the reason why it was refused.
    """
    try:
        with open_text(path) as stream:
            content: dict[str, Any] = json.loads(stream.read())
        return _read(content)
    except (json.JSONDecodeError, KeyError, ValueError, TypeError, AttributeError) as error:
        return FileContent([], [Refusal(f"not a CASM calculation ({type(error).__name__}: {error})")])


def _read(content: dict[str, Any]) -> FileContent:
    if "relaxed_lattice" in content:
        symbols = [
            symbol
            for symbol, count in zip(content["atom_type"], content["atoms_per_type"], strict=True)
            for _ in range(count)
        ]
        cell, basis = content["relaxed_lattice"], content["relaxed_basis"]
        is_cartesian = str(content.get("coord_mode", "direct")).lower().startswith("c")
        energy, forces = content["relaxed_energy"], content.get("relaxed_forces")
    else:
        symbols, cell, basis = content["atom_type"], content["lattice_vectors"], content["atom_coords"]
        is_cartesian = str(content.get("coordinate_mode", "direct")).lower().startswith("c")
        energy = content["global_properties"]["energy"]["value"]
        force = content.get("atom_properties", {}).get("force")
        forces = None if force is None else force["value"]
    if forces is None:
        return FileContent([], [Refusal(NO_FORCES)])
    coordinates = {"positions" if is_cartesian else "scaled_positions": np.asarray(basis, dtype=float)}
    atoms = Atoms(symbols, cell=np.asarray(cell, dtype=float), pbc=True, **coordinates)
    return FileContent([build_frame(atoms, step=0, energy=energy, forces=forces, stress=None, settings={})])
