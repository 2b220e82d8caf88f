"""Force fields from their names: `load("mace:wse2-pbe")`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Literal

from flatforce.core.trust import pickles_allowed, require_trust
from flatforce.models.spec import BACKENDS, files_with_code, split_spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from flatforce.models.potential import Potential
    from flatforce.models.protocols import Backend

Precision = Literal["float64", "float32"]


def load(spec: str, *, device: str = "auto", dtype: Precision = "float64") -> Potential:
    """Load a force field.

    Parameters
    ----------
    spec
        Name of the force field as `KIND:NAME`; a bare path that ends in `.model` is a MACE model.
    device
        `cpu`, `cuda`, or `auto` for a GPU if there is one.
    dtype
        Arithmetic of the model; phonons and relaxations need `float64`.

    Returns
    -------
    The force field, loaded onto its device and ready to evaluate sheets.

    Examples
    --------
    >>> model = load("mace:wse2-pbe", device="cpu")
    >>> sorted(model.elements), model.cutoff
    (['Se', 'W'], 5.0)
    >>> load("mase:wse2-pbe")
    Traceback (most recent call last):
    ...
    flatforce.core.errors.ModelError: 'mase:wse2-pbe' names no kind of force field.
      why: did you mean mace:wse2-pbe?
      fix: write KIND:NAME, such as mace:wse2-pbe, mace:my.model, chgnet:0.3.0 or committee:a.model,b.model
    """
    from flatforce.models.potential import Potential

    kind, name = split_spec(spec)
    return Potential(f"{kind}:{name}", load_backend(spec, device=device, dtype=dtype))


def load_backend(spec: str, *, device: str, dtype: str) -> Backend:
    """Load a backend, in an isolated environment if its package is not installed in this one.

    Parameters
    ----------
    spec
        Name of the force field.
    device
        `cpu`, `cuda`, or `auto`.
    dtype
        `float64` or `float32`.

    Returns
    -------
    The backend, or a client of the worker process that runs it.
    """
    check_trust(spec)
    from flatforce.models.isolated.client import IsolatedBackend
    from flatforce.models.isolated.environments import PACKAGES, environment_for

    kind, _ = split_spec(spec)
    if kind in PACKAGES:
        environment = environment_for(kind)
        if environment is not None:
            return IsolatedBackend(environment.python, spec, device=device, dtype=dtype)
    return load_in_process(spec, device=device, dtype=dtype)


def load_in_process(spec: str, *, device: str, dtype: str) -> Backend:
    """Load a backend in this process.

    Parameters
    ----------
    spec
        Name of the force field.
    device
        `cpu`, `cuda`, or `auto`.
    dtype
        `float64` or `float32`.

    Returns
    -------
    The backend, which evaluates batches of fully periodic cells on that device.
    """
    check_trust(spec)
    kind, name = split_spec(spec)
    load_kind: Callable[..., Backend] = import_module(BACKENDS[kind]).load
    with pickles_allowed(bool(files_with_code(spec))):  # not every package asks torch for them
        return load_kind(name, device=device, dtype=dtype)


def check_trust(spec: str) -> None:
    """Refuse files of a force field that can run code and that this user neither made nor trusted.

    Parameters
    ----------
    spec
        Name of the force field.
    """
    for path, contents in files_with_code(spec):
        require_trust(path, contents=contents)
