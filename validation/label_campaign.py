"""Twenty GPAW labels on two Parsl workers: a worker is killed, then a whole block, then the driver.

    python validation/label_campaign.py FOLDER

Prints how many frames were started, finished and labelled; each must end exactly once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
from ase.io import write

from flatforce.data.frame_files import read_frames
from flatforce.structures.prototypes import monolayer
from flatforce.structures.strain import rattle_positions

FRAMES = 20

SETTINGS = """
settings: {{engine: gpaw}}
launcher: [sh, -c, 'echo begun $4 >> {log}; "$@" && echo ended $4 >> {log}', counting]
executors:
  dft: {{kind: local, blocks: 2, workers: 1, heartbeat: 20}}
"""


def count_ended(log: Path) -> Counter[str]:
    lines = log.read_text().splitlines() if log.exists() else []
    return Counter(line.split()[1] for line in lines if line.startswith("ended"))


def wait(log: Path, count: int) -> None:
    while len(count_ended(log)) < count:
        time.sleep(0.2)


def launcher(cache: Path) -> int:
    """Return the process of a label that is being computed."""
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
        except (FileNotFoundError, ProcessLookupError):
            continue
        if command[:1] == [b"sh"] and str(cache).encode() in b" ".join(command):
            return int(entry.name)
    raise RuntimeError("no label is being computed")


def parent(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("PPid")).split()[1])


def main(folder: Path) -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(20261126)
    unit = monolayer(("W", "Se"), prototype="2H", a=3.3166, thickness=3.3597)
    unit.set_cell([*unit.cell.array[:2], [0, 0, 15]])
    write(
        folder / "in.extxyz",
        [rattle_positions(unit, amplitude=0.03, rng=rng) for _ in range(FRAMES)],
        format="extxyz",
    )
    log, cache = folder / "log", folder / "out.labels"
    (folder / "label.yaml").write_text(SETTINGS.format(log=log))
    command = [
        sys.executable,
        "-m",
        "flatforce",
        "label",
        "in.extxyz",
        "-c",
        "label.yaml",
        "-o",
        "out.extxyz",
    ]
    start = time.perf_counter()
    driver = subprocess.Popen(command, cwd=folder)
    wait(log, 3)
    os.kill(parent(launcher(cache)), signal.SIGKILL)
    wait(log, 6)
    os.kill(parent(parent(launcher(cache))), signal.SIGKILL)  # the manager, with it the block
    wait(log, 10)
    driver.kill()
    driver.wait()
    n_before = len(count_ended(log))
    subprocess.run(command, cwd=folder, check=True)
    n_started = sum(line.startswith("begun") for line in log.read_text().splitlines())
    counts = count_ended(log)
    labelled = len(read_frames(folder / "out.extxyz"))
    print(
        f"{labelled} of {FRAMES} labelled, {n_before} before the driver died; {n_started} started, "
        f"{len(counts)} ended, most often {max(counts.values())} times; {time.perf_counter() - start:.0f} s"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
