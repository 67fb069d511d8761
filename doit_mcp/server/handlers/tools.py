"""Handlers of ``tools/list`` and ``tools/call``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

import orjson

from ...api.errors import ApiError, explain, names_unknown_customer
from ...catalog.call import CallSuspended, MissingClientCapability, NoAnswer
from ...catalog.employees import UNKNOWN_CUSTOMER
from ...catalog.tools import tool_result
from ...catalog.tools.locales import MAX_TAG_CHARACTERS
from ...catalog.tools.localized_display import LOCALE_META_KEY
from ...catalog.tools.series import with_notice
from ...catalog.tools.tool import APPROVAL_ARGUMENT, DEADLINE_SECONDS, ContentResult, Tool, ToolError
from ...protocol import cursors, extensions
from ...protocol.content_blocks import downgrade_blocks
from ...protocol.downgrade import downgrade
from ...protocol.jsonrpc import JsonObject, Request
from ...protocol.parameter_headers import check_parameter_headers
from ...protocol.revisions import Revision
from ...resilience.limits import LimitExceeded
from ..approvals import TOKEN_USED
from ..audit import record_attempt, run_with_audit
from ..auth_challenge import make_challenge
from ..byte_cache import ByteCache
from ..client_requests import NullAsker
from ..operation_record import record_tool_call
from ..request_context import NULL_CHANNEL, Catalog, RequestContext
from ..round_trip_state import run_round
from ..running_request import RunningRequest
from ..task import Task
from ..task_progress import ContinueAsTask, TaskProgress
from ..tasks import TOO_MANY_TASKS, TaskInputCollector
from .tool_arguments import find_tool, read_arguments, read_object

MAX_PAGE_CACHE_BYTES = 8 << 20
"""Limit for all cached pages of tool lists with their keys, because clients can select many different lists."""
MAX_TASK_ARGUMENTS_BYTES = 128 << 10
"""Limit for a call that continues as a task, because a task keeps its arguments while it runs."""
ARGUMENTS_TOO_LARGE = (
    f"The arguments are larger than {MAX_TASK_ARGUMENTS_BYTES >> 10} KB, which is the most that a call in the"
    " background may have; send less"
)


async def list_tools(context: RequestContext, request: Request) -> orjson.Fragment:
    """Return one page of the catalog's tools, serialized once for all callers of a revision."""
    start = cursors.decode_cursor(request.params.get("cursor"), context.catalog.fingerprint, len(context.catalog.tools))
    return orjson.Fragment(_cached_page(context.catalog, context.caller.revision, start))


def tool_entry(tool: Tool) -> JsonObject:
    """Return the entry of *tool* in the newest revision."""
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


_page_cache = ByteCache(MAX_PAGE_CACHE_BYTES)


def _cached_page(catalog: Catalog, revision: Revision, start: int) -> bytes:
    key = (catalog.catalog_id, revision.name, start)
    page = _page_cache.get(key)
    if page is None:
        page = _serialize_page(catalog, revision, start)
        _page_cache.put(key, page)
    return page


def _serialize_page(catalog: Catalog, revision: Revision, start: int) -> bytes:
    stop = start + catalog.page_size
    page: JsonObject = {"tools": [downgrade("Tool", tool_entry(tool), revision) for tool in catalog.tools[start:stop]]}
    if stop < len(catalog.tools):
        page["nextCursor"] = cursors.encode_cursor(stop, catalog.fingerprint)
    page |= downgrade("Cacheable", {"ttlMs": catalog.cache_milliseconds, "cacheScope": "private"}, revision)
    return orjson.dumps(revision.era.complete_result(page, catalog.server_identity))


async def call_tool(context: RequestContext, request: Request) -> JsonObject:
    """Run a tool. An unknown tool is a protocol error; a failure inside a tool is a result that the model can read.

    So are invalid arguments in every revision, because many clients give up at a protocol error.
    """
    with context.call_running():
        return await _call_tool(context, request)


