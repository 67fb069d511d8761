"""HTML pages from templates: values are escaped, and the headers allow nothing but the page's own inline content."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from urllib.parse import quote


class Html(str):
    """Text that is already HTML. Any other text is escaped when a template is rendered."""

    __slots__ = ()


def render_template(template: str, /, **values: str) -> Html:
    """Fill the placeholders of a template file with *values*, which are escaped unless they are `Html`."""
    safe = {name: value if isinstance(value, Html) else escape(value) for name, value in values.items()}
    return Html(Template(read_template(template)).substitute(safe).rstrip("\n"))


@cache
def read_template(name: str) -> str:
    """Return the content of a template file."""
    return files(__package__).joinpath("templates", name).read_text("utf-8")


def join_html(parts: Iterable[Html]) -> Html:
    """Return *parts*, one on each line."""
    return Html("\n".join(parts))


def icon_url() -> str:
    """Return the icon of the pages as a data URL (RFC 2397), so that they load nothing else."""
    return "data:image/svg+xml," + quote(read_template("icon.svg").strip())


def page_headers(style: str, script: str = "", connect: str = "'none'", frame: str = "'none'") -> dict[str, str]:
    """Return the headers of a page whose inline elements are *style* and *script*.

    The page can load nothing, its script can send requests only to *connect*, and its frames can show only *frame*; both
    are source expressions of the Content Security Policy.
    """
    script_source = csp_source(script) if script else "'none'"
    connect_source = f"connect-src {connect}; " if connect != "'none'" else ""
    frame_source = f"frame-src {frame}; " if frame != "'none'" else ""
    policy = (
        f"default-src 'none'; style-src {csp_source(style)}; script-src {script_source}; {connect_source}{frame_source}"
        "img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        # For browsers that do not support frame-ancestors.
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


def csp_source(inline: str) -> str:
    """Return the source expression that allows exactly this inline element (CSP Level 3, hash-source)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()}'"
