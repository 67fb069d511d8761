"""From a caller's credential and tenant to the DoiT API for one call, with what the API is told about the call."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from .. import __version__
from ..api import Doit
from ..api.client import ALONE, MAX_TRACKING, Client, Credential, Requester
from ..api.http import Upstream
from ..protocol.request_metadata import Caller
from .request_context import Report


def connect(
    upstream: Upstream,
    credential: Credential,
    tenant: str,
    name: str,
    caller: Caller,
    report: Report,
    seconds: float,
    *,
    console: Upstream | None = None,
    requester: Requester = ALONE,
) -> Doit:
    """The API for one call of the tool called *name*: always as this *tenant*, whatever a client says (security C1).

    *console* is where DoiT's console is reached, which knows no tenant; *requester* is who circuit breakers count.
    """
    said = tracking(name, _text(caller.client.get("name")), _text(caller.client.get("version")), caller.revision.name)

    def at_console() -> Client:
        assert console is not None
        return Client(console, credential, "", said, report, deadline=seconds, requester=requester)

    sender = Client(upstream, credential, tenant, said, report, deadline=seconds, requester=requester)
    return Doit.of(sender, None if console is None else at_console)


def _text(value: object) -> str:
    return value[:MAX_TRACKING] if isinstance(value, str) else ""


@lru_cache(maxsize=1024)
def tracking(name: str, client: str, version: str, revision: str) -> Mapping[str, str]:
    """What DoiT counts calls by: this server, the tool, the client's own name and version, and the revision."""
    said = {"mcpTool": name, "mcpClient": client, "mcpClientVersion": version, "mcpProtocolVersion": revision}
    kept = {key: value for key, value in said.items() if value}
    return MappingProxyType({"mcp": "true", "mcpVersion": __version__} | kept)
