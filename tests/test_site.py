"""The built manual in a real browser, opened from the disk: `sphinx-build -W -b html docs docs/_build/html` makes it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from browser import errors_of, open_browser, set_screen

SITE = Path(__file__).parents[1] / "docs" / "_build" / "html"

PAGES = (
    "index.html",
    "start/five-minutes.html",
    "auto_tutorials/index.html",
    "auto_tutorials/plot_2_vasp_to_defect.html",
    "auto_tutorials/plot_8_python_tour.html",
    "explanation/sum-rules.html",
    "reference/generated/python.html",
    "reference/generated/python/train.html",
    "reference/generated/commands/defect.html",
    "reference/generated/settings/TrainConfig.html",
    "reference/generated/metrics.html",
)

MAX_WORDS = 2500
"""Words of a page as it is shown, those in code and tables included."""

LOADED = """return Array.from(document.querySelectorAll("link[rel=stylesheet], script[src], img[src]")).map(
    element => element.href || element.src)"""
"""What a page loads."""

pytestmark = pytest.mark.skipif(not (SITE / "index.html").is_file(), reason="the manual is not built")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with open_browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.mark.parametrize("page", PAGES)
def test_pages_need_no_network_and_raise_no_errors(browser: webdriver.Chrome, page: str) -> None:
    browser.get((SITE / page).as_uri())
    assert browser.find_element(By.TAG_NAME, "h1").text
    loaded = browser.execute_script(LOADED)
    assert len(loaded) > 3  # style sheets and scripts
    assert [name for name in loaded if not name.startswith(("file:", "data:"))] == []
    assert errors_of(browser) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_a_phone_shows_a_page_without_scrolling_sideways(
    browser: webdriver.Chrome, page: str, scheme: str
) -> None:
    set_screen(browser, 390, scheme=scheme)
    browser.get((SITE / page).as_uri())
    width = browser.execute_script("return document.documentElement.scrollWidth")
    assert width <= 390
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    is_bright = sum(int(x) for x in background.strip("rgba()").split(",")[:3]) > 3 * 128
    assert is_bright == (scheme == "light")


def words_of(page: Path) -> int:
    """Words in the article of a page; 0 where it has none."""
    article = re.search(r"<article.*</article>", page.read_text(encoding="utf-8"), re.DOTALL)
    return 0 if article is None else len(html.unescape(re.sub(r"<[^>]*>", " ", article[0])).split())


def test_pages_are_short_as_they_are_shown() -> None:
    pages = {page: words_of(page) for page in SITE.rglob("*.html")}
    assert sum(words > 100 for words in pages.values()) > 100
    assert {page.name: words for page, words in pages.items() if words > MAX_WORDS} == {}


def test_the_search_works_from_the_disk(browser: webdriver.Chrome) -> None:
    set_screen(browser, 1200)
    browser.get((SITE / "search.html").as_uri() + "?q=flexural")
    WebDriverWait(browser, 20).until(lambda page: page.find_elements(By.CSS_SELECTOR, "ul.search li a"))
    titles = [link.text for link in browser.find_elements(By.CSS_SELECTOR, "ul.search li a")]
    assert any("Sum rules" in title for title in titles)


def test_formulas_are_drawn_without_a_script(browser: webdriver.Chrome) -> None:
    set_screen(browser, 1200)
    browser.get((SITE / "explanation/sum-rules.html").as_uri())
    sizes = [formula.size for formula in browser.find_elements(By.CSS_SELECTOR, "math")]
    assert len(sizes) > 5
    assert all(size["width"] > 3 and size["height"] > 5 for size in sizes)
