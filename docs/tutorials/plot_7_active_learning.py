"""
Active learning with a pool
===========================

You can pay for a limited number of DFT calculations and do not know which ones. At the end of this page you have watched a committee select them
from a pool, and compared it with a random choice.

**Time:** 150 s on one core. It needs dscribe: `pip install 'flatforce[data]'`.

.. image:: /_static/tutorials/7.png
   :width: 100%
   :alt: Error on the test set by number of labels, for two strategies.

A *pool* holds frames whose labels exist already and are looked up, so that you see within minutes what a run with real DFT takes days for.
"""

# %%
# Initial frames, pool, test set
# ------------------------------
#
# The committee begins with frames of the primitive cell. The pool holds 2 × 2 frames of the pristine sheet and 3 × 3 frames with a selenium vacancy. The test
# set has frames of both kinds that belong to neither, and stays the same in all rounds.

# sphinx_gallery_thumbnail_path = '_static/tutorials/7.png'
import tempfile
from pathlib import Path

from ase.io import write

import flatforce as ff

frames = ff.read("wse2-pbe")
primitive = [frame for frame in frames if len(frame) == 3]
pristine = [frame for frame in frames if len(frame) == 12]
vacancy = [frame for frame in frames if frame.info["config_type"] == "vSe_3x3"]
folder = Path(tempfile.mkdtemp())
write(folder / "initial.extxyz", primitive[:36])
write(folder / "pool.extxyz", pristine[::2] + vacancy[::5])
write(folder / "test.extxyz", pristine[1::4] + vacancy[3::10])

# %%
# Two runs, one difference
# ------------------------
#
# Each round trains two small models, selects four frames, and looks up their labels. `uncertainty` takes those where the models disagree most, `random` takes
# any. The models are trained briefly, so that errors are large; look at the difference.

settings = {
    "initial": [str(folder / "initial.extxyz")],
    "pool": [str(folder / "pool.extxyz")],
    "test": str(folder / "test.extxyz"),
    "labels_per_round": 4,
    "calibration_fraction": 0.4,
    "stop": {"rounds": 2},
    "train": {
        "n_models": 2,
        "epochs": 12,
        "model": {"hidden_irreps": "8x0e + 8x1o", "r_max": 4.0, "max_ell": 2, "correlation": 2},
        "stage_two": None,
    },
}
runs = {name: ff.learn(strategy=name, **settings) for name in ("uncertainty", "random")}
for name, run in runs.items():
    print(
        f"{name:12}",
        [f"{labels}: {error:.0f} meV/Å" for labels, error in zip(run.n_labels, run.force_mae, strict=True)],
    )

# %%

from matplotlib import pyplot as plt

figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
for name, run in runs.items():
    axes.plot(run.n_labels, run.force_mae, "o-", label=name)
axes.set(xlabel="labels requested", ylabel="force MAE on the test set (meV/Å)")
axes.legend()
plt.show()

# %%
# Eight labels lower the error from 321 to 251 meV/Å by uncertainty, and to 255 at random: no difference on this scale. In a pool of eighteen frames, all of
# them are new to the models. Selection pays where most candidates are like what the models know, as in a long trajectory.
#
# What did it select?
# -------------------
#
# Every selected frame has a reason. Here all of them are outside of the calibration set: it holds primitive cells only, and nothing in it tells how large the errors
# of a vacancy are. flatforce gives no interval for such atoms, instead of one that is wrong.

for choice in runs["uncertainty"].rounds[0].details["selected"]:
    print(choice["reason"])

# %%
# The uncertainty is scaled on frames that no model was trained on, so that a 68 % interval covers about 68 % of the errors. The coverage on the test
# set says whether this holds for frames of the kind that you care about.

last = runs["uncertainty"].rounds[-1]
{name: value for name, value in last.metrics.items() if "coverage" in name}

# %%
# Why a run ended is part of the result:

runs["uncertainty"].stop_reason

# %%
# From here to your DFT code
# --------------------------
#
# Replace `pool` by `structures`, from which molecular dynamics and other samplers make candidates, and `label`, which starts your code:
#
# .. code-block:: yaml
#
#    initial: [few.extxyz]
#    structures: [sheet.extxyz]
#    label: {settings: {engine: gpaw}, workers: 2}
#    strategy: combined
#    stop: {label_budget: 50, force_mae: 20}
#
# `flatforce learn learn.yaml -o run` runs it, and the same command resumes it after a kill. :doc:`/how-to/clusters` sends the labels to Slurm.
#
# What to worry about
# -------------------
#
# * One run proves little. Seeds change the errors by as much as strategies do; repeat before you conclude that one is better.
# * The test set must be of the kind that you will compute. A committee that is good on average may be bad at your defect.
# * Select for the property that you want (`strategy: property`), not for the forces, if you know which one it is.
#
# More: :doc:`/learning`. Settings: :doc:`learn </reference/generated/commands/learn>`.
