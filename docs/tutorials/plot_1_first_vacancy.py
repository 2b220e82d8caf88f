"""
First force field and vacancy
=============================

At the end of this page you have trained a small force field, seen why it is not good enough, and computed with a better one which
vibrations a selenium vacancy adds to a sheet of WSe₂.

**Time:** 120 s on one core.

.. image:: /_static/tutorials/1.png
   :width: 100%
   :alt: Bands of a WSe2 supercell with a selenium vacancy, coloured by the weight of each mode near the vacancy.

You need no data of your own. flatforce brings 156 DFT frames of WSe₂ and a force field that was trained on them.
"""

# %%
# Frames
# ------
#
# A *frame* is a structure with the energy, the forces and the stress of a DFT calculation. Here they were computed with PBE in GPAW. The
# name `wse2-pbe` stands for the bundled dataset; a path reads your own files.

# sphinx_gallery_thumbnail_path = '_static/tutorials/1.png'
import flatforce as ff

frames = ff.read("wse2-pbe")
primitive = [frame for frame in frames if len(frame) == 3]
len(frames), len(primitive)

# %%
# Train
# -----
#
# You train on the frames of the primitive cell only, with a tiny MACE model and few epochs, so that it takes seconds. One eighth of the frames is
# the test set: the model never sees it.

small = {"hidden_irreps": "8x0e + 8x1o", "r_max": 4.5, "max_ell": 2, "correlation": 2}
training = ff.train(primitive, model=small, epochs=40, batch_size=4, stage_two=None)
training

# %%
# Read the two warnings; both are right. Frames of one trajectory resemble one another, so that the error on the test set looks better than it would
# on a new structure. And all frames are WSe₂, from which nobody can tell the energy of one tungsten atom from that of two selenium atoms.
#
# The errors of every epoch, on the validation set, show whether the training was long enough. If the curve still falls at the end, it was not.

training.plot()

# %%
# Is it good enough?
# ------------------
#
# Evaluate on frames of another kind: 2 × 2 supercells, whose atoms move independently. The bundled model has seen frames like these; compare
# the two with that in mind. Forces of a thermal vibration are some hundred meV/Å, so that an error of a hundred is useless and one of ten is good.

larger = [frame for frame in frames if len(frame) == 12]
mine = ff.evaluate(training.model(), larger)
bundled = ff.evaluate("mace:wse2-pbe", larger)
print(f"mine:    {mine.force_mae:6.1f} meV/Å")
print(f"bundled: {bundled.metrics.get('force_mae') or bundled.metrics['train_force_mae']:6.1f} meV/Å")

# %%
# 176 against 5 meV/Å: your model has learned the primitive cell and nothing else. A vacancy is farther still. Go on with the bundled model.
#
# Relax the sheet
# ---------------
#
# `ff.monolayer` builds a cell with a guessed lattice constant. The relaxation moves the atoms and the cell in its plane; the vacuum stays.

model = ff.load("mace:wse2-pbe")
relaxed = ff.relax(model, ff.monolayer("WSe2"), keep_symmetry=True)
relaxed

# %%
# PBE has a = 3.317 Å. Always look at `converged`: phonons of a sheet that is not relaxed are wrong.

relaxed.converged, round(relaxed.metrics["a"], 3)

# %%
# Take out a selenium atom
# ------------------------
#
# `v_Se:top` is a selenium vacancy on the upper side. `ff.defect_phonons` builds it in a supercell, relaxes it, and compares its vibrations with
# those of the pristine sheet. A 4 × 4 supercell keeps the time short. It is too small for a paper: vacancies in neighbouring cells feel
# one another. :doc:`plot_5_dilute_limit` shows what a larger one changes.

vacancy = ff.defect_phonons(model, relaxed.atoms, "v_Se:top", supercell=(4, 4), mesh=8)
vacancy.plot()

# %%
# Left: the bands of the supercell with the vacancy. The colour is the projection of a mode onto the atoms around the vacancy; in dark red points
# these atoms move most. Right: the density of states of the whole cell, and that of these atoms alone, grey without the vacancy. Which modes does the
# vacancy change most?

for mode in vacancy.modes[:5]:
    print(
        f"{mode.frequency:5.2f} THz  {mode.irrep:4}  {mode.classification:10}"
        f"  participation number {mode.participation_number:5.1f}"
    )

# %%
# A *local* mode lies in a gap of the bands and dies away around the vacancy. A *resonance* lies within the bands and has a width. A small
# participation number means that few atoms move. An *extended* mode belongs to the whole sheet. No mode is local here: the mode at 2.94 THz, which
# involves the fewest atoms, lies among the bands. In a cell of 47 atoms the classification is uncertain; trust it only when a larger cell agrees.
#
# Keep it
# -------
#
# `vacancy.save("vacancy")` writes the folder that the command line would have written, and `ff.open("vacancy")` reads it back.
#
# What to worry about
# -------------------
#
# * The bundled model was trained on WSe₂ and its defects, and knows nothing else.
# * Forces of the relaxed defect must be small. `vacancy.warnings` lists what failed; here:

vacancy.warnings

# %%
# Next: :doc:`your own calculations <plot_2_vasp_to_defect>`. Reference: the commands :doc:`train </reference/generated/commands/train>`,
# :doc:`relax </reference/generated/commands/relax>` and :doc:`defect </reference/generated/commands/defect>`; all
# :doc:`Python functions </reference/generated/python>`.
