"""Versions of the packages of an isolated environment: `python -m flatforce.models.isolated.package_versions PACKAGE`."""

from __future__ import annotations

import json
import sys
from importlib import metadata


def package_versions(package: str) -> dict[str, str]:
    """Return the versions of the packages that the predictions of a force field depend on.

    Parameters
    ----------
    package
        Python package of the force field.

    Returns
    -------
    Distribution → version, of those that are installed.
    """
    names = ("flatforce", "torch", "e3nn", *metadata.packages_distributions()[package])
    installed = {distribution.name for distribution in metadata.distributions()}
    return {name: metadata.version(name) for name in names if name in installed}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(package_versions(sys.argv[1])) + "\n")
