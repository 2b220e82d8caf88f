"""Tutorials: which of them a build executes, and how their pages show a figure."""

from __future__ import annotations

import os
import re
import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from sphinx_gallery.scrapers import figure_rst, matplotlib_scraper

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE: Final = Path(__file__).parents[1]

FAST: Final = ("plot_8",)
"""Beginnings of the names of the tutorials that every build executes."""

NOT_RUN: Final = """\
.. note::
   This copy of the manual was built without running this page, so that it shows no output. The picture above is that of a full build.

"""

_shown: WeakSet[Any] = WeakSet()


def settings() -> dict[str, Any]:
    """Collect the settings of sphinx-gallery.

    Returns
    -------
    Name → value. The environment variable `FLATFORCE_GALLERY` chooses the tutorials that are executed: the fast ones if it is not set,
    all of them if it is `all`, else those whose names begin with one of its words.
    """
    chosen = os.environ.get("FLATFORCE_GALLERY", " ".join(FAST))
    names = [r"plot_"] if chosen == "all" else [re.escape(word) for word in chosen.split()]
    return {
        "examples_dirs": "tutorials",
        "gallery_dirs": "auto_tutorials",
        "filename_pattern": rf"[\\/]({'|'.join(names)})",
        "within_subsection_order": "FileNameSortKey",
        "image_scrapers": ("gallery",),
        "capture_repr": ("_repr_html_", "__repr__"),
        "ignore_repr_types": r"NotebookFigure|matplotlib\.text|matplotlib\.legend",
        "abort_on_example_error": True,
        "remove_config_comments": True,
        "download_all_examples": False,
        "show_signature": False,
        "thumbnail_size": (480, 240),
        "write_computation_times": False,
        "min_reported_time": 1,
        "backreferences_dir": None,
        "inspect_global_variables": False,
    }


def setup(app: Sphinx) -> dict[str, Any]:
    """Prepare what the tutorials need.

    Parameters
    ----------
    app
        The application.

    Returns
    -------
    What Sphinx wants to know of an extension.
    """
    # torch 2.13 warns of its own TorchScript when e3nn 0.4.4 compiles a model
    warnings.filterwarnings("ignore", message=".*torch.jit.*")
    warnings.filterwarnings("ignore", message="The TorchScript type system")
    warnings.filterwarnings("ignore", message="Environment variable TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")
    app.connect("source-read", mark_as_not_run)
    archive = Path(app.srcdir) / "_static" / "tutorials" / "calculations"
    archive.parent.mkdir(parents=True, exist_ok=True)
    shutil.make_archive(str(archive), "zip", HERE / "tutorials", "calculations")
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def mark_as_not_run(app: Sphinx, docname: str, source: list[str]) -> None:
    """Say on a page of a tutorial that this build did not execute it.

    Parameters
    ----------
    app, docname
        The application, not used, and the name of the page.
    source
        Text of the page, changed in place; sphinx-gallery writes the running time of what it executed.
    """
    del app
    if docname.startswith("auto_tutorials/plot_") and "sphx-glr-timing" not in source[0]:
        before, block, after = source[0].partition(".. code-block:: Python")
        source[0] = f"{before}{NOT_RUN}{block}{after}"


def _get_sg_image_scraper() -> Any:
    return scrape


def scrape(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Save the figures of a block: those of pyplot, and the one that `plot` of a result returned in its last line.

    Parameters
    ----------
    block, block_vars, gallery_conf
        The block, its variables and the settings, as sphinx-gallery describes them.

    Returns
    -------
    The figures in reStructuredText.
    """
    shown = matplotlib_scraper(block, block_vars, gallery_conf)
    figure = block_vars["example_globals"].get("___")
    if type(figure).__name__ != "NotebookFigure" or figure in _shown:
        return shown
    _shown.add(figure)
    path = next(block_vars["image_path_iterator"])
    figure.savefig(path, dpi=150)
    return shown + figure_rst([path], gallery_conf["src_dir"])
