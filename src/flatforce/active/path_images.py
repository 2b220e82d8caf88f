"""Images of paths of minimum energy with the force field of a round, as candidates for labels."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from flatforce.core.errors import FlatforceError
from flatforce.core.hashing import hash_structure
from flatforce.core.progress import Progress, silent
from flatforce.properties.barriers.run import minimum_energy_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ase import Atoms

    from flatforce.active.sampling import PathsConfig
    from flatforce.models.potential import Potential


def path_images(
    potential: Potential,
    ends: Sequence[tuple[Atoms, Atoms]],
    config: PathsConfig,
    *,
    scratch: Path,
    progress: Progress = silent,
) -> Iterator[tuple[int, Atoms]]:
    """Find paths of minimum energy, and propose their images.

    A path that a poor force field cannot find, because both ends relax to one structure or the forces diverge, proposes its two ends.

    Parameters
    ----------
    potential
        The force field of the round.
    ends
        First and last structure of each path.
    config
        Settings.
    scratch
        Folder of parts that an interrupted run takes up again.
    progress
        Called after each step of a path.

    Yields
    ------
    Number of the path, and one of its images; ends that were relaxed to equivalent structures are proposed both.
    """
    settings = config.path.model_copy(update={"frequencies": False, "verify": None})
    for number, (start, end) in enumerate(ends):
        images = [start, end]
        with suppress(FlatforceError):  # a poor force field; its ends are labelled then
            images = minimum_energy_path(
                potential, start, end, settings, scratch=scratch / f"path-{number}", progress=progress
            ).images
        distinct = {hash_structure(image): image for image in images}
        for image in distinct.values():
            frame = image.copy()
            frame.calc = None
            yield number, frame
