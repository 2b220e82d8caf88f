"""
Which of these sheets are stable?
=================================

You have a list of elements and a universal force field. At the end of this page you have relaxed every MX₂ that they make, in two structures, and know
which one each compound prefers.

**Time:** 30 s on one core. **Needs:** `pip install '.[mace,chgnet]'`.

.. image:: /_static/tutorials/16.png
   :width: 100%
   :alt: Distributions of the energies above the hull and of the changes of area of sixteen sheets.
"""

# %%
# Sheets from elements
# --------------------
#
# `ff.screen` takes a list of sheets, a file or a folder. Here it makes them: each prototype with each pair of elements. The lattice constant is estimated from
# covalent radii and scaled to the lowest energy of five, so that no table is needed.

# sphinx_gallery_thumbnail_path = '_static/tutorials/16.png'
import flatforce as ff

screening = ff.screen(
    "chgnet:0.3.0",
    candidates={"prototypes": ["2H", "1T"], "metals": ["Mo", "W", "Nb", "Ti"], "chalcogens": ["S", "Se"]},
)
screening

# %%
# The ranking
# -----------
#
# No elements were given as references, so that only sheets of the same composition compete, and the energy above hull of a compound is
# measured from its better structure. The result says so.

print(screening.hull)
for row in screening.ranking:
    print(f"{row['name']:10s} {1000 * row['energy_above_hull']:7.1f} meV/atom, {row['n_steps']} steps")

# %%
# Disulfides and diselenides of Mo, W and Nb are trigonal prismatic (2H), those of Ti octahedral (1T), as they are found. The differences are of CHGNet:
# `flatforce benchmark relax` says how large its errors are.
#
# What else is there
# ------------------
#
# The relaxed sheets come in the same order, ready for the next step.

best = screening.atoms[0]
print(best.info["name"], best.cell.lengths()[:2])
screening.plot()

# %%
# On the command line this is
#
# .. code-block:: sh
#
#     flatforce screen chgnet:0.3.0 -c screen.yaml -o screening
#
# with the line `candidates: {prototypes: [2H, 1T], metals: [Mo, W, Nb, Ti], chalcogens: [S, Se]}` in `screen.yaml`. The guide
# :doc:`/screening` tells how references make formation energies, and how thousands of sheets run on a cluster.
