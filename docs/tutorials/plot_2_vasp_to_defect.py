"""
My VASP folder to my defect
===========================

You have a folder of VASP calculations of a sheet. At the end of this page you have audited frames, a force field with a test error, the phonons
of your defect, and a figure as a PDF file.

**Time:** 95 s on one core.

.. image:: /_static/tutorials/2.png
   :width: 100%
   :alt: Local density of states of the shells of atoms around a selenium vacancy in WSe2, with and without the vacancy.

:download:`calculations.zip </_static/tutorials/calculations.zip>` holds the folder of this page; unpack it where you work, or use your own
folder in its place. Its files have VASP's formats. They were written from PBE frames of WSe₂ that were computed with GPAW for
flatforce, because files of other groups may not be copied here.
"""

# %%
# What is in the folder
# ---------------------

# sphinx_gallery_thumbnail_path = '_static/tutorials/2.png'
from pathlib import Path

import flatforce as ff

for path in sorted(Path("calculations").rglob("*.*")) + sorted(Path("calculations").rglob("OUTCAR")):
    print(path, f"{path.stat().st_size / 1000:.0f} kB")

# %%
# There are strained, rattled and relaxed sheets, with and without a vacancy. One run was aborted, and in another one a step did not converge. Nobody
# remembers which.
#
# Audit
# -----
#
# `flatforce data audit` reads everything and writes nothing. Type it in a terminal; here Python starts it.

import os
import subprocess
import sys

os.environ["COLUMNS"] = "120"


def flatforce(*arguments: str) -> None:
    """Run a command of flatforce and print what it prints."""
    command = [sys.executable, "-m", "flatforce", *arguments]
    print(subprocess.run(command, capture_output=True, check=False, text=True).stdout)


flatforce("data", "audit", "calculations")

# %%
# Read the table from the right:
#
# * *stress, verified*: the stress of a sheet in vacuum follows from its forces (see :doc:`/explanation/sheets`). Sign, unit and order of the six
#   numbers are right in these frames. In one frame the forces are too small to tell.
# * *refused*: the aborted run, and the step that used all its electronic iterations. ASE would have read the second one without a word.
#
# The command ends with status 1, because something was refused; a script of yours can ask for that. If the files do not belong to one level of theory, the import stops and names what differs. :doc:`/how-to/from-codes` lists what to do then.
#
# Read
# ----
#
# `ff.read` returns the frames that passed.

frames = ff.read("calculations")
kinds = [frame.info["config_type"] for frame in frames]
{kind: kinds.count(kind) for kind in sorted(set(kinds))}

# %%
# Train
# -----
#
# 68 frames are few. A small model and thirty epochs suffice to see whether the data are sound. One eighth of each kind of frames is the test set.

architecture = {"hidden_irreps": "16x0e + 16x1o", "r_max": 4.5, "max_ell": 2, "correlation": 2}
training = ff.train(frames, model=architecture, epochs=30, batch_size=4, huber_delta=0.02, stage_two=None)
model = training.model()
errors = ff.evaluate(model, frames, split=training.folder / "split.json")
print(f"test error: {errors.force_mae:.0f} meV/Å, {errors.energy_mae:.1f} meV/atom")
for kind, values in errors.by_config_type.items():
    print(f"{kind:7} {values['force_mae']:.0f} meV/Å, {values['energy_mae']:.1f} meV/atom")

# %%
# Compare with a model that knows nothing: zero forces. This is the baseline that any force field must beat.

import numpy as np

forces = np.concatenate([frame.arrays["REF_forces"] for frame in frames])
print(f"baseline, zero forces: {1000 * np.abs(forces).mean():.0f} meV/Å")
errors.plot()

# %%
# The model is ten times better than nothing, and five times worse than the bundled one. Points far from the diagonal are frames to look at before anything else: species in the wrong order, for instance, show here first. For a publication, train longer and with more frames (the settings are in
# :doc:`/reference/generated/commands/train`), or start from a universal model (:doc:`plot_3_fine_tune`).
#
# The pristine sheet first
# ------------------------
#
# Never compute a defect with a model that fails on the pristine sheet. PBE has a = 3.317 Å, and optical modes at Γ of 168.7, 239.6, 242.2
# and 300.1 cm⁻¹.

relaxed = ff.relax(model, ff.monolayer("WSe2"), keep_symmetry=True)
sheet = relaxed.atoms
print("a =", round(relaxed.metrics["a"], 3), "Å")
pristine = ff.phonons(model, sheet, supercell=(4, 4), mesh=24)
print([round(33.356 * mode["frequency"], 1) for mode in pristine.gamma_modes[1:]], "cm⁻¹")

# %%
# What do the differences mean? They are errors of the training, not of PBE. Two or three per cent are what a small model of few frames
# gives; the bundled model is within one per cent.

pristine.plot()

# %%
# The defect
# ----------

vacancy = ff.defect_phonons(model, sheet, "v_Se:top", supercell=(4, 4), mesh=8)
vacancy["4x4"].figures

# %%
# A figure for a paper
# --------------------
#
# `plot` returns a matplotlib figure with fonts that journals accept. :doc:`/how-to/figures` shows how to change it.

figure = vacancy["4x4"].plot("radial-dos")
figure.savefig("vacancy.pdf")
figure

# %%
# The papers to cite are part of the result: those of the methods that were used, and those of the code that made the labels. VASP is among them because
# the frames were read from VASP's files; with your own, that is what its licence asks of you.

print("\n".join(str(reference) for reference in vacancy.references))

# %%
# What to worry about
# -------------------
#
# * The test error is that of frames like those of the training set. It says nothing of structures that are in neither.
# * One supercell is not the dilute limit: :doc:`plot_5_dilute_limit`.
# * One model gives no uncertainty. Train a committee with `n_models=3`; :doc:`plot_7_active_learning` uses one.
