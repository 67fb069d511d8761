"""Handlers of ``resources/*``: lists, reading, and subscriptions of stateful requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import NamedTuple

from ...api.errors import ApiError, explain
from ...catalog.call import MissingClientCapability, NoAnswer
from ...catalog.resources.resource import Resource, ResourceNotFound, ResourceTemplate
from ...catalog.skills.skill import SCHEME, mime_type
from ...catalog.tools.sanitize import sanitize_text
from ...catalog.tools.tool import ToolError
from ...protocol import extensions
from ...protocol.downgrade import downgrade
from ...protocol.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS, RESOURCE_NOT_FOUND, JsonObject, Request, RpcError
from ...protocol.revisions import Revision
from ..auth_challenge import make_challenge
from ..request_context import RequestContext
from ..round_trip_state import run_round
from ..running_request import RunningRequest
from ..sessions import MAX_SUBSCRIPTION_BYTES, MAX_SUBSCRIPTIONS
from .pagination import cache_hints, paginate
from .skills import manifest_resources, skill_file

DEADLINE_SECONDS = 45.0
MAX_URI_LENGTH = 2048
ResourceReader = Callable[[RunningRequest], Awaitable[JsonObject]]


class Located(NamedTuple):
    """What is at a URI. Documents that show current data must not be cached."""

    mime_type: str
    read: ResourceReader
    cache_milliseconds: int = 0


async def list_resources(context: RequestContext, request: Request) -> JsonObject:
    """Return one page of the resources with a fixed URI."""
    caller, revision = context.caller, context.caller.revision
    listed = [
        _resource_entry(resource, revision)
        for resource in context.catalog.resources
        if not resource.extension or extensions.is_named(caller, resource.extension)
    ]
    return paginate(
        context,
        request,
        "resources",
        listed + [downgrade("Resource", resource_entry, revision) for resource_entry in manifest_resources(context)],
    )


async def list_resource_templates(context: RequestContext, request: Request) -> JsonObject:
    """Return one page of the URI templates."""
    revision = context.caller.revision
    return paginate(
        context,
        request,
        "resourceTemplates",
        [_template_entry(template, revision) for template in context.catalog.resource_templates],
    )


def _resource_entry(resource: Resource, revision: Revision) -> JsonObject:
    listed: JsonObject = {
        "uri": resource.uri,
        "name": resource.name,
        "title": resource.title,
        "description": resource.description,
        "mimeType": resource.mime_type,
    }
    listed |= {} if resource.size is None else {"size": resource.size}
    listed |= {"_meta": resource.meta} if resource.meta else {}
    return downgrade("Resource", listed, revision)


def _template_entry(template: ResourceTemplate, revision: Revision) -> JsonObject:
    listed = {
        "uriTemplate": template.uri_template,
        "name": template.name,
        "title": template.title,
        "description": template.description,
        "mimeType": template.mime_type,
    }
    return downgrade("ResourceTemplate", listed, revision)


async def read_resource(context: RequestContext, request: Request) -> JsonObject:
    """Return the contents of a resource. Raise RpcError for an unknown URI, rather than return an empty list."""
    uri = _read_uri(request)
    located = locate_resource(context, uri)
    if located is None:
        raise _not_found_error(context, request, uri)

    async def work(call: RunningRequest) -> JsonObject:
        content = await call.with_deadline(DEADLINE_SECONDS, located.read(call))
        contents = {"uri": uri, "mimeType": located.mime_type, **content}
        return {
            "contents": [downgrade("ResourceContents", contents, context.caller.revision)],
            **cache_hints(context, located.cache_milliseconds),
        }

    try:
        return await run_round(context, request, "", work)
    except ResourceNotFound:
        raise _not_found_error(context, request, uri) from None
    except ApiError as error:
        if error.status == 404:
            raise _not_found_error(context, request, uri) from error
        text = sanitize_text(explain(error, "resources/read"))
        raise RpcError(INVALID_PARAMS, text, {"uri": uri, **make_challenge(context, error)}, id=request.id) from error
    except (ToolError, NoAnswer) as refusal:
        raise RpcError(INVALID_PARAMS, sanitize_text(str(refusal)), {"uri": uri}, id=request.id) from refusal
    except TimeoutError as timeout:
        text = f"Reading the resource took more than {DEADLINE_SECONDS:g} seconds; try again later"
        raise RpcError(INTERNAL_ERROR, text, {"uri": uri}, id=request.id) from timeout
    except MissingClientCapability as missing:
        text = "This resource needs to ask the user, which this client does not support"
        raise RpcError(INVALID_PARAMS, text, {"uri": uri}, id=request.id) from missing


def locate_resource(context: RequestContext, uri: str) -> Located | None:
    """Return what is at *uri*, or None if nothing matches.

    For a template, only reading shows whether the resource exists.
    """
    resource = context.catalog.resources_by_uri.get(uri)
    if resource is not None:
        return Located(resource.mime_type, resource.read, resource.cache_milliseconds)
    if uri.startswith(SCHEME):
        content = skill_file(context, uri)
        return None if content is None else Located(mime_type(uri), _fixed_reader(content))
    for other in context.catalog.resources:
        if other.other_uris is not None and other.other_uris.fullmatch(uri):
            return Located(other.mime_type, other.read)
    for template in context.catalog.resource_templates:
        if (variables := template.match(uri)) is not None:
            return Located(template.mime_type, partial(_read_template, template, variables))
    return None


async def _read_template(template: ResourceTemplate, variables: dict[str, str], call: RunningRequest) -> JsonObject:
    return await template.read(call, variables)


def _fixed_reader(content: JsonObject) -> ResourceReader:
    async def reader(call: RunningRequest) -> JsonObject:
        return content

    return reader


def _read_uri(request: Request) -> str:
    uri = request.params.get("uri")
    if not isinstance(uri, str) or not 0 < len(uri) <= MAX_URI_LENGTH:
        text = f"Invalid params: params.uri must be a URI of at most {MAX_URI_LENGTH} characters"
        raise RpcError(INVALID_PARAMS, text, id=request.id)
    return uri


def _not_found_error(context: RequestContext, request: Request, uri: str) -> RpcError:
    code = INVALID_PARAMS if context.caller.revision.era.stateless else RESOURCE_NOT_FOUND
    return RpcError(code, "Resource not found", {"uri": uri}, id=request.id)


async def subscribe(context: RequestContext, request: Request) -> JsonObject:
    """Subscribe the session to updates of a resource."""
    uri = _read_uri(request)
    if locate_resource(context, uri) is None:
        raise _not_found_error(context, request, uri)
    if context.session is not None:
        if len(context.session.subscriptions) >= MAX_SUBSCRIPTIONS:
            text = f"A session can have at most {MAX_SUBSCRIPTIONS} subscriptions; unsubscribe from one first"
            raise RpcError(INVALID_PARAMS, text, id=request.id)
        check_subscription_bytes(request, context.session.subscriptions | {uri})
        context.session.subscriptions |= {uri}
        await context.session.save()
    return {}


def check_subscription_bytes(request: Request, uris: Iterable[str]) -> None:
    """Raise RpcError -32602 if *uris* exceed the bytes that a session or a stream may keep."""
    size = sum(len(uri.encode()) for uri in uris)
    if size > MAX_SUBSCRIPTION_BYTES:
        text = f"The subscribed URIs have {size} bytes; at most {MAX_SUBSCRIPTION_BYTES} are kept, so end some first"
        raise RpcError(INVALID_PARAMS, text, id=request.id)


async def unsubscribe(context: RequestContext, request: Request) -> JsonObject:
    """Unsubscribe the session from updates of a resource."""
    uri = _read_uri(request)
    if context.session is not None:
        context.session.subscriptions -= {uri}
        await context.session.save()
    return {}
