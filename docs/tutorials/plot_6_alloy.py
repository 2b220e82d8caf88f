"""
An alloy and its order
======================

You have relaxations of orderings of an alloy. At the end of this page you know whether the metals of Mo₁₋ₓWₓS₂ mix, which orderings are ground states, at
which temperature the order disappears, and how well that is known.

**Time:** 110 s on one core. **Needs:** `pip install '.[mace,alloys]'` (icet).

.. image:: /_static/tutorials/6.png
   :width: 100%
   :alt: Formation energies of the orderings of MoWS2 and their convex hull.
"""

# %%
# One file describes the alloy
# ----------------------------
#
# Every `flatforce alloy` command reads it. The species mix on the site of Mo. `max_cells: 4` means all orderings of up to four formula units. The criteria
# say where the DFT relaxations ended, so that sheets that were relaxed less are refused.

# sphinx_gallery_thumbnail_path = '_static/tutorials/6.png'
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import flatforce as ff

os.environ["COLUMNS"] = "100"
folder = Path(tempfile.mkdtemp())
(folder / "alloy.yaml").write_text(
    """\
alloy: {name: MoWS2, species: [Mo, W], prototype: 2H, symbols: [Mo, S], a: 3.187, thickness: 3.13, site: Mo}
max_cells: 4
energies: {dft_force: 0.05, dft_stress: 0.25}   # eV/Å and N/m
hull: {max_cells: 5}
monte_carlo: {concentration: 0.3333333333, temperatures: [30, 36, 40, 44], sizes: [9, 12], sweeps: 300, equilibration: 100}
"""
)


def flatforce(*arguments: str) -> None:
    """Run a command of flatforce in the folder and print what it prints."""
    command = [sys.executable, "-m", "flatforce", *arguments]
    shown = subprocess.run(command, cwd=folder, capture_output=True, check=True, text=True)
    print(shown.stdout)


# %%
# Formation energies
# ------------------
#
# The bundled dataset `tmd-alloys-pbe` holds PBE relaxations. A formation energy is the energy of an ordering less that of its end members, per site that
# mixes. Negative means that unlike metals prefer to be neighbours: they mix.

flatforce("alloy", "energies", "-c", "alloy.yaml", "--frames", "tmd-alloys-pbe", "-o", "pbe")

# %%
# All are negative: molybdenum and tungsten mix. A few meV/site decide which ordering is stable, less than the error of most force fields. `n_dropped` counts orderings that were not relaxed well enough, or that became another
# phase.

energies = ff.open(folder / "pbe")
energies.plot()

# %%
# A cluster expansion
# -------------------
#
# Thirteen orderings are enough for a model of pairs and triplets. `cv_rmse` is the error on orderings that were left out; `rmse`, on those of the fit, is
# always smaller and proves nothing.

flatforce("alloy", "fit", "-c", "alloy.yaml", "pbe", "-o", "fit")

# %%
# Ground states
# -------------
#
# The expansion predicts all orderings of up to five formula units. `probability` is the fraction of fits to resampled data in which an ordering is a ground
# state. A value of a half, as at a concentration of one half and of a quarter, means: not known. The √3 × √3 orderings at one third and two thirds are
# safe.

flatforce("alloy", "hull", "-c", "alloy.yaml", "fit", "-o", "hull")
ff.open(folder / "hull").plot()

# %%
# Where the order disappears
# --------------------------
#
# Monte Carlo swaps metals in cells of 9 × 9 and 12 × 12 sites at one third tungsten, where the √3 × √3 ordering has one metal surrounded by the
# other. A short run of few temperatures gives a first idea.

flatforce("alloy", "mc", "-c", "alloy.yaml", "fit", "-o", "mc")
ff.open(folder / "mc").plot()

# %%
# The order disappears at 38 ± 2 K, where the Binder cumulants of the two cells cross. At room temperature the metals are mixed at random. The curves
# cross again at 42 K, which is noise of a short run: for a number to publish take larger cells, more sweeps and closer temperatures. You can add temperatures
# later; finished ones are kept.
#
# What to worry about
# -------------------
#
# * Quantum effects and vibrations are left out; at 40 K both matter.
# * The Monte Carlo cell must be wider than twice the longest cluster. A smaller one is an error, not a warning.
# * A force field may replace the DFT energies (`flatforce alloy energies --model`), but its error must be smaller than the differences above:
#   `flatforce alloy compare` measures this on held-out orderings.
#
# More: :doc:`/alloys`. The commands: :doc:`alloy </reference/generated/commands/alloy>`.
