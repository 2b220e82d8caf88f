"""The page: what it opens with, what it leaves out, and that nothing in a file becomes a script."""

from __future__ import annotations

import copy
import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.io import write
from selenium import webdriver
from selenium.webdriver.common.by import By
from typer.testing import CliRunner

from browser import errors_of, open_browser, set_screen
from flatforce.cli import app
from flatforce.core.errors import ResultError
from flatforce.core.results import Record, read_record, write_record
from flatforce.core.written import WrittenFiles
from flatforce.properties.phonons.config import PhononConfig
from flatforce.properties.relax_config import RelaxConfig
from flatforce.report.page import write_report
from flatforce.report.static import write_static
from flatforce.structures.prototypes import monolayer
from flatforce.studies.evaluation import EvaluateStage
from flatforce.studies.phonons import PhononStage
from flatforce.studies.relax import RelaxStage
from flatforce.studies.session import Session

LENNARD_JONES = "ase:ase.calculators.lj:LennardJones?sigma=1.3&epsilon=0.1&rc=4.0&cutoff=4.0"
HOSTILE = "\"><script>window.broken=1</script><img src=x onerror='window.broken=1'>$\\frac$&amp;</script><!--<script>"
"""What would run if any place of the page took a text for HTML, for JavaScript, or for a formula."""
SEED = 7
N_MUTATIONS = 300


