"""The HTML document of the view, joined from the files in ``assets``, and its URI, which changes with its bytes.

The files are joined when the server starts, so the view needs no build step. It loads nothing: hosts show it in a frame
without network access.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib.resources import files
from string import Template

from .compaction import compact_script, compact_style

VIEW_MIME_TYPE = "text/html;profile=mcp-app"
"""The media type by which hosts recognize a view (MCP Apps, UI Resource Format)."""
MAX_VIEW_BYTES = 114_500
"""Maximum bytes of the document. Hosts read it before they show the first picture."""
MAX_COMPRESSED_BYTES = 37_000
"""Maximum bytes of the document after gzip, which proxies apply."""
FIRST_SCRIPTS = ("bridge.js", "format.js", "scales.js")
LAST_SCRIPTS = ("main.js",)
"""Scripts are joined in alphabetical order, except for the first and the last ones."""
HASH_CHARACTERS = 8
"""Enough to distinguish versions. Each list of tools repeats the URI dozens of times."""
VIEW_URI_PATTERN = re.compile(rf"ui://doit/costs-[0-9a-f]{{{HASH_CHARACTERS}}}\.html")
"""Matches the URI of this view and of those of other versions of the server."""


@cache
def view_html() -> str:
    """Return the document: the skeleton ``view.html`` with the style and all scripts in one function scope."""
    return Template(_read_asset("view.html")).substitute(style=view_style(), script=view_script())


@cache
def view_uri() -> str:
    """Return the URI of the document. Hosts cache views by URI, so a changed document needs another one."""
    digest = hashlib.sha256(view_html().encode()).hexdigest()
    return f"ui://doit/costs-{digest[:HASH_CHARACTERS]}.html"


def view_style() -> str:
    """Return the style sheet."""
    return compact_style(_read_asset("view.css"))


def view_script() -> str:
    """Return all scripts, joined."""
    joined = "\n".join(compact_script(_read_asset(name)) for name in script_names())
    return f'(() => {{\n"use strict";\n{joined}\n}})();'


def script_names() -> list[str]:
    """Return the names of the scripts in the order in which they are joined."""
    names = {item.name for item in files(__package__).joinpath("assets").iterdir() if item.name.endswith(".js")}
    fixed = {*FIRST_SCRIPTS, *LAST_SCRIPTS}
    ordered = (*FIRST_SCRIPTS, *sorted(names - fixed), *LAST_SCRIPTS)
    return [name for name in ordered if name in names]


def _read_asset(name: str) -> str:
    return files(__package__).joinpath("assets", name).read_text("utf-8").strip()
