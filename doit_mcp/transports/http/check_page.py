"""``/check``: the public state of this server and, for a signed-in user, the account.

Without a token, it reads only the memory of the process, so it sends no request, and the public host is the only one in
it. The command ``doit-mcp check`` verifies what an operator needs to know.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from html import escape

import orjson
from aiohttp import web

from ...auth.errors import AuthError
from ...auth.principal import Principal
from ...auth.ttl_cache import TtlCache
from ...catalog.toolsets import Selection
from ...check.findings import Finding
from ...check.public_checks import check_public_url
from ...protocol.endpoint_urls import CHECK_PATH
from ...protocol.jsonrpc import JsonObject
from ...resilience.limits import LimitExceeded
from . import app_keys, health
from .access import NO_VALUES, auth_error_response, authenticate, error_response
from .account_check import check_account
from .html_templates import Html, join_html, page_headers, read_template, render_head, render_template
from .request_body import limit_rejection

CACHE_SECONDS = 30.0
MAX_CACHED_ACCOUNTS = 1_000
LATER = "Try again in a minute. If this continues, contact the operator of this server."
SIGN_IN_HINT = "Send your token in the Authorization header to also see your account and what it may do."
LIMITS = (
    "The lists of refused tools are incomplete: they contain only tools for which the API reference names a permission."
)
STATUS_WORDS = {"ok": "OK", "warn": "Warning", "fail": "Problem"}
HEADERS = {
    "Cache-Control": "no-store",
    "Vary": "Accept, Authorization",
    "X-Content-Type-Options": "nosniff",
}


USER_LABELS = {
    "email": "Email address",
    "domain": "Domain",
    "customer": "Customer id",
    "role": "Role",
    "permissions": "Permissions",
}
TOOL_LABELS = {
    "refusedTools": "Refused, because you lack the permission",
    "uncertainTools": "Refused unless you have the permission",
}


class CheckPage:
    """Handles requests. The findings about an account are kept for CACHE_SECONDS."""

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._accounts: TtlCache[JsonObject] = TtlCache(MAX_CACHED_ACCOUNTS, time.time)

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Return the findings as JSON, or as a page to browsers."""
        document: JsonObject = {"hint": SIGN_IN_HINT}
        checks = [finding.as_json() for finding in run_self_checks(self._app)]
        if request.headers.getall("Authorization", NO_VALUES):
            try:
                principal = await authenticate(request, self._app[app_keys.AUTHENTICATOR])
                document = await self._check_account(principal)
            except AuthError as error:
                return auth_error_response(request, error)
            except LimitExceeded as exceeded:
                return error_response(request, limit_rejection(exceeded))
        document = {**document, "checks": [*checks, *document.get("checks", [])]}
        if "text/html" in request.headers.get("Accept", ""):
            token = self._app.get(app_keys.EXAMPLE_TOKEN, "$DOIT_API_KEY")
            body, headers = render_page(document, self._app[app_keys.SETTINGS].resource_url, token)
            return web.Response(body=body, headers=headers)
        return web.Response(body=orjson.dumps(document), headers={**HEADERS, "Content-Type": "application/json"})

    async def _check_account(self, principal: Principal) -> JsonObject:
        """Return the findings about the account of *principal*. Raise LimitExceeded."""
        cached = self._accounts.get(principal.digest)
        if cached is not None:
            return cached
        limiter = self._app[app_keys.REQUEST_RUNNER].limiter
        limiter.acquire(principal.owner)
        try:
            catalog = self._app[app_keys.CATALOG_SELECTOR].catalog_for(
                Selection(frozenset({"all"})), principal.employee
            )
            document = await check_account(self._app[app_keys.API_FACTORY], principal, catalog.tools)
        finally:
            limiter.release(principal.owner)
        self._accounts.put(principal.digest, document, time.time() + CACHE_SECONDS)
        return document


def run_self_checks(app: web.Application) -> Sequence[Finding]:
    """Return what the process knows about itself, without any request."""
    api = next(circuit for circuit in app[health.CIRCUIT_BREAKERS] if circuit.name == "api")
    return (
        check_public_url(app[app_keys.SETTINGS].own_origin, None),
        _make_finding(
            "accepting", not app[app_keys.DRAINING].is_set(), "The server accepts requests", "It is stopping"
        ),
        _make_finding(
            "sign-in", app[app_keys.IS_READY](), "Sign-ins can be verified", "Sign-ins cannot be verified yet"
        ),
        _make_finding("api", api.state == "closed", "The DoiT API responds", "Requests to the DoiT API fail"),
        _make_finding("sessions", app[app_keys.HAS_STATE](), "Sessions are available", "Sessions are unavailable"),
    )


def _make_finding(name: str, holds: bool, good: str, bad: str) -> Finding:
    return Finding(name, "ok", good) if holds else Finding(name, "fail", bad, LATER)


def render_page(document: JsonObject, base: str, token: str) -> tuple[bytes, dict[str, str]]:
    """Return the page for *document* and its headers.

    *base* is the public base URL, and *token* the bearer token in the command that the page shows.
    """
    style = read_template("message.css")
    page = render_template(
        "check.html",
        head=render_head("Check of this server · DoiT MCP", style),
        rows=join_html(map(_render_check, document["checks"])),
        account=_render_account(document) if "user" in document else _render_hint(base, token),
        home=f"{base}/",
    )
    return page.encode(), {**HEADERS, **page_headers(style)}


def _render_check(check: JsonObject) -> Html:
    advice = f'<span class="advice">{escape(check["advice"])}</span>' if "advice" in check else ""
    return Html(
        f'<li class="{escape(check["status"])}"><b>{STATUS_WORDS[check["status"]]}</b> '
        f"{escape(_as_sentence(check['seen']))}{advice}</li>"
    )


def _as_sentence(text: str) -> str:
    """Return *text* with a capital letter, unless it begins with a URL, and a period."""
    return (text if text.startswith("http") else text[:1].upper() + text[1:]).rstrip(".") + "."


def _render_account(document: JsonObject) -> Html:
    user: JsonObject = document["user"]
    rows = [(USER_LABELS[name], _as_text(user[name])) for name in USER_LABELS if user.get(name)]
    for name, label in TOOL_LABELS.items():
        by_permission: dict[str, list[str]] = {}
        for item in document[name]:
            by_permission.setdefault(item["permission"], []).append(item["tool"])
        rows += [(f"{label}: {permission}", ", ".join(tools)) for permission, tools in by_permission.items()]
    items = join_html(Html(f"<li><b>{escape(label)}</b> {escape(text)}</li>") for label, text in rows)
    return Html(f"<h2>Your account</h2><ul>{items}</ul><p>{LIMITS}</p>")


def _as_text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _render_hint(base: str, token: str) -> Html:
    command = f'curl {base}{CHECK_PATH} -H "Authorization: Bearer {token}"'
    text = "To see your account and which tools the DoiT API refuses to it, run this command with your API token:"
    return Html(f"<h2>Your account</h2><p>{text}</p><pre>{escape(command)}</pre><p>{LIMITS}</p>")
