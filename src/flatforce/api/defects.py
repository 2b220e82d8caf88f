"""Defects: formation energies; phonons in one supercell, in several, embedded in a large one, and in the dilute limit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from flatforce.api.arguments import Structure, folder_of, parse, session_of, source_of, takes_settings
from flatforce.core.errors import ConfigError
from flatforce.properties.defect_energies.config import DefectEnergyConfig
from flatforce.properties.phonons.config import DefectPhononConfig, DiluteConfig, EmbedConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flatforce.models.potential import Potential
    from flatforce.report.result import DefectEnergyResult, DefectSeriesResult


@takes_settings(DefectPhononConfig)
def defect_phonons(
    model: str | Path | Potential,
    sheet: Structure,
    defect: str,
    *,
    sizes: Sequence[int] = (),
    embed: int | dict[str, Any] | None = None,
    dilute: bool | dict[str, Any] = False,
    folder: str | Path | None = None,
    device: str = "auto",
    progress: bool = False,
    **settings: Any,
) -> DefectSeriesResult:
    """Relax a defect and compare its phonons with those of the pristine sheet, in one supercell or up to the dilute limit.

    Parameters
    ----------
    model
        A force field, or its name.
    sheet
        The relaxed primitive cell, or its file.
    defect
        Notation of the defect, such as `v_Se:top`.
    sizes
        Several n of n × n supercells, in place of `supercell`, compared with one another.
    embed
        n of an n × n supercell that the largest relaxed cell is embedded in, or the settings of the embedding.
    dilute
        Whether the limit of an infinite sheet is computed from the embedding, or the settings of it.
    folder
        Parent of the result folders; a scratch folder, removed when Python ends, if None.
    device
        `cpu`, `cuda`, or `auto`.
    progress
        Whether progress is shown.
    **settings
        Settings of the phonons in each supercell.

    Returns
    -------
    The results by name, such as `["6x6"]`; `.ldos` and `.modes` are those of the best of them.

    Raises
    ------
    ConfigError
        If a setting is unknown or wrong, or both `supercell` and `sizes` are given.

    Examples
    --------
    Three to nine minutes on one core:

    >>> import flatforce as ff
    >>> sheet = ff.relax("mace:wse2-pbe", ff.monolayer("WSe2"), keep_symmetry=True).atoms
    >>> v = ff.defect_phonons("mace:wse2-pbe", sheet, "v_Se:top", supercell=(6, 6), embed=60)  # doctest: +SKIP
    >>> v.plot().savefig("vacancy.png")  # doctest: +SKIP
    """
    from flatforce.report.result import open_result
    from flatforce.studies.defect_series import DefectSeries

    target = folder_of(folder, "defect-phonons")
    if sizes and "supercell" in settings:
        raise ConfigError(
            "supercell and sizes are both given.",
            fix="give supercell=(6, 6) for one supercell, sizes=[6, 9] for several",
        )
    supercells = [{"supercell": (n, n)} for n in sorted(set(sizes))] or [{}]
    configs = [parse(DefectPhononConfig, settings | cell, function="defect_phonons") for cell in supercells]
    embedding, dilution = _embed_config(embed, needed=bool(dilute)), _dilute_config(dilute)
    session, source = session_of(model, device=device, progress=progress), source_of(sheet)
    name = session.defect_name(source, defect)
    DefectSeries(source, name, configs, embedding, dilution).run(session, target)
    return cast("DefectSeriesResult", open_result(target))


@takes_settings(EmbedConfig)
def embed(
    model: str | Path | Potential,
    sheet: Structure,
    defect: str,
    *,
    relaxed_in: tuple[int, int] = (6, 6),
    dilute: bool | dict[str, Any] = False,
    folder: str | Path | None = None,
    device: str = "auto",
    progress: bool = False,
    **settings: Any,
) -> DefectSeriesResult:
    """Embed a relaxed defect in a large supercell: spectra of ten thousand atoms and more.

    Parameters
    ----------
    model
        A force field, or its name.
    sheet
        The relaxed primitive cell, or its file.
    defect
        Notation of the defect, such as `v_Se:top`.
    relaxed_in
        Repetitions n, m of the smaller supercell in which the defect is relaxed; its phonons are computed as well, unless they
        stand in `folder` already.
    dilute
        Whether the limit of an infinite sheet is computed, or the settings of it.
    folder
        Parent of the result folders; a scratch folder, removed when Python ends, if None.
    device
        `cpu`, `cuda`, or `auto`.
    progress
        Whether progress is shown.
    **settings
        Settings of the embedding.

    Returns
    -------
    The results by name, such as `["embedded_60x60"]`.

    Examples
    --------
    Three to nine minutes on one core:

    >>> import flatforce as ff
    >>> sheet = ff.relax("mace:wse2-pbe", ff.monolayer("WSe2"), keep_symmetry=True).atoms
    >>> v = ff.embed("mace:wse2-pbe", sheet, "v_Se:top", supercell=60)  # doctest: +SKIP
    >>> v["embedded_60x60"].ldos  # doctest: +SKIP
    """
    return defect_phonons(
        model,
        sheet,
        defect,
        supercell=relaxed_in,
        embed=settings,
        dilute=dilute,
        folder=folder,
        device=device,
        progress=progress,
    )


def _embed_config(embed: int | dict[str, Any] | None, *, needed: bool) -> EmbedConfig | None:
    if embed is None:
        return EmbedConfig() if needed else None
    values = {"supercell": embed} if isinstance(embed, int) else embed
    return parse(EmbedConfig, values, function="defect_phonons")


def _dilute_config(dilute: bool | dict[str, Any] | None) -> DiluteConfig | None:
    if not isinstance(dilute, bool | dict | None):
        raise ConfigError(
            f"dilute={dilute!r} is neither True nor False.",
            fix="write dilute=True, or the settings of the limit: dilute={...}",
        )
    if dilute is None or dilute is False:
        return None
    return parse(DiluteConfig, dilute if isinstance(dilute, dict) else {}, function="defect_phonons")


@takes_settings(DefectEnergyConfig)
def defect_energies(
    model: str | Path | Potential,
    sheet: Structure,
    defects: str | Sequence[str],
    *,
    folder: str | Path | None = None,
    device: str = "auto",
    progress: bool = False,
    **settings: Any,
) -> DefectEnergyResult:
    """Compute formation energies of defects over the range of chemical potentials, and binding energies of complexes.

    Parameters
    ----------
    model
        A force field, or its name.
    sheet
        The relaxed primitive cell, or its file.
    defects
        Notations of the defects, such as `["v_Se:top", "v_W"]`.
    folder
        Result folder; a scratch folder, removed when Python ends, if None.
    device
        `cpu`, `cuda`, or `auto`.
    progress
        Whether progress is shown.
    **settings
        Settings of the energies.

    Returns
    -------
    The energies: `.table`, `.formation_energy("v_Se:top")` in eV by limit, `.binding_energies`, `.plot()`.

    Examples
    --------
    >>> import flatforce as ff
    >>> model = ff.load("mace:wse2-pbe")
    >>> sheet = ff.relax(model, ff.monolayer("WSe2"), keep_symmetry=True).atoms
    >>> energies = ff.defect_energies(
    ...     model, sheet, "v_Se:top", sizes=[3], max_force=0.05
    ... )
    >>> sorted(energies.formation_energy("v_Se:top"))
    ['Se-rich', 'W-rich']
    """
    from flatforce.report.result import open_result
    from flatforce.studies.defect_energy import DefectEnergyStage, with_card_references

    target = folder_of(folder, "defect-energies")
    config = parse(DefectEnergyConfig, settings, function="defect_energies")
    session, source = session_of(model, device=device, progress=progress), source_of(sheet)
    asked = [defects] if isinstance(defects, str) else list(defects)
    names = tuple(session.defect_name(source, defect) for defect in asked)
    DefectEnergyStage(source, names, with_card_references(config, session.spec)).run(session, target)
    return cast("DefectEnergyResult", open_result(target))
