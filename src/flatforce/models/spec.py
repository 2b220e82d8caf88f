"""Names of force fields: `mace:wse2-pbe`, `mace:file.model`, `symmetrix:file.model`, `committee:a.model,b.model`, `ase:module:Class?key=value`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module, resources
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from flatforce.core.errors import ModelError
from flatforce.models.isolated.client import IsolatedBackend
from flatforce.models.isolated.environments import PACKAGES, environment_for
from flatforce.models.potential import Potential

if TYPE_CHECKING:
    from flatforce.models.protocols import Backend

Precision = Literal["float64", "float32"]

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
}
"""Kind → module with `load(name, device=…, dtype=…)`, imported when first asked for."""

DEFAULTS: Final = {"chgnet": "0.3.0"}
"""Kind → name, where the kind alone says enough."""

BUNDLED: Final = {"wse2-pbe": "wse2-pbe.model"}
"""Models that ship with the package; the settings that trained each (`.yaml`) and its card stand beside it."""


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
"""Models of the Materials Project and its kin that mace-torch fetches by name."""


def load(spec: str, *, device: str = "auto", dtype: Precision = "float64") -> Potential:
    """Load a force field.

    Parameters
    ----------
    spec
        Its name; a bare path that ends in `.model` means MACE.
    device
        `cpu`, `cuda`, or `auto`.
    dtype
        Arithmetic; `float64` for phonons and relaxation.

    Returns
    -------
    The force field.

    Raises
    ------
    ModelError
        If the kind is unknown, or the model cannot be loaded.
    """
    kind, name = split_spec(spec)
    return Potential(f"{kind}:{name}", load_backend(spec, device=device, dtype=dtype))


def load_backend(spec: str, *, device: str, dtype: str) -> Backend:
    """Load a backend, in an environment of its own where its package is not installed here.

    Parameters
    ----------
    spec
        Its name.
    device
        `cpu`, `cuda`, or `auto`.
    dtype
        `float64` or `float32`.

    Returns
    -------
    The backend.
    """
    kind, _ = split_spec(spec)
    if kind in PACKAGES:
        environment = environment_for(kind)
        if environment is not None:
            return IsolatedBackend(environment.python, spec, device=device, dtype=dtype)
    return load_here(spec, device=device, dtype=dtype)


def load_here(spec: str, *, device: str, dtype: str) -> Backend:
    """Load a backend in this process.

    Parameters
    ----------
    spec
        Its name.
    device
        `cpu`, `cuda`, or `auto`.
    dtype
        `float64` or `float32`.

    Returns
    -------
    The backend.
    """
    kind, name = split_spec(spec)
    loader: Callable[..., Backend] = import_module(BACKENDS[kind]).load
    return loader(name, device=device, dtype=dtype)


def split_spec(spec: str) -> tuple[str, str]:
    """Split a spec in kind and name.

    Parameters
    ----------
    spec
        For instance `mace:a.model`.

    Returns
    -------
    Kind and name.

    Raises
    ------
    ModelError
        If the kind is unknown.
    """
    kind, colon, name = spec.partition(":")
    if not colon and spec.endswith(".model"):
        return "mace", spec
    name = name or DEFAULTS.get(kind, "")
    if kind not in BACKENDS or not name:
        raise ModelError(
            f"There is no kind of model for {spec!r}.",
            why=f"known kinds: {', '.join(BACKENDS)}",
            fix="write KIND:NAME, for instance mace:my.model",
        )
    return kind, name


def committee_members(spec: str) -> list[str]:
    """List the members of a committee.

    Parameters
    ----------
    spec
        A spec.

    Returns
    -------
    Their specs; the spec itself if it is no committee.
    """
    kind, name = split_spec(spec)
    if kind != "committee":
        return [spec]
    members: list[str] = []
    for word in filter(None, map(str.strip, name.split(","))):
        open_ = bool(members) and members[-1].startswith("ase:") and "?" in members[-1]
        if open_ and word.partition(":")[0] not in BACKENDS and not word.endswith(".model"):
            members[-1] += f",{word}"  # a list among the arguments of a calculator
        else:
            members.append(word)
    return members


def model_files(spec: str) -> list[Path]:
    """Find the files behind a spec.

    Parameters
    ----------
    spec
        A spec.

    Returns
    -------
    The files; none for a force field that is no file.
    """
    kind, name = split_spec(spec)
    if kind == "committee":
        return [path for member in committee_members(spec) for path in model_files(member)]
    if kind in {"mace", "symmetrix"}:
        return [] if kind == "mace" and name in PUBLISHED else [model_path(name)]
    path = Path(name.partition("@")[0])
    if kind == "matgl" and path.is_dir():
        return sorted(path.glob("*.pt"))
    return [path] if kind != "ase" and path.is_file() else []


def model_path(name: str) -> Path:
    """Find a `.model` file.

    Parameters
    ----------
    name
        Name of a bundled model, or a path.

    Returns
    -------
    The file.

    Raises
    ------
    ModelError
        If it is neither.
    """
    if name in BUNDLED:
        return Path(str(resources.files("flatforce.models") / "bundled" / BUNDLED[name]))
    path = Path(name)
    if not path.is_file():
        raise ModelError(
            f"There is no model {name}.",
            fix=f"give the path of a .model file, {', '.join(BUNDLED)}, or a published model such as medium-mpa-0",
        )
    return path
