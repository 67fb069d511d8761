"""Dashboard page: one HTML document that loads nothing but its own event stream."""

from __future__ import annotations

from functools import cache
from html import escape
from string import Template

from ..html_templates import csp_source, read_template, render_head

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
    page, style, script = (read_template(__package__ or "", name) for name in ("page.html", "page.css", "page.js"))
    policy = (
        f"default-src 'none'; style-src {csp_source(style)}; script-src {csp_source(script)}; connect-src 'self'; "
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
    head = render_head("Dashboard", style)
    return Template(page).substitute(head=head, script=script, home=escape(home)), headers
