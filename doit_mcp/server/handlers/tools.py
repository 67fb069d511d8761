"""``tools/list`` and ``tools/call``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

import orjson

from ...api.errors import ApiError, explain
from ...catalog.call import CannotAsk, Interrupted, NoAnswer
from ...catalog.employees import CUSTOMER, MOST_CUSTOMER
from ...catalog.tools import tool_result
from ...catalog.tools.aliases import ALIASES
from ...catalog.tools.locales import MOST_TAG
from ...catalog.tools.localized_display import HINT
from ...catalog.tools.tool import DEADLINE, Content, Tool, ToolError
from ...protocol import cursors, extensions
from ...protocol.content_blocks import fitting
from ...protocol.downgrade import fit
from ...protocol.jsonrpc import INVALID_PARAMS, JsonObject, Request, RpcError
from ...protocol.message_limits import is_large
from ...protocol.parameter_headers import check_parameters
from ...protocol.revisions import Revision
from ...resilience.compute_thread import TooManyQueued, in_thread_unless_full
from ..audit import acted_for, audited, record_attempt
from ..auth_challenge import challenge_of
from ..byte_cache import ByteCache
from ..client_requests import Nobody
from ..request_context import NOWHERE, Context, Offer
from ..round_trip_state import rounds
from ..running_request import Detach, RunningCall
from ..task import Task
from ..tasks import InTask, TooManyTasks
from ..tool_call_record import record

MAX_PAGES_BYTES = 8 << 20
"""Of all pages of tool lists that are kept serialized, with their keys: clients can select many different lists."""
MAX_TASK_ARGUMENTS_BYTES = 128 << 10
"""Of a call that goes on as a task, which holds its arguments for as long as it runs."""
TOO_LARGE = (
    f"The arguments are larger than {MAX_TASK_ARGUMENTS_BYTES >> 10} KB, which is the most that a call in the"
    " background may have; send less"
)
TOO_MANY = "Too many tasks are running for this user; wait for one to end, or cancel one"


async def list_tools(context: Context, request: Request) -> orjson.Fragment:
    """One page of the tools on offer, serialized once for all callers of a revision."""
    start = cursors.decode(request.params.get("cursor"), context.offer.fingerprint, len(context.offer.tools))
    return orjson.Fragment(_page(context.offer, context.caller.revision, start))


def described(tool: Tool) -> JsonObject:
    """The tool as the newest revision lists it."""
    listed: JsonObject = {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "inputSchema": tool.input_schema,
        "annotations": {"title": tool.title, **tool.annotations},
    }
    if tool.security:
        listed["securitySchemes"] = list(tool.security)
    if tool.meta:
        listed["_meta"] = tool.meta
    if tool.output_schema is not None:
        listed["outputSchema"] = tool.output_schema
    return listed


_pages = ByteCache(MAX_PAGES_BYTES)


def _page(offer: Offer, revision: Revision, start: int) -> bytes:
    key = (offer.number, revision.name, start)
    kept = _pages.get(key)
    if kept is None:
        kept = _serialized(offer, revision, start)
        _pages.put(key, kept)
    return kept


def _serialized(offer: Offer, revision: Revision, start: int) -> bytes:
    stop = start + offer.page_size
    result: JsonObject = {"tools": [fit("Tool", described(tool), revision) for tool in offer.tools[start:stop]]}
    if stop < len(offer.tools):
        result["nextCursor"] = cursors.encode(stop, offer.fingerprint)
    result |= fit("Cacheable", {"ttlMs": offer.cache_ms, "cacheScope": "private"}, revision)
    return orjson.dumps(revision.era.seal(result, offer.identity))


async def call(context: Context, request: Request) -> JsonObject:
    """Run a tool. Unknown tools are protocol errors; what goes wrong inside one is a result the model can read."""
    tool, arguments = _called(context, request)
    if tool.name in context.offer.mirrored and context.headers is not None and context.caller.revision.era.stateless:
        check_parameters(request, context.headers, tool.input_schema)
    try:
        if context.act_for is not None or not tool.takes(arguments):
            context, arguments = await _understood(context, tool, arguments)
        if tool.stands_for is not None:
            # From here on it is a call of the other tool, in everything that follows.
            tool, arguments = tool.stands_for(arguments)
            context, arguments = await _understood(context, tool, arguments)
    except (ToolError, TooManyQueued) as refusal:
        record_attempt(context, tool, arguments)
        return tool_result.failure(str(refusal))
    except WrongArguments as wrong:
        record_attempt(context, tool, arguments)
        if context.caller.revision.has("argument.errors.are.results"):
            return tool_result.failure(str(wrong))
        raise RpcError(INVALID_PARAMS, str(wrong), id=request.id) from None
    try:
        if tool.task_after is not None and extensions.declares(context.caller, extensions.TASKS):
            return await _soon_or_as_task(context, request, tool, arguments)
        return await rounds(context, request, tool.name, lambda call: _run(context, call, tool, arguments))
    except CannotAsk:
        return tool_result.failure(f"{tool.name} has to ask the user, and this client cannot be asked")
    except Detach as away:
        return await _as_task(context, request, tool, arguments, away.known)


class WrongArguments(Exception):
    """Arguments that do not fit, in words for a model."""


async def _understood(context: Context, tool: Tool, arguments: JsonObject) -> tuple[Context, JsonObject]:
    """*arguments* in the form that the tool asks for, and the context of a call for the customer that an employee named
    among them. Raises WrongArguments."""
    if context.act_for is not None and CUSTOMER in arguments and CUSTOMER not in tool.input_schema["properties"]:
        customer = arguments[CUSTOMER]
        if not isinstance(customer, str) or not 0 < len(customer) <= MOST_CUSTOMER:
            raise WrongArguments(f"Invalid arguments: {CUSTOMER}: must be the id of a customer")
        acted_for(context, customer, "call")
        context = context._replace(connect=context.act_for(customer), tenant=customer)
    if is_large(arguments):
        arguments, problems = await in_thread_unless_full(tool.understood, arguments)
    else:
        arguments, problems = tool.understood(arguments)
    if problems:
        raise WrongArguments("Invalid arguments: " + "; ".join(problems))
    return context, arguments


async def _run(context: Context, call: RunningCall, tool: Tool, arguments: JsonObject) -> JsonObject:
    """The result of a call. Rounds that only ask are not recorded; the one that ends it is."""
    started = time.perf_counter()
    try:
        running = audited(context, tool, call, arguments) if tool.writes else tool.run(call, arguments)
        result = await call.within(tool.deadline, running)
        if isinstance(result, Content):
            answered = _blocks(context, result)
        else:
            completed = await tool_result.completed(tool, arguments, result)
            answered = fit("CallToolResult", completed, context.caller.revision)
    except (Interrupted, CannotAsk):
        raise
    except (ApiError, ToolError, NoAnswer, TooManyQueued, TimeoutError) as failure:
        answered = tool_result.failure(_told(tool, failure))
        if challenge := challenge_of(context, failure):
            answered["_meta"] = challenge
    except BaseException:
        record(context, tool, True, time.perf_counter() - started)
        raise
    record(context, tool, bool(answered.get("isError")), time.perf_counter() - started)
    return answered


def _told(tool: Tool, failure: Exception) -> str:
    """What is said of a call that failed in a way that was to be expected."""
    match failure:
        case ApiError():
            return explain(failure, tool.name)
        case NoAnswer():
            return f"{tool.name} asked for something and got no usable answer: {failure}"
        case TimeoutError():
            return tool_result.late(tool)
    return str(failure)


async def _as_task(
    context: Context, request: Request, tool: Tool, arguments: JsonObject, known: Mapping[str, JsonObject]
) -> JsonObject:
    """Run it again in the background, with what the client has answered so far."""
    if _too_large(arguments):
        record_attempt(context, tool, arguments)
        return tool_result.failure(TOO_LARGE)
    context, request = _detached(context, request)

    async def work(task: Task) -> JsonObject:
        asker = InTask(context.shared.tasks, task)
        return await _run(context, RunningCall(context, request, tool.name, asker, task=True), tool, arguments)

    if (created := await _created(context, work, known)) is not None:
        return created
    record_attempt(context, tool, arguments)
    return tool_result.failure(TOO_MANY)


def _too_large(arguments: JsonObject) -> bool:
    return len(orjson.dumps(arguments)) > MAX_TASK_ARGUMENTS_BYTES


def _detached(context: Context, request: Request) -> tuple[Context, Request]:
    """What a task needs of its request. The rest, with the body and the connection, goes when the request is answered."""
    meta = request.params.get("_meta")
    hint = meta.get(HINT) if isinstance(meta, dict) else None
    kept = {"_meta": {HINT: hint}} if isinstance(hint, str) and len(hint) <= MOST_TAG else {}
    return context._replace(channel=NOWHERE, headers=None), Request(request.id, request.method, kept)


async def _soon_or_as_task(context: Context, request: Request, tool: Tool, arguments: JsonObject) -> JsonObject:
    """The result if it is there soon, as most are; what takes longer goes on as a task."""
    tasks_allowed = not _too_large(arguments)
    context, request = _detached(context, request)
    call = RunningCall(context, request, tool.name, Nobody(), task=True)
    running = asyncio.create_task(_run(context, call, tool, arguments))
    try:
        await asyncio.wait({running}, timeout=tool.task_after)
        if not running.done():

            async def work(task: Task) -> JsonObject:
                return await running

            if tasks_allowed and (created := await _created(context, work, {})) is not None:
                return created
            # There is no room for another task: the client waits, as it would without them.
            await asyncio.wait({running}, timeout=tool.deadline or DEADLINE)
            if not running.done():
                running.cancel()
                return tool_result.failure(tool_result.late(tool))
    except asyncio.CancelledError:
        running.cancel()
        raise
    return running.result()


async def _created(
    context: Context, work: Callable[[Task], Awaitable[JsonObject]], known: Mapping[str, JsonObject]
) -> JsonObject | None:
    """The answer that says that a task does the *work*; None where this user has too many running."""

    # A task belongs to the person, and tasks/get names no customer: an employee may act for another one by then.
    about = f"Customer: {context.customer}" if context.customer else ""

    async def sealed(task: Task) -> JsonObject:
        # What a task holds is what the request would have been answered with, era's seal and all.
        result = await work(task)
        if about:
            result = {**result, "content": [*result.get("content", ()), {"type": "text", "text": about}]}
        return context.caller.revision.era.seal(result, context.offer.identity)

    try:
        await context.shared.tasks.room(context.owner)
        return context.shared.tasks.create(context.owner, sealed, known, about).created_result
    except TooManyTasks:
        return None


def _called(context: Context, request: Request) -> tuple[Tool, JsonObject]:
    name = request.params.get("name")
    if not isinstance(name, str):
        raise RpcError(INVALID_PARAMS, "Invalid params: params.name must be a string", id=request.id)
    arguments = request.params.get("arguments", {})
    if not isinstance(arguments, dict):
        raise RpcError(INVALID_PARAMS, "Invalid params: params.arguments must be an object", id=request.id)
    named = context.offer.tool_named
    tool = named.get(name) or named.get(ALIASES.get(name, ""))
    if tool is None:
        raise RpcError(INVALID_PARAMS, f"Unknown tool: {name[:80]}", id=request.id)
    return tool, arguments


def _blocks(context: Context, content: Content) -> JsonObject:
    """A result whose blocks the tool made itself."""
    revision = context.caller.revision
    result: JsonObject = {"content": fitting(content.blocks, revision)}
    if content.structured is not None:
        result["structuredContent"] = content.structured
    if content.is_error:
        result["isError"] = True
    if content.meta:
        result["_meta"] = content.meta
    return fit("CallToolResult", result, revision)
