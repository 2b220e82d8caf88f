"""
A tour of the Python functions
==============================

You work in a notebook. At the end of this page you know what the functions take and return, how to reach every number and figure, and
what an error looks like.

**Time:** 25 s on one core.

.. image:: /_static/tutorials/8.png
   :width: 100%
   :alt: Density of states of a WSe2 sheet by element, drawn into axes of one's own.
"""

# %%
# Everything is one import
# ------------------------
#
# Each part is loaded when it is first used.

# sphinx_gallery_thumbnail_path = '_static/tutorials/8.png'
import flatforce as ff

ff.__all__

# %%
# Structures are ASE's
# --------------------
#
# Whatever builds an `ase.Atoms` object works. `ff.monolayer` knows the common prototypes, `ff.build_defect` the
# :doc:`notation of defects </defects>`.

sheet = ff.monolayer("WSe2")
defect = ff.build_defect(sheet, "Mo@W+v_Se:top~1", (3, 3))
sheet, defect.atoms.get_chemical_formula(), defect.centre.round(2)

# %%
# A force field is a name, or an object
# -------------------------------------
#
# An object is loaded once. It is a calculator of ASE, and evaluates lists of frames in batches.

model = ff.load("mace:wse2-pbe")
print(sorted(model.elements), model.cutoff, "Å")
prediction = model.evaluate(sheet)
prediction.membrane_stress.round(3)  # N/m

# %%
# The other way round, any calculator of ASE is a force field: here a Lennard-Jones pair potential.

pair = ff.load("ase:ase.calculators.lj:LennardJones?sigma=1.3&epsilon=0.1&rc=4.0&cutoff=4.0")
ff.relax(pair, ff.monolayer("BN"), relax_cell=False).energy  # eV

# %%
# Functions return results
# ------------------------
#
# Settings are keyword arguments, with the names of the YAML file. The last line of a cell shows a result as a table.

relaxed = ff.relax(model, sheet, keep_symmetry=True, max_force=0.0005)
relaxed

# %%
# Every result has `metrics` with `units`, `arrays`, `warnings`, `converged`, `config` and `plot`. Common values are attributes.

relaxed.energy, relaxed.metrics["a"], relaxed.units["a"], relaxed.converged

# %%

waves = ff.phonons(model, relaxed.atoms, supercell=(4, 4))
print(waves.bands.shape, waves.figures)
for mode in waves.gamma_modes:
    print(f"{mode['frequency']:6.3f} THz  {mode['irrep']}")

# %%
# Figures
# -------
#
# `plot` makes the figure of the report, alone or in axes of your own.

from matplotlib import pyplot as plt

figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
axes.plot(waves.frequency, waves.dos, color="0.6", label="total")
for element in ("W", "Se"):
    of_element = [index for index, symbol in enumerate(waves.symbols) if symbol == element]
    axes.plot(waves.frequency, waves.pdos[of_element].sum(axis=(0, 1)), label=element)
axes.set(xlabel="frequency (THz)", ylabel="density of states (1/THz)")
axes.legend()
plt.show()

# %%
# phonopy
# -------
#
# `to_phonopy` hands the force constants to everything that phonopy computes.

phonon = waves.to_phonopy()
phonon.run_qpoints([[0.5, 0, 0]])
phonon.qpoints.frequencies.round(3)  # THz, at M

# %%
# Folders
# -------
#
# Without `folder`, a result lives in a scratch folder until Python ends. `save` keeps it, `ff.open` reads it back, and the command line reads the same
# folder: `flatforce report waves` makes a page of it. A calculation with `folder=…` that is finished is not computed again.

import tempfile
from pathlib import Path

kept = Path(tempfile.mkdtemp()) / "waves"
waves.save(kept)
ff.open(kept).min_frequency == waves.min_frequency

# %%
# Errors say how to go on
# -----------------------
#
# Invalid input raises a `FlatforceError` before anything is computed. Physics that fails does not: the result has `converged` False and says why.

from flatforce.core.errors import FlatforceError

try:
    ff.relax(model, sheet, max_forces=0.01)
except FlatforceError as error:
    print(error.why)

ff.relax(model, sheet, max_force=1e-9, max_steps=1).warnings

# %%
# Cite
# ----

print(ff.cite(kept)[:400], "…")

# %%
# All functions: :doc:`/reference/generated/python`. All results: :doc:`/reference/generated/results`.
