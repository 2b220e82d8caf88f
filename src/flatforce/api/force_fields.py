"""Force fields: load, train, evaluate, learn actively."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from flatforce.active.config import LearnConfig
from flatforce.api.arguments import folder_of, parse, session_of, takes_settings
from flatforce.core.errors import ConfigError
from flatforce.models.training.config import TrainConfig

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ase import Atoms

    from flatforce.models.loading import Precision
    from flatforce.models.potential import Potential
    from flatforce.report.result import EvaluationResult, LearningResult, TrainResult


def load(model: str | Path, *, device: str = "auto", dtype: Precision = "float64") -> Potential:
    """Load a force field.

    Parameters
    ----------
    model
        Its name: `mace:wse2-pbe`, the file of a MACE model, `chgnet:0.3.0`, `committee:a.model,b.model`,
        `ase:package.module:Class?key=value`.
    device
        `cpu`, `cuda`, or `auto`.
    dtype
        Arithmetic; `float64` for phonons and relaxations.

    Returns
    -------
    The force field: `.elements`, `.cutoff` in Å, `.evaluate(frames)`, `.calculator()` for ASE.

    Examples
    --------
    >>> import flatforce as ff
    >>> model = ff.load("mace:wse2-pbe")
    >>> sheet = ff.monolayer("WSe2")
    >>> sheet.calc = model.calculator()
    >>> sheet.get_forces().shape
    (3, 3)
    """
    from flatforce.models import load as load_potential

    return load_potential(str(model), device=device, dtype=dtype)


@takes_settings(TrainConfig, without=("data",))
def train(
    frames: Sequence[Atoms] | str | Path | Sequence[str],
    *,
    folder: str | Path | None = None,
    progress: bool = False,
    **settings: Any,
) -> TrainResult:
    """Train a force field, or a committee of them.

    Parameters
    ----------
    frames
        Labelled frames, a file of them, the name of a bundled dataset, or a list of such names.
    folder
        Result folder; a scratch folder, removed when Python ends, if None. A run that was cut short resumes there.
    progress
        Whether progress is shown.
    **settings
        Settings of the training.

    Returns
    -------
    The training: `.model()` loads the force field, `.spec` is its name, `.force_mae` in meV/Å on the test set.

    Examples
    --------
    >>> import flatforce as ff
    >>> done = ff.train("wse2-pbe", epochs=1, n_frames=8, stage_two=None, model={"hidden_irreps": "8x0e", "r_max": 4.0})
    >>> done.spec.startswith("mace:")
    True
    """
    from flatforce.models.training.run import train as run
    from flatforce.report.result import open_result

    target = folder_of(folder, "train")
    with _files(frames, target, kind="train") as names:
        config = parse(TrainConfig, settings | {"data": names}, function="train")
        with session_of(None, progress=progress).report("train") as display:
            run(config, target, progress=display)
    return cast("TrainResult", open_result(target))


@contextmanager
def _files(
    frames: Sequence[Atoms] | str | Path | Sequence[str], folder: Path, *, kind: str
) -> Iterator[list[str]]:
    """Name the files of frames; frames in memory are written beside the result, and never over other ones."""
    from ase import Atoms

    if not isinstance(frames, str | Path | Atoms):
        frames = list(frames)
    frames_in_memory = _in_memory(frames)
    if frames_in_memory is None:
        yield [str(frames)] if isinstance(frames, str | Path) else [str(name) for name in frames]
        return
    from flatforce.core.claims import CLAIM, check_folder, make_folder
    from flatforce.data.frame_files import write_new_frames

    check_folder(folder, kind)
    make_folder(folder)
    path = folder / "frames.extxyz"
    is_new = not path.exists()
    write_new_frames(path, frames_in_memory)
    try:
        yield [str(path)]
    except BaseException:
        if is_new and not (folder / CLAIM).exists():  # refused before anything was computed
            path.unlink()
        raise


def _in_memory(frames: Sequence[Atoms] | str | Path | Sequence[str]) -> list[Any] | None:
    """Return the frames that are given themselves; None where files are named."""
    from ase import Atoms

    if isinstance(frames, str | Path):
        return None
    listed = [frames] if isinstance(frames, Atoms) else list(frames)
    if not all(isinstance(frame, str | Path | Atoms) for frame in listed):
        raise ConfigError(
            "What is given as frames holds something else.",
            fix='give ff.read("calculations/"), a list of ase.Atoms, or the name of a file',
        )
    return None if all(isinstance(name, str | Path) for name in listed) else listed


def evaluate(
    model: str | Path | Potential,
    frames: Sequence[Atoms] | str | Path,
    *,
    split: str | Path | None = None,
    energy_only: bool = False,
    folder: str | Path | None = None,
    device: str = "auto",
    progress: bool = False,
) -> EvaluationResult:
    """Compare a force field with labels.

    Parameters
    ----------
    model
        A force field, or its name.
    frames
        Labelled frames, a file of them, or the name of a bundled dataset.
    split
        `split.json` of a training: only frames in its test set are evaluated.
    energy_only
        Whether frames need no forces.
    folder
        Result folder; a scratch folder, removed when Python ends, if None.
    device
        `cpu`, `cuda`, or `auto`.
    progress
        Whether progress is shown.

    Returns
    -------
    The errors: `.energy_mae` in meV/atom, `.force_mae` in meV/Å, `.stress_mae` in N/m.

    Raises
    ------
    ConfigError
        If no frames are given, or several files of them.

    Examples
    --------
    >>> import flatforce as ff
    >>> frames = [frame for frame in ff.read("wse2-pbe") if len(frame) < 13][:5]
    >>> ff.evaluate("mace:wse2-pbe", frames).force_mae < 20
    True
    """
    from flatforce.report.result import open_result
    from flatforce.studies.evaluation import EvaluateStage

    target = folder_of(folder, "evaluate")
    with _files(frames, target, kind=EvaluateStage.kind) as names:
        if len(names) != 1:
            raise ConfigError(
                f"{len(names)} files of frames are given to evaluate().",
                fix="give one file, or the frames themselves: ff.read([...])",
            )
        stage = EvaluateStage(names[0], None if split is None else Path(split), energy_only)
        stage.run(session_of(model, device=device, progress=progress), target)
    return cast("EvaluationResult", open_result(target))


@takes_settings(LearnConfig)
def learn(*, folder: str | Path | None = None, progress: bool = False, **settings: Any) -> LearningResult:
    """Learn actively: sample, select, label, train and assess, round by round.

    Parameters
    ----------
    folder
        Parent of the rounds; a scratch folder, removed when Python ends, if None. A run that was cut short resumes there.
    progress
        Whether progress is shown.
    **settings
        Settings of the run, as `flatforce learn` reads them from YAML.

    Returns
    -------
    The rounds in their order: `.rounds`, `.force_mae` in meV/Å and `.n_labels` of each, `.stop_reason`.

    Examples
    --------
    >>> import flatforce as ff
    >>> ff.learn(initial=["wse2-pbe"])
    Traceback (most recent call last):
    ...
    flatforce.core.errors.ConfigError: ...
    """
    from flatforce.report.result import open_result
    from flatforce.studies.learn.rounds import learn as run

    target = folder_of(folder, "learn")
    config = parse(LearnConfig, settings, function="learn")
    run(config, target, report=session_of(None, progress=progress).report)
    return cast("LearningResult", open_result(target))
