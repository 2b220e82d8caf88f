"""Settings of a relaxation benchmark; importing them costs no more than pydantic."""

from __future__ import annotations

from typing import Literal

from flatforce.core.config import Config
from flatforce.properties.relax_config import RelaxConfig


class RelaxationBenchmarkConfig(Config):
    """Settings of a relaxation benchmark."""

    relax: RelaxConfig = RelaxConfig(max_force=0.1, max_stress=0.5)
    """Settings of each relaxation. The default criteria are close to those of ASE's cell filter at fmax = 0.1 eV/Å."""
    start: Literal["first", "relaxed"] = "first"
    """Structure at which each relaxation starts: the `first` frame of the DFT relaxation, or the `relaxed` one."""
    align: str | None = None
    """File of labelled frames, or name of a bundled dataset, to which the atomic reference energies are fitted; needed for a
    force field that was trained on other DFT settings. With null no reference energies are added. Frames of the
    benchmarked materials are left out of the fit."""
