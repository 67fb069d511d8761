"""Runs queries and saved reports, so that quick ones stay quick and long ones do not time out.

A synchronous request is the fastest way to a quick result, but the edge of the API ends it after 120 seconds. A run
in the background takes at least three requests, but has no such limit. Therefore:

- Clients that wait no longer than for other calls (no task, no progress) get the synchronous result: their calls end
  before the edge does.
- A query that is expected to be long, or that was slow a short time ago, runs in the background only.
- All others start synchronously. One that has no result after PATIENCE_SECONDS also starts in the background, and the
  first result counts: the synchronous request started earlier, but may time out.
- Accounts without runs in the background get the synchronous result. This is remembered for the user and the customer.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, NamedTuple, cast

import orjson

from ...api import Doit
from ...api.areas.report_runs import FileType
from ...api.areas.reports import result_table, with_report_times
from ...api.errors import ApiError, ErrorKind
from ...api.report_config import QueryConfig
from ...process.task_cancellation import cancel_tasks
from ...protocol.jsonrpc import JsonObject
from ..call import Call
from ..partial_results import make_failures_member
from .background import RunsUnavailable, StartRun, run_in_background
from .expected_duration import is_expected_long

SYNCHRONOUS_WAIT_SECONDS = 20.0
SYNCHRONOUS_SECONDS = 125.0
"""Time limit of a synchronous request in seconds: a little longer than the edge of the API allows."""
PROGRESS_SECONDS = 10.0
CUT_OFF_STATUSES = (504, 524)
FINAL_KINDS: frozenset[ErrorKind] = frozenset(
    {"argument", "credential", "refused", "unsupported", "forbidden", "missing", "conflict"}
)
"""Kinds of errors that the other way of running a report would also cause."""
UNAVAILABLE_FACT = "report_runs_unavailable"
TOO_SLOW = "it takes longer than this call can wait"
RUN_IN_BACKGROUND = (
    "{} runs it in the background without this limit, and get_report_run shows when it has ended. If these tools are not"
    " listed, call them through read_operation."
)
NO_FILE = "this account cannot run reports in the background, which files need"
NO_FILE_NOW = "the API could not create the file; try again"
FileArgument = Annotated[FileType | None, "Also return a link to it as a file."]
FileLink = Annotated[str, "Link to the file, valid for 7 days."]


class ReportRequest(NamedTuple):
    """One query or saved report: how it runs synchronously and in the background. *key* identifies it for a customer.

    *start_tool* is the tool with which the client starts the same report in the background; "" without one.
    """

    synchronous: Callable[[Doit], Awaitable[JsonObject]]
    start: StartRun
    key: str
    is_long: bool = False
    file_type: FileType | None = None
    start_tool: str = ""


async def fetch_query(
    call: Call, config: QueryConfig, file_type: FileType | None = None, *, start_tool: str = ""
) -> JsonObject:
    """Return rows and columns of a query, as run_query of the API's reports does; with *file_type* also "fileOutput".

    Raise ApiError.
    """

    async def start(doit: Doit) -> JsonObject:
        return await doit.report_runs.start_query_run(query=config)

    currency = config.get("currency")
    body = cast(JsonObject, config)
    key = hashlib.blake2b(orjson.dumps(body, option=orjson.OPT_SORT_KEYS), digest_size=12).hexdigest()
    request = ReportRequest(
        lambda doit: doit.reports.query_response(config=config),
        start,
        key,
        is_expected_long(body),
        file_type,
        start_tool,
    )
    response = await fetch_report(call, request)
    link = {"fileOutput": response["fileOutput"]} if response.get("fileOutput") else {}
    return result_table(response, currency) | link


async def fetch_saved_report(
    call: Call, identifier: str, days: dict[str, str], file_type: FileType | None = None
) -> JsonObject:
    """Return a saved report with its result, for its own period or for *days* (startDate, endDate). Raise ApiError."""

    async def start(doit: Doit) -> JsonObject:
        return await doit.report_runs.start_report_run(
            id=identifier, startDate=days.get("startDate"), endDate=days.get("endDate")
        )

    request = ReportRequest(
        lambda doit: doit.reports.get_report_results(id=identifier, **days),
        start,
        key=" ".join((identifier, *days.values())),
        file_type=file_type,
        start_tool="start_report_run",
    )
    return with_report_times(await fetch_report(call, request))


async def fetch_report(call: Call, request: ReportRequest) -> JsonObject:
    """Return the response to *request*, run in the way that suits it best. Raise ApiError."""
    is_available = call.facts.get(UNAVAILABLE_FACT) is None
    if not call.can_wait and (request.file_type is None or not is_available):
        return await _run_while_client_waits(call, request, is_available=is_available)
    call.extend_deadline()
    slow_fact = f"slow_report {request.key}"
    async with _progress_reports(call):
        if not is_available:
            return await _run_synchronously(call, request)
        if request.file_type is not None or request.is_long or call.facts.get(slow_fact):
            return await _run_in_background_first(call, request)
        return await _run_synchronously_first(call, request, slow_fact)


def with_missing_file(call: Call, result: JsonObject, response: JsonObject, file_type: FileType | None) -> JsonObject:
    """Return *result* with the failed part "file", if a file was requested and *response* has no link to one."""
    if file_type is None or response.get("fileOutput"):
        return result
    why = NO_FILE if call.facts.get(UNAVAILABLE_FACT) else NO_FILE_NOW
    return result | make_failures_member([*result.get("failed", ()), {"part": "file", "why": why}])


async def _run_while_client_waits(call: Call, request: ReportRequest, *, is_available: bool) -> JsonObject:
    """Return the synchronous result. If it takes too long, raise an error that names the tool for long ones."""
    try:
        return await request.synchronous(call.doit)
    except ApiError as error:
        if is_available and request.start_tool and _means_cut_off(error):
            failure = ApiError(TOO_SLOW, kind="timeout", status=error.status)
            failure.advice = RUN_IN_BACKGROUND.format(request.start_tool)
            raise failure from error
        raise


async def _run_synchronously(call: Call, request: ReportRequest) -> JsonObject:
    try:
        async with asyncio.timeout(SYNCHRONOUS_SECONDS):
            return await request.synchronous(call.doit)
    except TimeoutError:
        raise ApiError("", kind="timeout") from None


async def _run_in_background_first(call: Call, request: ReportRequest) -> JsonObject:
    try:
        return await run_in_background(call, request.start, request.file_type)
    except RunsUnavailable:
        # The object itself can be missing or forbidden. Then the synchronous request also fails.
        response = await _run_synchronously(call, request)
        call.facts.put(UNAVAILABLE_FACT, True)
        return response


async def _run_synchronously_first(call: Call, request: ReportRequest, slow_fact: str) -> JsonObject:
    """Return the first result of the synchronous request and, once that has taken long, of a run in the background."""
    synchronous = asyncio.create_task(_run_synchronously(call, request))
    patience = asyncio.ensure_future(call.run_followers.sleep(SYNCHRONOUS_WAIT_SECONDS))
    attempts: list[asyncio.Task[JsonObject]] = [synchronous]
    try:
        await asyncio.wait({synchronous, patience}, return_when=asyncio.FIRST_COMPLETED)
        if not synchronous.done() or _was_cut_off(synchronous):
            call.facts.put(slow_fact, True)
            attempts.append(asyncio.create_task(run_in_background(call, request.start)))
        winner = await _wait_for_success(attempts)
        if winner is synchronous and len(attempts) > 1 and _are_runs_unavailable(attempts[1]):
            call.facts.put(UNAVAILABLE_FACT, True)
        return winner.result()
    finally:
        await cancel_tasks(cast("asyncio.Task[Any]", patience), *attempts)


async def _wait_for_success(attempts: list[asyncio.Task[JsonObject]]) -> asyncio.Task[JsonObject]:
    """Return the first task with a result. Raise ApiError if none has one, or if an error applies to all."""
    pending = set(attempts)
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            error = task.exception()
            if error is None:
                return task
            if not isinstance(error, ApiError | RunsUnavailable):
                raise error
            if isinstance(error, ApiError) and error.kind in FINAL_KINDS:
                raise error
    errors = [task.exception() for task in attempts]
    # The error of the run in the background, if any, says more than a timeout.
    raise next(error for error in reversed(errors) if isinstance(error, ApiError))


def _was_cut_off(task: asyncio.Task[JsonObject]) -> bool:
    """Return whether a finished request failed because it took too long."""
    error = task.exception()
    return isinstance(error, ApiError) and _means_cut_off(error)


def _means_cut_off(error: ApiError) -> bool:
    return error.kind == "timeout" or error.status in CUT_OFF_STATUSES


def _are_runs_unavailable(task: asyncio.Task[JsonObject]) -> bool:
    return task.done() and not task.cancelled() and isinstance(task.exception(), RunsUnavailable)


@asynccontextmanager
async def _progress_reports(call: Call) -> AsyncIterator[None]:
    """Report progress every few seconds during the block, so that the client keeps waiting."""
    reports = asyncio.create_task(_report_progress(call))
    try:
        yield
    finally:
        await cancel_tasks(reports)


async def _report_progress(call: Call) -> None:
    followers, began = call.run_followers, call.run_followers.clock()
    while True:
        await followers.sleep(PROGRESS_SECONDS)
        seconds = round(followers.clock() - began)
        await call.report_progress(seconds, message=f"The report has been running for {seconds} seconds.")
