"""What the sandbox's HTML pages share: template files, the start of a document, and hashes of inline elements."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from html import escape
from importlib.resources import files
from string import Template


@cache
def read_template(package: str, name: str) -> str:
    """Return the content of a template file of *package*."""
    return files(package).joinpath("templates", name).read_text("utf-8")


def render_head(title: str, style: str) -> str:
    """Return the start of a document, up to its body. *title* is text and *style* CSS."""
    template = read_template(__package__ or "", "head.html")
    return Template(template).substitute(title=escape(title), style=style).rstrip("\n")


def csp_source(inline: str) -> str:
    """Return the source expression that allows exactly this inline element (CSP Level 3, hash-source)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()}'"
