"""Introductions: ``initialize``, ``server/discover`` and ``ping``."""

from __future__ import annotations

from ...protocol import extensions
from ...protocol.downgrade import fit
from ...protocol.eras import SERVER_INFO
from ...protocol.jsonrpc import INVALID_PARAMS, JsonObject, Request, RpcError
from ...protocol.request_metadata import Caller, introduced
from ...protocol.revisions import ENVELOPES, Revision, negotiate
from ..request_context import Context, Offer
from .pagination import hints


def hello(request: Request) -> Caller:
    """Who the client says it is, at the revision both speak. Raises RpcError -32602 (Lifecycle, Initialization)."""
    requested = request.params.get("protocolVersion")
    if not isinstance(requested, str):
        raise _wrong(request, "protocolVersion must be a string")
    members: dict[str, JsonObject] = {}
    for name in ("clientInfo", "capabilities"):
        value = request.params.get(name, {})
        if not isinstance(value, dict):
            raise _wrong(request, f"{name} must be an object")
        members[name] = value
    return introduced(negotiate(requested), members["clientInfo"], members["capabilities"])


def _wrong(request: Request, text: str) -> RpcError:
    return RpcError(INVALID_PARAMS, f"Invalid params: params.{text}", id=request.id)


def capabilities(offer: Offer, revision: Revision) -> JsonObject:
    """What is declared to a client of *revision*: what this offer has, and nothing else."""
    changing: JsonObject = {"listChanged": True} if offer.changing else {}
    declared: JsonObject = {"logging": {}}
    if offer.tools:
        declared["tools"] = changing
    if offer.prompts:
        declared["prompts"] = changing
    if offer.resources or offer.templates or offer.skills:
        declared["resources"] = {"subscribe": True} | changing
    if offer.prompts or offer.templates:
        declared["completions"] = {}
    declared[extensions.EXTENSIONS] = {extensions.TASKS: {}}
    if offer.skills:
        declared[extensions.EXTENSIONS][extensions.SKILLS] = {"directoryRead": True}
    return fit("ServerCapabilities", declared, revision)


def welcome(offer: Offer, caller: Caller) -> JsonObject:
    """The result of ``initialize``."""
    result: JsonObject = {
        "protocolVersion": caller.revision.name,
        "capabilities": capabilities(offer, caller.revision),
        "serverInfo": fit("Implementation", offer.server_info, caller.revision),
    }
    return result | ({"instructions": offer.instructions} if offer.instructions else {})


async def discover(context: Context, request: Request) -> JsonObject:
    """The result of ``server/discover``: only revisions that can be spoken request by request."""
    result: JsonObject = {
        "supportedVersions": list(ENVELOPES),
        "capabilities": capabilities(context.offer, context.caller.revision),
        **hints(context, context.offer.cache_ms),
    }
    # Here the client gets to know the server, so it is introduced in full.
    result["_meta"] = {SERVER_INFO: fit("Implementation", context.offer.server_info, context.caller.revision)}
    return result | ({"instructions": context.offer.instructions} if context.offer.instructions else {})


async def ping(context: Context, request: Request) -> JsonObject:
    """The result of ``ping``: nothing, at once."""
    return {}
