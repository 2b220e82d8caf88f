"""Join labelled files into the bundled dataset, one provenance for all.

python validation/assemble_wse2_pbe.py src/flatforce/data/files/wse2_pbe.extxyz SEED.xyz LABELLED.extxyz …

A later file wins where names agree. Of a config type that has labels on grids with Γ, only these are kept: an even
Monkhorst–Pack grid without Γ breaks the threefold axis, and defects with states at the Fermi level then have
forces that are wrong by 16–47 meV/Å (mean; W vacancy and Se antisite in 3×3).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from flatforce.data.frame_files import read_labelled, write_frames
from flatforce.data.frames import get_labels
from flatforce.reference.config import GpawSettings
from flatforce.reference.keys import label_key

if TYPE_CHECKING:
    from ase import Atoms

GRIDS = {"shifted": GpawSettings(), "with Γ": GpawSettings(gamma_centred=True)}

DFT = "PBE, plane waves 400 eV, Fermi 0.02 eV, k grid {} 6x6-equivalent, free energy"


def grid_of(frame: Atoms) -> str:
    """Return on which of the two grids a label was computed; frames without a key are on the shifted one."""
    key = frame.info.get("label_key", label_key(frame, GRIDS["shifted"]))
    return next(name for name, settings in GRIDS.items() if label_key(frame, settings) == key)


def main(target: str, sources: list[str]) -> None:
    frames: dict[str, Atoms] = {}
    for source in sources:
        for frame in read_labelled(Path(source)):
            grid = grid_of(frame)
            frame.info["dft"] = DFT.format(grid)
            frame.info["label_source"] = "gpaw 26.7.0"
            frame.info["label_key"] = label_key(frame, GRIDS[grid])
            if get_labels(frame).stress is not None:
                frame.info["REF_stress"] = get_labels(frame).stress.reshape(9)  # type: ignore[union-attr]  # just tested
            frames[frame.info["name"]] = frame
    centred = {f.info["config_type"] for f in frames.values() if grid_of(f) == "with Γ"}
    selected = [f for f in frames.values() if f.info["config_type"] not in centred or grid_of(f) == "with Γ"]
    write_frames(Path(target), sorted(selected, key=lambda f: (f.info["config_type"], f.info["name"])))
    print(f"{len(selected)} frames, {len(frames) - len(selected)} removed")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
