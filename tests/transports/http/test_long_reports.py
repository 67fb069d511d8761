"""Reports that take minutes, over HTTP: clients with tasks, with progress, and with neither; cancellation and sharing.

The sandbox and the waits for runs share a clock, whose minutes pass at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from doit_mcp.catalog.report_runs.background import MAX_RUN_SECONDS
from doit_mcp.catalog.report_runs.queries import SYNCHRONOUS_WAIT_SECONDS
from doit_mcp.catalog.stores.run_followers import RunFollowers
from doit_mcp.catalog.toolsets import Selection
from doit_mcp.sandbox.accounts import ACME, Customer
from doit_mcp.sandbox.api import Api
from doit_mcp.sandbox.api.report_timing import EDGE_SECONDS, ReportTiming
from doit_mcp.server import tasks
from doit_mcp.server.catalog import catalog_factory
from doit_mcp.server.request_context import Catalog
from doit_mcp.server.task import Task
from tests.redis_state.redis_server import Server
from tests.redis_state.replicas import replicas
from tests.transports.http.serving import META, OTHER_USER, STATELESS_REVISION, VIEWER, Answer, Session, Site, serving
from tests.transports.http.streaming import open_stream
from tests.virtual_time import VirtualTime

Json = dict[str, Any]
REPORT_SECONDS = 200.0
START, SYNCHRONOUS = "/analytics/v1/reports/actions/run", "/analytics/v1/reports/query"
TASKS: Json = {"clientCapabilities": {"extensions": {f"{META}tasks": {}}}}
GROUP = [{"id": "service_description", "type": "fixed"}]
COST: Json = {"metrics": [{"type": "basic", "value": "cost"}], "group": GROUP}
LONG: Json = {**COST, "timeRange": {"mode": "last", "amount": 120, "unit": "day"}, "timeInterval": "day"}
SHORT: Json = {**COST, "timeRange": {"mode": "last", "amount": 2, "unit": "month"}, "timeInterval": "month"}


@dataclass
class World:
    """The server, the API behind it, and the runs of a customer."""

    site: Site
    api: Api
    followers: RunFollowers

    def runs(self, customer: Customer = ACME) -> list[Json]:
        """The runs of a customer, oldest first."""
        return list(self.api.tenant(customer).collection("report runs", lambda tenant: ()).values())

    def sent(self, path: str) -> int:
        """How many requests with this path the API got."""
        return sum(call.path.partition("?")[0] == path for call in self.api.calls)

    async def session(self, **options: Any) -> Session:
        """A session of a client that knows no tasks."""
        return await self.site.initialize("2025-06-18", **options)

    async def until_runs(self, count: int) -> None:
        """Wait until the API has this many runs."""
        while len(self.runs()) < count:
            await asyncio.sleep(0.01)

    async def quick_rows(self, query: Json) -> Any:
        """The rows of a query at an API that answers at once."""
        seconds, self.api.report_timing.seconds = self.api.report_timing.seconds, 0.0
        rows = rows_of((await self.site.call("run_query", {"query": query})).result)
        self.api.report_timing.seconds = seconds
        self.api.calls.clear()
        return rows


def make_catalog(selection: Selection, employee: bool) -> Catalog:
    """The usual catalog, whose calls become tasks sooner."""
    catalog = catalog_factory()(selection, employee)
    tools = tuple(tool if tool.task_after is None else replace(tool, task_after=0.1) for tool in catalog.tools)
    return replace(catalog, tools=tools)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A server whose API takes 200 seconds for each report."""
    clock = VirtualTime()
    api = Api(clock=clock, report_timing=ReportTiming(REPORT_SECONDS, sleep=clock.sleep))
    followers = RunFollowers(clock, clock.sleep)
    async with serving(make=make_catalog, api=api, run_followers=followers) as site:
        async with clock.running(lambda: len(api.calls)):
            world = World(site, api, followers)
            yield world
            assert not any(followers.count(run["id"]) for run in world.runs())


