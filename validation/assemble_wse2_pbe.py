"""Join labelled files into the bundled dataset, one provenance for all.

python validation/assemble_wse2_pbe.py src/flatforce/data/files/wse2_pbe.extxyz SEED.xyz LABELLED.extxyz …
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from flatforce.data.frames import get_labels, read_labelled, write_frames
from flatforce.reference.config import GpawSettings, label_key

if TYPE_CHECKING:
    from ase import Atoms

SETTINGS = "PBE, plane waves 400 eV, Fermi 0.02 eV, k grid shifted 6x6-equivalent, free energy"


def main(target: str, sources: list[str]) -> None:
    frames: dict[str, Atoms] = {}
    for source in sources:
        for frame in read_labelled(Path(source)):
            frame.info["dft"] = SETTINGS
            frame.info["label_source"] = "gpaw 26.7.0"
            frame.info["label_key"] = label_key(frame, GpawSettings())
            if get_labels(frame).stress is not None:
                frame.info["REF_stress"] = get_labels(frame).stress.reshape(9)  # type: ignore[union-attr]  # just tested
            frames.setdefault(frame.info["label_key"], frame)
    ordered = sorted(frames.values(), key=lambda f: (f.info["config_type"], f.info["name"]))
    names = [frame.info["name"] for frame in ordered]
    if len(set(names)) != len(names):
        raise SystemExit("two frames share a name")
    write_frames(Path(target), ordered)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
