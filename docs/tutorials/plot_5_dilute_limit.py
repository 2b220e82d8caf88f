"""
A defect from 6 × 6 to the dilute limit
=======================================

You have computed a defect in one supercell and do not know whether the cell is large enough. At the end of this page you have placed the same defect in a
supercell of 1,199 atoms, gone on to one defect in an infinite sheet, and you know which numbers you may publish.

**Time:** 120 s on one core. To keep it short this page uses a small force field and begins with a supercell of 4 × 4. For a paper take
`mace:wse2-pbe` or your own model, compare several supercells, `sizes=[6, 9, 12]`, and embed in `60`; it is the same call.

.. image:: /_static/tutorials/5.png
   :width: 100%
   :alt: Local density of states near a selenium vacancy in WSe2 for a supercell, an embedding and the dilute limit.
"""

# %%
# Why one cell is not enough
# --------------------------
#
# A supercell repeats the defect. A 6 × 6 cell of WSe₂ has a vacancy every 20 Å, and each feels its neighbours in two ways: the relaxation is hindered, and
# vibrations of neighbouring vacancies couple to bands that a single vacancy does not have. What you want is one defect in an infinite sheet.

# sphinx_gallery_thumbnail_path = '_static/tutorials/5.png'
import flatforce as ff

frames = [frame for frame in ff.read("wse2-pbe") if "SeW" not in frame.info["config_type"]]
small = {"hidden_irreps": "16x0e + 16x1o", "r_max": 4.5, "max_ell": 2, "correlation": 2}
training = ff.train(frames[::2], model=small, epochs=20, batch_size=4, huber_delta=0.02, stage_two=None)
print(f"test error: {training.force_mae:.0f} meV/Å")
model = training.model()
sheet = ff.relax(model, ff.monolayer("WSe2"), keep_symmetry=True).atoms

# %%
# Three steps in one call
# -----------------------
#
# * `sizes` lists the supercells in which the defect is relaxed and its phonons are computed. Here it is one.
# * `embed` puts the defect, as it relaxed in the largest of them, into a much larger sheet. Force constants within `radius` of the defect are
#   computed in the large sheet itself; all others are those of the pristine sheet. What this neglects is measured: `truncation_error` and `border_shift`.
# * `dilute` removes the last supercell: a Green function gives the local density of states of one defect in an infinite sheet.

series = ff.defect_phonons(
    model,
    sheet,
    "v_Se:top",
    sizes=[4],
    embed={"supercell": 20, "radius": 6.0, "n_check_rows": 2},
    dilute={"mesh": 64},
    mesh=8,
)
list(series)

# %%
# What changes with the cell
# --------------------------
#
# The local density of states (LDOS) of the atoms around the vacancy is the quantity to compare, because it is defined in every cell, whereas single modes
# are not.

series.plot()

# %%
# One number tells how far two of the curves are apart: the relative L1 difference. It is 0 for equal curves and 2 for curves that do not
# overlap. Ask for a few per cent before you believe a peak.

sizes = series["finite_size"]
for name, value in sizes.metrics.items():
    if value is not None:
        print(f"{name:32} {value:9.4f} {sizes.units.get(name, '')}")

# %%
# The 4 × 4 cell is wrong by 13 %, the embedding by 2 %. You would not have seen this in the 4 × 4 cell alone.
#
# Which peaks are physics?
# ------------------------
#
# Peaks of the dilute limit have a width that is their own: a resonance decays into the modes of the sheet. Peaks of a small cell have the width
# of the broadening and may be an artefact of the repetition.

for peak in series.ldos_peaks:
    print(
        f"{peak.frequency:5.2f} THz  {peak.classification:10}  width {peak.width:.2f} THz, {peak.states:.1f} states"
    )

# %%
# A peak that appears in the dilute limit with nearly the same position as in the cell before is safe. One that is in the small cells only is not.
#
# What to worry about
# -------------------
#
# * The force field of this page is coarse; look at its test error above, and do not publish its peaks.
# * The embedding inherits the relaxation of the small cell. In a 4 × 4 cell the strain field of the vacancy is cut off; take at least 6 × 6.
# * Warnings say where the chain is not exact. Here:

series.warnings

# %%
# * The broadening hides what is narrower than it. Choose it before you compare.
#
# The method: :doc:`/phonons`. The notation of defects: :doc:`/defects`. The command: :doc:`defect phonons </reference/generated/commands/defect>`.
