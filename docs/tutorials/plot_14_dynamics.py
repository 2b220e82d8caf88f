"""
A vacancy at room temperature
=============================

Phonons are the vibrations of a sheet at rest. At the end of this page you have the vibrations of a selenium vacancy at 300 K from molecular dynamics, those of a tungsten atom beside
it apart, and compare both with the harmonic ones.

**Time:** 110 s on one core. **Needs:** `pip install '.[mace,fast]'`; compiled kernels are built once, which takes some minutes. `mace:wse2-pbe` gives the same without them, and takes
seven times as long for each step.

.. image:: /_static/tutorials/14.png
   :width: 100%
   :alt: Vibrational density of states of a WSe2 sheet with a selenium vacancy, and that of a tungsten atom beside the vacancy, at 300 K and harmonic.
"""

# %%
# The vacancy at rest
# -------------------
#
# A trajectory needs a relaxed start. `ff.defect_phonons` relaxes the vacancy and computes its phonons in the same step. A cell of 4 × 4 without its images moves only in waves that
# fit into the cell, and so does the trajectory: `mesh=1` takes no others. The shell of 3 Å around the vacancy holds three tungsten atoms.

# sphinx_gallery_thumbnail_path = '_static/tutorials/14.png'
import matplotlib.pyplot as plt
from ase.geometry import get_distances

import flatforce as ff

model = ff.load("symmetrix:wse2-pbe")
sheet = ff.relax(model, ff.monolayer("WSe2"), keep_symmetry=True).atoms
harmonic = ff.defect_phonons(
    model, sheet, "v_Se:top", supercell=(4, 4), mesh=1, shells=[3.0], broadening=0.15
)["4x4"]
cell = harmonic.atoms

# %%
# A tungsten atom beside the vacancy
# ----------------------------------

centre = ff.build_defect(sheet, "v_Se:top", (4, 4)).centre
distances = get_distances([centre], cell.positions, cell=cell.cell, pbc=True)[1][0]
tungsten = min((distances[index], index) for index, symbol in enumerate(cell.symbols) if symbol == "W")
print(f"atom {tungsten[1]}, {tungsten[0]:.2f} Å from the vacancy")

# %%
# Let it move
# -----------
#
# The highest vibration of WSe₂ takes 107 fs, so that a step of 4 fs is small enough. The sheet is first brought to 300 K by random forces; then a Nosé–Hoover chain keeps the
# temperature, since random forces would damp the vibrations that you want to see.

run = ff.md(
    model,
    cell,
    temperatures=[300],
    thermostat="nose_hoover",
    time_step=4.0,
    equilibration=150,
    steps=1000,
    sampling_interval=5,
    near_atom=int(tungsten[1]),
    near_radius=1.0,
    broadening=0.15,
)
run

# %%
# In 47 atoms the temperature fluctuates much: in equilibrium by `expected_temperature_std`. Look at the course before you believe anything.

run.plot("course")

# %%
# Both spectra
# ------------
#
# The density of states comes from the Fourier transform of the velocities. The dashed lines are those of the phonons.

local = run.arrays["local_vdos_300K"]
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.5), layout="constrained")
left.plot(run.frequency, run.vdos, label="300 K")
left.plot(harmonic.frequency, harmonic.dos, "k--", label="harmonic")
left.set_title("whole cell")
right.plot(run.frequency, local, label="300 K")
right.plot(harmonic.frequency, harmonic.ldos, "k--", label="harmonic")
right.set_title("tungsten beside the vacancy")
for axes in (left, right):
    axes.set(xlim=(0, 11), xlabel="frequency (THz)", ylabel="states/THz")
    axes.legend()

# %%
# The lines lie where the phonons are. The harmonic peak at zero is the motion of the whole sheet, which the trajectory does not have. The heights differ, most of all for a single atom: in 4 ps
# each mode is excited by chance to more or less than its mean. Nor can you see how temperature shifts a line, since the resolution is the inverse of the length of the trajectory:

print(f"{run.frequency[1] - run.frequency[0]:.2f} THz")

# %%
# For a figure in a paper take 100 ps, or several `replicas`.
#
# Does anything hop?
# ------------------
#
# An atom that goes further from its site than `hop_distance` is listed in `hops`. A neighbour that jumps into the vacancy has to pass a barrier of more than an electronvolt. At 300 K, k_B T is
# 0.026 eV, and in 4 ps nothing happens.

print(run.hops)

# %%
# For rare events, compute the barrier instead of waiting.
#
# What to worry about
# -------------------
#
# * The dynamics is classical. Below the Debye temperature, about 160 K for WSe₂, amplitudes are too small; frequencies are good.
# * A temperature shifts lines by anharmonicity, and in a fixed cell not by thermal expansion. `ensemble="npt"` lets the area go.
# * The force field needs frames at such amplitudes. A committee with `uncertainty_threshold` stops where it knows too little.
#
# The methods and all analyses: :doc:`/md`. On the command line this is `flatforce md`.
