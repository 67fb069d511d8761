"""Dashboard page: one HTML document that loads nothing but its own event stream."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from html import escape
from importlib.resources import files
from string import Template

# The page shows the users' passwords, so other sites must not read it.
PRIVATE_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@cache
def dashboard_page(home: str) -> tuple[str, dict[str, str]]:
    """The document and its response headers. It holds no data: its script loads that. *home* is the address of the MCP
    server, which the page links.
    """
    style, script = _read_template("page.css"), _read_template("page.js")
    policy = (
        f"default-src 'none'; style-src {_csp_hash(style)}; script-src {_csp_hash(script)}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {
        **PRIVATE_HEADERS,
        "Content-Security-Policy": policy,
        # For browsers that do not support frame-ancestors.
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    return Template(_read_template("page.html")).substitute(style=style, script=script, home=escape(home)), headers


def _csp_hash(inline: str) -> str:
    """The source expression that allows exactly this inline element (CSP Level 3, hash-source)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()}'"


def _read_template(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text("utf-8")
