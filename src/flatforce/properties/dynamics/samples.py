"""Frames of trajectories on disk: written piece by piece while the dynamics runs, read back atom by atom for its analysis."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import h5py
import numpy as np

from flatforce.core.files import write_arrays, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flatforce.core.arrays import FloatArray, IntArray

PER_ATOM: Final = ("positions", "velocities")
"""Arrays of a frame with one row for each atom, stored in single precision."""

PER_FRAME: Final = ("time", "potential_energy", "kinetic_energy", "temperature", "tension", "cell")
"""Numbers of a frame."""

UNITS: Final = {
    "positions": "Å, unwrapped",
    "velocities": "Å/fs",
    "time": "fs",
    "potential_energy": "eV",
    "kinetic_energy": "eV",
    "temperature": "K",
    "tension": "N/m",
    "cell": "Å, rows are the in-plane lattice vectors",
}


BLOCK: Final = 1024
"""Atoms that are read together."""


@dataclass
class FrameBuffer:
    """Frames of one trajectory that were not written yet."""

    frames: list[dict[str, Any]] = field(default_factory=list)
    """Arrays and numbers of each frame, by the names of `PER_ATOM` and `PER_FRAME`."""

    def write(self, path: Path) -> None:
        """Write the frames to a file, and forget them; without frames there is no file.

        Parameters
        ----------
        path
            The file; one of the same name, left by a run that was killed, is replaced by the same content.
        """
        if not self.frames:
            path.unlink(missing_ok=True)  # of a run that was killed after it wrote frames that come later now
        else:
            arrays = {
                name: np.array(
                    [frame[name] for frame in self.frames],
                    dtype=np.float32 if name in PER_ATOM else np.float64,
                )
                for name in (*PER_ATOM, *PER_FRAME)
            }
            path.parent.mkdir(parents=True, exist_ok=True)
            write_arrays(path, arrays)
            self.frames = []


@dataclass(frozen=True)
class Samples:
    """The recorded frames of one trajectory, in a file of HDF5."""

    path: Path
    """The file that holds all trajectories of a run."""
    group: str
    """Name of this trajectory in it."""

    def read(self, name: str, atoms: slice | IntArray | None = None) -> FloatArray:
        """Read one quantity of all frames.

        Parameters
        ----------
        name
            One of `positions`, `velocities`, `time`, `potential_energy`, `kinetic_energy`, `temperature`, `tension`, `cell`.
        atoms
            Indices of atoms; all if None.

        Returns
        -------
        (T, …) the quantity in every recorded frame, in its own unit, as float64.
        """
        with h5py.File(self.path, "r") as file:
            dataset = file[self.group][name]
            values = dataset[...] if atoms is None else dataset[:, atoms]
        return np.asarray(values, dtype=np.float64)

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        with h5py.File(self.path, "r") as file:
            return int(file[self.group]["positions"].shape[1])

    def frame(self, name: str, index: int) -> FloatArray:
        """Read one quantity of one frame.

        Parameters
        ----------
        name
            As for `read`.
        index
            Number of the frame.

        Returns
        -------
        (…) the quantity in that frame, in its own unit, as float64.
        """
        with h5py.File(self.path, "r") as file:
            return np.asarray(file[self.group][name][index], dtype=np.float64)

    def centres(self) -> FloatArray:
        """Compute the mean position of all atoms in each frame.

        Returns
        -------
        (T, 3) Å, of all recorded frames.
        """
        sums = sum(block.sum(axis=1) for _, block in self.blocks_of_atoms("positions", BLOCK))
        return np.asarray(sums) / self.n_atoms

    def blocks_of_atoms(self, name: str, size: int) -> Iterator[tuple[slice, FloatArray]]:
        """Read a quantity of a few atoms at a time, so that a long trajectory of a large sheet needs little memory.

        Parameters
        ----------
        name
            `positions` or `velocities`.
        size
            Number of atoms at a time.

        Yields
        ------
        Their indices, and (T, n, 3) values.
        """
        for start in range(0, self.n_atoms, size):
            atoms = slice(start, start + size)
            yield atoms, self.read(name, atoms)


def long_enough(samples: list[Samples], minimum: int) -> list[Samples]:
    """Choose the trajectories that are not much shorter than the longest one, such as one that ended early.

    Parameters
    ----------
    samples
        Trajectories at one temperature.
    minimum
        Frames that are needed.

    Returns
    -------
    Those of at least half of the frames of the longest one; empty where that one is too short.
    """
    lengths = [len(trajectory.read("time")) for trajectory in samples]
    needed = max(minimum, max(lengths) / 2)
    return [trajectory for trajectory, length in zip(samples, lengths, strict=True) if length >= needed]


def join_pieces(target: Path, pieces: dict[str, list[Path]], numbers: IntArray) -> None:
    """Join the pieces of all trajectories in one file of HDF5.

    Parameters
    ----------
    target
        The file; it appears whole, or not at all.
    pieces
        Name of each trajectory → its pieces in order.
    numbers
        (N) atomic numbers, the same in all trajectories.
    """

    def write(path: Path) -> None:
        with h5py.File(path, "w") as file:
            file.attrs["format"] = "flatforce trajectories 1"
            file["numbers"] = np.asarray(numbers)
            for name, files in pieces.items():
                group = file.create_group(name)
                for piece in files:
                    _append(group, piece)

    write_atomically(target, write)


def _append(group: h5py.Group, piece: Path) -> None:
    with np.load(piece, allow_pickle=False) as arrays:
        for name in (*PER_ATOM, *PER_FRAME):
            values = arrays[name]
            if name not in group:
                dataset = group.create_dataset(
                    name,
                    shape=(0, *values.shape[1:]),
                    maxshape=(None, *values.shape[1:]),
                    dtype=values.dtype,
                    chunks=(max(1, min(len(values), 128)), *values.shape[1:]),
                )
                dataset.attrs["unit"] = UNITS[name]
            dataset = group[name]
            start = dataset.shape[0]
            dataset.resize(start + len(values), axis=0)
            dataset[start:] = values
