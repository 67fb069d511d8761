"""The page at ``/try`` of the sandbox, which calls tools as one of the sandbox's users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import orjson

from ...catalog.views.document import view_html, view_script, view_style
from ...protocol.revisions import NEWEST_STATEFUL_REVISION
from .html_templates import Html, page_headers, read_template, render_head, render_template
from .sandbox_info import SandboxInfo

SCRIPTS = ("try_picture.js", "try.js")


def render_try_page(
    sandbox: SandboxInfo, areas: Mapping[str, str], default_tools: Sequence[str]
) -> tuple[bytes, dict[str, str]]:
    """Return the page as UTF-8 and its headers.

    *areas* are the toolsets of all tools by name, and *default_tools* the names of the tools that ``/mcp`` lists. The
    page requests the tools themselves from the server, because they depend on the user.
    """
    style, script = read_template("try.css"), "\n".join(map(read_template, SCRIPTS))
    data = {
        "accounts": [asdict(account) for account in sandbox.accounts],
        "examples": dict(sandbox.examples),
        "areas": dict(areas),
        "defaultTools": list(default_tools),
        "revision": NEWEST_STATEFUL_REVISION.name,
    }
    page = render_template(
        "try.html",
        head=render_head("Try the tools · DoiT MCP sandbox", style),
        script=Html(script),
        data=Html(_script_json(data)),
        dashboard_url=sandbox.dashboard_url,
    )
    headers = page_headers(style, script, connect="'self'", frame="'self'")
    return page.encode(), {**headers, "Cache-Control": "no-cache"}


def view_page() -> tuple[bytes, dict[str, str]]:
    """Return the view of MCP Apps for a frame of the page, and its headers.

    The policy gives it its own origin, even if it is opened without a frame. Styles that scripts set on elements
    need no source.
    """
    headers = page_headers(view_style(), view_script())
    policy = headers["Content-Security-Policy"].replace("frame-ancestors 'none'", "frame-ancestors 'self'")
    framed = {**headers, "Content-Security-Policy": f"{policy}; sandbox allow-scripts", "X-Frame-Options": "SAMEORIGIN"}
    return view_html().encode(), {**framed, "Cache-Control": "no-cache"}


def _script_json(value: object) -> str:
    """Return *value* as JSON that cannot end the script element around it."""
    return orjson.dumps(value).decode().replace("<", "\\u003c")