def rows_of(result: Json) -> Any:
    """The rows of the result of run_query, which did not fail."""
    assert not result.get("isError"), result["content"]
    return result["structuredContent"]["rows"]


def progress_of(answer: Answer) -> list[float]:
    """The progress that the client received."""
    notes = [one for one in answer.messages if one.get("method") == "notifications/progress"]
    assert all(note["params"]["progressToken"] == "p" for note in notes)
    return [note["params"]["progress"] for note in notes]


async def finished(site: Site, task: Json) -> Json:
    """The final state of a task."""
    while task["status"] == "working":
        await asyncio.sleep(0.05)
        task = (await site.send_stateless("tasks/get", {"taskId": task["taskId"]}, **TASKS)).result
    return task


async def test_client_with_tasks_gets_a_report_of_200_seconds(world: World) -> None:
    expected = await world.quick_rows(LONG)
    began = world.followers.clock()
    created = (await world.site.call("run_query", {"query": LONG}, **TASKS)).result
    assert (created["resultType"], created["status"]) == ("task", "working")
    task = await finished(world.site, created)
    assert task["status"] == "completed" and rows_of(task["result"]) == expected
    assert world.followers.clock() - began >= REPORT_SECONDS
    assert (world.sent(START), world.sent(SYNCHRONOUS)) == (1, 0)
    polls = world.sent(f"/analytics/v1/reports/operations/{world.runs()[0]['id']}")
    # Retry-After grows from 1 to 30 seconds.
    assert 10 <= polls <= 30


