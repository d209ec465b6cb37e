"""The site: `sphinx-build -W docs OUT` (extra: docs)."""

from modeling_multitask.version import __version__

project = "modeling-multitask"
author = "The modeling-multitask authors"
project_copyright = "the modeling-multitask authors, Apache-2.0"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"modeling-multitask {version}"
html_theme_options = {"navigation_with_keys": True}
exclude_patterns = ["_build"]

# GitHub renders the same pages: the same anchors of headings, and links to files outside docs/ lead to the repository.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
suppress_warnings = ["misc.highlighting_failure"]

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
