"""
What does a defect cost?
========================

You have a sheet and want to know which of its defects form, and under which conditions. At the end of this page you have formation energies of two vacancies and an antisite of WSe₂ over
the chemical potentials, and the binding energy of a pair.

**Time:** 90 s on one core. To keep it short the supercells are 3 × 3 and 4 × 4; take 6 × 6 and larger ones for a paper.

.. image:: /_static/tutorials/17.png
   :width: 100%
   :alt: Formation energies of vacancies and an antisite of WSe2 between the tungsten-rich and the selenium-rich limit.
"""

# %%
# Where the atoms go
# ------------------
#
# A vacancy takes an atom out, and it has to go somewhere. Its energy there is the chemical potential. Of the sheet we know only μ(W) + 2 μ(Se) = E(WSe₂): in an experiment, the
# pressure of selenium decides on the rest. It cannot go beyond the elements, or they would precipitate. You give their energies in eV per atom.
#
# They have to be those of the method of the labels: same code, functional, cutoff and pseudopotentials. The numbers below are those of PBE with GPAW at 400 eV, the
# method of `wse2-pbe`, and are those of the card of its bundled model. Compute your own for your own labels.

# sphinx_gallery_thumbnail_path = '_static/tutorials/17.png'
import flatforce as ff

model = ff.load("mace:wse2-pbe")
sheet = ff.relax(model, ff.monolayer("WSe2"), keep_symmetry=True).atoms
references = {"W": -11.5631, "Se": -3.4783}

# %%
# Four defects
# ------------
#
# Se@W is selenium on a tungsten site, and the last one a pair of vacancies, one above the other. The energies of all supercells are relaxed and extrapolated to an infinite sheet.

energies = ff.defect_energies(
    model,
    sheet,
    ["v_Se:top", "Se@W", "v_W", "v_Se:top+v_Se:bottom~1"],
    sizes=[3, 4],
    references=references,
    max_force=0.02,
)
for limit, potentials in energies.limits.items():
    print(limit, {element: round(value, 2) for element, value in potentials.items()})

# %%
# From one limit to the other
# ---------------------------
#
# Between two limits a formation energy is a straight line. Its slope counts atoms: a vacancy of selenium gets cheaper where selenium is scarce, and selenium on a tungsten site gets cheaper
# three times as fast where it is abundant. The lower vacancy is listed because it is a part of the pair; the mirror plane makes it equal to the upper one.

for row in energies.table:
    values = energies.formation_energy(row["name"])
    print(row["name"], {limit: round(value, 2) for limit, value in values.items()}, "eV")
energies.plot()

# %%
# How many there are
# ------------------
#
# In thermal equilibrium, the number of defects per area goes with exp(−E/k_B T), and that of `v_Se:top` counts both sides. At the temperature of the growth, 900 K here, vacancies of selenium are far ahead of all others. Samples
# usually hold more than that: what forms during the growth stays.

for row in energies.table:
    by_limit = dict(zip(energies.limits, row["concentrations"], strict=True))
    print(row["name"], {limit: f"{values[-1]:.0e}" for limit, values in by_limit.items()}, "per cm² at 900 K")

# %%
# Do they attract one another?
# ----------------------------
#
# The binding energy is what the parts of a complex cost apart, minus what they cost together: positive where they attract one another. The chemical potentials cancel.

print({name: round(value, 3) for name, value in energies.binding_energies.items()}, "eV")

# %%
# Is the cell large enough?
# -------------------------
#
# A defect strains the sheet around it and feels its images. In a sheet that energy falls with the number of cells N, E = E∞ + c/N. Two sizes fit it, three test it.
# For the three point defects, 6 × 6 and 9 × 9 give the same within 0.02 eV. `size_error` is what is left between the largest cell and E∞; above 0.1 eV a warning asks for a larger size.

print(energies.warnings)
energies.plot("sizes")

# %%
# What to worry about
# -------------------
#
# * A reference that is wrong by 0.1 eV shifts every formation energy by as much. Binding energies do not notice.
# * Everything is neutral: a force field does not know charge states. A charged defect needs DFT.
# * The force field needs frames with these defects. `flatforce evaluate` on DFT frames of each tells its error.
# * Without vibrations: at 900 K, their entropy can change a concentration by an order of magnitude.
#
# The method: :doc:`/defect-energies`. On the command line this is `flatforce defect energy`.