async def _call_tool(context: RequestContext, request: Request) -> JsonObject:
    tool, arguments = find_tool(context, request), request.params.get("arguments")
    if (
        tool.name in context.catalog.tools_with_header_params
        and context.headers is not None
        and context.caller.revision.era.stateless
    ):
        check_parameter_headers(request, context.headers, tool.input_schema)
    try:
        if not isinstance(arguments, dict):
            arguments = await read_object(arguments)
        if context.customer_api_factory is not None or not tool.accepts(arguments):
            context, arguments = await read_arguments(context, tool, arguments)
        if tool.resolve_target is not None:
            # From here on, the call is treated as a call of the target tool.
            tool, arguments = tool.resolve_target(arguments)
            context, arguments = await read_arguments(context, tool, arguments)
        elif tool.resolve_approval is not None:
            # The same for the tool whose change the user approved, with the arguments that were checked then.
            token = arguments[APPROVAL_ARGUMENT]
            approval = await context.services.approvals.find(context.owner, context.tenant, token)
            tool, arguments = tool.resolve_approval(approval, arguments)
            context = context._replace(approval=approval)
    except (ToolError, LimitExceeded) as refusal:
        record_attempt(context, tool, arguments if isinstance(arguments, dict) else {})
        return tool_result.error_result(tool, str(refusal))
    try:
        if tool.task_after is not None and extensions.is_declared(context.caller, extensions.TASKS):
            return await _run_soon_or_as_task(context, request, tool, arguments)
        return await run_round(context, request, tool.name, lambda call: _run_tool(context, call, tool, arguments))
    except MissingClientCapability:
        return tool_result.error_result(tool, "it needs to ask the user, which this client does not support")
    except ContinueAsTask as continuation:
        if continuation.committed and context.approval is not None:
            context = context._replace(approval=replace(context.approval, is_used=True))
        return await _run_as_task(context, request, tool, arguments, continuation.answers)


async def _run_tool(context: RequestContext, call: RunningRequest, tool: Tool, arguments: JsonObject) -> JsonObject:
    """Return the result of a call and record it. Rounds that only ask the client are not recorded."""
    # It may go on as a task after the request that started it.
    with context.call_running():
        return await _run_and_record(context, call, tool, arguments)


async def _run_and_record(
    context: RequestContext, call: RunningRequest, tool: Tool, arguments: JsonObject
) -> JsonObject:
    started, characters, truncated = time.perf_counter(), None, False
    try:
        work = run_with_audit(context, tool, call, arguments) if tool.writes else tool.run(call, arguments)
        result = await call.with_deadline(tool.deadline, work)
        if isinstance(result, ContentResult):
            call_result = _content_result(context, result)
        else:
            completed, characters, truncated = await tool_result.make_tool_result(
                tool, arguments, with_notice(result, context.notice)
            )
            call_result = downgrade("CallToolResult", completed, context.caller.revision)
    except (CallSuspended, MissingClientCapability):
        raise
    except (ApiError, ToolError, NoAnswer, LimitExceeded, TimeoutError) as failure:
        message = _failure_message(context, tool, failure, call)
        if context.approval is not None and call.committed:
            message = f"{message} {TOKEN_USED.format(tool.name)}"
        call_result = tool_result.error_result(tool, f"{message} {context.notice}".rstrip())
        if challenge := make_challenge(context, failure):
            call_result["_meta"] = challenge
    except BaseException:
        record_tool_call(context, tool, True, time.perf_counter() - started)
        raise
    failed = bool(call_result.get("isError"))
    record_tool_call(context, tool, failed, time.perf_counter() - started, characters, truncated)
    return call_result


def _failure_message(context: RequestContext, tool: Tool, failure: Exception, call: RunningRequest) -> str:
    """Return the message for an expected failure of *call*."""
    match failure:
        case ApiError() if context.customer and names_unknown_customer(failure):
            return UNKNOWN_CUSTOMER
        case ApiError():
            return explain(failure, tool.name)
        case NoAnswer():
            return f"it asked the client a question and got no usable answer: {failure}"
        case TimeoutError():
            # Without the claim, the call may have waited for an equal one, which can still take effect.
            unchanged = call.claim is not None and call.claim.is_held and not call.committed
            return tool_result.timeout_message(tool, call.extended_seconds, unchanged=unchanged)
    return str(failure)