async def test_task_of_a_report_shows_its_progress(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # The tasks have the real clock, whose time the report does not take.
    monkeypatch.setattr(tasks, "MIN_PROGRESS_SECONDS", 0.0)
    seen: list[str] = []
    publish = tasks.MemoryTasks._publish_change

    def record(own: tasks.MemoryTasks, task: Task) -> None:
        seen.append(task.detail.get("statusMessage", ""))
        publish(own, task)

    monkeypatch.setattr(tasks.MemoryTasks, "_publish_change", record)
    created = (await world.site.call("run_query", {"query": LONG}, **TASKS)).result
    done = await finished(world.site, created)
    assert done["status"] == "completed" and "statusMessage" not in done
    assert len(seen) >= 5 and all("has been running for" in message for message in seen[:-1]) and not seen[-1]


async def test_progress_of_a_report_is_seen_at_another_replica(redis: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replica a runs the report. Replica b reads its progress from Redis, and sends it to clients that listen."""
    monkeypatch.setattr(tasks, "MIN_PROGRESS_SECONDS", 0.0)
    clock = VirtualTime()
    api = Api(clock=clock, report_timing=ReportTiming(REPORT_SECONDS, sleep=clock.sleep))
    followers = RunFollowers(clock, clock.sleep)
    async with replicas(redis.url, api=api, make=make_catalog, run_followers=followers) as (a, b):
        task = (await a.call("run_query", {"query": LONG}, **TASKS)).result
        parameters = {"taskId": task["taskId"]}
        message = b.stateless_request("subscriptions/listen", {"notifications": {"taskIds": [task["taskId"]]}}, **TASKS)
        headers = b.headers() | b.stateless_headers(message)
        async with open_stream(b, message, headers, STATELESS_REVISION) as stream:
            await stream.message()
            shown = []
            for _ in range(3):
                news = asyncio.create_task(stream.message())
                # Not each waiting function makes progress when it wakes.
                while not news.done():
                    clock.wake_next()
                    await asyncio.wait({news}, timeout=0.5)
                shown.append(news.result()["params"]["statusMessage"])
                state = (await b.send_stateless("tasks/get", parameters, **TASKS)).result
                assert state["status"] == "working" and "has been running for" in state["statusMessage"]
            assert len(set(shown)) == 3 and all("has been running for" in text for text in shown)
            async with clock.running(lambda: len(api.calls)):
                while (last := (await stream.message())["params"])["status"] == "working":
                    assert "has been running for" in last["statusMessage"]
        done = (await b.send_stateless("tasks/get", parameters, **TASKS)).result
        assert done["status"] == last["status"] == "completed" and rows_of(done["result"]) != []


async def test_client_with_progress_gets_a_report_of_200_seconds(world: World) -> None:
    expected = await world.quick_rows(LONG)
    answer = await (await world.session()).call("run_query", {"query": LONG}, token="p")
    assert rows_of(answer.result) == expected
    progress = progress_of(answer)
    assert progress == sorted(set(progress)) and len(progress) >= 10 and progress[-1] >= REPORT_SECONDS - 20
    assert (world.sent(START), world.sent(SYNCHRONOUS)) == (1, 0)


async def test_query_that_is_unexpectedly_slow_continues_in_the_background(world: World) -> None:
    """The edge ends the synchronous request after 120 seconds, and the run that started before has the result."""
    expected = await world.quick_rows(SHORT)
    began = world.followers.clock()
    session = await world.session()
    answer = await session.call("run_query", {"query": SHORT}, token="p")
    assert rows_of(answer.result) == expected
    assert world.followers.clock() - began >= SYNCHRONOUS_WAIT_SECONDS + REPORT_SECONDS
    assert (world.sent(START), world.sent(SYNCHRONOUS)) == (1, 1)
    # It is known to be slow now.
    assert rows_of((await session.call("run_query", {"query": SHORT}, token="p")).result) == expected
    assert (world.sent(START), world.sent(SYNCHRONOUS)) == (2, 1)


async def test_the_synchronous_result_counts_if_it_is_first(world: World) -> None:
    expected = await world.quick_rows(SHORT)
    world.api.report_timing.seconds = EDGE_SECONDS - 20
    answer = await (await world.session()).call("run_query", {"query": SHORT}, token="p")
    assert rows_of(answer.result) == expected
    assert [run["canceled"] for run in world.runs()] == [True]


async def test_client_with_neither_gets_an_error_and_starts_no_run(world: World) -> None:
    answer = await (await world.session()).call("run_query", {"query": LONG})
    text = answer.result["content"][0]["text"]
    assert answer.result["isError"] and "HTTP 524" in text and "start_query_run runs it in the background" in text
    assert (world.sent(START), world.runs()) == (0, [])


async def test_account_that_is_not_enrolled_gets_the_synchronous_result(world: World) -> None:
    world.api.report_timing.seconds = 60
    session = await world.session(user=OTHER_USER)
    for starts in (1, 0):
        world.api.calls.clear()
        answer = await session.call("run_query", {"query": LONG | {"currency": "EUR"}}, token="p")
        assert rows_of(answer.result) and len(progress_of(answer)) >= 3
        # The refusal is remembered.
        assert (world.sent(START), world.sent(SYNCHRONOUS)) == (starts, 1)
    world.api.report_timing.seconds = 0
    report = (await session.call("list_reports")).result["structuredContent"]["reports"][0]["id"]
    answer = await session.call("get_report_results", {"id": report, "file": "pdf"}, token="p")
    failed = answer.result["structuredContent"]["failed"]
    assert [part["part"] for part in failed] == ["file"] and "background" in failed[0]["why"]


async def test_saved_report_runs_in_the_background_with_a_file(world: World) -> None:
    session = await world.session()
    report = (await session.call("list_reports")).result["structuredContent"]["reports"][0]["id"]
    answer = await session.call("get_report_results", {"id": report, "file": "png"}, token="p")
    content = answer.result["structuredContent"]
    assert content["result"]["rows"] and ".png?" in content["fileOutput"]
    assert len(progress_of(answer)) >= 10
    assert (
        world.sent(f"/analytics/v1/reports/{report}/actions/run"),
        world.sent(f"/analytics/v1/reports/{report}"),
    ) == (1, 0)


async def cancel_request(world: World, session: Session) -> None:
    await session.note("notifications/cancelled", {"requestId": "long"})


async def cancel_task(world: World, task: Json) -> None:
    await world.site.send_stateless("tasks/cancel", {"taskId": task["taskId"]}, **TASKS)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


async def test_canceled_request_cancels_its_run(world: World) -> None:
    session = await world.session()
    call = asyncio.create_task(session.call("run_query", {"query": LONG}, id="long", token="p"))
    await world.until_runs(1)
    await cancel_request(world, session)
    await call
    await until(lambda: world.runs()[0]["canceled"])


async def test_canceled_task_cancels_its_run(world: World) -> None:
    created = (await world.site.call("run_query", {"query": LONG}, **TASKS)).result
    await world.until_runs(1)
    await cancel_task(world, created)
    await until(lambda: world.runs()[0]["canceled"])


async def test_run_of_two_callers_outlives_one_of_them(world: World) -> None:
    expected = await world.quick_rows(LONG)
    first, second = await world.session(), await world.session(user=VIEWER)
    canceled = asyncio.create_task(first.call("run_query", {"query": LONG}, id="long", token="p"))
    await world.until_runs(1)
    kept = asyncio.create_task(second.call("run_query", {"query": LONG}, token="p"))
    await until(lambda: world.sent(START) == 2)
    await until(lambda: world.followers.count(world.runs()[0]["id"]) == 2)
    await cancel_request(world, first)
    await canceled
    assert rows_of((await kept).result) == expected
    assert [run["canceled"] for run in world.runs()] == [False]


async def test_run_that_another_client_cancels_is_started_again(world: World) -> None:
    expected = await world.quick_rows(LONG)
    session = await world.session()
    call = asyncio.create_task(session.call("run_query", {"query": LONG}, token="p"))
    await world.until_runs(1)
    world.runs()[0]["canceled"] = True
    assert rows_of((await call).result) == expected
    assert [run["canceled"] for run in world.runs()] == [True, False]


async def test_run_that_takes_too_long_is_canceled(world: World) -> None:
    world.api.report_timing.seconds = 2 * MAX_RUN_SECONDS
    answer = await (await world.session()).call("run_query", {"query": LONG}, token="p")
    assert answer.result["isError"] and "did not finish in time" in answer.result["content"][0]["text"]
    assert world.runs()[0]["canceled"]


async def test_failed_run_is_explained(world: World) -> None:
    world.api.report_timing.seconds, world.api.report_timing.max_rows = 5, 1
    answer = await (await world.session()).call("run_query", {"query": LONG}, token="p")
    text = answer.result["content"][0]["text"]
    assert answer.result["isError"] and "HTTP 413" in text and "fewer groups" in text


async def test_quick_calls_send_what_they_sent_before() -> None:
    """No tool with a common period runs in the background, so none sends more requests than a synchronous one."""
    api = Api()
    async with serving(make=catalog_factory(), api=api) as site:
        session = await site.initialize("2025-06-18")
        for name, arguments in (
            ("get_cloud_overview", {}),
            ("cost_trend", {"months": 12, "groupBy": "cloud"}),
            ("cost_breakdown", {"groupBy": "service"}),
            ("compare_spend", {}),
            ("forecast_spend", {}),
            ("ai_spend", {}),
            ("run_query", {"query": SHORT}),
        ):
            sent = []
            # The first call also learns facts about the customer.
            for token in (None, None, "p"):
                api.calls.clear()
                answer = await session.call(name, arguments, token=token)
                assert not answer.result.get("isError"), answer.result["content"]
                sent.append(sorted(call.path.partition("?")[0] for call in api.calls))
            assert sent[1] == sent[2]
            assert SYNCHRONOUS in sent[2] and START not in sent[2]
