"""Runs in the background: how often they are polled, which failures they survive, and what cancels them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from doit_mcp.api import Doit
from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Operation, Request
from doit_mcp.catalog.report_runs.background import (
    DEFAULT_WAIT_SECONDS,
    MAX_FAILED_POLLS,
    MAX_RUN_SECONDS,
    MAX_SHORT_RUN_SECONDS,
    RunsUnavailable,
    run_in_background,
)
from doit_mcp.catalog.stores.run_followers import RunFollowers
from tests.api.recorder import Recorder

from ..caller import Caller

RUN, OPERATION = "/analytics/v1/reports/actions/run", "/analytics/v1/reports/operations/r1"
RESULTS = {"result": {"schema": [], "rows": []}}
RUNNING: dict[str, Any] = {"operationId": "r1", "status": "running"}
DONE = {"operationId": "r1", "status": "succeeded"}


class RunApi(Recorder):
    """An API whose polls have these responses in order; the last one repeats. Starts and results have one each."""

    def __init__(
        self, *polls: Any, start: Any = None, results: Callable[[Request], Any] = lambda request: RESULTS
    ) -> None:
        super().__init__(self.answer)
        self.polls, self.start, self.results = list(polls), start or {"operationId": "r1"}, results
        self.proceed = asyncio.Event()
        self.proceed.set()

    async def send(self, operation: Operation, arguments: Mapping[str, Any]) -> Any:
        await self.proceed.wait()
        return await super().send(operation, arguments)

    def answer(self, request: Request) -> Any:
        if request.path == RUN:
            return self.start
        if request.path == OPERATION:
            return self.polls.pop(0) if len(self.polls) > 1 else self.polls[0]
        return self.results(request) if request.path.endswith("/results") else {"status": "canceled"}

    def count(self, ending: str) -> int:
        """How many requests had a path with this ending."""
        return sum(request.path.endswith(ending) for request in self.requests)


def caller(api: RunApi, followers: RunFollowers | None = None) -> tuple[Caller, list[float]]:
    """A call that can wait, and the waits that it makes."""
    call, waits, clock = Caller(api), [], [0.0]

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock[0] += seconds
        await asyncio.sleep(0)

    call.run_followers = followers or RunFollowers()
    call.run_followers.clock, call.run_followers.sleep = lambda: clock[0], sleep
    call.can_wait = True
    return call, waits


async def start(doit: Doit) -> Any:
    return await doit.report_runs.start_query_run(query={})


async def test_polls_as_often_as_the_api_asks() -> None:
    polls = [{**RUNNING, "retryAfterSeconds": wait} for wait in (1, 7, 30)]
    api = RunApi(*polls, RUNNING, DONE)
    call, waits = caller(api)
    assert await run_in_background(call, start) == RESULTS
    assert waits == [1, 7, 30, DEFAULT_WAIT_SECONDS]
    assert api.count("/cancel") == 0 and not call.run_followers.count("r1")


@pytest.mark.parametrize("kind", ["rate", "fault", "network", "timeout"])
async def test_failed_polls_do_not_end_the_run(kind: Any) -> None:
    failure = ApiError("", kind=kind, retry_after=9)
    api = RunApi(*[failure] * MAX_FAILED_POLLS, DONE)
    call, waits = caller(api)
    assert await run_in_background(call, start) == RESULTS
    assert waits == [9] * MAX_FAILED_POLLS
    api = RunApi(failure)
    with pytest.raises(ApiError) as caught:
        await run_in_background(caller(api)[0], start)
    assert caught.value is failure and api.count("/cancel") == 1


async def test_unknown_runs_and_unknown_states_end_the_wait() -> None:
    for poll in (ApiError("gone", kind="missing", status=404), {"status": "resting"}):
        api = RunApi(poll)
        with pytest.raises(ApiError, match="gone|unknown"):
            await run_in_background(caller(api)[0], start)
        assert api.count("/cancel") == 1


@pytest.mark.parametrize(("can_wait", "limit"), [(True, MAX_RUN_SECONDS), (False, MAX_SHORT_RUN_SECONDS)])
async def test_run_that_outlasts_the_call_is_canceled(can_wait: bool, limit: float) -> None:
    api = RunApi({**RUNNING, "retryAfterSeconds": 30})
    call, waits = caller(api)
    call.can_wait = can_wait
    with pytest.raises(ApiError, match="did not finish in time") as caught:
        await run_in_background(call, start)
    assert caught.value.kind == "timeout" and sum(waits) == limit and api.count("/cancel") == 1


@pytest.mark.parametrize("status", [403, 404])
async def test_refused_start_means_that_runs_are_unavailable(status: int) -> None:
    with pytest.raises(RunsUnavailable):
        await run_in_background(caller(RunApi(DONE, start=ApiError("no", kind="missing", status=status)))[0], start)


async def test_other_errors_of_the_start_are_raised() -> None:
    for answer in (ApiError("bad metric", kind="refused", status=400), {"status": "pending"}):
        with pytest.raises(ApiError, match="bad metric|no operationId"):
            await run_in_background(caller(RunApi(DONE, start=answer))[0], start)


@pytest.mark.parametrize(
    ("error", "kind", "status", "text"),
    [
        (
            {"title": "Too large", "code": "result_too_large", "status": 413, "detail": "20 MB"},
            "refused",
            413,
            "20 MB; ask",
        ),
        ({"title": "Broken", "code": "internal", "status": 500}, "fault", 500, "Broken"),
        ("odd", "fault", 500, "the report failed"),
        ({"title": 5, "status": "x"}, "fault", 500, "the report failed"),
    ],
)
async def test_failed_run_raises_its_error(error: Any, kind: str, status: int, text: str) -> None:
    api = RunApi({**RUNNING, "status": "failed", "error": error})
    with pytest.raises(ApiError, match=text) as caught:
        await run_in_background(caller(api)[0], start)
    assert (caught.value.kind, caught.value.status) == (kind, status) and api.count("/cancel") == 0


async def test_run_that_another_client_cancels_twice_is_not_started_again() -> None:
    api = RunApi({**RUNNING, "status": "canceled"})
    with pytest.raises(ApiError, match="canceled") as caught:
        await run_in_background(caller(api)[0], start)
    assert caught.value.kind == "conflict" and api.count("/run") == 2 and api.count("/cancel") == 0


async def test_file_is_requested_twice_if_it_could_not_be_made() -> None:
    answers = [RESULTS, {**RESULTS, "fileOutput": "https://files.example/a.pdf"}]
    api = RunApi(DONE, results=lambda request: answers.pop(0))
    found = await run_in_background(caller(api)[0], start, "pdf")
    assert found["fileOutput"].endswith("a.pdf") and not answers
    assert [request.query for request in api.requests if request.path.endswith("/results")] == [
        {"fileOutput": "pdf"}
    ] * 2


async def test_call_canceled_during_the_start_cancels_its_run() -> None:
    """The response with the id of the run is waited for."""
    api = RunApi(RUNNING)
    api.proceed.clear()
    call, _ = caller(api)
    task = asyncio.create_task(run_in_background(call, start))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    api.proceed.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert api.count("/run") == 1 and api.count("/cancel") == 1 and not call.run_followers.count("r1")


async def test_run_ends_with_its_last_follower() -> None:
    followers = RunFollowers()
    apis = [RunApi(RUNNING) for _ in range(2)]
    calls = [caller(api, followers)[0] for api in apis]
    never = asyncio.Event()

    async def sleep(seconds: float) -> None:
        await never.wait()

    followers.sleep = sleep
    tasks = [asyncio.create_task(run_in_background(call, start)) for call in calls]
    for task, cancels in zip(tasks, (0, 1), strict=True):
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert sum(api.count("/cancel") for api in apis) == cancels


async def test_failed_cancellation_does_not_hide_why_the_call_ended() -> None:
    api = RunApi(ApiError("gone", kind="missing", status=404))
    usual = api.answer

    def answer(request: Request) -> Any:
        return ApiError("down", kind="fault") if request.path.endswith("/cancel") else usual(request)

    api.answers = [answer]
    with pytest.raises(ApiError, match="gone"):
        await run_in_background(caller(api)[0], start)