async def _run_as_task(
    context: RequestContext, request: Request, tool: Tool, arguments: JsonObject, answers: Mapping[str, JsonObject]
) -> JsonObject:
    """Run the call again as a task, with the client's answers so far."""
    if _are_too_large(arguments):
        record_attempt(context, tool, arguments)
        return tool_result.error_result(tool, ARGUMENTS_TOO_LARGE)
    context, request = _detach(context, request)

    async def work(task: Task) -> JsonObject:
        asker, progress = TaskInputCollector(context.services.tasks, task), TaskProgress()
        progress.show_in(context.services.tasks, task)
        call = RunningRequest(context, request, tool.name, asker, task_progress=progress)
        return await _run_tool(context, call, tool, arguments)

    if (created := await _create_task(context, work, answers)) is not None:
        return created
    record_attempt(context, tool, arguments)
    return tool_result.error_result(tool, TOO_MANY_TASKS)


def _are_too_large(arguments: JsonObject) -> bool:
    return len(orjson.dumps(arguments)) > MAX_TASK_ARGUMENTS_BYTES


def _detach(context: RequestContext, request: Request) -> tuple[RequestContext, Request]:
    """Return only what a task needs of its request, so that the body and the connection can be freed."""
    meta = request.params.get("_meta")
    hint = meta.get(LOCALE_META_KEY) if isinstance(meta, dict) else None
    params = {"_meta": {LOCALE_META_KEY: hint}} if isinstance(hint, str) and len(hint) <= MAX_TAG_CHARACTERS else {}
    if (make_challenge := context.make_auth_challenge) is not None:
        # The function refers to the HTTP request, so it is called now.
        challenge = make_challenge()
        context = context._replace(make_auth_challenge=lambda: challenge)
    return context._replace(channel=NULL_CHANNEL, headers=None), Request(request.id, request.method, params)


async def _run_soon_or_as_task(
    context: RequestContext, request: Request, tool: Tool, arguments: JsonObject
) -> JsonObject:
    """Return the result if it arrives soon, as most do. A call that takes longer continues as a task."""
    tasks_allowed = not _are_too_large(arguments)
    context, request = _detach(context, request)
    progress = TaskProgress()
    call = RunningRequest(context, request, tool.name, NullAsker(), task_progress=progress)
    running = asyncio.create_task(_run_tool(context, call, tool, arguments))
    try:
        await asyncio.wait({running}, timeout=tool.task_after)
        if not running.done():

            async def work(task: Task) -> JsonObject:
                progress.show_in(context.services.tasks, task)
                return await running

            if tasks_allowed and (created := await _create_task(context, work, {})) is not None:
                return created
            # Too many tasks are running, so the client waits, as it would without tasks.
            await asyncio.wait({running}, timeout=tool.deadline or DEADLINE_SECONDS)
            if not running.done():
                running.cancel()
                return tool_result.error_result(tool, tool_result.timeout_message(tool))
    except asyncio.CancelledError:
        running.cancel()
        raise
    return running.result()


async def _create_task(
    context: RequestContext, work: Callable[[Task], Awaitable[JsonObject]], answers: Mapping[str, JsonObject]
) -> JsonObject | None:
    """Start *work* as a task. Return the result that names it, or None if too many tasks are running."""

    # A task belongs to the principal, and an employee may act for another customer when its result is read.
    customer_note = f"Customer: {context.customer}" if context.customer else ""

    async def complete_work(task: Task) -> JsonObject:
        # A task stores the complete result that the request would have returned.
        result = await work(task)
        # The last progress says nothing about a task that has ended.
        task.message = customer_note
        if customer_note:
            result = {**result, "content": [*result.get("content", ()), {"type": "text", "text": customer_note}]}
        return context.caller.revision.era.complete_result(result, context.catalog.server_identity)

    try:
        await context.services.tasks.check_quota(context.owner)
        return context.services.tasks.create(context.owner, complete_work, answers, customer_note).created_result
    except LimitExceeded:
        return None


def _content_result(context: RequestContext, content: ContentResult) -> JsonObject:
    """Return the result of a tool that makes its own content blocks."""
    revision = context.caller.revision
    blocks = [*content.blocks, {"type": "text", "text": context.notice}] if context.notice else content.blocks
    result: JsonObject = {"content": downgrade_blocks(blocks, revision)}
    if content.structured is not None:
        result["structuredContent"] = content.structured
    if content.is_error:
        result["isError"] = True
    if content.meta:
        result["_meta"] = content.meta
    return downgrade("CallToolResult", result, revision)
