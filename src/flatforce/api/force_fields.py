"""Force fields: load, train, evaluate, learn actively."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from flatforce.active.config import LearnConfig
from flatforce.api.arguments import folder_of, parse, session_of, takes_settings
from flatforce.api.frame_files import files_of
from flatforce.core.errors import ConfigError, ModelError
from flatforce.models.training.config import TrainConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def trust(file: str | Path) -> Path:
    """Remember that you trust a file, so that it is loaded even though it can run code.

    Models of MACE, CHGNet, SevenNet, NequIP and icet are pickles of Python, which can run any code when they are loaded.
    flatforce loads those that you trained or trusted, by the SHA-256 hash of their content. `--trust` does the same on the
    command line.

    Parameters
    ----------
    file
        Path of the file. Its hash is added to `trusted.txt` in `~/.local/share/flatforce`, or to the file that the variable
        `FLATFORCE_TRUST_FILE` names.

    Returns
    -------
    The file of hashes, one line for each file that is trusted.

    Raises
    ------
    ModelError
        If there is no such file.

    Examples
    --------
    >>> import flatforce as ff
    >>> ff.trust("downloaded.model")
    Traceback (most recent call last):
    ...
    flatforce.core.errors.ModelError: There is no file downloaded.model.
      fix: give the path of the model file
    """
    from flatforce.core.trust import trust as remember
    from flatforce.core.trust import trust_file

    if not Path(file).is_file():
        raise ModelError(f"There is no file {file}.", fix="give the path of the model file")
    remember(Path(file))
    return trust_file()


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
    with files_of(frames, target, kind="train") as names:
        config = parse(TrainConfig, settings | {"data": names}, function="train")
        with session_of(None, progress=progress).report("train") as display:
            run(config, target, progress=display)
    return cast("TrainResult", open_result(target))


def evaluate(
    model: str | Path | Potential,
    frames: Sequence[Atoms] | str | Path,
    *,
    split: str | Path | None = None,
    fold: int | None = None,
    calibrate: Sequence[Atoms] | str | Path | None = None,
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
        `split.json` of a training, or its folder: only frames in its test set are evaluated.
    fold
        Number of the fold, from 0, whose frames are evaluated, if the split was made with `--folds`.
    calibrate
        Labelled frames, a file of them, or the name of a bundled dataset: they calibrate the uncertainty of a committee.
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
    The errors: `.energy_mae` in meV/atom, `.force_mae` in meV/Å, `.stress_mae` in N/m; with `calibrate` also `.coverage`, and `.outside`,
    the atoms that have no interval.

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
    with (
        files_of(frames, target, kind=EvaluateStage.kind) as names,
        files_of(
            [] if calibrate is None else calibrate, target, kind=EvaluateStage.kind, name="calibration"
        ) as calibration,
    ):
        if len(names) != 1:
            raise ConfigError(
                f"{len(names)} files of frames are given to evaluate().",
                fix="give one file, or the frames themselves: ff.read([...])",
            )
        stage = EvaluateStage(
            names[0],
            None if split is None else Path(split),
            energy_only,
            fold,
            calibration[0] if calibration else None,
        )
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
