"""
The emission line of a defect
=============================

A defect emits light. Part of the energy goes into vibrations, and the spectrum shows which. At the end of this page you have Huang–Rhys factors and the shape of the
emission line of a selenium vacancy, from forces in a file that you write yourself.

**Time:** 115 s on one core. It uses a small force field and a supercell of 4 × 4.

.. image:: /_static/tutorials/11.png
   :width: 100%
   :alt: Spectral function of the Huang-Rhys factors and emission line shape of an example.

.. note::
   **The forces on this page are invented.** A force field knows the electronic ground state only. Forces of the excited state come from your DFT code; here three numbers
   stand for them, so that you can see the path of the data. The line shape of this page is therefore not that of the vacancy.
"""

# %%
# The ground state
# ----------------
#
# You need the defect in a large sheet, because its emission couples to long waves as well. The embedding has the force constants.

# sphinx_gallery_thumbnail_path = '_static/tutorials/11.png'
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from ase.io import read, write

import flatforce as ff

os.environ["COLUMNS"] = "100"
folder = Path(tempfile.mkdtemp())
frames = [frame for frame in ff.read("wse2-pbe") if "SeW" not in frame.info["config_type"]]
small = {"hidden_irreps": "16x0e + 16x1o", "r_max": 4.5, "max_ell": 2, "correlation": 2}
training = ff.train(frames[::2], model=small, epochs=20, batch_size=4, huber_delta=0.02, stage_two=None)
model = training.model()
sheet = ff.relax(model, ff.monolayer("WSe2"), keep_symmetry=True).atoms
series = ff.defect_phonons(
    model,
    sheet,
    "v_Se:top",
    sizes=[4],
    embed={"supercell": 12, "radius": 6.0, "n_check_rows": 1},
    mesh=8,
)
series.save(folder / "vacancy")

# %%
# The forces of the excited state
# -------------------------------
#
# Take the relaxed cell, `vacancy/4x4/relaxed.extxyz`, to your DFT code. Compute the forces of the excited state in this geometry, without moving an atom, for example with
# constrained occupations (ΔSCF), and those of the ground state with the same settings. The difference goes into a file with the atoms in the same order.
#
# Here, as an example, the three tungsten atoms around the vacancy are pushed outwards by 0.15 eV/Å. The mean force is subtracted: a net force would push the whole sheet.

cell = read(folder / "vacancy" / "4x4" / "relaxed.extxyz")
centre = ff.build_defect(sheet, "v_Se:top", (4, 4)).centre
vectors = cell.positions - centre
vectors -= np.round(vectors @ np.linalg.inv(cell.cell.array)) @ cell.cell.array
tungsten = [index for index, symbol in enumerate(cell.symbols) if symbol == "W"]
nearest = sorted(tungsten, key=lambda index: np.linalg.norm(vectors[index]))[:3]
forces = np.zeros((len(cell), 3))
forces[nearest] = 0.15 * vectors[nearest] / np.linalg.norm(vectors[nearest], axis=1, keepdims=True)
forces -= forces.mean(axis=0)

cell.set_array("REF_forces", forces)
write(folder / "excited.extxyz", cell)
np.linalg.norm(vectors[nearest], axis=1).round(2)  # Å

# %%
# The line shape
# --------------


def flatforce(*arguments: str) -> None:
    """Run a command of flatforce in the folder and print what it prints."""
    command = [sys.executable, "-m", "flatforce", *arguments]
    shown = subprocess.run(command, cwd=folder, capture_output=True, check=True, text=True)
    print(shown.stdout)


flatforce(
    "defect", "lineshape", "vacancy/embedded_12x12", "excited.extxyz", "--temperature", "10", "-o", "line"
)

# %%
# The Huang–Rhys factor S is the mean number of vibrational quanta that one emission creates. The zero-phonon line has the fraction exp(−S) of the light. The
# relaxation energy is what the atoms gain after the emission; for zero-phonon lines measured in experiments it is the distance to the mean of the side band.

line = ff.open(folder / "line")
line.plot()

# %%
# Left: which frequencies take up the energy. Compare their peaks with the local density of states of the vacancy (`series.plot()`): a peak at a resonance means that the light sees the
# defect, one at the edge of a band that it sees the sheet.
#
# Temperature
# -----------
#
# A warm sheet also absorbs quanta, and the line grows on its high-energy side. The same file serves for all temperatures.

flatforce(
    "defect", "lineshape", "vacancy/embedded_12x12", "excited.extxyz", "--temperature", "300", "-o", "warm"
)

# %%
# What to worry about
# -------------------
#
# * Both states are assumed to have the same force constants, displaced (linear coupling). Where modes soften in the excited state, this is wrong.
# * `omitted_relaxation_energy` counts what lies below 0.02 THz. It must be small against the relaxation energy.
# * S goes with the square of the forces. An error of 10 % in the forces of the excited state is one of 20 % in S.
# * A cell of 4 × 4 cuts the forces off where they may not vanish yet. Use the largest cell for which you can pay the excited state.
#
# The method: :doc:`/defect-phonons`. The command: :doc:`defect lineshape </reference/generated/commands/defect>`.
