"""
A hop, and whether the model knows it
=====================================

You want the barrier of a vacancy. At the end of this page you have a path of minimum energy, you have seen that its barrier is wrong although it converged, and
you know which structures to label.

**Time:** 120 s on one core.

.. image:: /_static/tutorials/15.png
   :width: 100%
   :alt: Energy and smallest distances along the hop of a selenium atom into a vacancy of WSe2, with images outside the training set marked.
"""

# %%
# The hops of a defect
# --------------------
#
# A selenium atom beside a selenium vacancy can jump into it. `ff.hops` lists all distinct jumps and computes each of them; the same on the command line is
# `flatforce defect hops`. Here one of them is enough, so that start and end are made by hand: two vacancies at neighbouring sites.

# sphinx_gallery_thumbnail_path = '_static/tutorials/15.png'
import flatforce as ff

model = ff.load("mace:wse2-pbe")
sheet = ff.relax(model, ff.monolayer("WSe2"), keep_symmetry=True).atoms
start = ff.build_defect(sheet, "v_Se:top", (3, 3))
selenium = [site for site in range(27) if start.pristine.symbols[site] == "Se"]
top = [site for site in selenium if start.pristine.positions[site, 2] > start.centre[2] - 0.1]
distances = start.pristine.get_distances(start.sites[0], top, mic=True)
neighbour = top[distances.argsort()[1]]
end = ff.build_defect(sheet, f"v_Se#{neighbour}", (3, 3))

# %%
# The order of the atoms does not matter: `ff.neb` matches them, and relaxes both ends.

path = ff.neb(model, start, end, images=5, max_force=0.1, end_max_force=0.02, frequencies=False)
path

# %%
# What the result says
# --------------------
#
# The barrier is a number like any other, the same in both directions, since symmetry makes the ends equal:

print(f"{path.barrier:.2f} eV, back {path.barrier_reverse:.2f} eV")

# %%
# But the result is not converged, and `warnings` says why. Two selenium atoms come nearer to one another than in any frame that the model was trained on. There
# its energy is a guess; a DFT calculation of such an image gave several eV more.

path.converged, path.warnings

# %%
# The right panel shows it: below 1, the model extrapolates.

path.plot()

# %%
# What to do
# ----------
#
# The images outside are structures that a label would settle. `outside.extxyz` holds them, for `flatforce label`; fine-tune the model on them and compute the path again.
# `--verify label.yaml` labels start, saddle point and end right away, and compares the barriers.

unknown = [image for image, is_outside in zip(path.images, path.outside, strict=True) if is_outside]
len(unknown), len(path.images)

# %%
# More: :doc:`barriers and hops </neb>`, :doc:`labels </labels>`.
