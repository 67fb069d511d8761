"""Links to objects in the DoiT console that this server is configured for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import quote, urlsplit

from ..protocol.jsonrpc import JsonObject
from .call import Call

CONSOLE_PATHS: Mapping[str, str] = MappingProxyType(
    {
        "reports": "analytics/reports/{id}",
        "budgets": "analytics/budgets/{id}",
        "anomalies": "anomalies/{id}",
        "invoices": "invoices/{id}",
        "tickets": "support/tickets/{id}",
        "allocations": "analytics/allocations/{id}",
    }
)
"""Paths of objects in the console, by area."""
LINK_FIELDS = ("urlUI", "url")
"""Members of API objects with the URL of their page in a console."""
MAX_LINK_CHARACTERS = 2_000
"""Maximum characters of a console link."""


def console_link(call: Call, path: str, identifier: str, link: object = "") -> str:
    """Return the URL of an object's page: that of its own *link*, or else the *path* with its identifier.

    The host of *link* is replaced, because it may belong to another console.
    """
    parts = urlsplit(str(link or "")[:MAX_LINK_CHARACTERS])
    if parts.scheme in ("http", "https") and parts.path.strip("/"):
        return f"{call.console_url}{parts.path}{f'?{parts.query}' if parts.query else ''}"
    path = path.replace("{id}", quote(identifier, safe=""))
    tenant = call.doit.tenant
    return f"{call.console_url}/customers/{quote(tenant, safe='')}/{path}" if tenant else f"{call.console_url}/#{path}"


def object_link(call: Call, area: str, identifier: object, state: JsonObject) -> str:
    """Return the URL of the page of an object of an *area*, from its state; "" if no page is known."""
    path = CONSOLE_PATHS.get(area, "")
    link = next((state[name] for name in LINK_FIELDS if isinstance(state.get(name), str)), "")
    if not isinstance(identifier, str | int) or not (path or link):
        return ""
    return console_link(call, path, str(identifier), link)
