"""Error pages for browsers. Clients that accept JSON or event streams get JSON errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from aiohttp import web

from ...observability.trace import CURRENT_TRACE
from ...protocol.endpoint_urls import MCP_PATH, WELL_KNOWN_PATH, is_endpoint
from .access import PROBE_PATHS
from .html_templates import page_headers, read_template, render_head, render_template

# Headers of an error that describe its body, which the page replaces.
BODY_HEADERS = frozenset({"content-type", "content-length", "content-encoding"})


class Explanation(NamedTuple):
    """The title of an error page, and what the user can do."""

    title: str
    text: str


ENDPOINT = Explanation(
    "This address is for MCP clients",
    "Browsers cannot show it. Add it to ChatGPT, Claude, an editor or another MCP client, which then asks you to sign in.",
)
REFUSED_TOKEN = Explanation(
    "The server does not accept this token",
    "It is neither an access token for this server nor a valid DoiT API token. Check the Authorization header.",
)
EXPLANATIONS = {
    404: Explanation(
        "This page does not exist", "Check the address for typing errors. MCP clients connect to the server URL below."
    ),
    421: Explanation(
        "This server has another name",
        "It does not accept requests for the host in the address. Use the server URL below.",
    ),
    503: Explanation("The server is not available", "Try again in a few seconds."),
}
OTHER = Explanation(
    "This request did not work", "If it fails again, ask the operator of this server, and mention the reference below."
)


def wants_page(request: web.Request) -> bool:
    """Return whether the client is a browser that opens an address: it accepts HTML, but neither JSON nor events."""
    accept = request.headers.get("Accept", "").lower()
    is_browser = "text/html" in accept and "json" not in accept and "text/event-stream" not in accept
    return is_browser and request.method in ("GET", "HEAD") and not _is_for_programs(request.path)


def _is_for_programs(path: str) -> bool:
    return path in PROBE_PATHS or WELL_KNOWN_PATH in path


def error_page(request: web.Request, response: web.StreamResponse, base: str) -> web.Response:
    """Return the page for *response*, an error, with its status and its headers. *base* is the public base URL."""
    at_endpoint = is_endpoint(request.path)
    is_for_clients = response.status == 401 or (at_endpoint and response.status not in EXPLANATIONS)
    if response.status == 401 and "Authorization" in request.headers:
        reason = REFUSED_TOKEN
    else:
        reason = ENDPOINT if is_for_clients else EXPLANATIONS.get(response.status, OTHER)
    style = read_template("message.css")
    trace = CURRENT_TRACE.get()
    page = render_template(
        "error.html",
        head=render_head(f"{reason.title} · DoiT MCP", style),
        title=reason.title,
        text=reason.text,
        url=base + (request.path if at_endpoint and is_for_clients else MCP_PATH),
        home=f"{base}/",
        reference=trace.id if trace is not None else "",
        status=str(response.status),
    )
    headers = {**_keep_headers(response.headers), **page_headers(style), "Cache-Control": "no-store", "Vary": "Accept"}
    return web.Response(status=response.status, body=page.encode(), headers=headers)


def _keep_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in BODY_HEADERS}
