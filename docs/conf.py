"""The site of the documentation: `make docs` builds it from the same pages that are read in the repository.

The source folder is the root of the repository, so that every link between pages is right in both places. Nothing is
fetched: no intersphinx, no fonts, no scripts of others.
"""

from __future__ import annotations

import os
import re
import sys
from typing import Any, List

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from gradcam_tf1 import __version__  # noqa: E402  the root comes first

project = "gradcam_tf1"
release = version = __version__
project_copyright = "the authors of gradcam_tf1"
extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
root_doc = "docs/index"
PAGES = ["docs", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
exclude_patterns = [name for name in os.listdir(ROOT) if name not in PAGES]
nitpicky = True

myst_heading_anchors = 3

# The docstrings say the types in words; the hints of the code would repeat them in a form that is hard to read.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
default_role = "code"
numpydoc_show_class_members = False
smartquotes = False  # "stretch" is something to type

html_theme = "furo"
html_title = f"gradcam_tf1 {release}"
html_static_path = ["site"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False


def tables_of_contents(_app: Any, page: str, source: List[str]) -> None:
    """Make a table of contents of each list of links in docs/index.md: the list itself is what the repository shows."""
    if page != root_doc:
        return
    introduction, *sections = re.split(r"(?m)^(?=## )", source[0])
    source[0] = introduction + "".join(section + contents_of(section) for section in sections)


def contents_of(section: str) -> str:
    """Return a hidden toctree with the pages that a section links to, under its heading."""
    pages = [os.path.normpath(os.path.join("docs", link)) for link in re.findall(r"\]\(([^)#]+)\.md\)", section)]
    heading = section.splitlines()[0].lstrip("# ")
    lines = ["", "```{toctree}", ":hidden:", f":caption: {heading}", "", *(f"/{page}" for page in pages), "```", "", ""]
    return "\n".join(lines) if pages else ""


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("source-read", tables_of_contents)
