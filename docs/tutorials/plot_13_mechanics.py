"""
How stiff is a sheet?
=====================

You want the numbers of continuum mechanics for a sheet: how it stretches, how it bends, and how it grows with temperature. At the end of this page you have
elastic constants, the bending rigidity and the thermal expansion of WSe₂.

**Time:** 75 s on one core. To keep it short the supercell is 6 × 6 and the mesh is coarse; the defaults are larger.

.. image:: /_static/tutorials/13.png
   :width: 100%
   :alt: Stress of a strained sheet of WSe2, and its lattice constant and thermal expansion against temperature.
"""

# %%
# A sheet without tension
# -----------------------
#
# Constants of a sheet under tension are those of that tension. Relax the cell as well, with the force field that you use afterwards.

# sphinx_gallery_thumbnail_path = '_static/tutorials/13.png'
import flatforce as ff

model = ff.load("mace:wse2-pbe")
sheet = ff.relax(model, ff.monolayer("WSe2"), keep_symmetry=True).atoms

# %%
# Stretch and shear it
# --------------------
#
# `ff.elastic` strains the sheet in small steps along x, along y and in shear, relaxes the atoms in each strained cell, and takes the slope of the stress. A sheet has no thickness, so
# that its stress is a force per length, in N/m.

constants = ff.elastic(model, sheet, supercell=(6, 6))
constants

# %%
# The matrix is in Voigt order, xx, yy, xy. A hexagonal sheet has two independent constants, and nobody imposed that here: compare C₁₁ with C₂₂, and (C₁₁ − C₁₂)/2 with C₆₆.

c = constants.stiffness
print(c.round(1))
print(f"(C11 - C12)/2 = {(c[0, 0] - c[0, 1]) / 2:.2f} N/m, C66 = {c[2, 2]:.2f} N/m")
constants.plot()

# %%
# Ions that stay behind
# ---------------------
#
# When the sheet is stretched, its two layers of selenium come closer to tungsten. An experiment measures with relaxed ions. With clamped ions, which keep their fractional
# positions, the sheet is stiffer.

print(constants.clamped_stiffness.round(1))

# %%
# Bend it
# -------
#
# The energy of a bent sheet is κ/(2R²) per area. κ comes from the flexural branch of the phonons, ω = √(κ/ρ) q². The same force constants give the velocities of sound, and these have to
# be √(C₁₁/ρ) and √(C₆₆/ρ). It is a check of strains against phonons: two calculations that share nothing but the force field.

print(f"bending rigidity {constants.bending_rigidity:.1f} eV")
print(f"velocities of sound differ by {100 * constants.metrics['velocity_difference']:.1f} %")

# %%
# Above 2 % the supercell of the force constants is too small. `bending="tubes"` takes κ from tubes instead, without phonons.
#
# Warm it
# -------
#
# Each vibration pulls at the sheet: its frequency depends on the area, and the Grüneisen parameter says how much. `ff.expansion` differentiates the phonons with respect to the area.

grown = ff.expansion(model, sheet, supercell=(6, 6), mesh=24)
grown.plot("expansion")

# %%
# The lattice constant at 0 K is larger than that of the relaxed sheet, because of zero-point motion. DFT lattice constants are without it.

a = float(sheet.cell.lengths()[0])
print(f"relaxed {a:.4f} Å, at 0 K {grown.metrics['a_0K']:.4f} Å, at 300 K {grown.metrics['a_300K']:.4f} Å")
print(f"expansion at 300 K {1e6 * grown.metrics['alpha_300K']:.1f} in units of 1e-6/K")

# %%
# At low temperature the sheet shrinks: only flexural waves are excited, and a wave needs more length than its shadow. Which modes do that, the Grüneisen parameters show.

grown.plot("grueneisen")

# %%
# What to worry about
# -------------------
#
# * Thermal expansion depends on the longest flexural wave of the mesh, and not only here. What longer waves add is `rest_alpha_300K`: quote it as part of the uncertainty.

print(f"longer waves: {1e6 * grown.metrics['rest_alpha_300K']:.1f} in units of 1e-6/K")

# %%
# * A force field that has seen no strained frames knows nothing of elastic constants. Test it first: `flatforce doctor` asks whether strain costs energy, DFT of one strained cell how much.
# * A cell with a defect, or an alloy, works as well: `bending="none"` saves the force constants of all its atoms. Thermal expansion needs a pristine sheet.
#
# The methods: :doc:`/elastic` and :doc:`/expansion`. On the command line these are `flatforce elastic` and `flatforce expansion`.
