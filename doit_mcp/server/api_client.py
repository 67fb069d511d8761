"""Creates the DoiT API client of one call from the caller's credential and tenant, with its tracking parameters."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from .. import __version__
from ..api import Doit
from ..api.client import MAX_TRACKING_CHARACTERS, Client, Credential
from ..api.http import Upstream
from ..protocol.request_metadata import Caller
from ..resilience.requester import SINGLE_REQUESTER, Requester
from .request_context import ProgressCallback


def make_api_client(
    upstream: Upstream,
    credential: Credential,
    tenant: str,
    tool_name: str,
    caller: Caller,
    on_progress: ProgressCallback,
    deadline_seconds: float,
    *,
    console_upstream: Upstream | None = None,
    requester: Requester = SINGLE_REQUESTER,
) -> Doit:
    """Return the API client for one call of *tool_name*. It always acts for *tenant*, regardless of client input.

    *console_upstream* is the upstream of the DoiT console, which has no tenants. *requester* is the user and
    customer that circuit breakers count.
    """
    tracking = tracking_params(
        tool_name,
        _tracking_text(caller.client_info.get("name")),
        _tracking_text(caller.client_info.get("version")),
        caller.revision.name,
    )

    def make_console_client() -> Client:
        assert console_upstream is not None
        return Client(
            console_upstream, credential, "", tracking, on_progress, deadline=deadline_seconds, requester=requester
        )

    client = Client(upstream, credential, tenant, tracking, on_progress, deadline=deadline_seconds, requester=requester)
    return Doit.for_sender(client, None if console_upstream is None else make_console_client)


def _tracking_text(value: object) -> str:
    return value[:MAX_TRACKING_CHARACTERS] if isinstance(value, str) else ""


@lru_cache(maxsize=1024)
def tracking_params(tool_name: str, client_name: str, client_version: str, revision: str) -> Mapping[str, str]:
    """Return the parameters that DoiT counts calls by: server, tool, client name and version, and revision."""
    params = {
        "mcpTool": tool_name,
        "mcpClient": client_name,
        "mcpClientVersion": client_version,
        "mcpProtocolVersion": revision,
    }
    known_params = {key: value for key, value in params.items() if value}
    return MappingProxyType({"mcp": "true", "mcpVersion": __version__} | known_params)
