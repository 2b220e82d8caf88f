"""Names of force fields: `mace:wse2-pbe`, `mace:file.model`, `committee:a.model,b.model`, `d3:mace:wse2-pbe`."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Final

from flatforce.core.errors import ModelError
from flatforce.models.dispersion import split_dispersion

BACKENDS: Final[dict[str, str]] = {
    "mace": "flatforce.models.backends.mace",
    "symmetrix": "flatforce.models.backends.symmetrix",
    "chgnet": "flatforce.models.backends.chgnet",
    "matgl": "flatforce.models.backends.matgl",
    "sevennet": "flatforce.models.backends.sevennet",
    "nequip": "flatforce.models.backends.nequip",
    "mattersim": "flatforce.models.backends.mattersim",
    "ase": "flatforce.models.backends.ase",
    "committee": "flatforce.models.backends.committee",
    "d3": "flatforce.models.backends.d3",
}
"""Kind → module with `load(name, device=…, dtype=…)`, imported when a force field of that kind is loaded."""

DEFAULTS: Final = {"chgnet": "0.3.0"}
"""Kind → name that is loaded if the spec is the kind alone."""

BUNDLED: Final = {"wse2-pbe": "wse2-pbe.model"}
"""Models that ship with the package; the settings of the training (`.yaml`) and the model card stand beside each file."""

PICKLES: Final = {
    "mace": "a pickle of mace-torch",
    "symmetrix": "a pickle of mace-torch",
    "chgnet": "a pickle of CHGNet",
    "sevennet": "a pickle of SevenNet",
    "nequip": "a package or a checkpoint of NequIP, which holds Python code or pickles",
    "mattersim": "a pickle of MatterSim",
}
"""Kind → what its model files are, where they can run code when they are loaded."""

PUBLISHED: Final = frozenset(
    {
        "small",
        "medium",
        "large",
        "small-0b",
        "medium-0b",
        "small-0b2",
        "medium-0b2",
        "large-0b2",
        "medium-0b3",
    }
    | {"medium-mpa-0", "small-omat-0", "medium-omat-0", "mace-matpes-pbe-0", "mace-matpes-r2scan-0"}
)
"""Published universal MACE models that mace-torch downloads by name."""


def split_spec(spec: str) -> tuple[str, str]:
    """Split a spec into kind and name.

    Parameters
    ----------
    spec
        Name of a force field, for instance `mace:a.model`.

    Returns
    -------
    The kind before the first colon, and the name behind it.

    Raises
    ------
    ModelError
        If the kind is unknown.

    Examples
    --------
    >>> split_spec("mace:wse2-pbe"), split_spec("my.model"), split_spec("chgnet")
    (('mace', 'wse2-pbe'), ('mace', 'my.model'), ('chgnet', '0.3.0'))
    """
    kind, colon, name = spec.partition(":")
    if not colon and spec.endswith(".model"):
        return "mace", spec
    name = name or DEFAULTS.get(kind, "")
    if kind not in BACKENDS or not name:
        raise ModelError(
            f"{spec!r} names no kind of force field.",
            why=_did_you_mean(spec) or f"the kinds are {', '.join(BACKENDS)}",
            fix="write KIND:NAME, such as mace:wse2-pbe, mace:my.model, chgnet:0.3.0 or committee:a.model,b.model",
        )
    return kind, name


def _did_you_mean(spec: str) -> str:
    """Return a question with the nearest valid spec; empty if none is near."""
    kind, _, name = spec.partition(":")
    if kind in BACKENDS:
        return f"the name after {kind}: is missing"
    kinds = get_close_matches(kind, BACKENDS)
    is_mace = name in BUNDLED or name in PUBLISHED or name.endswith(".model")
    near = "mace" if is_mace and "mace" in kinds else next(iter(kinds), "")
    if near and (name or near in DEFAULTS):
        return f"did you mean {near}:{name or DEFAULTS[near]}?"
    names = get_close_matches(spec, [*BUNDLED, *PUBLISHED], n=1)
    return f"did you mean mace:{names[0]}?" if names else ""


def committee_members(spec: str) -> list[str]:
    """List the members of a committee.

    Parameters
    ----------
    spec
        Name of a force field.

    Returns
    -------
    Specs of the members; the spec itself if it names a single model.

    Examples
    --------
    >>> committee_members("committee:a.model,chgnet:0.3.0")
    ['a.model', 'chgnet:0.3.0']
    """
    kind, name = split_spec(spec)
    if kind != "committee":
        return [spec]
    members: list[str] = []
    for part in filter(None, map(str.strip, name.split(","))):
        in_arguments = bool(members) and "ase" in members[-1].split(":")[:3] and "?" in members[-1]
        if in_arguments and part.partition(":")[0] not in BACKENDS and not part.endswith(".model"):
            members[-1] += f",{part}"  # a list among the arguments of a calculator
        else:
            members.append(part)
    return members


def kind_of(spec: str) -> str:
    """Name the kind of a force field, with the settings that no file of it holds, for an identity that does not depend on paths.

    Parameters
    ----------
    spec
        Name of a force field.

    Returns
    -------
    Its kind; for a correction its settings and the kind of the corrected force field, too.

    Examples
    --------
    >>> kind_of("my.model"), kind_of("d3:zero:my.model")
    ('mace', 'd3:pbe+zero+25:mace')
    """
    kind, name = split_spec(spec)
    if kind != "d3":
        return kind
    settings, corrected = split_dispersion(name, BACKENDS)
    return f"d3:{settings}:{kind_of(corrected)}"


def model_files(spec: str) -> list[Path]:
    """List the files that define a force field, whose hashes identify it.

    Parameters
    ----------
    spec
        Name of a force field.

    Returns
    -------
    Paths of the files; empty for a force field without a file on this machine.
    """
    kind, name = split_spec(spec)
    if kind == "committee":
        return [path for member in committee_members(spec) for path in model_files(member)]
    if kind == "d3":
        return model_files(split_dispersion(name, BACKENDS)[1])
    if kind in {"mace", "symmetrix"}:
        return [] if kind == "mace" and name in PUBLISHED else [model_path(name)]
    path = Path(name.partition("@")[0] if kind == "sevennet" else name)
    if kind == "matgl" and path.is_dir():
        return sorted(path.glob("*.pt"))
    return [path] if kind != "ase" and path.is_file() else []


def files_with_code(spec: str) -> list[tuple[Path, str]]:
    """List the files of a force field that can run code when they are loaded.

    Parameters
    ----------
    spec
        Name of a force field.

    Returns
    -------
    Path of each file and what it is; empty for models of an installed package, and for files that hold weights only.
    """
    kind, name = split_spec(spec)
    if kind == "committee":
        return [found for member in committee_members(spec) for found in files_with_code(member)]
    if kind == "d3":
        return files_with_code(split_dispersion(name, BACKENDS)[1])
    suffix = Path(name).suffix
    if kind == "matgl" and Path(name).is_dir():
        found = sorted(path for path in Path(name).iterdir() if path.name in {"model.json", "model.pt"})
        return [
            (path, "part of a model of MatGL, which names the Python classes that are made of it")
            for path in found
        ]
    if kind not in PICKLES or name in BUNDLED or (kind == "nequip" and suffix not in {".zip", ".ckpt"}):
        return []
    return [(path, PICKLES[kind]) for path in model_files(spec)]


def model_path(name: str) -> Path:
    """Return the path of a `.model` file.

    Parameters
    ----------
    name
        Name of a bundled model, or a path.

    Returns
    -------
    Path of the `.model` file, bundled or the user's own.

    Raises
    ------
    ModelError
        If there is neither a bundled model of that name nor a file.
    """
    if name in BUNDLED:
        return Path(str(resources.files("flatforce.models") / "bundled" / BUNDLED[name]))
    path = Path(name)
    if not path.is_file():
        neighbours = [str(file) for file in path.parent.glob("*.model")] if path.parent.is_dir() else []
        near = get_close_matches(name, [*BUNDLED, *sorted(PUBLISHED), *neighbours], n=1)
        raise ModelError(
            f"There is no model {name}.",
            why=f"did you mean mace:{near[0]}?" if near else "",
            fix=f"write mace:PATH with the path of a .model file, the bundled mace:{', mace:'.join(BUNDLED)}, "
            "or a published model such as mace:medium-mpa-0",
        )
    return path