@pytest.fixture(scope="module")
def results(model_file: Path, frames: list[Atoms], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A relaxation, phonons and an evaluation, as the commands write them."""
    folder = tmp_path_factory.mktemp("results")
    sheet = monolayer(("B", "N"), prototype="honeycomb", a=2.5)
    pair, model = Session(LENNARD_JONES), Session(f"mace:{model_file}")
    RelaxStage(sheet, RelaxConfig(max_steps=1)).run(pair, folder / "relax")
    settings = PhononConfig(supercell=(4, 4), mesh=6, points_per_segment=5, engine="displacements")
    PhononStage(sheet, settings).run(pair, folder / "phonons")
    primitive = [frame for frame in frames if len(frame) == 3][:4]
    write(folder / "few.extxyz", primitive, format="extxyz")
    EvaluateStage(str(folder / "few.extxyz")).run(model, folder / "evaluate")
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with open_browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def page(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(results, tmp_path_factory.mktemp("page"))


def test_the_page_opens_with_what_was_computed(results: Path, page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    summary = text[text.index('id="summary"') : text.index('id="section-0"')]
    assert "Phonons of the pristine sheet of BN in a 4 × 4 supercell with the force field ase:" in summary
    highest = read_record(results / "phonons")["metrics"]["max_frequency"]
    assert f"highest frequency</dt><dd>{highest:.3f} THz" in summary
    assert len(re.findall("<dt>", summary)) <= 3 * 5
    warnings = read_record(results / "relax")["warnings"]
    assert warnings
    assert all(warning in summary for warning in warnings)


def test_diagnostics_are_folded_away(results: Path, page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    open_parts = re.sub("<details>.*?</details>", "", text, flags=re.DOTALL)
    residuals = [name for name in read_record(results / "phonons")["metrics"] if "_residual_" in name]
    assert residuals
    for name in (*residuals, "wall time", "inputs: structure"):
        assert f"<td>{name}</td>" in text, name
        assert f"<td>{name}</td>" not in open_parts, name
    assert "<td>max_frequency</td>" in open_parts


def test_a_folder_name_and_texts_of_files_run_no_script(
    results: Path, tmp_path: Path, browser: webdriver.Chrome
) -> None:
    root = tmp_path / HOSTILE.replace("/", "∕")
    for kind in ("phonons", "evaluate"):
        copied = root / f"{kind}-{HOSTILE.replace('/', '∕')}"
        shutil.copytree(results / kind, copied)
        record = read_record(copied)
        record["warnings"] = [HOSTILE]
        record["units"] = dict.fromkeys(record["units"], HOSTILE)
        record["metrics"][HOSTILE] = 1.0
        record["inputs"] = record["versions"] = record["subject"] = {HOSTILE: HOSTILE, "model": HOSTILE}
        record["details"] |= {"model": HOSTILE}
        if kind == "evaluate":
            record["details"]["config_type"] = {HOSTILE: {"force_mae": 1.0}}
            with np.load(copied / "arrays.npz") as stored:
                arrays = {name: stored[name] for name in stored.files}
            for name in ("frame_group", "atom_group", "stress_group"):
                arrays[name] = np.array([HOSTILE] * len(arrays[name]))
            np.savez_compressed(copied / "arrays.npz", **arrays)
        (copied / "result.json").write_text(json.dumps(record))
    warnings: list[str] = []
    page = write_report(root, tmp_path / "page", warn=warnings.append)
    assert warnings == []
    browser.get(page.as_uri())
    assert browser.execute_script("return window.broken") is None
    assert errors_of(browser) == []
    assert browser.find_elements(By.CSS_SELECTOR, "img") == []
    figures = browser.find_elements(By.CSS_SELECTOR, "figure")
    assert len(figures) >= 5
    assert all(figure.find_elements(By.CSS_SELECTOR, "svg.main-svg") for figure in figures)
    for link in browser.find_elements(By.CSS_SELECTOR, "figcaption a"):
        name = (link.get_attribute("href") or "").rpartition("/")[2]
        assert (tmp_path / "page" / "figures" / name).is_file()
    legend = browser.find_elements(By.CSS_SELECTOR, "g.legend text")
    assert any(HOSTILE[:20] in (text.get_attribute("textContent") or "") for text in legend)


@pytest.mark.parametrize("width", [1200, 390])
def test_nothing_is_wider_than_the_screen(page: Path, browser: webdriver.Chrome, width: int) -> None:
    set_screen(browser, width)
    browser.get(page.as_uri())
    page_width = browser.execute_script("return document.documentElement.scrollWidth")
    assert page_width <= width
    assert browser.execute_script("return window.innerWidth") == width
    script = """
        const layouts = [...document.querySelectorAll(".plotly-graph-div")].map(plot => plot._fullLayout);
        const panels = layouts.map(layout => Object.keys(layout).filter(key => /^yaxis\\d*$/.test(key))
            .map(key => layout[key]).filter(axis => !axis.overlaying).map(axis => axis.domain));
        return panels.filter(domains => domains.length > 1);
    """
    several = browser.execute_script(script)
    assert several
    for domains in several:
        tops, bottoms = [top for _, top in domains], [bottom for bottom, _ in domains]
        stacked = all(top <= bottom for top, bottom in zip(tops[1:], bottoms, strict=False))
        assert stacked == (width < 600), domains
    set_screen(browser, 1200)
    assert errors_of(browser) == []


def mutate(value: Any, rng: random.Random) -> Any:
    """Replace one value anywhere inside by one of another type, or remove it."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        changed, name = dict(value), rng.choice(list(value))
        if rng.random() < 0.2:
            del changed[name]
        else:
            changed[name] = mutate(value[name], rng)
        return changed
    if isinstance(value, list) and value and rng.random() < 0.7:
        position = rng.randrange(len(value))
        return [*value[:position], mutate(value[position], rng), *value[position + 1 :]]
    wrong: list[Any] = [None, [], {}, "", HOSTILE, -1, 10**400, float("nan"), float("inf"), 1e308, True]
    return copy.deepcopy(rng.choice([*wrong, [value] * 3, {"a": value}, "\ud800", "x" * 100_000]))


@pytest.mark.slow
def test_no_file_stops_the_page(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every mutated folder is shown or left out with one line, and the untouched one is always shown."""
    monkeypatch.setattr("flatforce.report.page.write_static", lambda *_: [])
    rng = random.Random(SEED)  # noqa: S311  # a seed to repeat, no secret
    n_shown = n_left_out = 0
    for batch in range(N_MUTATIONS // 50):
        root = tmp_path / str(batch)
        shutil.copytree(results / "relax", root / "untouched")
        for k in range(50):
            kind = rng.choice(["relax", "phonons", "evaluate"])
            shutil.copytree(results / kind, root / str(k))
            record = json.loads((results / kind / "result.json").read_text())
            for _ in range(rng.choice([1, 1, 2, 5])):
                record = mutate(record, rng)
            (root / str(k) / "result.json").write_text(json.dumps(record))
        warnings: list[str] = []
        text = write_report(root, tmp_path / "page", warn=warnings.append).read_text(encoding="utf-8")
        assert '<p class="folder">untouched</p>' in text
        assert all("\n" not in warning and len(warning) < 300 for warning in warnings)
        shown = len(re.findall('<p class="folder">', text)) - 1
        assert shown + len(warnings) == 50
        n_shown, n_left_out = n_shown + shown, n_left_out + len(warnings)
    assert min(n_shown, n_left_out) > N_MUTATIONS // 10  # the mutations are neither harmless nor all fatal


def test_deep_nesting_does_not_end_the_process(tmp_path: Path) -> None:
    """Packages raise the limit of recursion, and the parser of JSON then runs out of stack."""
    (tmp_path / "result.json").write_text('{"a": "[", "b": ' + "[" * 100_000)
    code = (
        "import sys; from pathlib import Path; from flatforce.core.results import read_record; sys.setrecursionlimit(10**6); "
        f"read_record(Path({str(tmp_path)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "nested more than 200 levels deep" in done.stderr


@pytest.mark.parametrize(
    "content", ["{}", "[]", "null", '{"energy": -1.0}', "no JSON", "[" * 100_000, '{"kind": 3}', "\xff"]
)
def test_a_file_of_another_program_is_named(results: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "result.json").write_bytes(content.encode("latin-1"))
    outcome = CliRunner().invoke(app, ["report", str(tmp_path), "-o", str(tmp_path / "page")])
    assert isinstance(outcome.exception, ResultError)
    assert "no finished result" in str(outcome.exception)
    assert not (tmp_path / "page").exists()
    shutil.copytree(results / "relax", tmp_path / "relax")
    outcome = CliRunner().invoke(app, ["report", str(tmp_path), "-o", str(tmp_path / "page")])
    assert outcome.exit_code == 0
    assert "warning: other is left out" in outcome.stderr
    text = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert "<code>other</code>" in text
    assert "Relaxation" in text


def test_damaged_arrays_leave_out_their_folder_alone(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results / "relax", tmp_path / "relax")
    shutil.copytree(results / "phonons", tmp_path / "phonons")
    (tmp_path / "phonons" / "arrays.npz").write_bytes(b"PK no archive")
    warnings: list[str] = []
    write_report(tmp_path, tmp_path / "page", warn=warnings.append)
    assert [warning.partition(" ")[0] for warning in warnings] == ["phonons"]


def test_figures_of_similar_folders_do_not_overwrite_each_other(results: Path, tmp_path: Path) -> None:
    for name in ("a/b", "a-b", "a b"):
        shutil.copytree(results / "relax", tmp_path / name)
    write_report(tmp_path, tmp_path / "page")
    names = sorted(path.name for path in (tmp_path / "page" / "figures").glob("*.png"))
    assert len(names) == 3
    assert all(re.fullmatch(r"[\w.-]+", name) for name in names)


def test_a_dollar_sign_is_no_formula(tmp_path: Path) -> None:
    from flatforce.report.figures.figure import Figure, Panel, Series

    line = Series(np.arange(3.0), np.arange(3.0), name=r"$\frac$")
    panel = Panel((line,), r"$\x$ price in $", title="$")
    png, _ = write_static(Figure("dollar", "", (panel, panel)), tmp_path, WrittenFiles(tmp_path))
    assert png.stat().st_size > 1000


def test_a_number_that_is_not_finite_is_a_dash(tmp_path: Path) -> None:
    write_record(tmp_path / "x", Record("odd kind", {}, {"a": float("nan"), "b": 2.0}, {"a": "eV"}))
    text = write_report(tmp_path, tmp_path / "page").read_text(encoding="utf-8")
    assert "<td>a</td><td>–</td><td>eV</td>" in text
    assert "<td>b</td><td>2</td>" in text
