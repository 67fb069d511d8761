"""Configuration of Sphinx for the docs. Builds need no network."""

from doit_mcp import __version__

project = "DoiT MCP"
author = "DoiT"
copyright = "DoiT"
version = release = __version__

html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["docs.css"]
html_show_sphinx = False
html_copy_source = False
# Quotes and dashes stay as written, because the docs are full of commands.
smartquotes = False
highlight_language = "none"
