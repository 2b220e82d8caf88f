"""Memory that is free, and computations that would need more of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from flatforce.core.errors import ConfigError, ResourceError

LIMIT_VARIABLE: Final = "FLATFORCE_MEMORY_GB"
"""Environment variable with the memory in GB (10⁹ bytes) that a computation may use, in place of what is free."""

MAX_SHARE: Final = 0.8
"""Share of the free memory that an estimate may reach: the rest is for what the estimate leaves out, and for other programs."""

GB: Final = 1e9

CGROUP_FILES: Final = {
    "": ("memory.max", "memory.current"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes"),
}
"""Controller → files with limit and usage of a control group; version 2 has no controllers of their own."""


def free_memory() -> float:
    """Find out how much memory is free.

    Returns
    -------
    Bytes: the value of `FLATFORCE_MEMORY_GB` where it is set; else the least of what the system reports as available and what the
    control group leaves; infinite where neither is known.

    Raises
    ------
    ConfigError
        If the environment variable is not a positive number.
    """
    limit = os.environ.get(LIMIT_VARIABLE)
    if limit is not None:
        try:
            value = float(limit)
        except ValueError:
            value = -1.0
        if not value > 0:
            raise ConfigError(
                f"{LIMIT_VARIABLE}={limit} is not a positive number.",
                fix=f"set it in GB: {LIMIT_VARIABLE}=16",
            )
        return value * GB
    return min(_available(), _left_in_cgroups())


def check_memory(needed: float, *, task: str, instead: str) -> None:
    """Refuse a computation that would not fit into memory.

    Parameters
    ----------
    needed
        Estimated number of bytes.
    task
        The computation and its size, as the subject of a sentence.
    instead
        What to compute in its place, for the `fix` of the error.

    Raises
    ------
    ResourceError
        If the estimate exceeds `MAX_SHARE` of the free memory.
    """
    free = free_memory()
    if needed > MAX_SHARE * free:
        raise ResourceError(
            f"{task} would take about {format_bytes(needed)} of memory.",
            why=f"{format_bytes(free)} are free, of which {MAX_SHARE:.0%} may be used",
            fix=f"{instead}; on a machine with more memory, {LIMIT_VARIABLE} sets the limit in GB",
        )


def format_bytes(count: float) -> str:
    """Write a number of bytes for a message.

    Parameters
    ----------
    count
        Number of bytes.

    Returns
    -------
    Number with two digits and unit: MB, GB or TB, powers of ten.
    """
    for unit, size in (("TB", 1e12), ("GB", 1e9)):
        if count >= size:
            return f"{count / size:.3g} {unit}" if count < 1e15 else f"{count / size:.1e} {unit}"
    return f"{max(count / 1e6, 0.1):.2g} MB"


def _available() -> float:
    """Memory that the system can give without swapping."""
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        for line in meminfo.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return float(line.split()[1]) * 1024
    try:
        return float(os.sysconf("SC_PAGE_SIZE")) * float(os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):  # Windows
        return float("inf")


def _left_in_cgroups() -> float:
    """Memory that the control groups of this process leave, those of a container or a batch job."""
    groups = Path("/proc/self/cgroup")
    try:
        lines = groups.read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    left = [float("inf")]
    for _, controllers, group in (line.split(":", 2) for line in [*lines, "0::/", "0:memory:/"]):
        names = CGROUP_FILES.get(controllers)
        if names is None:
            continue
        folder = Path("/sys/fs/cgroup", controllers, group.lstrip("/"))
        try:
            limit, usage = (float((folder / name).read_text(encoding="ascii")) for name in names)
        except (OSError, ValueError):  # no such file, or no limit ("max")
            continue
        left.append(limit - usage)
    return min(left)
