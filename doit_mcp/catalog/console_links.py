"""Links to pages of the DoiT console that this server is configured for."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from .call import Call

MAX_LINK_CHARACTERS = 2_000
BUDGET_PATH, ANOMALY_PATH = "analytics/budgets/{id}", "anomalies/{id}"


def console_link(call: Call, path: str, identifier: str, own_link: object = None) -> str:
    """Return the URL of an object's page: *path* with its *identifier* for {id}.

    *own_link* is the link in the API's response, if it has one. Its path replaces *path*, its host is ignored.
    """
    link = urlsplit(str(own_link or "")[:MAX_LINK_CHARACTERS])
    if link.scheme in ("http", "https") and link.path.strip("/"):
        return f"{call.console_url}{link.path}{f'?{link.query}' if link.query else ''}"
    page, tenant = path.replace("{id}", quote(identifier, safe="")), call.doit.tenant
    return f"{call.console_url}/customers/{quote(tenant, safe='')}/{page}" if tenant else f"{call.console_url}/#{page}"
