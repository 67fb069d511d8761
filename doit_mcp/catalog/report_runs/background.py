"""Report runs in the background: start, wait as the API asks, read the results, and cancel a run that is not needed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ...api import Doit
from ...api.areas.report_runs import FileType
from ...api.error_reasons import clean_text
from ...api.errors import ApiError, ErrorKind, error_kind
from ...protocol.jsonrpc import JsonObject
from ..call import Call

MAX_RUN_SECONDS = 540.0
"""How long a call waits for a run, in seconds: less than a call may take, because other requests can follow."""
MAX_SHORT_RUN_SECONDS = 35.0
"""The same, for clients that do not wait longer than for other calls."""
DEFAULT_WAIT_SECONDS = 2.0
MAX_WAIT_SECONDS = 60.0
MAX_FAILED_POLLS = 5
MAX_STARTS = 2
CANCEL_SECONDS = 10.0
"""How long the cancellation of a run may take after its call has ended, in seconds."""
NOT_ENROLLED_STATUSES = (403, 404)
TRANSIENT_KINDS: frozenset[ErrorKind] = frozenset({"rate", "fault", "network", "timeout"})
IN_FLIGHT, FINAL = ("pending", "running"), ("succeeded", "failed", "canceled")
TOO_LARGE = "result_too_large"
TOO_LARGE_ADVICE = "ask for a shorter period, a longer timeInterval, or fewer groups"
CANCELED = "another client canceled the run of this report twice"
FAILED = "the report failed"

StartRun = Callable[[Doit], Awaitable[JsonObject]]


class RunsUnavailable(Exception):
    """The account cannot run reports in the background. *error* is the refusal of the API."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(str(error))
        self.error = error


async def run_in_background(call: Call, start: StartRun, file_type: FileType | None = None) -> JsonObject:
    """Return the results of the run that *start* starts, with a link to a file of *file_type*.

    Raise RunsUnavailable if the account cannot run reports in the background, and ApiError for a run that failed or
    takes too long. A run that another client canceled is restarted once. If the call ends before the run, the run is
    canceled, unless another call of this process waits for it.
    """
    began = call.run_followers.clock()
    for _ in range(MAX_STARTS):
        run_id = await _start(call, start)
        state = await _follow(call, run_id, began)
        if state["status"] == "succeeded":
            return await _read_results(call, run_id, file_type)
        if state["status"] == "failed":
            raise _run_error(state)
    raise ApiError(CANCELED, kind="conflict")


async def _start(call: Call, start: StartRun) -> str:
    """Return the id of a new run, or of an equal one that is running.

    A call that is canceled meanwhile waits for the response, because a run without a known id cannot be canceled.
    """
    request = asyncio.ensure_future(_send_start(call, start))
    try:
        return await asyncio.shield(request)
    except asyncio.CancelledError:
        await asyncio.wait({request}, timeout=CANCEL_SECONDS)
        if not request.done():
            request.cancel()
        elif not request.cancelled() and request.exception() is None:
            call.run_followers.add_follower(request.result())
            await _stop_waiting(call, request.result(), has_ended=False)
        raise


async def _send_start(call: Call, start: StartRun) -> str:
    try:
        started = await start(call.doit)
    except ApiError as error:
        if error.status in NOT_ENROLLED_STATUSES:
            raise RunsUnavailable(error) from error
        raise
    run_id = started.get("operationId")
    if not isinstance(run_id, str) or not run_id:
        raise ApiError("the response has no operationId", kind="answer")
    return run_id


async def _follow(call: Call, run_id: str, began: float) -> JsonObject:
    """Return the final state of a run."""
    call.run_followers.add_follower(run_id)
    has_ended = False
    try:
        state = await _wait_until_ended(call, run_id, began)
        has_ended = True
        return state
    finally:
        await _stop_waiting(call, run_id, has_ended=has_ended)


async def _stop_waiting(call: Call, run_id: str, *, has_ended: bool) -> None:
    """Stop waiting for a run, and cancel it if it has not ended and no other call waits for it."""
    if not call.run_followers.remove_follower(run_id) or has_ended:
        return
    try:
        # The time limit of the call's API client may have passed.
        await call.make_api(CANCEL_SECONDS).report_runs.cancel_report_run(operationId=run_id)
    except ApiError:
        # The run then ends by itself. Why the call ended is more important than this.
        return


async def _wait_until_ended(call: Call, run_id: str, began: float) -> JsonObject:
    """Poll the state of a run as often as the API asks, until the state is final."""
    followers, failed_polls = call.run_followers, 0
    until = began + (MAX_RUN_SECONDS if call.can_wait else MAX_SHORT_RUN_SECONDS)
    while True:
        try:
            state = await call.doit.report_runs.get_report_run(operationId=run_id)
            failed_polls, wait = 0, state.get("retryAfterSeconds")
            if state.get("status") in FINAL:
                return state
            if state.get("status") not in IN_FLIGHT:
                raise ApiError("the state of the run is unknown", kind="answer")
        except ApiError as error:
            failed_polls += 1
            if error.kind not in TRANSIENT_KINDS or failed_polls > MAX_FAILED_POLLS:
                raise
            wait = error.retry_after
        wait = min(wait or DEFAULT_WAIT_SECONDS, MAX_WAIT_SECONDS)
        if (remaining := until - followers.clock()) <= 0:
            raise ApiError("the report did not finish in time, so it was canceled", kind="timeout")
        await followers.sleep(min(wait, remaining))


async def _read_results(call: Call, run_id: str, file_type: FileType | None) -> JsonObject:
    """Return the results. If the file could not be created, request it again once, as the API recommends."""
    read = call.doit.report_runs.get_report_run_results
    results = await read(operationId=run_id, fileOutput=file_type)
    if file_type is not None and not results.get("fileOutput"):
        results = await read(operationId=run_id, fileOutput=file_type)
    return results


def _run_error(state: JsonObject) -> ApiError:
    """Return the error of a failed run."""
    error = state.get("error")
    error = error if isinstance(error, dict) else {}
    status = error.get("status")
    status = status if isinstance(status, int) and 400 <= status < 600 else 500
    texts = [text for name in ("detail", "title") if isinstance(text := error.get(name), str) and text.strip()]
    reason = clean_text(texts[0]) if texts else FAILED
    if error.get("code") == TOO_LARGE:
        reason = f"{reason.rstrip('.')}; {TOO_LARGE_ADVICE}"
    return ApiError(reason, kind=error_kind(status), status=status)
