"""Sheets that an alloy study begins with: all orderings, random ones, special quasirandom ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flatforce.core.errors import ConfigError
from flatforce.core.results import Record, claim_folder, read_record, write_record
from flatforce.data.frames import write_frames
from flatforce.structures.alloys import alloy_lattice
from flatforce.structures.orderings import enumerate_orderings, random_orderings, special_quasirandom
from flatforce.studies.alloy.files import AlloyStudy, parent_hash

if TYPE_CHECKING:
    from pathlib import Path


def enumerate_alloy(
    study: AlloyStudy, folder: Path, *, random: tuple[int, int, int] | None = None, share: float | None = None
) -> dict[str, Any]:
    """Write orderings: all symmetry-distinct ones up to a size, or random ones of one size.

    Parameters
    ----------
    study
        The alloy.
    folder
        Result folder; `orderings.extxyz` stands in it.
    random
        Count and size of random orderings; None for all distinct ones.
    share
        Of the last species of a binary in the random ones.

    Returns
    -------
    The content of `result.json`.

    Raises
    ------
    ConfigError
        If random orderings are asked for without a share.
    """
    lattice = alloy_lattice(study.alloy)
    settings = study.model_dump(mode="json", include={"alloy", "max_cells"})
    settings |= {"random": random, "share": share}
    if random is not None and random[0] < 1:
        raise ConfigError("No random ordering is asked for.", fix="--random COUNT N M with a positive count")
    inputs = parent_hash(study)
    if claim_folder(folder, settings, inputs):
        if random is None:
            found = enumerate_orderings(lattice, max_cells=study.max_cells)
        elif share is None or len(lattice.species) != 2 or not 0 <= share <= 1:
            raise ConfigError(
                "Random orderings need a share.", fix="give --share, 0 to 1, of the last of two species"
            )
        else:
            shares = dict(zip(lattice.species, (1 - share, share), strict=True))
            found = random_orderings(lattice, size=random[1:], shares=shares, count=random[0], seed=0)
        write_frames(folder / "orderings.extxyz", found)
        sizes = [lattice.n_sites(one) for one in found]
        metrics = {"n_orderings": float(len(found)), "largest": float(max(sizes))}
        units = {"n_orderings": "1", "largest": "sites"}
        write_record(folder, Record("alloy orderings", settings, metrics, units, inputs))
    return read_record(folder)


def alloy_sqs(study: AlloyStudy, folder: Path) -> dict[str, Any]:
    """Make a special quasirandom structure.

    Parameters
    ----------
    study
        The alloy, with `quasirandom`.
    folder
        Result folder: `sqs.extxyz`, which `flatforce relax` and `flatforce phonons` take.

    Returns
    -------
    The content of `result.json`.

    Raises
    ------
    ConfigError
        If the study says nothing of it.
    """
    wanted = study.quasirandom
    if wanted is None:
        raise ConfigError(
            "The study has no `quasirandom`.", fix="add quasirandom: {shares: {Mo: 0.5, W: 0.5}}"
        )
    lattice = alloy_lattice(study.alloy)
    settings = study.model_dump(mode="json", include={"alloy", "quasirandom"})
    inputs = parent_hash(study)
    if claim_folder(folder, settings, inputs):
        found = special_quasirandom(lattice, **wanted.model_dump())
        write_frames(folder / "sqs.extxyz", [found])
        metrics = {"n_atoms": float(len(found)), "n_sites": float(lattice.n_sites(found))}
        write_record(folder, Record("alloy sqs", settings, metrics, {"n_atoms": "1", "n_sites": "1"}, inputs))
    return read_record(folder)
