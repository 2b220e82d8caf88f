"""The quick demo, run once as a user runs it, and its report page in a real browser."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from browser import errors_of, open_browser

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quick")
    command = [sys.executable, "-m", "flatforce", "demo", "--quick", "-o", "demo"]
    completed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr[-3000:]
    assert "demo/report/index.html" in completed.stdout.replace("\n", "")
    return folder / "demo"


def read_metrics(folder: Path) -> dict[str, float]:
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return dict(result["metrics"])


def test_lattice_constant_and_phonons_are_those_of_wse2(demo: Path) -> None:
    """Loose: the quick model is coarse. PBE: a = 3.317 Å, highest mode 300 cm⁻¹ = 9.0 THz."""
    assert read_metrics(demo / "relax")["a"] == pytest.approx(3.317, rel=0.01)
    phonons = read_metrics(demo / "phonons")
    assert phonons["max_frequency"] == pytest.approx(9.0, rel=0.08)
    assert phonons["za_exponent"] == pytest.approx(2.0, abs=0.15)
    (defect,) = (demo / "defects" / "v_Se_top").iterdir()
    assert read_metrics(defect)["removed_states"] == pytest.approx(-3.0, abs=0.01)


def test_figures_are_written_as_png_and_pdf(demo: Path) -> None:
    figures = demo / "report" / "figures"
    names = {path.stem for path in figures.glob("*.pdf")}
    assert {"phonons-pristine-bands", "phonons-pristine-pdos", "evaluate-parity"} <= names
    defect = {name.removeprefix("defects-v_Se_top-4x4-") for name in names if name.startswith("defects")}
    assert defect == {"defect-bands", "compared-bands", "defect-difference", "defect-thermal", "radial-dos"}
    for path in figures.glob("*.p*"):
        signature = path.read_bytes()[:5]
        assert signature == (b"%PDF-" if path.suffix == ".pdf" else b"\x89PNG\r")


@pytest.fixture(scope="module")
def browser(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with open_browser(tmp_path_factory.mktemp("profile")) as browser:
        browser.get((demo / "report" / "index.html").as_uri())
        yield browser


def test_page_loads_nothing_and_raises_no_errors(demo: Path, browser: webdriver.Chrome) -> None:
    resources = browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert [name for name in resources if not name.startswith("data:")] == []
    assert errors_of(browser) == []
    assert (demo / "report" / "index.html").stat().st_size > 1e6  # plotly is inside


def test_every_figure_is_drawn(browser: webdriver.Chrome) -> None:
    figures = browser.find_elements(By.CSS_SELECTOR, "figure")
    assert len(figures) >= 9
    script = """
        const selector = "g.trace path.js-line, g.trace path.point, g.trace path.js-fill";
        const paths = Array.from(arguments[0].querySelectorAll(selector));
        return Math.max(0, ...paths.map(path => (path.getAttribute("d") || "").length));
    """
    for figure in figures:
        assert browser.execute_script(script, figure) > 20, figure.text


def read_pixels(canvas: WebElement, browser: webdriver.Chrome) -> np.ndarray:
    script = "const c = arguments[0]; return Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)"
    return np.array(browser.execute_script(script, canvas))


@pytest.mark.slow
def test_the_selected_mode_is_animated(demo: Path, browser: webdriver.Chrome) -> None:
    canvas = browser.find_element(By.CSS_SELECTOR, ".viewer canvas")
    rows = browser.find_elements(By.CSS_SELECTOR, "tr[data-mode]")
    assert len(rows) >= 2
    browser.execute_script("arguments[0].click()", rows[1])
    assert canvas.get_attribute("data-mode") == "1"
    assert "selected" in (rows[1].get_attribute("class") or "")
    before = read_pixels(canvas, browser)
    time.sleep(0.25)
    moving = (read_pixels(canvas, browser) != before).any(axis=None)
    assert moving
    browser.find_element(By.CSS_SELECTOR, ".viewer button").click()
    time.sleep(0.1)
    paused = read_pixels(canvas, browser)
    time.sleep(0.25)
    assert (read_pixels(canvas, browser) == paused).all()  # nothing but the mode moved
    browser.save_screenshot(str(demo / "report" / "screenshot.png"))
