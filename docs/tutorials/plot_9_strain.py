"""
A defect under strain
=====================

Your sheet lies on a substrate or is bent, so that it is strained. At the end of this page you have the vibrations of a selenium vacancy at three strains, and
know how fast each of them moves.

**Time:** 100 s on one core. To keep it short this page uses a small force field and a supercell of 4 × 4. For a paper take `mace:wse2-pbe` or your own
model and `-s 6 6`.

.. image:: /_static/tutorials/9.png
   :width: 100%
   :alt: Local density of states near a selenium vacancy in WSe2 at three strains, and frequencies of its modes against strain.
"""

# %%
# A force field and a relaxed sheet
# ---------------------------------
#
# The frames of `wse2-pbe` hold strained sheets. A model that has seen no strain cannot know what strain does.

# sphinx_gallery_thumbnail_path = '_static/tutorials/9.png'
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ase.io import write

import flatforce as ff

os.environ["COLUMNS"] = "100"
folder = Path(tempfile.mkdtemp())
frames = [frame for frame in ff.read("wse2-pbe") if "SeW" not in frame.info["config_type"]]
small = {"hidden_irreps": "16x0e + 16x1o", "r_max": 4.5, "max_ell": 2, "correlation": 2}
training = ff.train(frames[::2], model=small, epochs=20, batch_size=4, huber_delta=0.02, stage_two=None)
training.save(folder / "model")
sheet = ff.relax(training.model(), ff.monolayer("WSe2"), keep_symmetry=True).atoms
write(folder / "sheet.extxyz", sheet)
(folder / "quick.yaml").write_text("{supercell: [4, 4], mesh: 8}")

# %%
# Three strains in one command
# ----------------------------
#
# `flatforce defect strain` stretches the sheet, relaxes the atoms of each cell without letting the strain go, and computes the phonons. `--kind x` or `--kind y` stretches one
# axis alone; here both.


def flatforce(*arguments: str) -> None:
    """Run a command of flatforce in the folder and print what it prints."""
    command = [sys.executable, "-m", "flatforce", *arguments]
    shown = subprocess.run(command, cwd=folder, capture_output=True, check=False, text=True)
    print(shown.stdout)


strains = (-0.01, 0, 0.01)
common = ("-c", "quick.yaml", "-o", "strain")
flatforce(
    "defect",
    "strain",
    "model/model.model",
    "sheet.extxyz",
    "v_Se:top",
    "--strain",
    *map(str, strains),
    *common,
)

# %%
# What moves
# ----------
#
# Left: the local density of states (LDOS) around the vacancy. Right: the modes with the largest projection onto these atoms. They are matched from strain to strain by the
# overlap of their eigenvectors, not by their order: two modes may cross.

series = ff.open(folder / "strain" / "strain")
series.plot()

# %%
# Numbers
# -------
#
# A slope in THz per per cent of strain says how far a line moves. Tension softens most modes, because bonds get longer; a mode that hardens bends bonds. Where a mode is not found at a
# strain, its frequency is NaN.

import numpy as np

percent = 100 * series.strain
for frequencies in series.mode_frequencies.T[:6]:
    if np.isfinite(frequencies).all():
        slope = np.polyfit(percent, frequencies, 1)[0]
        print(f"{frequencies[len(percent) // 2]:5.2f} THz  {slope:+.3f} THz per % of strain")

# %%
# The cells themselves are ordinary results: `strain/strain_biaxial_+0.0100` has modes, densities of states and phonopy's files of its own.

stretched = ff.open(folder / "strain" / "strain_biaxial_+0.0100")
for mode in stretched.modes[:3]:
    print(f"{mode.frequency:5.2f} THz  {mode.classification}")

# %%
# What to worry about
# -------------------
#
# * Modes are matched by overlap. Beyond some per cent two modes mix, and the match means nothing; take small steps.
# * A compressed sheet buckles: it has imaginary modes at long waves, and the result warns of them. A substrate prevents that in experiments, not here.
# * The strain at which the defect is most or least stable is another question: `flatforce defect optimum`.
# * A biaxial strain keeps the symmetry of the vacancy, `--kind x` splits its degenerate modes.
#
# The notation of defects: :doc:`/defects`. The command: :doc:`defect strain </reference/generated/commands/defect>`.
