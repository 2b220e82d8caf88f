"""Peak memory of supercells, enumerations and dense phonons, which the estimates in core/memory, properties/phonons/memory and
structures/ordering_count are scaled by.

    python validation/memory_estimates.py build 200
    python validation/memory_estimates.py sites 200
    python validation/memory_estimates.py orderings 9
    python validation/memory_estimates.py modes 12
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import flatforce as ff
from flatforce.data.frame_files import write_frames
from flatforce.models import load
from flatforce.properties.phonons.config import DefectPhononConfig
from flatforce.properties.phonons.defects.supercell_phonons import defect_phonons
from flatforce.properties.relax_config import RelaxConfig
from flatforce.structures.alloys import alloy_lattice
from flatforce.structures.defect_sites import numbered_sites
from flatforce.structures.defects import build_defect
from flatforce.structures.orderings import enumerate_orderings
from flatforce.studies.alloy.config import AlloyStudy

MODEL = "ase:ase.calculators.lj:LennardJones?sigma=2.2&epsilon=0.5&rc=4.5&cutoff=4.5&elements=W,Se"
ALLOY = {
    "name": "MoWSe2",
    "prototype": "2H",
    "symbols": ["W", "Se"],
    "a": 3.3,
    "thickness": 3.36,
    "site": "W",
    "species": ["Mo", "W"],
}


def build(size: int, folder: Path) -> int:
    cell = build_defect(ff.monolayer("WSe2"), (size, size), "v_Se")
    write_frames(folder / "cell.extxyz", [cell.atoms])
    return len(cell.pristine)


def sites(size: int, folder: Path) -> int:
    del folder
    return len(numbered_sites(ff.monolayer("WSe2"), (size, size)))


def orderings(size: int, folder: Path) -> int:
    del folder
    lattice = alloy_lattice(AlloyStudy.parse({"alloy": ALLOY}, source="validation").alloy)
    return len(enumerate_orderings(lattice, max_cells=size))


def modes(size: int, folder: Path) -> int:
    relaxation = RelaxConfig(relax_cell=False, max_steps=1)
    config = DefectPhononConfig(supercell=(size, size), relaxation=relaxation, shells=[3.0, 4.5])
    defect_phonons(load(MODEL), ff.monolayer("WSe2"), "v_Se", config, scratch=folder)
    return 1


def peak() -> float:
    """Bytes."""
    return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    work = {"build": build, "sites": sites, "orderings": orderings, "modes": modes}[sys.argv[1]]
    with tempfile.TemporaryDirectory() as folder:
        if work is not modes:
            work(2, Path(folder))  # imports and caches
        before, start = peak(), time.perf_counter()
        count = work(int(sys.argv[2]), Path(folder))
        used = peak() - before
    print(
        f"{count} items, {used / 1e9:.2f} GB, {used / count:.0f} bytes each, {time.perf_counter() - start:.1f} s"
    )
