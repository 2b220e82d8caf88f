"""Barriers: paths of minimum energy, and the first hops of a defect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from flatforce.api.arguments import Structure, folder_of, parse, session_of, source_of, takes_settings
from flatforce.properties.barriers.config import HopsConfig, NebConfig

if TYPE_CHECKING:
    from pathlib import Path

    from flatforce.models.potential import Potential
    from flatforce.report.result import NebResult, ResultTree


@takes_settings(NebConfig)
def neb(
    model: str | Path | Potential,
    start: Structure,
    end: Structure,
    *,
    folder: str | Path | None = None,
    device: str = "auto",
    progress: bool = False,
    **settings: Any,
) -> NebResult:
    """Find the path of minimum energy between two structures, its barrier and rates, and whether the force field knows the path.

    Parameters
    ----------
    model
        A force field, or its name.
    start
        First structure, or its file; it is relaxed in its cell.
    end
        Last structure, or its file: the same atoms in the same cell, in any order.
    folder
        Result folder; a scratch folder, removed when Python ends, if None.
    device
        `cpu`, `cuda`, or `auto`.
    progress
        Whether progress is shown.
    **settings
        Settings of the path.

    Returns
    -------
    Path and barriers: `.barrier` and `.barrier_reverse` in eV, `.images`, `.energies`, `.outside`, `.plot()`; `.converged` is false where
    the path leaves what the force field knows, and `.warnings` says why.

    Examples
    --------
    A vacancy in a layer of Lennard-Jones atoms, which an atom beside it fills:

    >>> import flatforce as ff
    >>> from ase import Atoms
    >>> pairs = "ase:ase.calculators.lj:LennardJones?sigma=2.5&epsilon=0.4&rc=4.0&cutoff=4.0&elements=Cu"
    >>> cell = [[2.806, 0, 0], [-1.403, 2.430, 0], [0, 0, 20]]
    >>> layer = Atoms("Cu", positions=[[0, 0, 10]], cell=cell, pbc=True).repeat((4, 4, 1))
    >>> start, end = layer[1:], layer[[0, *range(2, 16)]]
    >>> hop = ff.neb(pairs, start, end, images=3, frequencies=False, max_force=0.1)
    >>> abs(hop.barrier - hop.barrier_reverse) < 0.01
    True
    """
    from flatforce.report.result import open_result
    from flatforce.studies.neb import NebStage

    target = folder_of(folder, "neb")
    config = parse(NebConfig, settings, function="neb")
    stage = NebStage(source_of(start), source_of(end), config)
    stage.run(session_of(model, device=device, progress=progress), target)
    return cast("NebResult", open_result(target))


@takes_settings(HopsConfig)
def hops(
    model: str | Path | Potential,
    sheet: Structure,
    defect: str,
    *,
    folder: str | Path | None = None,
    device: str = "auto",
    progress: bool = False,
    **settings: Any,
) -> ResultTree:
    """Find the barriers of all distinct first hops of a defect.

    Parameters
    ----------
    model
        A force field, or its name.
    sheet
        The relaxed primitive cell, or its file.
    defect
        Notation of the defect, such as `v_Se:top`: a vacancy, an adatom, or a complex that holds one.
    folder
        Parent of the result folders; a scratch folder, removed when Python ends, if None.
    device
        `cpu`, `cuda`, or `auto`.
    progress
        Whether progress is shown.
    **settings
        Supercell, longest hop, and `path`, the settings of each path.

    Returns
    -------
    The paths by name, `["hop_1"]` and so on, and their barriers side by side in `["hops"].table`.

    Examples
    --------
    Several minutes on one core:

    >>> import flatforce as ff
    >>> sheet = ff.relax("mace:wse2-pbe", ff.monolayer("WSe2"), keep_symmetry=True).atoms
    >>> found = ff.hops("symmetrix:wse2-pbe", sheet, "v_Se:top", supercell=(4, 4))  # doctest: +SKIP
    >>> found["hops"].table  # doctest: +SKIP
    """
    from flatforce.report.result import open_result
    from flatforce.studies.neb import HopSeries

    target = folder_of(folder, "hops")
    config = parse(HopsConfig, settings, function="hops")
    session, source = session_of(model, device=device, progress=progress), source_of(sheet)
    HopSeries(source, session.defect_name(source, defect), config).run(session, target)
    return cast("ResultTree", open_result(target))
