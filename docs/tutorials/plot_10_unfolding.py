"""
Bands of a sheet with a vacancy
===============================

A supercell with a defect has hundreds of bands that lie on top of one another. At the end of this page you have the bands of a sheet with a selenium vacancy
in the Brillouin zone of the pristine sheet, as an experiment with neutrons, X-rays or helium atoms sees them.

**Time:** 120 s on one core. To keep it short this page uses a small force field and embeds a relaxed cell of 4 × 4 in 12 × 12. For a paper take
`mace:wse2-pbe` or your own model, `sizes=[9]` and `embed=24` or more.

.. image:: /_static/tutorials/10.png
   :width: 100%
   :alt: Spectral function of WSe2 with a selenium vacancy along the path from Γ over M and K to Γ.
"""

# %%
# Why not the bands of the supercell
# ----------------------------------
#
# In a 12 × 12 supercell each band of the primitive cell is folded 144 times. The picture is a carpet, and another supercell makes another carpet. *Unfolding* asks instead
# how much of each vibration is a plane wave with wave vector q of the primitive cell. The answer is the spectral function A(q, ω): sharp lines for a pristine sheet, wider and
# shifted where the defect scatters.

# sphinx_gallery_thumbnail_path = '_static/tutorials/10.png'
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import flatforce as ff

os.environ["COLUMNS"] = "100"
folder = Path(tempfile.mkdtemp())
frames = [frame for frame in ff.read("wse2-pbe") if "SeW" not in frame.info["config_type"]]
small = {"hidden_irreps": "16x0e + 16x1o", "r_max": 4.5, "max_ell": 2, "correlation": 2}
training = ff.train(frames[::2], model=small, epochs=20, batch_size=4, huber_delta=0.02, stage_two=None)
model = training.model()
sheet = ff.relax(model, ff.monolayer("WSe2"), keep_symmetry=True).atoms

# %%
# A vacancy in a large sheet
# --------------------------
#
# The embedding places the relaxed vacancy of the 4 × 4 cell in a 12 × 12 supercell. :doc:`plot_5_dilute_limit` says what this neglects. The unfolding needs its folder.

series = ff.defect_phonons(
    model,
    sheet,
    "v_Se:top",
    sizes=[4],
    embed={"supercell": 12, "radius": 6.0, "n_check_rows": 1},
    mesh=8,
)
series.save(folder / "vacancy")
list(series)

# %%
# Unfold
# ------
#
# `flatforce defect unfold` follows the path Γ–M–K–Γ and takes the q points on it that are commensurate with the supercell. Larger supercells have more of them. No
# matrix is diagonalised: a Lanczos chain starts from each plane wave.


def flatforce(*arguments: str) -> None:
    """Run a command of flatforce in the folder and print what it prints."""
    command = [sys.executable, "-m", "flatforce", *arguments]
    shown = subprocess.run(command, cwd=folder, capture_output=True, check=True, text=True)
    print(shown.stdout)


flatforce("defect", "unfold", "vacancy/embedded_12x12", "-o", "unfolded")

# %%

unfolded = ff.open(folder / "unfolded")
unfolded.plot()

# %%
# The lines are the bands of the pristine sheet, the colour is A(q, ω) with the vacancy. One vacancy in 144 cells is a concentration of 0.7 % of the cells, so that most of the weight stays
# on the bands.
#
# Where does it scatter?
# ----------------------
#
# Count how much of A(q, ω) lies more than 0.25 THz, three times the broadening, from every band. The Gaussian itself puts 0.02 of nine branches there.

import numpy as np

step = unfolded.frequency[1] - unfolded.frequency[0]
distances = np.abs(unfolded.frequency[None, :, None] - unfolded.bands[:, None, :]).min(axis=2)
beyond = (unfolded.spectral_function * (distances > 0.25)).sum(axis=1) * step
for q, weight in zip(unfolded.distance, beyond, strict=True):
    print(f"{q:5.2f} /Å: {weight:.2f} of 9 branches are more than 0.25 THz from any band")

# %%
# What to worry about
# -------------------
#
# * The sum over all frequencies is fixed: `min_weight` of the command must be close to 9 (1 − 1/432), nine branches less the weight of the missing atom.
#   If it is not, the chain was too short.
# * The supercell is periodic, and so are its defects. Real vacancies are at random; their lines are smoother.
# * Widths below the broadening mean nothing.
#
# The method: :doc:`/defect-phonons`. The command: :doc:`defect unfold </reference/generated/commands/defect>`.
