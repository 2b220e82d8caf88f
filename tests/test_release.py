"""What a release consists of: versions that agree, workflows that do what the README says, paths that exist."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

import flatforce as ff

ROOT: Final = Path(__file__).parents[1]
YAML_FILES: Final = sorted([*(ROOT / ".github").rglob("*.yml"), ROOT / "CITATION.cff"])
PYPROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GATES: Final = ("ruff check .", "ruff format --check .", "mypy", "pydoclint --quiet src", "lint-imports")


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def steps(workflow: str) -> list[dict[str, Any]]:
    """The steps of all jobs of a workflow."""
    jobs = yaml.safe_load(text_of(f".github/workflows/{workflow}.yml"))["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


def commands(workflow: str) -> str:
    return "\n".join(step["run"] for step in steps(workflow) if "run" in step)


@pytest.mark.parametrize("path", YAML_FILES, ids=lambda path: path.name)
def test_yaml_files_hold_a_mapping(path: Path) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    assert content


def test_version_and_date_agree() -> None:
    citation = yaml.safe_load(text_of("CITATION.cff"))
    released = re.search(r"(?m)^## (\d+\.\d+\.\d+) — (\d{4}-\d\d-\d\d)$", text_of("CHANGELOG.md"))
    assert released is not None
    assert released[1] == citation["version"] == ff.__version__
    assert released[2] == str(citation["date-released"])


def test_workflow_installs_and_tests_as_the_readme_says() -> None:
    command = next(line for line in text_of("README.md").splitlines() if "-m pytest" in line)
    assert command in commands("tests").splitlines()
    assert "sphinx-build -W --keep-going -b html docs docs/_build/html" in commands("docs")


def test_gates_are_those_of_every_list() -> None:
    for gate in GATES:
        assert f".venv/bin/{gate}" in commands("tests").splitlines()
        assert f"\n{gate}\n" in text_of("AGENTS.md")
        assert f"`{gate}`" in text_of(".github/pull_request_template.md")


def test_python_versions_are_those_that_are_tested() -> None:
    jobs = yaml.safe_load(text_of(".github/workflows/tests.yml"))["jobs"]
    tested = jobs["tests"]["strategy"]["matrix"]["python"]
    prefix = "Programming Language :: Python :: 3."
    named = [
        f"3.{name.removeprefix(prefix)}" for name in PYPROJECT["project"]["classifiers"] if prefix in name
    ]
    assert tested == named
    assert PYPROJECT["project"]["requires-python"] == f">={tested[0]}"


def test_only_the_publishing_job_may_sign() -> None:
    """The token that PyPI trusts is given to one job, which runs no code of the project."""
    release = yaml.safe_load(text_of(".github/workflows/release.yml"))
    assert release["permissions"] == {"contents": "read"}
    trusted = [name for name, job in release["jobs"].items() if "id-token" in job.get("permissions", {})]
    assert trusted == ["publish"]
    assert not any("run" in step for step in release["jobs"]["publish"]["steps"])


def test_source_distribution_names_what_exists() -> None:
    included = PYPROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert {"/src", "/tests", "/examples", "/benchmarks", "/docs"} <= set(included)
    for pattern in included:
        assert pattern.startswith("/"), pattern  # without it, a name matches in every folder
        assert (ROOT / pattern.removeprefix("/")).exists(), pattern


def test_paths_of_the_guide_for_assistants_exist() -> None:
    names = re.findall(
        r"`((?:src|tests|docs|examples|validation|benchmarks)[\w/.]*|\w+\.(?:md|toml))`", text_of("AGENTS.md")
    )
    assert len(names) > 15
    for name in names:
        assert (ROOT / name).exists(), name


def test_image_copies_what_exists() -> None:
    words = [
        word
        for line in text_of("Dockerfile").splitlines()
        if line.startswith("COPY ")
        for word in line.split()[1:-1]
    ]
    assert len(words) > 3
    admitted = {
        line.removeprefix("!") for line in text_of(".dockerignore").splitlines() if line.startswith("!")
    }
    assert set(words) == admitted
    assert all((ROOT / word).exists() for word in words)
