"""
Is my model right for sheets?
=============================

You have a force field that was made for crystals. At the end of this page you know whether it obeys the laws that hold for a sheet, and whether
its lowest phonon branch is flexural.

**Time:** 60 s on one core. **Needs:** `pip install '.[mace,chgnet]'`.

.. image:: /_static/tutorials/4.png
   :width: 100%
   :alt: Phonon bands of WSe2; the lowest branch is quadratic near Γ.
"""

# %%
# The self-test
# -------------
#
# `flatforce doctor MODEL` tests a model on a small strained sheet. Exact laws come first: forces are derivatives of the energy, nothing depends on the
# vacuum, the mirror image has the mirrored forces. The last two lines ask whether the model is plausible at all.

# sphinx_gallery_thumbnail_path = '_static/tutorials/4.png'
import os
import subprocess
import sys

os.environ["COLUMNS"] = "100"


def flatforce(*arguments: str) -> None:
    """Run a command of flatforce and print what it prints."""
    command = [sys.executable, "-m", "flatforce", *arguments]
    shown = subprocess.run(command, capture_output=True, check=True, text=True)
    print(shown.stdout)


flatforce("doctor", "chgnet:0.3.0", "--elements", "W,Se")

# %%
# CHGNet passes. A model that fails a line is wrong for sheets, whatever its test error is. A broken mirror makes the two sides of a sheet different; a
# stress that does not agree with differences of the energy relaxes to a wrong lattice constant.
#
# The stress of a sheet
# ---------------------
#
# A DFT code gives a stress per volume, and the volume contains the vacuum. Double the vacuum and the stress halves. What the sheet
# carries is the membrane stress, in N/m. See for yourself:

import flatforce as ff

model = ff.load("mace:wse2-pbe")
sheet = ff.monolayer("WSe2", a=3.35, thickness=3.36)
for height in (15.0, 30.0):
    padded = sheet.copy()
    padded.set_cell([*sheet.cell[:2], [0, 0, height]])
    prediction = model.evaluate(padded)
    per_volume = 160.2 * prediction.stress[0, 0]
    print(
        f"{height:.0f} Å: {per_volume:6.3f} GPa, membrane stress {prediction.membrane_stress[0, 0]:.4f} N/m"
    )

# %%
# The sheet is stretched (a = 3.35 Å), so that it pulls: positive is tension.
#
# The flexural branch
# -------------------
#
# A free sheet bends. Its lowest branch, ZA, has a frequency that grows as the square of the wave vector, because a rotation of the whole sheet costs no
# energy. Force constants of a finite supercell break that law a little, and the branch becomes linear or imaginary near Γ. flatforce enforces the law by
# the smallest change of the force constants. `za_exponent` should be 2.

relaxed = ff.relax(model, ff.monolayer("WSe2"), keep_symmetry=True).atoms
free = ff.phonons(model, relaxed, supercell=(4, 4), mesh=24)
raw = ff.phonons(model, relaxed, supercell=(4, 4), mesh=24, sum_rules=False)
print(f"with sum rules: {free.za_exponent:.2f}")
print(f"without:        {raw.za_exponent:.2f}")

# %%
# Without the rules the same force constants give a branch that is neither quadratic nor linear, and nothing in the figure would have warned you. The residuals
# say by how much each law was broken before the correction, and after it. Translations were right from the start, and rotations were not:

for rule in ("translation", "rotation", "huang"):
    before, after = (free.metrics[f"{rule}_residual_{when}"] for when in ("before", "after"))
    print(f"{rule:11} {before:8.1e} → {after:8.1e} {free.units[f'{rule}_residual_before']}")

# %%
# The lowest branch near Γ is the one to look at.

free.plot()

# %%
# A sheet under tension is another case: its branch becomes linear near Γ, as the waves of a drum are. Stretch it by 3 %: the exponent falls towards 1,
# and that is right.

stretched = relaxed.copy()
stretched.set_cell(stretched.cell * [[1.03], [1.03], [1]], scale_atoms=True)
tense = ff.relax(model, stretched, relax_cell=False).atoms
print(f"under tension: {ff.phonons(model, tense, supercell=(4, 4), mesh=24).za_exponent:.2f}")

# %%
# What to worry about
# -------------------
#
# * Laws are necessary, not sufficient: a model can obey all of them and have wrong frequencies. Compare with DFT (:doc:`plot_2_vasp_to_defect`).
# * An exponent well below 2 for a sheet that should be free means that it is not relaxed: look at `membrane_stress`.
# * Single precision is not enough for phonons. flatforce loads models in float64.
#
# Why these laws hold: :doc:`/explanation/sheets`. The command: :doc:`doctor </reference/generated/commands/doctor>`.
