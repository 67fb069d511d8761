"""Handlers of ``initialize``, ``server/discover`` and ``ping``, with the capabilities of the server."""

from __future__ import annotations

from ...protocol import extensions
from ...protocol.downgrade import downgrade
from ...protocol.eras import SERVER_INFO_KEY
from ...protocol.jsonrpc import JsonObject, Request, invalid_params_error
from ...protocol.request_metadata import Caller, make_caller
from ...protocol.revisions import STATELESS_REVISIONS, Revision, negotiate_revision
from ..request_context import Catalog, RequestContext
from .pagination import cache_hints


def read_initialize(request: Request) -> Caller:
    """Return the caller of *request* at the negotiated revision. Raise RpcError -32602 (Lifecycle, Initialization)."""
    requested = request.params.get("protocolVersion")
    if not isinstance(requested, str):
        raise invalid_params_error(request, "params.protocolVersion must be a string")
    members: dict[str, JsonObject] = {}
    for name in ("clientInfo", "capabilities"):
        value = request.params.get(name, {})
        if not isinstance(value, dict):
            raise invalid_params_error(request, f"params.{name} must be an object")
        members[name] = value
    return make_caller(negotiate_revision(requested), members["clientInfo"], members["capabilities"])


def server_capabilities(catalog: Catalog, revision: Revision, has_events: bool) -> JsonObject:
    """Return the capabilities of *catalog*, as declared to a client of *revision*."""
    list_changed: JsonObject = {"listChanged": True} if catalog.can_change else {}
    declared: JsonObject = {"logging": {}}
    if catalog.tools:
        declared["tools"] = list_changed
    if catalog.prompts:
        declared["prompts"] = list_changed
    if catalog.resources or catalog.resource_templates or catalog.skills:
        declared["resources"] = {"subscribe": True} | list_changed
    if catalog.prompts or catalog.resource_templates:
        declared["completions"] = {}
    offered: JsonObject = {}
    if revision.supports("extensions"):
        offered = {extensions.TASKS: {}}
        offered |= {resource.extension: {} for resource in catalog.resources if resource.extension}
    if catalog.skills:
        offered[extensions.SKILLS] = {"directoryRead": True}
    if offered:
        declared[extensions.EXTENSIONS] = offered
    declared = downgrade("ServerCapabilities", declared, revision)
    if has_events:
        # Both forms, in every revision: clients of any revision look for one or the other.
        declared["events"] = {}
        declared[extensions.EXTENSIONS] = declared.get(extensions.EXTENSIONS, {}) | {extensions.EVENTS: {}}
    return declared


def initialize_result(catalog: Catalog, caller: Caller, has_events: bool = False) -> JsonObject:
    """Return the result of ``initialize``."""
    result: JsonObject = {
        "protocolVersion": caller.revision.name,
        "capabilities": server_capabilities(catalog, caller.revision, has_events),
        "serverInfo": downgrade("Implementation", catalog.server_info, caller.revision),
    }
    return result | ({"instructions": catalog.instructions} if catalog.instructions else {})


async def discover(context: RequestContext, request: Request) -> JsonObject:
    """Return the result of ``server/discover``. It lists only the stateless revisions."""
    result: JsonObject = {
        "supportedVersions": list(STATELESS_REVISIONS),
        "capabilities": server_capabilities(
            context.catalog, context.caller.revision, context.services.events is not None
        ),
        **cache_hints(context, context.catalog.cache_milliseconds),
    }
    # Complete, unlike in other results: here the client learns about the server.
    result["_meta"] = {
        SERVER_INFO_KEY: downgrade("Implementation", context.catalog.server_info, context.caller.revision)
    }
    return result | ({"instructions": context.catalog.instructions} if context.catalog.instructions else {})


async def ping(context: RequestContext, request: Request) -> JsonObject:
    """Return the result of ``ping``, which is empty."""
    return {}
