"""``resources/*``: lists, reading, and the subscriptions of the handshake era."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from ...api.errors import ApiError, explain
from ...catalog.call import CannotAsk, NoAnswer
from ...catalog.resources.resource import NoResource, Resource, Template
from ...catalog.resources.skill import SCHEME, mime_type
from ...catalog.tools.sanitize import visible_text
from ...catalog.tools.tool import ToolError
from ...protocol.downgrade import fit
from ...protocol.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS, RESOURCE_NOT_FOUND, JsonObject, Request, RpcError
from ...protocol.revisions import Revision
from ..auth_challenge import challenge_of
from ..request_context import Context
from ..round_trip_state import rounds
from ..running_request import RunningCall
from ..sessions import MAX_SUBSCRIPTION_BYTES, MOST_SUBSCRIPTIONS
from .pagination import hints, page
from .skills import file_of, manifests

DEADLINE = 45.0
MOST_URI = 2048
# A document is data of this moment.
CACHE_MS = 0

Read = Callable[[RunningCall], Awaitable[JsonObject]]


async def list_resources(context: Context, request: Request) -> JsonObject:
    """One page of the resources that have a fixed address."""
    revision = context.caller.revision
    listed = [_described(resource, revision) for resource in context.offer.resources]
    return page(context, request, "resources", listed + [fit("Resource", one, revision) for one in manifests(context)])


async def list_templates(context: Context, request: Request) -> JsonObject:
    """One page of the address templates."""
    revision = context.caller.revision
    return page(context, request, "resourceTemplates", [_template(one, revision) for one in context.offer.templates])


def _described(resource: Resource, revision: Revision) -> JsonObject:
    listed: JsonObject = {
        "uri": resource.uri,
        "name": resource.name,
        "title": resource.title,
        "description": resource.description,
        "mimeType": resource.mime_type,
    }
    return fit("Resource", listed | ({} if resource.size is None else {"size": resource.size}), revision)


def _template(template: Template, revision: Revision) -> JsonObject:
    listed = {
        "uriTemplate": template.uri_template,
        "name": template.name,
        "title": template.title,
        "description": template.description,
        "mimeType": template.mime_type,
    }
    return fit("ResourceTemplate", listed, revision)


async def read(context: Context, request: Request) -> JsonObject:
    """The contents at an address; an error where there is none, never an empty list (U2)."""
    uri = _uri(request)
    found = locate(context, uri)
    if found is None:
        raise _missing(context, request, uri)
    kind, reader = found

    async def work(call: RunningCall) -> JsonObject:
        content = await call.within(DEADLINE, reader(call))
        return {"contents": [{"uri": uri, "mimeType": kind, **content}], **hints(context, CACHE_MS)}

    try:
        return await rounds(context, request, "", work)
    except NoResource:
        raise _missing(context, request, uri) from None
    except ApiError as error:
        if error.status == 404:
            raise _missing(context, request, uri) from error
        text = visible_text(explain(error, "resources/read"))
        raise RpcError(INVALID_PARAMS, text, {"uri": uri, **challenge_of(context, error)}, id=request.id) from error
    except (ToolError, NoAnswer) as refusal:
        raise RpcError(INVALID_PARAMS, visible_text(str(refusal)), {"uri": uri}, id=request.id) from refusal
    except TimeoutError as late:
        text = f"The resource was not read within {DEADLINE:g} seconds; try again later"
        raise RpcError(INTERNAL_ERROR, text, {"uri": uri}, id=request.id) from late
    except CannotAsk as missing:
        text = "This resource has to ask the user, and this client cannot be asked"
        raise RpcError(INVALID_PARAMS, text, {"uri": uri}, id=request.id) from missing


def locate(context: Context, uri: str) -> tuple[str, Read] | None:
    """Media type and reader of what is at *uri*, as far as the address alone can tell."""
    resource = context.offer.resource_at.get(uri)
    if resource is not None:
        return resource.mime_type, resource.read
    if uri.startswith(SCHEME):
        content = file_of(context, uri)
        return None if content is None else (mime_type(uri), _given(content))
    for template in context.offer.templates:
        if (variables := template.match(uri)) is not None:
            return template.mime_type, partial(_of_template, template, variables)
    return None


async def _of_template(template: Template, variables: dict[str, str], call: RunningCall) -> JsonObject:
    return await template.read(call, variables)


def _given(content: JsonObject) -> Read:
    async def reader(call: RunningCall) -> JsonObject:
        return content

    return reader


def _uri(request: Request) -> str:
    uri = request.params.get("uri")
    if not isinstance(uri, str) or not 0 < len(uri) <= MOST_URI:
        text = f"Invalid params: params.uri must be a URI of at most {MOST_URI} characters"
        raise RpcError(INVALID_PARAMS, text, id=request.id)
    return uri


def _missing(context: Context, request: Request, uri: str) -> RpcError:
    code = INVALID_PARAMS if context.caller.revision.era.stateless else RESOURCE_NOT_FOUND
    return RpcError(code, "Resource not found", {"uri": uri}, id=request.id)


async def subscribe(context: Context, request: Request) -> JsonObject:
    """From now on the session hears of changes of this resource."""
    uri = _uri(request)
    if locate(context, uri) is None:
        raise _missing(context, request, uri)
    if context.session is not None:
        if len(context.session.subscriptions) >= MOST_SUBSCRIPTIONS:
            text = f"A session has at most {MOST_SUBSCRIPTIONS} subscriptions; end one first"
            raise RpcError(INVALID_PARAMS, text, id=request.id)
        check_subscriptions(request, context.session.subscriptions | {uri})
        context.session.subscriptions |= {uri}
        await context.session.save()
    return {}


def check_subscriptions(request: Request, uris: Iterable[str]) -> None:
    """Raise RpcError -32602 when *uris* are more bytes than a session, or a stream, may remember."""
    size = sum(len(uri.encode()) for uri in uris)
    if size > MAX_SUBSCRIPTION_BYTES:
        text = f"The subscribed URIs have {size} bytes; at most {MAX_SUBSCRIPTION_BYTES} are kept, so end some first"
        raise RpcError(INVALID_PARAMS, text, id=request.id)


async def unsubscribe(context: Context, request: Request) -> JsonObject:
    """No longer."""
    uri = _uri(request)
    if context.session is not None:
        context.session.subscriptions -= {uri}
        await context.session.save()
    return {}
