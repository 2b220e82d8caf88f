"""Sheets: relaxation, phonons, elastic constants, thermal expansion."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from flatforce.api.arguments import Structure, folder_of, parse, session_of, source_of, takes_settings
from flatforce.properties.elasticity.config import ElasticConfig
from flatforce.properties.expansion.config import ExpansionConfig
from flatforce.properties.phonons.config import PhononConfig
from flatforce.properties.relax_config import RelaxConfig

if TYPE_CHECKING:
    from flatforce.models.potential import Potential
    from flatforce.report.result import ElasticResult, ExpansionResult, PhononResult, RelaxResult


@takes_settings(RelaxConfig)
def relax(
    model: str | Path | Potential,
    sheet: Structure,
    *,
    folder: str | Path | None = None,
    device: str = "auto",
    progress: bool = False,
    **settings: Any,
) -> RelaxResult:
    """Relax a sheet: its positions and, unless `relax_cell` is False, its cell in the plane.

    Parameters
    ----------
    model
        A force field, or its name.
    sheet
        The structure, or its file.
    folder
        Result folder; a scratch folder, removed when Python ends, if None.
    device
        `cpu`, `cuda`, or `auto`.
    progress
        Whether progress is shown.
    **settings
        Settings of the relaxation.

    Returns
    -------
    The relaxation: `.atoms`, `.energy` in eV, `.max_force` in eV/Å, `.converged`.

    Examples
    --------
    >>> import flatforce as ff
    >>> relaxed = ff.relax("mace:wse2-pbe", ff.monolayer("WSe2"))
    >>> f"{relaxed.atoms.cell.lengths()[0]:.2f} Å"
    '3.32 Å'
    """
    from flatforce.report.result import open_result
    from flatforce.studies.relax import RelaxStage

    target = folder_of(folder, "relax")
    config = parse(RelaxConfig, settings, function="relax")
    RelaxStage(source_of(sheet), config).run(session_of(model, device=device, progress=progress), target)
    return cast("RelaxResult", open_result(target))


@takes_settings(PhononConfig)
def phonons(
    model: str | Path | Potential,
    sheet: Structure,
    *,
    folder: str | Path | None = None,
    device: str = "auto",
    progress: bool = False,
    **settings: Any,
) -> PhononResult:
    """Compute the phonons of a relaxed pristine sheet: bands, DOS, PDOS, thermal properties.

    Parameters
    ----------
    model
        A force field, or its name.
    sheet
        The relaxed primitive cell, or its file.
    folder
        Result folder; a scratch folder, removed when Python ends, if None.
    device
        `cpu`, `cuda`, or `auto`.
    progress
        Whether progress is shown.
    **settings
        Settings of the phonons.

    Returns
    -------
    The phonons: `.bands` and `.frequency` in THz, `.dos`, `.gamma`, `.plot()`, `.to_phonopy()`.

    Examples
    --------
    >>> import flatforce as ff
    >>> model = ff.load("mace:wse2-pbe")
    >>> sheet = ff.relax(model, ff.monolayer("WSe2"), keep_symmetry=True).atoms
    >>> waves = ff.phonons(model, sheet, supercell=(4, 4), mesh=12, engine="displacements")
    >>> waves.bands.shape[1]
    9
    """
    from flatforce.report.result import open_result
    from flatforce.studies.phonons import PhononStage

    target = folder_of(folder, "phonons")
    config = parse(PhononConfig, settings, function="phonons")
    PhononStage(source_of(sheet), config).run(session_of(model, device=device, progress=progress), target)
    return cast("PhononResult", open_result(target))


@takes_settings(ElasticConfig)
def elastic(
    model: str | Path | Potential,
    sheet: Structure,
    *,
    folder: str | Path | None = None,
    device: str = "auto",
    progress: bool = False,
    **settings: Any,
) -> ElasticResult:
    """Compute the elastic constants of a relaxed sheet, with clamped and with relaxed ions, and its bending rigidity.

    Parameters
    ----------
    model
        A force field, or its name.
    sheet
        The relaxed sheet, or its file: a primitive cell, a cell with defects, or an alloy.
    folder
        Result folder; a scratch folder, removed when Python ends, if None.
    device
        `cpu`, `cuda`, or `auto`.
    progress
        Whether progress is shown.
    **settings
        Settings of the elastic constants.

    Returns
    -------
    The constants: `.stiffness` in N/m, `.youngs_modulus` by direction, `.bending_rigidity` in eV, `.plot()`.

    Examples
    --------
    >>> import flatforce as ff
    >>> model = ff.load("mace:wse2-pbe")
    >>> sheet = ff.relax(model, ff.monolayer("WSe2"), keep_symmetry=True).atoms
    >>> constants = ff.elastic(model, sheet, bending="none")
    >>> f"C11 = {constants.stiffness[0, 0]:.0f} N/m"
    'C11 = 122 N/m'
    """
    from flatforce.report.result import open_result
    from flatforce.studies.elastic import ElasticStage

    target = folder_of(folder, "elastic")
    config = parse(ElasticConfig, settings, function="elastic")
    ElasticStage(source_of(sheet), config).run(session_of(model, device=device, progress=progress), target)
    return cast("ElasticResult", open_result(target))


@takes_settings(ExpansionConfig)
def expansion(
    model: str | Path | Potential,
    sheet: Structure,
    *,
    folder: str | Path | None = None,
    device: str = "auto",
    progress: bool = False,
    **settings: Any,
) -> ExpansionResult:
    """Compute lattice constant and thermal expansion of a sheet in the quasi-harmonic approximation.

    Parameters
    ----------
    model
        A force field, or its name.
    sheet
        The relaxed primitive cell, or its file.
    folder
        Result folder; a scratch folder, removed when Python ends, if None.
    device
        `cpu`, `cuda`, or `auto`.
    progress
        Whether progress is shown.
    **settings
        Settings of the thermal expansion.

    Returns
    -------
    The expansion: `.alpha` in 1/K and `.lattice_constant` in Å against `.temperature`, `.grueneisen`, `.plot()`.

    Examples
    --------
    >>> import flatforce as ff
    >>> model = ff.load("mace:wse2-pbe")
    >>> sheet = ff.relax(model, ff.monolayer("WSe2"), keep_symmetry=True).atoms
    >>> grown = ff.expansion(model, sheet, supercell=(4, 4), mesh=12, engine="displacements")
    >>> bool(grown.lattice_constant[-1] > grown.lattice_constant[0])
    True
    """
    from flatforce.report.result import open_result
    from flatforce.studies.expansion import ExpansionStage

    target = folder_of(folder, "expansion")
    config = parse(ExpansionConfig, settings, function="expansion")
    ExpansionStage(source_of(sheet), config).run(session_of(model, device=device, progress=progress), target)
    return cast("ExpansionResult", open_result(target))
