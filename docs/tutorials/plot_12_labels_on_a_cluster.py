"""
Labels on a cluster
===================

You have structures and an account on a cluster. At the end of this page you have labelled frames that were computed by a pool of workers, and know
which lines of the settings change between your laptop and Slurm.

**Time:** 25 s on one core. It needs Parsl: `pip install 'flatforce[scale]'`.

.. image:: /_static/tutorials/12.png
   :width: 100%
   :alt: Forces of labelled frames of boron nitride by amplitude of the displacements.

.. note::
   A page of a manual has neither a queue nor a DFT code. A pool of workers on this machine stands for Slurm, and a pair potential of ASE for DFT: the labels are worthless, the
   commands are those that you will use.
"""

# %%
# Structures
# ----------
#
# Any file that ASE reads will do. Here: sheets of boron nitride whose atoms are displaced at random.

# sphinx_gallery_thumbnail_path = '_static/tutorials/12.png'
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from ase.io import write

import flatforce as ff

os.environ["COLUMNS"] = "100"
folder = Path(tempfile.mkdtemp())
rng = np.random.default_rng(0)
sheets = []
for amplitude in (0.02, 0.05, 0.1):
    for _ in range(3):
        sheet = ff.monolayer("BN").repeat((2, 2, 1))
        sheet.positions += rng.normal(scale=amplitude, size=(len(sheet), 3))
        sheet.info["config_type"] = f"rattled {amplitude} Å"
        sheets.append(sheet)
write(folder / "structures.extxyz", sheets)

# %%
# Settings
# --------
#
# Three parts: `settings` determine the labels and are part of the key under which each is cached, `machine` and `executors` only say where they are computed.

(folder / "label.yaml").write_text("""\
settings:
  engine: ase
  calculator: ase.calculators.lj:LennardJones
  parameters: {sigma: 1.3, epsilon: 0.1, rc: 4.0}
executors:
  dft: {kind: local, blocks: 1, workers: 1}
""")

# %%
# On a real cluster the file has the same parts. This one asks Slurm for up to eight jobs, each of which computes four frames at the same time, on 32 cores each:
#
# .. code-block:: yaml
#
#    settings: {engine: vasp, xc: PBE, cutoff: 500, k_length: 40}
#    machine:
#      vasp: [mpirun, -np, "32", vasp_std]
#      potcars: /software/potcars
#    executors:
#      dft:
#        kind: slurm
#        queue: standard
#        account: my-project
#        blocks: 8
#        workers: 4
#        cores_per_node: 128
#        walltime: "24:00:00"
#        drain: 90
#        setup: |
#          module load vasp
#          source ~/flatforce/.venv/bin/activate
#
# `flatforce label --template slurm` prints it with comments, `--template pbs` the one for PBS.
#
# Label
# -----
#
# The driver submits jobs, hands out frames, and ends the jobs when nothing is left. It needs no core to speak of; start it in `tmux` on the login node.


def flatforce(*arguments: str) -> None:
    """Run a command of flatforce in the folder and print what it prints."""
    command = [sys.executable, "-m", "flatforce", *arguments]
    shown = subprocess.run(command, cwd=folder, capture_output=True, check=False, text=True)
    print(shown.stdout)


flatforce("label", "structures.extxyz", "-c", "label.yaml", "-o", "labels.extxyz")

# %%
# The same command again computes nothing: every label is in the cache. This is also what you do after a power cut, a full queue or a lost connection.

flatforce("label", "structures.extxyz", "-c", "label.yaml", "-o", "labels.extxyz")

# %%
# Add structures and call it once more; only the new ones are computed.

more = ff.monolayer("BN").repeat((2, 2, 1))
more.positions += rng.normal(scale=0.2, size=(len(more), 3))
more.info["config_type"] = "rattled 0.2 Å"
write(folder / "structures.extxyz", [*sheets, more])
flatforce("label", "structures.extxyz", "-c", "label.yaml", "-o", "labels.extxyz")

# %%
# Look at the labels
# ------------------
#
# `flatforce label` writes what the code computed. `flatforce data import` says which of it can be trusted.

flatforce("data", "import", "labels.extxyz", "-o", "frames.extxyz")

# %%
# Ten labels, nine frames: atoms that come too close in the frame of 0.2 Å give a stress that no sheet bears. Of those that are left, large forces mean far from
# equilibrium; a model learns little about vibrations from frames with forces of tens of eV/Å.

from matplotlib import pyplot as plt

frames = ff.read(folder / "frames.extxyz")
kinds = [frame.info["config_type"] for frame in frames]
largest = [np.linalg.norm(frame.arrays["REF_forces"], axis=1).max() for frame in frames]
figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
axes.semilogy(kinds, largest, "o")
axes.set(ylabel="largest force (eV/Å)")
plt.show()

# %%
# Without a driver
# ----------------
#
# Where a login node forbids programs that stay, `flatforce label … --submit-only` submits one job array and returns. The same command, called later, collects what is finished and submits the rest.
#
# What to worry about
# -------------------
#
# * Test one frame first: `flatforce label one.extxyz -c label.yaml -o one-label.extxyz`. Most failures are a wrong path or module.
# * A calculation that failed is never a label. The command lists it with its reason and exits with status 1; the next run computes what the machine made fail, and with
#   `--retry-failed` also what the code made fail.
# * Changing a line of `settings` changes all keys: everything is computed anew. Changing `machine` or `executors` changes nothing.
# * Convergence is a setting as well: `flatforce label FRAME -c label.yaml --converge -o convergence` tests cutoff, k points and vacuum.
#
# More: :doc:`/labels` and :doc:`/how-to/clusters`. Settings: :doc:`label </reference/generated/commands/label>`.
