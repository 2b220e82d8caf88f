"""
Fine-tune a universal model
===========================

You have a few frames and a universal model. At the end of this page you have adapted the model to your sheet, and you know whether that was better than
leaving it as it is.

**Time:** 55 s on one core. **Needs:** `pip install '.[mace,chgnet]'`; the weights of CHGNet come with its package.

.. image:: /_static/tutorials/3.png
   :width: 100%
   :alt: Validation errors of a fine-tuning of CHGNet, by epoch.
"""

# %%
# Two sets of frames that do not overlap
# --------------------------------------
#
# You fine-tune on few frames of WSe₂ and evaluate on others. The other frames decide; errors on the few would be too good.

# sphinx_gallery_thumbnail_path = '_static/tutorials/3.png'
import flatforce as ff

frames = [frame for frame in ff.read("wse2-pbe") if len(frame) <= 12]
few, others = frames[::3], frames[1::3]
len(few), len(others)

# %%
# The baseline
# ------------
#
# How good is the universal model without any training? Its energies count from other reference energies than yours, so that the plain error of the energy says
# nothing; `energy_mae_aligned` fits the references first.

start = ff.evaluate("chgnet:0.3.0", others)
print(f"forces:   {start.force_mae:.0f} meV/Å")
print(f"energies: {start.metrics['energy_mae_aligned']:.1f} meV/atom, references fitted")

# %%
# Fine-tune
# ---------
#
# `start_from` makes a training a fine-tuning. The learning rate is smaller than that of a new model, because a large one erases what the model
# knows. Before the first epoch the reference energies are shifted to those of your frames. Twenty epochs show the trend.

tuned = ff.train(
    few,
    start_from="chgnet:0.3.0",
    epochs=20,
    batch_size=2,
    learning_rate=7e-4,
    huber_delta=0.02,
    stage_two=None,
)
tuned.plot()

# %%
# The curves are noisy, because two frames are the validation set. The initial model competes: if no epoch is better than it, it is kept, and a
# warning says so. Here another warning stands:

tuned.warnings

# %%
# Did it help?
# ------------

after = ff.evaluate(tuned.model(), others)
print("               before   after")
print(f"forces         {start.force_mae:6.0f}  {after.force_mae:6.0f}  meV/Å")
before = start.metrics["energy_mae_aligned"]
print(f"energies       {before:6.1f}  {after.metrics['energy_mae_aligned']:6.1f}  meV/atom")

# %%
# The error of the forces falls from 175 to 51 meV/Å with 20 frames. A smaller error is not yet a better sheet. The lattice constant is a second,
# independent test; PBE has 3.317 Å.

for name, model in [("before", "chgnet:0.3.0"), ("after", tuned.model())]:
    relaxed = ff.relax(model, ff.monolayer("WSe2"), keep_symmetry=True, max_force=0.005, max_stress=0.05)
    print(f"{name:7} a = {relaxed.metrics['a']:.3f} Å")

# %%
# It was right before, and twenty frames and twenty epochs did not make it better. Say so when you report it: fine-tuning improved the forces and not the
# lattice constant.
#
# What to worry about
# -------------------
#
# * **Fine-tuning forgets.** The model becomes better for your sheet and worse for every other material. `replay` adds frames of other data to
#   retain more.
# * **The test frames are like the training frames** here. Keep whole kinds of frames out, with `hold_out="material"` or your own split, to
#   learn what happens elsewhere.
# * **A new model may be as good.** With more than some tens of frames, MACE from random weights reaches similar errors on one sheet, and it is faster.
#   Train both on the same split and compare them with `ff.compare`.
# * **Phonons** need more epochs than forces. :doc:`plot_4_right_for_sheets` has the tests.
#
# Settings: :doc:`finetune </reference/generated/commands/finetune>`. Models that exclude MACE: :doc:`/how-to/environments`.
