"""Settings of Sphinx, which builds the manual: `sphinx-build -W -b html docs docs/_build/html`."""

from __future__ import annotations

import sys
from pathlib import Path

import flatforce

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from gallery import settings

project = "flatforce"
author = "The flatforce developers"
version = release = flatforce.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "sphinx_design",
    "docstrings",
    "reference",
    "mathml",
    "sphinx_gallery.gen_gallery",
    "gallery",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "_ext", "tutorials"]
default_role = "code"
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 4
suppress_warnings = ["config.cache"]

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"

html_math_renderer = "mathml"
sphinx_gallery_conf = settings() | {"within_subsection_order": "gallery_order.NumberKey"}

html_theme = "pydata_sphinx_theme"
html_title = "flatforce"
html_static_path = ["_static"]
html_css_files = ["flatforce.css"]
html_show_sourcelink = False
html_context = {"default_mode": "auto"}
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "tango",
    "pygments_dark_style": "monokai",
    "footer_start": ["copyright"],
    "footer_end": [],
    "logo": {"text": "flatforce"},
}
copyright = "The flatforce developers, MIT licence"  # noqa: A001  # the name that Sphinx reads

copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True
